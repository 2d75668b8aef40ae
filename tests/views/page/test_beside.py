"""Two graphs on one page: what is beside, what belongs together, what is said of it; and what cannot be."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Call, Graph, Slot
from torchatlas.views.page.page import Page, page


@pytest.fixture(scope="module")
def graphs():
    """A small network, and one with a wider middle and one layer more."""
    one = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    other = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2), nn.Sigmoid())
    return tuple(ta.capture(model, torch.zeros(1, 4)).graph for model in (one, other))


@pytest.fixture
def backward(graphs):
    """A graph of the form of a backward pass of the first network."""
    run = graphs[0]
    root = Call(0, "function", "backward", inputs=(0,))
    linear = run.calls_of["2"][0]
    calls = (root, Call(1, "backward", "AddmmBackward0", None, 0, (0,), (), returns=Slot(0), forward=linear))
    return Graph("backward", calls, (replace(run.values[0], kind="input", producer=None),), forward=run)


def unpacked(parts: dict) -> dict:
    """A graph with what is said of it, and its totals."""
    return json.loads(gzip.decompress(base64.b64decode(parts["payload"]))) | {"about": parts["about"]}


def held(made: Page) -> dict:
    """What the page's data element holds."""
    found = re.search(r'<script id="atlas" type="application/json">(.*?)</script>', made.html, re.DOTALL)
    parts = json.loads(found[1])
    both = {"beside": unpacked(parts["beside"]), "pair": parts["pair"]} if "beside" in parts else {}
    return unpacked(parts) | both


def test_two_graphs_are_held_with_their_numbers(graphs):
    """The second as the first: calls with arguments, and costs."""
    inside = held(page(graphs[0], beside=graphs[1]))
    assert set(inside) == {"graph", "measures", "elements", "marks", "view", "about", "beside", "pair"}
    assert [call["name"] for call in inside["beside"]["graph"]["calls"]] == [call.name for call in graphs[1].calls]
    assert inside["beside"]["about"]["totals"]["parameters"] == 4 * 6 + 6 + 6 * 2 + 2
    assert inside["about"]["totals"]["parameters"] == 4 * 8 + 8 + 8 * 2 + 2
    assert inside["pair"] == {"pairs": [], "titles": ["a", "b"], "compared": True}


def test_a_page_of_one_graph_holds_nothing_of_a_second(graphs):
    """As it always was."""
    assert set(held(page(graphs[0]))) == {"graph", "measures", "elements", "marks", "view", "about"}


def test_pairs_marks_and_titles_reach_the_page(graphs):
    """Pairs once each, many to many; marks as the calls that bear each, without those that are the same."""
    marks = ({1: "changed", 5: "removed", 0: "same"}, {3: "added"})
    made = page(graphs[0], beside=graphs[1], pairs=[(1, 1), (1, 2), (1, 1), (3, 2)], marks=marks, titles=("old", "new"))
    inside = held(made)
    assert inside["pair"] == {"pairs": [[1, 1], [1, 2], [3, 2]], "titles": ["old", "new"], "compared": True}
    assert inside["marks"] == {"added": [], "removed": [5], "changed": [1]}
    assert inside["beside"]["marks"] == {"added": [3], "removed": [], "changed": []}


def test_sides_of_the_same_title_are_told_apart(graphs):
    """Two versions of one class have the same name."""
    made = page(graphs[0], beside=graphs[1], titles=("ResNet", "ResNet"))
    assert held(made)["pair"]["titles"] == ["ResNet (a)", "ResNet (b)"]
    assert held(page(graphs[0], beside=graphs[1], titles=("", "new")))["pair"]["titles"] == ["a", "new"]


def test_marks_colour_the_boxes_unless_another_colour_is_asked_for(graphs):
    """The difference is what a comparison is opened for."""
    marks = ({1: "changed"}, {1: "changed"})
    assert held(page(graphs[0], beside=graphs[1], marks=marks))["view"]["color_by"] == "difference"
    asked = page(graphs[0], beside=graphs[1], marks=marks, color_by="flops")
    assert held(asked)["view"]["color_by"] == "flops"
    assert held(page(graphs[0], beside=graphs[1]))["view"]["color_by"] is None
    with pytest.raises(InputError, match="color_by='difference' is unknown"):
        page(graphs[0], color_by="difference")


