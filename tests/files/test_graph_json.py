"""A graph as JSON: it comes back equal, is of the schema's form, and what is something else is refused."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings

from core.graphs import irregular, llama_like
from core.strategies import graphs
from test_schema import fits_whole
from torchatlas.core.errors import FileError, InputError
from torchatlas.core.graph import Call, Graph, Node, Slot, Text, Value
from torchatlas.files import graph_json
from work import lines_run

PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def holding(*items) -> Graph:
    """One call with these arguments."""
    return Graph("f", calls=(Call(0, "function", "f", arguments=Node("arguments", (), items)),))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_any_graph_comes_back_equal(graph):
    """Every field, every kind of constant, lone surrogates; a split character is the one thing that JSON joins."""
    text = graph_json.to_json(graph)
    if not PAIR.search(repr(graph).encode("unicode_escape", "surrogatepass").decode("unicode_escape")):
        assert graph_json.from_json(text) == graph
    assert graph_json.to_json(graph_json.from_json(text)) == text
    assert text.isascii()
    assert fits_whole(json.loads(text), "graph")


@pytest.mark.parametrize(
    "item",
    [
        *(True, 1, 1.0, False, 0, 0.0, -0.0, math.inf, -math.inf, 5e-324, 2**63, -(2**63) - 1, 10**6000, -(10**6000)),
        *(
            "",
            "nan",
            Text("nan"),
            Node("float", ("a",), (1,)),
            Node("int", (), ()),
            Node("float", ("nan",), (Text(""),)),
        ),
    ],
    ids=lambda item: repr(item)[:20] if not isinstance(item, int) or abs(item) < 2**64 else "huge",
)
def test_a_constant_keeps_its_type_and_value(item):
    """Also what JSON has no number for, beside what looks like the form it is written in."""
    (kept,) = graph_json.from_json(graph_json.to_json(holding(item))).calls[0].arguments.items
    assert (type(kept), kept) == (type(item), item)
    assert not isinstance(kept, float) or math.copysign(1, kept) == math.copysign(1, item)


def test_every_nan_is_read_as_the_one_of_math():
    """As from an .atlas file: one object is equal to itself, so that graphs are."""
    (kept,) = graph_json.from_json(graph_json.to_json(holding(float("nan")))).calls[0].arguments.items
    assert kept is math.nan  # noqa: PLW0177 - this very object is meant


def test_the_text_is_strict_json():
    """No word that other readers do not know."""

    def refuse(word):
        raise AssertionError(word)

    json.loads(graph_json.to_json(holding(math.nan, -math.inf)), parse_constant=refuse)


def test_the_forward_run_is_nested():
    """A backward pass holds the run that it belongs to, with folds of its own."""
    forward = llama_like(6, 9)
    graph = Graph("loss", calls=(Call(0, "function", "backward", forward=3),), forward=forward)
    record = json.loads(graph_json.to_json(graph))
    assert record["forward"]["folds"]
    assert fits_whole(record, "graph")
    assert graph_json.from_json(json.dumps(record)) == graph


def test_a_field_that_an_older_version_did_not_write_has_its_default():
    """Records grow; files stay readable."""
    record = json.loads(graph_json.to_json(holding(1)))
    for call in record["calls"]:
        del call["forward"], call["seconds"]
    del record["overlays"], record["forward"], record["folds"]
    assert graph_json.from_json(json.dumps(record)) == holding(1)


DAMAGED = {
    "": "is not JSON",
    "{": "is not JSON",
    "NaN": "NaN is no number",
    "[1, 2]": "a list of 2",
    "{}": "an empty object",
    '{"graphs": [], "label": ""}': "an object with the keys 'graphs', 'label'",
    "[" * 100_000: "nested too deeply",
    "1" * 5000: "is not JSON",
}


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: text[:10])
def test_what_is_no_graph_is_refused(text):
    """The message says what it is, and what was wanted."""
    with pytest.raises(FileError, match=r"^net\.json is .*Wanted: a graph as JSON") as caught:
        graph_json.from_json(text, "net.json")
    assert DAMAGED[text] in str(caught.value)


CHANGES = {
    "a string for a number": ({"calls": [{"id": "0", "kind": "function", "name": "f"}]}, "'0' stands for a whole"),
    "true for a number": ({"error": True}, "True stands for a whole number"),
    "an unknown kind": ({"calls": [{"id": 0, "kind": "thing", "name": "f"}]}, "'thing' is none of module, function"),
    "a list as a kind": ({"calls": [{"id": 0, "kind": [], "name": "f"}]}, "[] is none of module"),
    "a field too few": ({"calls": [{"id": 0}]}, "a Call lacks kind, name"),
    "a field too many": ({"later": 1}, "a Graph has 'later', which this torchatlas does not know"),
    "no list": ({"calls": 3}, "3 stands for a list"),
    "an unknown mode": ({"provenance": {"mode": "quick"}}, "'quick' is none of eval, train, same"),
    "two overlays, one number": ({"overlays": [{"name": "a", "calls": [[0]]}]}, "stands for a list of 2"),
    "not well formed": ({"error": 7}, "the error is in call 7, which is not there"),
    "a strange tree": ({"calls": [{"id": 0, "kind": "function", "name": "f", "returns": {"x": 1}}]}, "no argument"),
    "a strange number": (
        {"calls": [{"id": 0, "kind": "function", "name": "f", "returns": {"type": "int", "keys": ["x"], "items": []}}]},
        "invalid literal",
    ),
    "an infinite time": ({"calls": [{"id": 0, "kind": "function", "name": "f", "seconds": 10**400}]}, "too large"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_record_of_another_form_is_named(case):
    """Each by what stands where something else was wanted."""
    change, words = CHANGES[case]
    text = json.dumps(json.loads(graph_json.to_json(Graph("f"))) | change)
    with pytest.raises(FileError, match=re.escape(words)):
        graph_json.from_json(text)


def test_a_tree_that_is_too_deep_is_refused():
    """What Python could not compare or print."""
    tree = "null"
    for _ in range(300):
        tree = f'{{"type": "list", "keys": [], "items": [{tree}]}}'
    calls = f'[{{"id": 0, "kind": "function", "name": "", "returns": {tree}}}]'
    with pytest.raises(FileError, match="nested deeper than 100"):
        graph_json.from_json(f'{{"name": "", "values": [], "modules": [], "calls": {calls}}}')


def test_a_graph_that_is_not_well_formed_is_not_written(tmp_path):
    """What could not be read back is refused before a file is touched."""
    with pytest.raises(InputError, match="slot 3, of 0"):
        graph_json.write(holding(Slot(3)), tmp_path / "a.json")
    with pytest.raises(InputError, match="JSON cannot hold"):
        graph_json.write(Graph("", values=(Value(0, "input", (), (10**5000,), "", "", 0),)), tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04rest", b"\x89atlas\r\n"], ids=["empty", "zip", "atlas"])
def test_a_file_of_another_kind_is_named(tmp_path, data):
    """And one that is not there."""
    path = tmp_path / "net.json"
    with pytest.raises(FileError, match=r"net\.json cannot be read: No such file"):
        graph_json.read(path)
    path.write_bytes(data)
    with pytest.raises(FileError, match=r"net\.json is not a graph as JSON: it (is empty|looks like)"):
        graph_json.read(path)


def test_a_large_graph_is_linear_work(tmp_path):
    """2,000 and 20,000 calls, written and read."""

    def both_ways(graph):
        graph_json.write(graph, tmp_path / "net.json")
        assert graph_json.read(tmp_path / "net.json") == graph

    small, large = irregular(2000), irregular(20_000)
    assert lines_run(lambda: both_ways(large)) < 11 * lines_run(lambda: both_ways(small))


def test_reading_needs_the_standard_library_alone(tmp_path):
    """A file is read on a machine that has no torch."""
    graph_json.write(holding(1), tmp_path / "net.json")
    code = """
        import sys
        sys.modules.update(torch=None, numpy=None)
        from torchatlas.files.graph_json import read
        print(read(sys.argv[1]).name)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "net.json")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "f\n"
