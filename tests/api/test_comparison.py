"""The face of comparison: what `compare` takes, and what a comparison gives."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from pypdf import PdfReader
from torch import nn

import torchatlas as ta
from pairs import PAIRS, Tagger, pair
from torchatlas.core.errors import InputError

GOLDEN = Path(__file__).parents[1] / "golden" / "comparison"


def compared(name):
    """A pair under the names of its two halves."""
    one, _, other = name.partition("-")
    return ta.compare(*pair(name), titles=(one, other))


@pytest.mark.parametrize("name", PAIRS)
def test_relatives_are_golden(request, name):
    """What people read of two models that they know; ``pytest --golden`` writes it anew."""
    path, text = GOLDEN / f"{name}.txt", compared(name).text() + "\n"
    if request.config.getoption("--golden"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 80
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", ["resnet50-resnext50", "bert-roberta", "tagger-quantized"])
def test_every_form_says_the_same(name):
    """CSV and JSON have a row for every module of both; their marks are those of the changes."""
    found = compared(name)
    counts = {mark: len(found.changes.of(mark)) for mark in ("added", "removed", "changed", "same")}
    rows = list(csv.DictReader(io.StringIO(found.csv())))
    document = json.loads(found.json())
    assert document["counts"] == counts
    assert document["verdict"] == found.verdict
    assert document["same"] is found.same is False
    assert len(rows) == len(document["rows"]) == sum(counts.values())
    for mark, count in counts.items():
        assert sum(row["mark"] == mark for row in rows) == count
    assert document["totals"]["b"]["parameters"] == sum(row["b"] == "" and row["b_params"] for row in document["rows"])
    assert found.verdict in found.html().replace("&gt;", ">")
    assert found.text(60).startswith("a: ")
    assert all(len(line) <= 60 for line in found.text(60).splitlines())


def test_a_frame_has_a_row_for_every_module():
    """Numbers are numbers there."""
    pytest.importorskip("pandas")
    frame = compared("resnet18-resnet34").frame()
    assert set(frame["mark"]) == {"added", "same"}
    assert frame[frame["b"] == ""]["b_params"].item() == 21_797_672


def test_modules_are_captured_with_what_is_given():
    """With inputs both are run; without, their structure is compared."""
    one, other = Tagger(), Tagger()
    other.head = nn.Linear(8, 5)
    words = torch.zeros(1, 3, dtype=torch.int64)
    run, still = ta.compare(one, other, words), ta.compare(one, other)
    assert [item.b for item in run.changed] == [item.b for item in run.changed if item.b in {"", "head"}]
    assert [item.b for item in still.changed] == ["head"]
    assert run.a.calls
    assert not still.a.calls
    assert ta.compare(ta.capture(one, words), one, words).same
    assert len(run.matched) == 4
    assert run.added == run.removed == ()
    assert all(not parameter.is_meta and parameter.requires_grad for parameter in one.parameters())


def test_what_cannot_be_compared_is_refused():
    """The message says which of the two it was, and what is wanted."""
    with pytest.raises(InputError, match=r"b is int, which cannot be compared\. Wanted an Atlas, an nn.Module"):
        ta.compare(Tagger(), 3)


def test_it_is_saved_by_its_suffix(tmp_path):
    """Pictures, tables; another suffix is refused with those that there are."""
    found = compared("tagger-half")
    for suffix in ("svg", "png", "pdf", "dot", "txt", "csv", "json"):
        assert found.save(tmp_path / f"net.{suffix}") == tmp_path / f"net.{suffix}"
        assert (tmp_path / f"net.{suffix}").stat().st_size
    assert (tmp_path / "net.txt").read_text() == found.text() + "\n"
    with Image.open(tmp_path / "net.png") as image:
        image.load()
    assert "a: tagger" in PdfReader(tmp_path / "net.pdf").pages[0].extract_text()
    with pytest.raises(InputError, match=r"net.gif: a comparison is written as .svg"):
        found.save(tmp_path / "net.gif")
    with pytest.raises(ta.FileError, match="cannot be written"):
        found.save(tmp_path / "nowhere" / "net.txt")
    assert not list(tmp_path.glob(".torchatlas*"))
    for none in (3, ""):
        with pytest.raises(InputError, match="path="):
            found.save(none)


def test_it_prints_and_shows_itself(capsys):
    """As a summary does: on paper, and in a notebook."""
    found = compared("tagger-half")
    found.print()
    assert capsys.readouterr().out == str(found) + "\n"
    assert repr(found) == str(found)
    assert found._repr_html_().startswith('<div class="torchatlas"')
    from rich.console import Console  # noqa: PLC0415

    console = Console(width=100, force_terminal=True, file=io.StringIO())
    console.print(found)
    assert "same structure" in console.file.getvalue()


@pytest.mark.parametrize("name", ["resnet18-resnet34", "resnet18-parallel"])
def test_the_page_is_told_what_belongs_together(name, monkeypatch):
    """Pairs and marks are of boxes that both graphs have, run or not; options go on to the page."""
    told = {}
    monkeypatch.setattr("torchatlas.views.page.page.page", lambda graph, **given: told.update(given, graph=graph))
    found = compared(name)
    found._page(theme="dark")
    assert (told["graph"], told["beside"], told["theme"]) == (found.a, found.b, "dark")
    counts = [len(graph.calls) or len(graph.modules) for graph in (found.a, found.b)]
    assert [set(side) for side in told["marks"]] == [set(range(count)) for count in counts]
    assert all(one < counts[0] and other < counts[1] for one, other in told["pairs"])
    assert len(told["pairs"]) == min(counts)
