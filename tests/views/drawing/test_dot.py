"""Graphviz text says what the picture says."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

import torchatlas as ta
from views.drawing.nets import NAMES, Loop, Masked, named, stack

EDGE = re.compile(r'"(?P<source>(?:[^"\\]|\\.)*)" -> "(?P<target>(?:[^"\\]|\\.)*)" \[label="(?P<label>[^"]*)"\];')


def dot(atlas: ta.Atlas, **options) -> str:
    """The text of a drawing."""
    return atlas.draw(**options)._encode(".dot", 1.0).decode()


def edges(text: str) -> list[tuple[str, str, str]]:
    """Source, target and label of every edge."""
    return [match.group("source", "target", "label") for match in EDGE.finditer(text)]


def test_edges_follow_the_tensors():
    """A chain, with the shape of each tensor; checked against the calls themselves."""
    atlas = ta.capture(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.zeros(1, 4))
    first, second, third = (f"#{atlas.graph.calls_of[path][0]}" for path in ("0", "1", "2"))
    wanted = {("input:input", first, "1×4"), (first, second, "1×8"), (second, third, "1×8")}
    assert wanted | {(third, "output:output", "1×2")} == set(edges(dot(atlas)))


def test_edges_are_the_same_in_both_directions():
    """The way the data runs on the page changes nothing of where it goes."""
    atlas = stack()
    down, right = (set(edges(dot(atlas, depth=3, direction=direction))) for direction in ("TB", "LR"))
    assert down == right
    assert "rankdir=LR" in dot(atlas, direction="LR")


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_every_arrow_is_an_edge(direction):
    """Those of tunnels too, which point at the side of a box; the arrows are counted in the picture."""
    drawing = ta.capture(Masked(), torch.zeros(2, 4)).draw(depth=9, fold=False, direction=direction)
    arrows = {"wire": 0, "tag": 0}
    for group in drawing.scene.groups:
        if group.kind in arrows:
            paths = (shape for shape in group.shapes if shape.kind == "path" and shape.fill)
            arrows[group.kind] += sum(path.d.count("Z") for path in paths)
    found = edges(drawing._encode(".dot", 1.0).decode())
    assert arrows["tag"] > 10
    assert len(found) == sum(arrows.values())
    outputs = {place.key for place in drawing.scene.boxes if place.key.startswith("output")}
    assert {target for _, target, _ in found} >= outputs


def test_open_boxes_are_clusters_inside_clusters():
    """What is in a module is in its braces; braces are even."""
    text = dot(stack(), depth=4)
    assert text.count("{") == text.count("}")
    assert text.index('"cluster #1"') < text.index('"cluster #2"')
    assert "  ×6\\nResidual" in text


def test_a_loop_is_a_cluster_with_its_count():
    """The frame of a repeat holds what repeats."""
    text = dot(ta.capture(Loop(), torch.zeros(2, 4, 3)))
    assert re.search(r'subgraph "cluster #\d+x" \{\s+label="repeat  ×4', text)
    inside = text[text.index("subgraph") : text.index("}", text.index("subgraph"))]
    assert "GRUCell" in inside


def test_no_name_ends_its_quotes():
    """Every line is of one of the forms that Graphviz text is made of here."""
    line = re.compile(
        r'(digraph "(?:[^"\\]|\\.)*" \{|\s*subgraph "(?:[^"\\]|\\.)*" \{|\s*label="(?:[^"\\]|\\.)*"; style=rounded;'
        r'|\s*"(?:[^"\\]|\\.)*" \[label="(?:[^"\\]|\\.)*"\];|\s*\}|\s*rankdir=.*|\s*(node|edge) \[.*\];|)'
    )
    for name in NAMES.values():
        text = dot(named(name), depth=3)
        rest = [part for part in EDGE.sub("", text).split("\n") if not line.fullmatch(part.rstrip())]
        assert rest == []


def test_colours_and_their_legend_are_those_of_the_picture():
    """Numbers from the least to the greatest, words each in its own; without a colouring there is no fill."""
    atlas = ta.capture(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.zeros(1, 4))
    first, _, third = (f"#{atlas.graph.calls_of[path][0]}" for path in ("0", "1", "2"))
    assert "fillcolor" not in dot(atlas)
    for name in ("flops", "dtype"):
        drawing = atlas.draw(color_by=name, theme="paper")
        text = drawing.dot()
        assert f'label="{ {"flops": "FLOPs", "dtype": "Dtype"}[name] }";' in text
        fills = dict(re.findall(r'"([^"]+)" \[label="[^"]*", style="rounded,filled", fillcolor="(#\w{6})"', text))
        assert fills[first] in drawing.svg
        if name == "flops":
            assert (fills[third], fills[first]) == (fills["legend 0"], fills["legend 1"])
        else:
            assert fills[third] == fills[first] == fills["legend 0"]
    assert dot(atlas, color_by="flops", theme="dark") == dot(atlas, color_by="flops", theme="paper")
