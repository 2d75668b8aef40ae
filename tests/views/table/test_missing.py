"""What a table leaves out it says: columns, levels, parts of names, and how to see them."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from torch import nn

import torchatlas as ta
from torchatlas.views.table.rows import rows_of
from torchatlas.views.table.summary import summarize
from torchatlas.views.table.text_width import shorten, shorten_apart
from views.table import nets

LONG = "a_projection_whose_name_nobody_would_want_to_type_twice"


class Wide(nn.Module):
    """One module with a very long name among short ones."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.add_module(f"{LONG}_of_the_queries_and_keys_and_values_of_one_layer", nn.Linear(8, 8))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x


class Joined(nn.Module):
    """Four modules that repeat together in turn, so that one row names all of them."""

    NAMES = ("normalization_before", "projection_inwards", "normalization_after", "projection_outwards")

    def __init__(self):
        super().__init__()
        for index in range(4):
            for number, name in enumerate(self.NAMES):
                self.add_module(f"{name}{index}", nn.Linear(8, 8) if number % 2 else nn.LayerNorm(8))

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x


def heads(text):
    """Titles of the columns of a table."""
    return re.split(r"\s{2,}", text.splitlines()[0].strip())


def rows(text):
    """The lines between the rules."""
    lines = text.splitlines()
    rules = [index for index, line in enumerate(lines) if line.startswith("--")]
    return lines[: rules[1]]


def missing(text):
    """What the note of a table says to be missing, on one line."""
    found = re.search(r"note: Not shown: ((?:.|\n)*)\.", text)
    return " ".join(found[1].split()) if found else None


@pytest.mark.parametrize("model", [Wide, Joined])
def test_one_wide_name_costs_no_column(model):
    """It is cut, which a note says; types, inputs and shares of every row stay."""
    x = torch.zeros(1, 4 if model is Wide else 8)
    text = ta.summary(model(), x).text(100)
    assert heads(text) == ["name", "type", "input", "output", "params", "share", "mult-adds"]
    assert re.match(r"(part of 1 cell|parts of \d cells) \(all with width \d+\)$", missing(text))


@pytest.mark.parametrize("width", [40, 60, 72, 90, 110])
@pytest.mark.parametrize(
    "net", [nets.decoder, nets.mnist, nets.structure, lambda: ta.capture(Wide(), torch.zeros(1, 4)).graph]
)
def test_the_width_that_a_note_names_shows_all(net, width):
    """Neither a column nor a letter is missing at that width, and one less is not enough."""
    graph = net()
    told = missing(summarize(graph).text(width))
    if told is None:
        assert rows(summarize(graph).text(width)) == rows(summarize(graph).text(1000))
        return
    enough = int(re.search(r"all with width (\d+)", told)[1])
    assert missing(summarize(graph).text(enough)) is None
    assert missing(summarize(graph).text(enough - 1)) is not None


def test_levels_that_a_default_depth_hides_are_said():
    """How many rows, and the depth that shows them; nothing is said of a depth that was asked for."""
    blocks = [nn.Sequential(*[nn.Sequential(nn.Linear(4, 4 + k)) for k in range(3)]) for _ in range(30)]
    model = nn.Sequential(*[nn.Sequential(*block, nn.Identity()) for block in blocks])
    summary = ta.summary(model, fold=False)
    told = missing(summary.text(200))
    every = rows_of(ta.capture(model).graph, fold=False)
    found = re.fullmatch(r"(\d+) rows below level (\d) \(all with depth (\d)\)", told)
    assert int(found[1]) == sum(row.depth > int(found[2]) for row in every)
    assert int(found[3]) == max(row.depth for row in every)
    assert missing(ta.summary(model, fold=False, depth=int(found[3])).text(200)) is None
    assert missing(ta.summary(model, fold=False, depth=1).text(200)) is None


def test_names_of_siblings_are_cut_apart():
    """What they begin and end with in common goes first, so that what tells them apart is seen."""
    names = [f"block_attention_{what}_projection_of_the_decoder" for what in ("query", "key", "value")]
    assert shorten(names[0], 20, "...")[:9] == shorten(names[2], 20, "...")[:9]
    shown = shorten_apart(names, [20] * 3, "...")
    assert len(set(shown)) == 3
    assert all(what in name for what, name in zip(("query", "key", "val"), shown, strict=True))


@given(
    st.lists(st.text("ab_.", min_size=1, max_size=30), min_size=1, max_size=12, unique=True),
    st.integers(12, 30),
    st.sampled_from(["...", "…"]),
)
def test_names_cut_apart_fit_and_whole_names_stay(names, width, ellipsis):
    """No name is wider than its place, and one that fits is not touched unless another looks like it."""
    shown = shorten_apart(names, [width] * len(names), ellipsis)
    assert all(cell_len(name) <= width for name in shown)
    assert all(name in shown for name in names if len(name) <= width)


def test_a_lora_pair_is_told_apart_in_a_narrow_table():
    """Two names that differ in their last letter show more than that letter."""
    model = nn.ModuleDict({"lora_embedding_A": nn.Linear(2, 2), "lora_embedding_B": nn.Linear(2, 3)})
    text = ta.summary(nn.Sequential(nn.Sequential(model)), depth=4).text(46)
    rows = [line for line in text.splitlines() if "lora" in line]
    assert len(rows) == 2
    assert all(re.search(r"lora\S{3,}[AB]\b", line) for line in rows)


def test_notebooks_cut_names_in_their_middle():
    """A browser would cut off the end, which tells one name from another; the whole name is in the title."""
    html = ta.summary(Wide(), torch.zeros(1, 4)).html()
    (shown,) = re.findall(r">(a_proj[^<]*)<", html)
    assert "…" in shown
    assert shown.endswith("one_layer")
    assert f'title="{LONG}' in html


def test_questions_about_devices_are_no_rows():
    """They compute nothing; the tensors that are made are rows as before."""

    class Asks(nn.Module):
        def forward(self, x):
            torch.finfo(x.dtype)
            torch.broadcast_shapes((1, 2), (2, 2))
            device = torch.device("cpu")
            with torch.device("cpu"):
                return x + torch.ones(2, device=device, dtype=torch.get_default_dtype())

    summary = ta.summary(Asks(), torch.zeros(2), rows="ops")
    assert [row.label for row in summary.rows] == ["Asks", "torch.ones", "Tensor.add"]


class Settings(nn.Module):
    """A module with more settings than fit into a line."""

    def __init__(self):
        super().__init__()
        self.first_setting, self.second_setting, self.third_setting = "a long value", "another long value", 3.25
        self.fourth_setting = ("one more", "and one more")
        self.layer = nn.Conv2d(3, 4, 3, padding=1, bias=False)


def test_what_is_said_beside_the_class_gives_way_first(tmp_path):
    """Settings are cut, then left out, and the classes stay."""
    torch.save(Settings(), tmp_path / "a.pt")
    table = ta.open(tmp_path / "a.pt").summary()
    assert heads(table.text(110)) == ["name", "type", "details", "params", "share", "trainable"]
    assert "parts of" in missing(table.text(110))
    narrow = table.text(44)
    assert heads(narrow) == ["name", "type", "params"]
    assert "details" in missing(narrow)
