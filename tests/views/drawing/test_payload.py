"""What the engine is given: the graph, field by field, in JSON that JavaScript reads exactly."""

from __future__ import annotations

import json
from dataclasses import asdict

import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.folding.fold import fold_calls
from torchatlas.core.graph import Call, Graph, Node, Text
from torchatlas.views.drawing.payload import DEEPEST, with_escapes
from viewing import payload_of
from views.drawing.nets import stack


def graph_with(tree) -> Graph:
    """One call with one argument."""
    return Graph("f", calls=(Call(0, "function", "f", arguments=Node("arguments", ("x",), (tree,))),))


def test_every_record_is_there_field_by_field():
    """Against dataclasses' own conversion; trees apart, which have tests of their own."""
    graph = stack().graph
    read = json.loads(payload_of(graph, details=True))["graph"]
    for key in ("calls", "values", "modules", "notes"):
        for given, record in zip(read[key], getattr(graph, key), strict=True):
            wanted = json.loads(json.dumps(asdict(record)))
            for tree in ("arguments", "returns", "settings"):
                given.pop(tree, None)
                wanted.pop(tree, None)
            assert given == wanted
    assert read["folds"] == [json.loads(json.dumps(asdict(f))) for fs in fold_calls(graph).values() for f in fs]
    assert (read["name"], read["error"], read["provenance"]) == (graph.name, None, asdict(graph.provenance))


def test_without_details_only_the_run_tells_its_arguments():
    """A picture says how the inputs are called, and nothing of the arguments of each call."""
    brief, full = (json.loads(payload_of(stack().graph, details=details))["graph"] for details in (False, True))
    assert brief["calls"][0]["arguments"] == full["calls"][0]["arguments"]
    assert brief["calls"][0]["arguments"]["keys"] == ["tokens", "mask"]
    assert brief["calls"][1]["arguments"]["items"] == []
    assert full["calls"][1]["arguments"]["items"] == [{"slot": 0}]
    assert brief["calls"][1]["source"] is None


def test_numbers_that_json_or_javascript_cannot_hold_are_said_in_words():
    """-inf stands in every attention mask; NaN would make the text no JSON."""
    tree = Node("list", (), (float("-inf"), float("nan"), 2**53, 2**53 + 1, True, None, 0.1, Text("torch.float32")))
    (read,) = json.loads(payload_of(graph_with(tree)))["graph"]["calls"][0]["arguments"]["items"]
    words = [
        {"text": "-inf"},
        {"text": "nan"},
        2**53,
        {"text": str(2**53 + 1)},
        True,
        None,
        0.1,
        {"text": "torch.float32"},
    ]
    assert read["items"] == words


def test_a_structure_of_any_depth_is_written():
    """What is nested without end is cut, not crashed on."""
    tree = None
    for _ in range(5 * DEEPEST):
        tree = Node("list", (), (tree,))
    text = payload_of(graph_with(tree))
    assert text.count('"list"') == DEEPEST - 1
    assert "\\u2026" in text


def test_the_text_is_ascii_and_the_same_every_time():
    """Nothing depends on an encoding or a hash."""
    model = nn.Sequential()
    model.add_module("\u7f51", nn.Linear(2, 2))
    first, second = (payload_of(ta.capture(model, torch.zeros(1, 2)).graph) for _ in range(2))
    assert first == second
    assert first.isascii()


def test_escapes_replace_the_named_characters_alone():
    """Backslashes and quotes of the model's own stay what they are."""
    words = ["\u4e2d\u6587", "\\u4e2d", '"\\', "\N{GRINNING FACE}\u4e2d", "\ud83d\u4e2d", "\n\x00"]
    read = json.loads(with_escapes(json.dumps(words), {"\u4e2d", "\N{GRINNING FACE}"}))
    assert read == ["\\u{4E2D}\u6587", "\\u4e2d", '"\\', "\\u{1F600}\\u{4E2D}", "\ud83d\\u{4E2D}", "\n\x00"]
