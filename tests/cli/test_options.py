"""Options that commands share: what a command has of them, and what it gets."""

from __future__ import annotations

import inspect
from functools import partial
from typing import get_args

import pytest
import typer
from typer.testing import CliRunner

from torchatlas.cli import app
from torchatlas.cli.options import Direction, Level, Mode, Rows, Style, Theme, drawing_of, run_of, table_of, taking
from torchatlas.cli.run import Run
from torchatlas.core import graph
from torchatlas.views.drawing import options as drawing
from torchatlas.views.drawing.options import DRAW
from torchatlas.views.table import options as table
from torchatlas.views.table.options import SUMMARY
from torchatlas.views.table.rows import Mode as RowsMode

RUN = {"inputs", "dtypes", "kwargs", "arguments", "device", "mode"}
TABLE = {"depth", "columns", "width"}
COMMANDS = {
    "summary": {"target", "fake", "level", "key", *RUN, *TABLE, "rows", "fold", "style", "form", "output"},
    "draw": {"target", "fake", "level", "key", *RUN, *inspect.signature(drawing_of).parameters, "outputs", "scale"},
    "show": {"target", "fake", "level", "key", *RUN, "output"},
    "save": {"target", "fake", "level", "key", *RUN, "form", "output"},
    "profile": {"target", *RUN, *TABLE, "repeats", "warmup", "memory", "statistics", "ops", "output"},
    "compare": {"a", "b", *RUN, "depth", "width", "keys", "real", "form", "output"},
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_options_that_it_can_use_and_says_each(name):
    """What would have no effect, as --level of times, is no option."""
    command = typer.main.get_command(app).commands[name]
    assert {parameter.name for parameter in command.params} - {"help"} == COMMANDS[name]
    assert all(getattr(parameter, "help", None) for parameter in command.params)


def test_what_is_typed_of_tables_and_drawings_are_options_of_theirs_with_the_same_defaults():
    """But for the level of a drawing, which is the run's, and overlays, which are not typed."""
    assert {key: SUMMARY[key].default for key in table_of()} == table_of()
    assert set(SUMMARY) - set(table_of()) == {"overlays"}
    assert {key: DRAW[key].default for key in drawing_of()} == drawing_of() | {"labels": ("shape", "params")}
    assert set(DRAW) - set(drawing_of()) == {"level", "overlays"}


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        (Mode, get_args(graph.Mode)),
        (Level, get_args(graph.Level)),
        (Rows, get_args(RowsMode)),
        (Style, ("torchatlas", *get_args(table.Style))),
        (Direction, get_args(drawing.Direction)),
        (Theme, get_args(drawing.Theme)),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_the_words_that_may_be_typed_are_those_that_python_takes(typed, taken):
    """One of its own stands for no style: the table of torchatlas."""
    assert tuple(word.value for word in typed) == taken


def test_what_is_fixed_is_no_option():
    """The command gets one value of all that was typed for it."""
    got = []
    other = typer.Typer()

    @other.command()
    @taking(run=partial(run_of, key=None, fake=True))
    def command(word: str, run: Run) -> None:
        got.append((word, run))

    assert CliRunner().invoke(other, ["one", "net.py:Net", "-i", "1,3"]).exit_code == 0
    assert got == [("one", Run("net.py:Net", ["1,3"], [], None, None, fake=True, device=None, mode="eval", level="op"))]
    assert CliRunner().invoke(other, ["one", "net.py:Net", "--key", "a"]).exit_code == 2
