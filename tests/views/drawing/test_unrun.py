"""A model that was not run is drawn by its modules, between which nothing flows."""

from __future__ import annotations

import json
from itertools import pairwise

import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.check import check
from torchatlas.views.drawing.unrun import shown
from viewing import payload_of


def tower(*widths: int) -> nn.Sequential:
    """Linear layers, each with an activation."""
    return nn.Sequential(*(nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(widths)))


def test_every_module_has_a_box_inside_that_of_the_one_around_it():
    """As the names of the modules say."""
    model = nn.ModuleDict({"tower": tower(2, 2, 2), "head": nn.Linear(2, 1)})
    boxes = shown(ta.capture(model).graph).calls
    assert [box.path for box in boxes] == [path for path, _ in model.named_modules()]
    for box in boxes[1:]:
        assert boxes[box.parent].path == box.path.rpartition(".")[0]


def test_what_stands_for_the_run_is_well_formed():
    """Whatever reads graphs can read it."""
    graph = shown(ta.capture(tower(2, 2, 3)).graph)
    check(graph)
    assert graph.values == ta.capture(tower(2, 2, 3)).graph.values


def test_a_run_is_shown_as_it_is():
    """With its own calls alone."""
    graph = ta.capture(tower(2, 2), torch.zeros(1, 2)).graph
    assert shown(graph) is graph


def test_modules_that_repeat_are_drawn_once():
    """Those of one size; another size is another box."""
    (fold,) = json.loads(payload_of(ta.capture(tower(2, 2, 2, 2, 3)).graph))["graph"]["folds"]
    said = {"parent": 0, "calls": [1, 4, 7], "period": 1, "count": 3, "kind": "stack", "carried": 0}
    assert fold == {**said, "growth": None}


def test_the_picture_says_that_it_shows_no_run():
    """In words, in the picture and beside it, and without a wire."""
    drawing = ta.capture(tower(2, 2, 2, 2, 3)).draw()
    assert drawing.notes[0].startswith("not run")
    assert drawing.notes[0] in drawing.svg
    assert ">×3<" in drawing.svg
    assert not [group for group in drawing.scene.groups if group.kind == "wire"]


def test_graphviz_text_has_the_modules_too(tmp_path):
    """Boxes, and no edge between them."""
    text = ta.capture(tower(2, 2, 3)).draw(depth=9).save(tmp_path / "net.dot").read_text(encoding="utf-8")
    assert "2 → 3" in text
    assert "->" not in text
