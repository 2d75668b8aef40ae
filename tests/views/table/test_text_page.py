"""What a terminal, a pipe and a file can show."""

from __future__ import annotations

import io

import pytest

from torchatlas.views.table.text_page import ASCII, UNICODE, WITHOUT_TERMINAL, page_of


class Screen(io.TextIOWrapper):
    """A terminal of some encoding."""

    def __init__(self, encoding="utf-8"):
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """A terminal of 91 columns that wants colour."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "91")


def test_a_terminal_gets_guides_colour_and_its_own_width():
    """Nothing is asked of the reader."""
    page = page_of(Screen(), None)
    assert (page.glyphs, page.colour, page.width) == (UNICODE, True, 91)


def test_a_pipe_gets_plain_ascii():
    """Whatever reads it, and always the same width."""
    page = page_of(io.StringIO(), None)
    assert (page.glyphs, page.colour, page.width) == (ASCII, False, WITHOUT_TERMINAL)
    assert page_of(None, None) == page


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_refused(monkeypatch, variable, value):
    """By https://no-color.org, and by a terminal that cannot."""
    monkeypatch.setenv(variable, value)
    assert not page_of(Screen(), None).colour


def test_a_terminal_of_another_encoding_gets_ascii():
    """Tree guides are not in Latin 1."""
    page = page_of(Screen("latin-1"), None)
    assert (page.glyphs, page.encoding) == (ASCII, "latin-1")


def test_a_width_that_was_asked_for_holds_everywhere():
    """For terminals and files alike."""
    assert page_of(Screen(), 60).width == page_of(io.StringIO(), 60).width == 60


def test_a_closed_file_is_no_terminal():
    """It says so by an exception; writing to it will say it better."""
    file = io.StringIO()
    file.close()
    assert page_of(file, None).glyphs is ASCII
