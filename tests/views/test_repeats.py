"""Repeats are said alike in every view, from what the graph knows of them and not from a name."""

from __future__ import annotations

import base64
import gzip
import json
import re

import pytest
import torch
from torch import nn

import torchatlas as ta


class Tied(nn.Module):
    """One Linear, run four times, with a function after it."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Linear(4, 4)

    def forward(self, x):
        for _ in range(4):
            x = torch.relu(self.shared(x))
        return x


@pytest.fixture(scope="module")
def atlas():
    """Each turn a unit, and all four of them one group."""
    return ta.capture(Tied(), torch.zeros(2, 4)).fold("Linear > Relu", "Unit").fold_repeats()


def texts(svg):
    """All that is written in a picture."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def page_data(page):
    """The graph that a page holds."""
    found = re.search(r'<script id="atlas" type="application/json">(.*?)</script>', page.html, re.DOTALL)
    return json.loads(gzip.decompress(base64.b64decode(json.loads(found[1])["payload"])))["graph"]


@pytest.mark.parametrize("fold", [True, False])
def test_every_view_says_how_often(atlas, tmp_path, fold):
    """Table, HTML, CSV, drawing, DOT, page and Model Explorer; whether the views fold by themselves or not."""
    table, drawing = atlas.summary(fold=fold), atlas.draw(fold=fold)
    assert re.search(r"Unit [x×]4", table.text(80))
    assert "Unit ×4" in table.html()
    assert "Unit,group,4" in re.sub(r",+", ",", atlas.summary(fold=fold, columns=["name", "type", "repeats"]).csv())
    assert {"Unit", "×4"} <= set(texts(drawing.svg))
    assert "Unit  ×4" in drawing.dot()
    assert [(call["name"], call["repeats"]) for call in page_data(atlas.show())["calls"]][1] == ("Unit", 4)
    explorer = json.loads(atlas.save(tmp_path / "net.model-explorer.json").read_text())
    assert "Unit ×4" in explorer["graphs"][0]["groupNodeAttributes"]


@pytest.mark.parametrize("fold", [True, False])
def test_a_name_of_the_users_own_is_said_as_it_is(tmp_path, fold):
    """Nothing is added to `Stage ×2` that runs once, and nothing is taken from it."""
    atlas = ta.capture(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Tanh()), torch.zeros(2, 4))
    atlas = atlas.fold("Linear > Relu", "Stage ×2")
    assert "Stage ×2" in atlas.summary(fold=fold).html()
    assert not re.search(r"Stage ×2\s+[x×]", atlas.summary(fold=fold).text(80) + atlas.summary(fold=fold).html())
    assert "Stage ×2" in texts(atlas.draw(fold=fold).svg)
    assert 'label="Stage ×2' in atlas.draw(fold=fold).dot()
    explorer = json.loads(atlas.save(tmp_path / "net.model-explorer.json").read_text())
    assert "Stage ×2" in explorer["graphs"][0]["groupNodeAttributes"]
    assert "found nothing" in atlas.fold("Stage", "Again").graph.notes[-1].text
