"""Numbers as people read them."""

from __future__ import annotations

import pytest

from torchatlas.views.table.units import duration, exact, human, measured, memory, percent


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
        (999 * 10**18, "999 E"),
        (10**21, "1e+21"),
        (-1.5e308, "-1.5e+308"),
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


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (12.345, "12.3 s"),
        (1234.5, "1,234 s"),
        (0.9996, "1.00 s"),
        (0.0123, "12.3 ms"),
        (0.00099951, "1.00 ms"),
        (4.56e-5, "45.6 us"),
        (7e-9, "7.00 ns"),
        (1e-12, "0.00 ns"),
    ],
)
def test_a_time_is_told_in_the_unit_in_which_it_is_read(seconds, shown):
    """Three digits, rounding up to the next unit."""
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("number", "unit", "shown"),
    [
        (0.0012, "s", "1.20 ms"),
        (46.8e6, "B", "46.8 MB"),
        (-2048, "B", "-2.05 kB"),
        (12.34, "%", "12.3 %"),
        (0.0021, "%", "0.0021 %"),
        (0, "%", "0.0 %"),
        (0.25, "mJ", "0.25 mJ"),
        (1234.5, "", "1234"),
        (123456, "", "123 k"),
        (-1e-7, "", "-1e-07"),
    ],
)
def test_a_number_of_an_overlay_is_told_by_its_unit(number, unit, shown):
    """Times and bytes with a prefix, others as they are."""
    assert measured(number, unit) == shown
