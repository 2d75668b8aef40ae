"""Two graphs side by side: what differs is seen, in colour and by a sign, whatever is folded or closed."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
import torch
from torch import nn

import torchatlas as ta
from pairs import PAIRS, pair
from torchatlas.core.comparing.compare import compare
from torchatlas.core.comparing.marks import deep_marks, own_marks
from torchatlas.views.drawing.differing import Half, folds_that_differ_alike
from torchatlas.views.drawing.payload import folds_of

SVG = "{http://www.w3.org/2000/svg}"
HUES = {"added": "#009e73", "removed": "#d55e00", "changed": "#e69f00"}
SIGNS = {"added": "+", "removed": "\N{MINUS SIGN}", "changed": "~"}


def picture(name, **options):
    """The drawing of a pair."""
    return ta.compare(*pair(name)).draw(**options)


def halves(changes):
    """Both graphs with their marks."""
    return [Half(*each) for each in zip((changes.a, changes.b), own_marks(changes), deep_marks(changes), strict=True)]


@pytest.mark.parametrize(
    "name", [name for name in PAIRS if name not in {"resnet50-resnext50", "resnet18-bert", "llama-wider"}]
)
def test_every_sign_stands_on_a_box_that_differs(name):
    """As many signs as boxes that are not the same; every fold is of repeats that differ alike."""
    comparison = ta.compare(*pair(name))
    drawn = comparison.draw()
    own, deep = own_marks(comparison.changes), deep_marks(comparison.changes)
    wanted = []
    for box in drawn.scene.boxes:
        side, _, key = box.key.partition(" ")
        if key.startswith("#") and key[1:].isdigit():
            mark = (own if box.open else deep)["ab".index(side)][int(key[1:])]
            assert box.mark == SIGNS.get(mark, ""), box.key
        wanted += [hue for mark, hue in HUES.items() if box.mark == SIGNS[mark]]
    fills = [rect.get("fill") for rect in ET.fromstring(drawn.svg).iter(f"{SVG}rect") if rect.get("rx") == "3"]
    assert sorted(fills) == sorted(wanted)
    inside = [mark for side in deep for call, mark in side.items() if call]
    assert bool(wanted) == any(mark != "same" for mark in inside)


def test_a_model_that_differs_itself_says_so_in_its_title():
    """It has no box that could bear a sign."""
    assert ">b: DataParallel (added)<" in picture("resnet18-parallel").svg


def test_what_was_added_is_seen_by_itself():
    """ResNet-34's additional blocks: four boxes, in the colour and with the sign, apart from the folds of the same."""
    drawn = picture("resnet18-resnet34")
    added = [box for box in drawn.scene.boxes if box.mark == SIGNS["added"]]
    assert len(added) == drawn.svg.count(f">{SIGNS['added']}<") == 4
    assert not any(box.open for box in added)
    assert all(box.key.startswith("b ") for box in added)
    assert ">2\N{EN DASH}3<" in drawn.svg
    assert ">2\N{EN DASH}5<" in drawn.svg


def test_a_fold_is_cut_where_a_repeat_differs():
    """One layer of many is another: it stands between two folds, and no repeat is lost."""

    def layers(odd):
        return nn.Sequential(
            *(nn.Sequential(nn.Linear(4, 4, bias=at != odd), nn.ReLU(), nn.LayerNorm(4)) for at in range(9))
        )

    a, b = (ta.capture(layers(odd), torch.zeros(2, 4)).graph for odd in (None, 4))
    changes = compare(a, b)
    assert [fold.count for fold in folds_of(a)][:1] == [9]
    for half in halves(changes):
        counts = [fold.count for fold in folds_that_differ_alike(half) if fold.parent == 0]
        assert counts == [4, 4]
    svg = ta.compare(a, b).draw().svg
    assert svg.count(f">{SIGNS['changed']}<") >= 2


def test_the_halves_do_not_overlap_and_stay_on_the_sheet():
    """Every box lies on the sheet; the second half begins where the first has ended."""
    for direction in ("TB", "LR"):
        drawn = picture("tagger-half", direction=direction)
        width, height = drawn.scene.width, drawn.scene.height
        rects = ET.fromstring(drawn.svg).iter(f"{SVG}rect")
        places = [[float(rect.get(key)) for key in ("x", "y", "width", "height")] for rect in rects if rect.get("x")]
        assert all(x >= 0 and x + w <= width and y >= 0 and y + h <= height for x, y, w, h in places)


def test_the_text_for_graphviz_has_both(tmp_path):
    """Two clusters, with names that do not meet, and coloured boxes."""
    drawn = picture("resnet18-resnet34")
    text = drawn.save(tmp_path / "net.dot").read_text()
    assert text.count("subgraph") >= 2
    assert text.count("{") == text.count("}")
    assert f'label="{SIGNS["added"]} BasicBlock' in text
    (fill,) = {box.fill for box in drawn.scene.boxes if box.mark == SIGNS["added"]}
    assert f'fillcolor="{fill}"' in text
    assert '"a #1"' in text
    assert '"b #1"' in text


@pytest.mark.parametrize("theme", ["dark", "paper"])
def test_the_same_comparison_gives_the_same_picture(theme):
    """In every theme."""
    assert picture("tagger-half", theme=theme).svg == picture("tagger-half", theme=theme).svg


def test_names_of_any_content_are_drawn(tmp_path):
    """Titles with signs of XML, and with letters that no font has."""
    a, b = pair("tagger-half")
    drawn = ta.compare(a, b, titles=('<a> & "b"', "\U0001f9e0 網")).draw()
    ET.fromstring(drawn.svg)
    assert drawn.save(tmp_path / "net.png").stat().st_size
    assert drawn.save(tmp_path / "net.pdf").stat().st_size
