"""Boxes in the colours of an overlay, and their legend."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
import torch
from pypdf import PdfReader
from torch import nn

import torchatlas as ta
from views.drawing.nets import NAMES, named

RECT, TEXT = "{http://www.w3.org/2000/svg}rect", "{http://www.w3.org/2000/svg}text"


@pytest.fixture(scope="module")
def layers():
    """Two layers of different size, and an activation without parameters."""
    return ta.capture(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 200)), torch.zeros(3, 4))


def fills(svg: str) -> dict[str, str]:
    """The colour of the box that each text stands on."""
    found = {}
    for group in ET.fromstring(svg):
        boxes = [rect for rect in group.iter(RECT) if rect.get("stroke")]
        found |= {str(text.text): boxes[0].get("fill") for text in group.iter(TEXT) if boxes}
    return found


def luminance(colour: str) -> float:
    """Relative luminance, from 0 to 1.

    Source: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
    """
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_more_is_stronger(layers):
    """The larger layer is the darker; what has no parameters has no colour; inputs and outputs keep theirs."""
    plain, coloured = fills(layers.draw().svg), fills(layers.draw(color_by="params").svg)
    assert luminance(coloured["8 → 200"]) < luminance(coloured["4 → 8"]) < luminance(coloured["ReLU"]) == 1
    assert coloured["input"] == plain["input"]


@pytest.mark.parametrize("theme", ["light", "dark", "paper"])
@pytest.mark.parametrize("name", ["params", "dtype"])
def test_text_stands_out_on_every_colour(layers, theme, name):
    """Contrast 4.5 at least, small print included.

    Source: https://www.w3.org/TR/WCAG22/#contrast-minimum
    """
    for group in ET.fromstring(layers.draw(color_by=name, theme=theme).svg):
        boxes = [rect.get("fill") for rect in group.iter(RECT) if rect.get("stroke") and rect.get("fill") != "none"]
        for text in group.iter(TEXT) if len(boxes) == 1 else ():
            light, dark = sorted((luminance(boxes[0]), luminance(text.get("fill"))), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, text.text


def test_the_legend_says_what_the_colours_mean(layers, tmp_path):
    """In every format; the picture is higher by it."""
    drawing = layers.draw(color_by="params")
    assert {"Parameters", "40", "1.80K"} <= fills(drawing.svg).keys()
    (page,) = PdfReader(drawing.save(tmp_path / "net.pdf")).pages
    assert "1.80K" in page.extract_text()
    assert float(page.mediabox.height) == pytest.approx(drawing.scene.height * 0.75)
    assert drawing.scene.height > layers.draw().scene.height + 20
    assert {"Dtype", "float32"} <= fills(layers.draw(color_by="dtype").svg).keys()
    assert "no closed box has any" in layers.draw(color_by="time").svg


def test_the_call_that_failed_stays_red():
    """An overlay does not hide an error."""
    with pytest.raises(RuntimeError) as caught:
        ta.capture(nn.Sequential(nn.Linear(4, 5), nn.Linear(4, 2)), torch.zeros(1, 4))
    atlas = caught.value.atlas
    plain, coloured = (fills(atlas.draw(color_by=name).svg) for name in (None, "params"))
    (message,) = (text for text in plain if text.startswith("RuntimeError"))
    assert coloured[message] == plain[message]
    assert coloured["4 → 5"] != plain["4 → 5"]


@pytest.mark.parametrize("kind", NAMES)
def test_a_hostile_name_does_not_confuse_the_colouring(kind, tmp_path):
    """Groups are told apart by markup, which no name can write; an overlay's own name is text too."""
    atlas = named(NAMES[kind])
    drawing = atlas.draw(color_by=NAMES[kind], overlays={NAMES[kind]: {1: 2.5}})
    ET.fromstring(drawing.save(tmp_path / "net.svg").read_text())
    assert drawing.save(tmp_path / "net.png").stat().st_size > 1000