def test_a_backward_pass_has_its_run_beside_it(graphs, backward):
    """Every call that has a forward call is tied to it, and the two are not taken for versions of one thing."""
    inside = held(page(backward))
    assert inside["beside"]["graph"]["name"] == "Sequential"
    linear = graphs[0].calls_of["2"][0]
    titles = ["backward", "forward"]
    assert inside["pair"] == {"pairs": [[1, linear]], "titles": titles, "compared": False}
    assert held(page(backward, beside=graphs[1]))["pair"]["compared"] is True


def test_an_atlas_of_a_backward_pass_shows_and_saves_both(backward, monkeypatch, tmp_path):
    """Nothing has to be said for it."""
    monkeypatch.setattr("torchatlas.views.page.notebook.in_notebook", lambda: True)
    atlas = ta.Atlas(backward)
    assert held(atlas.show())["pair"]["titles"] == ["backward", "forward"]
    atlas.save(tmp_path / "both.html")
    assert "backward and Sequential</title>" in (tmp_path / "both.html").read_text(encoding="utf-8")


def test_models_that_were_not_run_are_paired_by_their_boxes():
    """The ids are those of the modules in order."""
    one, other = (ta.capture(nn.Sequential(nn.Linear(4, width), nn.ReLU())).graph for width in (4, 5))
    inside = held(page(one, beside=other, pairs=[(2, 2)], marks=({1: "changed"}, {1: "changed"})))
    assert inside["pair"]["pairs"] == [[2, 2]]
    with pytest.raises(InputError, match=r"pairs holds the call 3; the graph beside it has 3 calls"):
        page(one, beside=other, pairs=[(2, 3)])


def test_the_same_graphs_give_the_same_page(graphs):
    """Nothing of the clock or of chance is in it."""
    marks = ({5: "removed", 1: "changed"}, {})
    one, other = (page(graphs[0], beside=graphs[1], pairs=[(1, 1)], marks=marks).html for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pairs": [(99, 0)]}, r"pairs holds the call 99; the graph has \d+ calls, numbered from 0."),
        ({"pairs": [(0, -1)]}, r"pairs holds the call -1; the graph beside it has \d+ calls"),
        ({"pairs": [(0, True)]}, r"pairs holds the call True"),
        ({"pairs": [(0, "0")]}, r"pairs holds the call '0'"),
        ({"pairs": [3]}, r"pairs holds 3; wanted: \(call of the graph, call of the one beside it\)"),
        ({"pairs": [(1, 2, 3)]}, r"pairs holds \(1, 2, 3\)"),
        ({"marks": ({1: "new"}, {})}, r"marks says 'new' of call 1; a mark is one of added, removed, changed, same"),
        ({"marks": ({}, {99: "added"})}, r"marks holds the call 99; the graph beside it has"),
        ({"marks": {1: "added"}}, r"wanted: two mappings, one for each graph"),
        ({"marks": ({},)}, r"wanted: two mappings"),
        ({"titles": ("one",)}, r"titles=\('one',\); wanted: two names"),
        ({"titles": "ab"}, r"titles='ab'; wanted: two names"),
        ({"beside": "b.atlas"}, r"beside is a str; give a Graph, such as atlas.graph."),
    ],
)
def test_what_does_not_fit_the_graphs_is_named(graphs, given, message):
    """Before anything is made, with what is wanted."""
    with pytest.raises(InputError, match=message):
        page(graphs[0], **({"beside": graphs[1]} | given))


@pytest.mark.parametrize("given", [{"pairs": [(0, 0)]}, {"marks": ({}, {})}, {"titles": ("a", "b")}])
def test_what_tells_of_two_graphs_needs_both(graphs, given):
    """The message says how the second is given."""
    with pytest.raises(InputError, match=r"Give the second one too: beside=other.graph"):
        page(graphs[0], **given)


def test_in_a_notebook_both_are_in_one_frame(graphs):
    """The frame's title names both networks once."""
    other = replace(graphs[1], name="<b>Other</b>")
    frame = page(graphs[0], beside=other)._repr_html_()
    assert frame.count("<iframe") == 1
    assert 'title="Sequential and &lt;b&gt;Other&lt;/b&gt;"' in frame
