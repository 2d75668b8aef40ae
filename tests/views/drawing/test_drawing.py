"""A drawing of any model comes out well formed, in every format, the same every time."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
import torch
from torch import nn

import torchatlas as ta


@pytest.fixture(scope="module")
def atlas():
    """Two layers and an activation."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    return ta.capture(model, torch.zeros(1, 4))


def test_the_svg_shows_every_layer(atlas, tmp_path):
    """From a captured model to a file, which is XML and names what ran."""
    path = atlas.draw().save(tmp_path / "net.svg")
    texts = {"".join(text.itertext()) for text in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")}
    assert {"input", "Linear", "ReLU", "output", "1×4", "1×8", "1×2"} <= texts
