"""Numbers as people read them."""

from __future__ import annotations

import pytest

from torchatlas.views.table.units import exact, human, memory, percent


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1000, "1.00 k"),
        (9994, "9.99 k"),
        (9999, "10.0 k"),
        (99_949, "99.9 k"),
        (99_999, "100 k"),
        (999_499, "999 k"),
        (999_950, "1.00 M"),
        (1_814_073_344, "1.81 G"),
        (405 * 10**9, "405 G"),
        (10**21, "1000 E"),
        (0.5, "0.50"),
    ],
)
def test_a_number_has_three_digits_and_a_prefix(number, shown):
    """Rounding up to the next power of a thousand takes the next prefix."""
    assert human(number) == shown


@pytest.mark.parametrize(
    ("nbytes", "shown"), [(0, "0 B"), (602, "602 B"), (602_112, "602 kB"), (46_796_528, "46.8 MB")]
)
def test_bytes_have_decimal_prefixes(nbytes, shown):
    """1 kB is 1,000 bytes."""
    assert memory(nbytes) == shown


def test_exact_numbers_are_grouped():
    """All digits, in threes."""
    assert exact(11_689_512) == "11,689,512"


def test_a_share_of_nothing_is_a_dash():
    """A model without parameters has no shares."""
    assert percent(0, 0) == "-"
    assert percent(1, 8) == "12.5 %"
