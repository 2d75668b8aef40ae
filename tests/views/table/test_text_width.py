"""Widths of letters, and names that must not act."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from torchatlas.views.table.text_width import align, cell_width, printable, shorten, wrap


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("layer", "layer"),
        ("two\nlines\t", "two\\nlines\\t"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("from\u202eright", "from\\u202eright"),
        ("层.卷积", "层.卷积"),
        ("\udc80", "\\udc80"),
    ],
)
def test_letters_that_act_are_written_out(text, shown):
    """Line breaks, escape codes, reading direction and lone surrogates are shown, not obeyed."""
    assert printable(text) == shown


def test_letters_a_page_cannot_write_are_written_out():
    """A page of another encoding gets escapes instead of an error."""
    assert printable("卷积 é", "latin-1") == "\\u5377\\u79ef é"
    assert printable("é", "ascii") == "\\xe9"


@given(st.text(), st.integers(1, 40), st.sampled_from(["…", "..."]))
def test_shortened_text_fits(text, width, ellipsis):
    """No more cells than asked for, whatever the letters; text that fits is left alone."""
    text = printable(text)
    shown = shorten(text, width, ellipsis)
    assert cell_len(shown) <= width
    assert shown == text or cell_len(text) > width


@given(st.text(), st.integers(1, 40), st.sampled_from(["left", "right"]))
def test_aligned_text_fills_its_width(text, width, side):
    """Wide letters count two cells."""
    assert cell_len(align(printable(text), width, side, "…")) == width


def test_names_keep_their_ends():
    """Modules differ in the last part of their names, and families in the first."""
    assert shorten("encoder.layer.11.attention.self.query", 20, "...") == "encoder.l...lf.query"
    assert shorten("卷积卷积卷积", 8, "…") == "卷积…积"


def test_a_huge_name_is_shortened_at_once():
    """Only what is shown is measured."""
    assert shorten("x" * 10_000_000, 10, "…") == "xxxxx…xxxx"
    assert cell_width("x" * 10_000) == 10_000


@given(st.text(), st.integers(2, 40))
def test_wrapped_text_fits_and_loses_nothing(text, width):
    """Lines break between words, and inside a word that is longer than a line."""
    text = printable(text)
    lines = wrap(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
