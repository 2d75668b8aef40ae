"""Columns in a given width."""

from __future__ import annotations

import pytest

from torchatlas.views.table.columns import COLUMNS
from torchatlas.views.table.layout import GAP, fit

NAMES = ("name", "type", "input", "output", "params", "share", "mult_adds")
NATURAL = (30, 18, 17, 18, 10, 7, 9)


def widths(room, *, chosen=False, natural=NATURAL):
    """By column name, the columns that are left."""
    cells = [[width] * 4 for width in natural]
    found = fit([COLUMNS[name] for name in NAMES], cells, room, chosen=chosen)
    return {name: width for name, width in zip(NAMES, found, strict=True) if width}


def test_nothing_changes_where_there_is_room():
    """A table is as wide as it needs to be, not as wide as the page."""
    assert tuple(widths(500).values()) == NATURAL


@pytest.mark.parametrize("room", range(30, 140))
def test_columns_fit_any_width(room):
    """With the gaps, and both with columns of our choice and of the reader's."""
    for chosen in (False, True):
        found = widths(room, chosen=chosen)
        assert sum(found.values()) + GAP * (len(found) - 1) <= room


def test_spare_columns_go_before_names_are_cut():
    """Shares go first, then inputs; names give way a little before."""
    assert set(NAMES) - set(widths(112)) == set()
    assert set(NAMES) - set(widths(103)) == {"share"}
    assert set(NAMES) - set(widths(84)) == {"share", "input"}


def test_numbers_are_never_cut():
    """Half a number is a wrong number."""
    for room in range(12, 140):
        for chosen in (False, True):
            found = widths(room, chosen=chosen)
            assert all(found.get(name, 99) >= NATURAL[NAMES.index(name)] for name in ("params", "share", "mult_adds"))


def test_chosen_columns_are_cut_before_one_is_left_out():
    """The reader asked for them; the last ones go when nothing else helps."""
    assert list(widths(78, chosen=True)) == list(NAMES)
    assert list(widths(60, chosen=True)) == list(NAMES[:5])


def test_a_huge_name_leaves_room_for_the_rest():
    """A name of 10,000 letters costs no other column its place on a page that is wide enough."""
    assert set(widths(100, natural=(10_000, 6, 10, 10, 8, 6, 6), chosen=True)) == set(NAMES)
