"""The table as text: golden, in any width, with names of any content."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from torchatlas.core.graph import Call, Graph, Module, Note, Provenance, Value
from torchatlas.views.table.row import Row
from torchatlas.views.table.summary import summarize
from torchatlas.views.table.text import guides
from torchatlas.views.table.text_page import ASCII, UNICODE, TextPage
from views.table import nets

PLACE = re.compile(r"(?:/[^\s/]+)*/nets\.py:\d+")
HOSTILE = [
    "<script>alert(1)</script>",
    "two\nlines\r\n",
    "[red]markup[/red]",
    "\x1b[2J\x1b]0;title\x07",
    "😀👨‍👩‍👧",
    "层归一化" * 10,
    "\u202egnp.exe",
    "x" * 10_000,
    "",
    "=1+1",
    '"quoted", comma',
]


def unplaced(text):
    """Without the folder and the line, which are not the table's to hold still."""
    return PLACE.sub("nets.py:0", text)


def named(name):
    """A graph of one module with that name and class, which failed with that message."""
    calls = (Call(0, "module", name, path=""), Call(1, "module", name, path=name, parent=0, inputs=(0,), error=name))
    values = (Value(0, "input", (name,), (2, 3), "float32", "cpu", 24),)
    modules = (Module("", name), Module(name, name))
    return Graph(name, calls, values, modules, (Note(name),), error=1, provenance=Provenance(producer=name))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_decoder_at_common_widths(golden, width):
    """Folded layers, reused, tied and sleeping parts, totals and notes."""
    golden(f"decoder-{width}.txt", summarize(nets.decoder()).text(width))


def test_a_decoder_with_functions(golden):
    """Rows of functions between the modules, and the one that read data."""
    golden("decoder-ops.txt", summarize(nets.decoder(), rows="ops").text())


def test_a_failed_run(golden):
    """The row that failed, and below what it met and where."""
    golden("failing.txt", unplaced(summarize(nets.failing(), depth=1).text(90)))


def test_a_structure(golden):
    """Without a run: weights, and what of them can be trained."""
    golden("structure.txt", summarize(nets.structure()).text())


def test_a_loop(golden):
    """A cell that ran seven times."""
    golden("unrolled.txt", summarize(nets.unrolled()).text())


def test_a_profile(golden):
    """Times instead of shapes that went in, their share, peak memory; the time of the run below."""
    golden("profile.txt", summarize(nets.profiled(), depth=2).text())


def test_chosen_columns(golden):
    """In the order that was asked for, an overlay among them."""
    names = ["name", "kernel", "mult_adds", "heat", "dtype", "trainable", "calls"]
    golden("mnist-columns.txt", summarize(nets.mnist(), columns=names, overlays={"heat": {"conv1": 0.5}}).text())


@pytest.mark.parametrize("width", range(24, 130, 7))
@pytest.mark.parametrize("graph", [nets.decoder, nets.failing, nets.structure, nets.mnist])
def test_no_line_is_wider_than_the_page(graph, width):
    """At any width, with our columns and with many."""
    for columns in (None, ["name", "type", "path", "input", "output", "dtype", "source", "params", "flops"]):
        text = summarize(graph(), columns=columns, rows="ops").text(width)
        assert max(map(len, text.split("\n"))) <= width


def test_columns_without_room_are_named():
    """They were asked for, so that nobody looks for them in vain."""
    text = summarize(nets.mnist(), columns=["name", "params", "source"]).text(20)
    assert " ".join(text.split()).endswith("note: Not shown: column source (all with width 28).")


def test_a_pipe_gets_ascii_alone():
    """Guides, repeats and cuts too."""
    for graph in (nets.decoder(), nets.failing(), nets.unrolled()):
        assert summarize(graph, rows="ops").text(60).isascii()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("glyphs", [ASCII, UNICODE])
def test_names_cannot_break_the_table(name, glyphs):
    """One line a row, no control characters, the columns under each other."""
    summary = summarize(named(name), columns=["name", "type", "params", "path"])
    text = summary._text(TextPage(60, glyphs))
    lines = text.split("\n")
    assert len(lines[2:]) >= 3
    assert all(line.isprintable() for line in lines)
    assert all(cell_len(line) <= 60 for line in lines)
    assert lines[4] == lines[1]


def test_wide_letters_stay_aligned():
    """A Chinese character takes two cells."""
    lines = summarize(named("层归一化"), columns=["name", "type", "calls"])._text(TextPage(80, UNICODE)).split("\n")
    assert len({cell_len(line) for line in lines[:5]}) == 1


def test_a_page_that_cannot_write_a_name_gets_escapes():
    """Printing never fails for an encoding."""
    text = summarize(named("é层"))._text(TextPage(80, ASCII, "latin-1"))
    assert "é\\u5c42" in text
    text.encode("latin-1")


def test_guides_show_which_branch_goes_on():
    """A last child has no line below."""
    depths = [0, 1, 2, 2, 1, 2, 3]
    rows = [Row("module", "", "", (), "", depth, None) for depth in depths]
    assert guides(rows, UNICODE) == ["", "├─ ", "│  ├─ ", "│  └─ ", "└─ ", "   └─ ", "      └─ "]


def test_deep_rows_keep_room_for_their_names():
    """Guides of the last levels alone: 1,000 levels would fill the page."""
    rows = [Row("module", "", "", (), "", depth, None) for depth in range(1000)]
    assert max(map(len, guides(rows, ASCII))) == 39
