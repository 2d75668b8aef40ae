"""``Summary``: one table, shown wherever it is asked for."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.console import Console

from torchatlas.core.errors import InputError
from torchatlas.views.table.summary import Summary, summarize
from views.table import nets
from views.table.test_text_page import Screen


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """A terminal of 100 columns that wants colour, wherever one is asked for."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def on_screen(summary, encoding="utf-8"):
    """What a terminal is sent."""
    screen = Screen(encoding)
    summary.print(screen)
    screen.flush()
    return screen.buffer.getvalue().decode(encoding)


def test_print_writes_the_table(capsys):
    """Plain where standard output is no terminal; ``repr`` shows the same in a prompt."""
    summary = summarize(nets.mnist())
    print(summary)  # noqa: T201 - what is tested
    summary.print()
    assert capsys.readouterr().out == f"{summary.text()}\n" * 2
    assert repr(summary) == str(summary)


def test_a_terminal_gets_colour_and_guides():
    """The failing row in red."""
    sent = on_screen(summarize(nets.failing()))
    assert "└─ " in sent
    assert "\x1b[1;31mF.layer_norm" in sent


def test_a_terminal_without_colour_gets_guides(monkeypatch):
    """By NO_COLOR."""
    monkeypatch.setenv("NO_COLOR", "1")
    sent = on_screen(summarize(nets.mnist()))
    assert "├─ conv1" in sent
    assert "\x1b" not in sent


def test_a_terminal_of_another_encoding_gets_what_it_can_show():
    """No exception, no question marks."""
    assert "|- \x1b[0mconv1" in on_screen(summarize(nets.mnist()), "latin-1")


def test_rich_prints_the_same_lines():
    """In a console of rich, as wide as that is."""
    console = Console(file=io.StringIO(), width=90, color_system=None, legacy_windows=False)
    summary = summarize(nets.decoder())
    console.print(summary)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    ascii_lines = [line.rstrip() for line in summary.text(90).splitlines()]
    assert len(lines) == len(ascii_lines)
    assert lines[0] == ascii_lines[0]
    assert all(len(line) <= 90 for line in lines)


def test_markup_in_names_is_not_obeyed():
    """Neither rich's colours nor its emoji."""
    from views.table.test_text import named  # noqa: PLC0415

    assert "[red]:smile:[/red]" in on_screen(summarize(named("[red]:smile:[/red]")))


def test_a_notebook_gets_html():
    """By the method that notebooks look for."""
    assert summarize(nets.mnist())._repr_html_().startswith('<div class="torchatlas"')


def test_the_width_that_was_asked_for_holds(monkeypatch):
    """On a terminal too."""
    monkeypatch.setenv("NO_COLOR", "1")
    summary = summarize(nets.decoder(), width=60)
    assert max(map(len, summary.text().splitlines())) <= 60
    assert max(map(len, on_screen(summary).splitlines())) <= 60


def test_rows_can_be_asked_for():
    """As the table shows them."""
    assert [row.label for row in summarize(nets.mnist(), depth=1).rows][:3] == ["Mnist", "conv1", "conv2"]
    assert len(summarize(nets.mnist(), depth=0).rows) == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"rows": "op"}, "rows='op' is unknown; rows is one of modules, ops. Did you mean ops?"),
        ({"style": "torchinf"}, "style='torchinf' is unknown; style is one of torchinfo, torchsummary"),
        ({"depth": -1}, "depth=-1; depth is a whole number from 0, or None"),
        ({"depth": True}, "depth=True; depth is a whole number"),
        ({"width": 0}, "width=0; width is a whole number from 1"),
        ({"columns": ["flop"]}, "no column 'flop'; did you mean 'flops'?"),
        ({"style": "torchinfo", "columns": ["flops"]}, "style='torchinfo' has no column 'flops'"),
        ({"style": "torchsummary", "columns": ["name"]}, "style='torchsummary' has fixed columns and depth"),
        ({"style": "torchsummary", "depth": 1}, "style='torchsummary' has fixed columns and depth"),
    ],
)
def test_wrong_options_are_told_at_once(option, message):
    """Before anything is printed: what was given, and what can be."""
    with pytest.raises(InputError) as caught:
        summarize(nets.mnist(), **option)
    assert message in str(caught.value)


def test_a_table_needs_neither_rich_nor_torch_nor_pandas():
    """To be plain text: a command line starts at once."""
    program = """
import sys
from torchatlas.core.graph import Call, Graph, Module
from torchatlas.views.table.summary import summarize
graph = Graph("Net", (Call(0, "module", "Net", path=""),), (), (Module("", "Net"),))
print(summarize(graph)); summarize(graph).html(); summarize(graph).json()
print(sorted({"rich", "torch", "numpy", "pandas"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout.startswith("name  type")


def test_summaries_are_made_from_graphs_alone():
    """The same graph gives the same table."""
    assert isinstance(summarize(nets.mnist()), Summary)
    assert str(summarize(nets.mnist())) == str(summarize(nets.mnist()))
