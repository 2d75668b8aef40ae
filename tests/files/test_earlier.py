"""Files that version 0.1.0 wrote: what it knew as text alone is data once they are read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.graphs import llama_like
from torchatlas.core.check import check
from torchatlas.core.editing.folding import fold, fold_repeats, unfold
from torchatlas.core.errors import FileError
from torchatlas.core.graph import Note, Provenance
from torchatlas.core.measure.overlay import add_overlay
from torchatlas.files import codec, graph_json
from torchatlas.files.earlier import provenance_of, upgraded
from torchatlas.views.table.summary import summarize

HERE = Path(__file__).parent / "written_by_0_1_0"
FORMS = {".atlas": codec.read, ".json": graph_json.read}


@pytest.fixture(params=FORMS)
def run(request):
    """A profiled run, folded, renamed, overlaid and pruned."""
    return FORMS[request.param](HERE / f"run{request.param}")


@pytest.fixture(params=FORMS)
def weights(request):
    """Weights alone, whose classes were inferred."""
    return FORMS[request.param](HERE / f"weights{request.param}")


def groups(graph):
    """Name and repeats of every group."""
    return [(call.name, call.repeats) for call in graph.calls if call.kind == "group"]


def test_both_forms_give_one_graph():
    """Well formed, and written again as this version writes it."""
    for name in ("run", "weights"):
        first, second = (read(HERE / f"{name}{suffix}") for suffix, read in FORMS.items())
        assert first == second
        check(first)
        assert codec.decode(codec.encode(first)) == first
        assert graph_json.from_json(graph_json.to_json(first)) == first


def test_groups_of_repeats_have_their_count(run):
    """Not the group whose own name ends like one: it holds a layer and a function."""
    assert groups(run) == [("Block", 3), *[("Stage", 1)] * 3, ("Head ×2", 1)]
    assert next(call.label for call in run.calls if call.kind == "group") == "Block ×3"
    assert groups(fold(run, "Block", "All"))[0] == ("All", 1)


def test_notes_have_their_codes(run):
    """Told by how they begin, once; the overlay's by its name too."""
    assert [(note.code, note.about) for note in run.notes] == [
        ("fused path", ""),
        ("other", ""),
        ("fold", ""),
        ("fold", ""),
        ("overlay", "energy"),
        ("prune", ""),
    ]
    assert [note.code for note in unfold(run).notes] == ["fused path", "other", "overlay", "prune"]
    assert [note.code for note in add_overlay(run, "energy", {3: 1.0}).notes] == [
        *["fused path", "other"],
        *["fold"] * 2,
        "prune",
    ]


@pytest.mark.parametrize("name", ["it's", 'a "b"', "both ' and \"", "back\\slash", "x': the number for "])
def test_an_overlay_is_known_by_any_name(name):
    """Quotes and backslashes in it are read as they were written."""
    note = add_overlay(llama_like(1, 1), name, {0: float("nan")}).notes[0]
    old = replace(llama_like(1, 1), notes=(Note(note.text, note.call),))
    assert upgraded(old).notes == (note,)


def test_what_this_version_writes_is_taken_as_it_is():
    """A group called as repeats used to be, by whoever made it, stays that after saving."""
    made = fold(llama_like(2, 4), r"re:model\.layers\.\d", "Layer ×2")
    assert groups(made)[0] == ("Layer ×2", 1)
    assert groups(codec.decode(codec.encode(made))) == groups(made)
    assert groups(graph_json.from_json(graph_json.to_json(made))) == groups(made)
    assert groups(graph_json.from_json(graph_json.to_json(replace(made, notes=())))) == groups(made)


@pytest.mark.parametrize("name", ["LlamaDecoderLayer ×4", "LlamaDecoderLayer ×1", "LlamaDecoderLayer ×", " ×5", "×5"])
def test_a_name_that_miscounts_is_kept(name):
    """Only a group that holds so many repeats was called after them."""
    made = fold_repeats(llama_like(5, 4))
    old = replace(made, calls=tuple(replace(c, name=name, repeats=1) if c.kind == "group" else c for c in made.calls))
    assert groups(upgraded(old))[0] == (name, 1)


def test_a_backward_pass_keeps_its_forward():
    """The run that it belongs to is read as one by itself would be."""
    text = json.loads((HERE / "run.json").read_text())
    both = graph_json.from_json(json.dumps({**text, "forward": text}))
    assert both.forward == graph_json.from_json(json.dumps(text))


def test_a_run_tells_where_it_comes_from_field_by_field(run):
    """What stood in pairs of text is numbers and flags, the sentence about times too."""
    assert run.provenance == Provenance(
        torchatlas="0.1.0",
        torch="2.13.0+cpu",
        python="3.11.7",
        mode="eval",
        level="op",
        fake=False,
        timed_runs=2,
        plain_seconds=0.000142394,
        plain_spread=pytest.approx(0.0226e-3),
        marked_ratio=1.081,
    )


def test_the_footer_of_a_run_says_what_it_said(run):
    """The sentence, made anew from its numbers."""
    assert "median of 2 runs; 0.1424 ms without any marks, spread 0.0226 ms" in str(summarize(run))


def test_weights_tell_which_file_they_were_in(weights):
    """And how it is read; nothing of a run."""
    assert weights.provenance == Provenance(
        weights_format="a file of torch.save",
        weights_file="net.pth",
        reads='[["torch", "[\'model\']", "flat", "", "", false]]',
        state_dict="['model']",
    )


PAIRS = {
    ("pass", "backward"): {"backward": True},
    ("saved", "False"): {"saved_tensors": False},
    ("parts", "apart"): {"apart": True},
    ("grad", "True"): {"grad": True},
    ("schema", "8.14"): {"format_version": "8.14"},
    ("opset", "ai.onnx 18"): {"opsets": "ai.onnx 18"},
    ("timed", "median of 1 runs; 3 ms without any marks"): {"timed_runs": 1},
    ("timed", "long"): {},
    ("plain seconds", "nan"): {},
    ("plain seconds", "soon"): {},
    ("mode", "quick"): {},
    ("colour", "red"): {},
}


@pytest.mark.parametrize("pair", PAIRS)
def test_each_pair_is_a_field(pair):
    """Of the meaning that it had; what no version wrote is left out."""
    assert provenance_of([pair]) == Provenance(**PAIRS[pair])


@pytest.mark.parametrize("made", [3, ["ab"], [["a", "b", "c"]], [["a", 1]]])
def test_what_is_no_pair_is_refused(made):
    """By what stands there."""
    text = json.dumps({**json.loads((HERE / "weights.json").read_text()), "made": made})
    with pytest.raises(FileError, match="stands for a list of pairs of text"):
        graph_json.from_json(text)


@pytest.mark.parametrize(("records", "earlier"), [("modules", "sure"), ("values", "same_as")])
def test_a_field_under_both_of_its_names_is_refused(records, earlier):
    """No version wrote both, so that neither is taken for the other."""
    text = json.loads(graph_json.to_json(llama_like(1, 1)))
    text[records][0][earlier] = None
    with pytest.raises(FileError, match=f"has '{earlier}', which this torchatlas does not know"):
        graph_json.from_json(json.dumps(text))
