"""How numbers are written, by schema/numbers.json, which the tests of web/ read too."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from torchatlas.core.measure import numbers

GOLDEN = json.loads((Path(__file__).parents[3] / "schema" / "numbers.json").read_text(encoding="utf-8"))
CASES = [(kind, case) for kind, cases in GOLDEN["cases"].items() for case in cases]
MOST = {"short": 3, "size": 3, "duration": 3, "percent": 4}
"""Significant digits."""

UNITS = {"": 1, "K": 1e3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
UNITS |= {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
WRITTEN = re.compile(r"(-?)([\d.,]+)(e[-+]\d+)? ?([KkMGTPE]?|ms|us|ns|s)(?:B| ?%)?")

ANY = st.one_of(
    st.floats(-1e24, 1e24),
    st.integers(-2_000_000, 2_000_000),
    st.builds(lambda power, near: near * 10.0**power, st.integers(-12, 22), st.floats(0.99, 1.01)),
)
"""Any number of a size that occurs, and those just beside the powers of ten, where roundings go wrong."""


def write(kind, *number):
    """A number, written as a kind."""
    return getattr(numbers, kind)(*number)


def read(text):
    """What a reader takes a text for, and the digits that stand in it."""
    sign, digits, exponent, unit = WRITTEN.fullmatch(text).groups()
    digits = digits.replace(",", "")
    return float(f"{sign}{digits}{exponent or ''}") * UNITS[unit], digits


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind} of {case[0]}" for kind, case in CASES])
def test_a_number_is_written_as_the_cases_say(kind, case):
    """The pictures and the page are held to the same cases."""
    *number, text = case
    if kind != "figures":
        number = [float(one) if one in {"nan", "inf", "-inf"} else one for one in number]
    assert write(kind, *number) == text


def test_every_way_to_write_a_number_has_a_rule_and_cases():
    """What is public here is what the specification names."""
    public = {
        name
        for name, one in vars(numbers).items()
        if callable(one) and getattr(one, "__module__", "") == numbers.__name__ and not name.startswith("_")
    } - {"Digits"}
    assert public == set(GOLDEN["cases"]) == set(GOLDEN["rules"]) - {"all"}


@pytest.mark.parametrize("kind", MOST)
@given(number=ANY)
@example(number=999_500)
@example(number=0.9995)
@example(number=999.95)
def test_a_number_has_few_digits_and_never_a_thousand_of_what_has_a_larger_unit(kind, number):
    """999,950 is not 1000K; seconds have no larger unit."""
    _, digits = read(write(kind, number))
    if kind != "duration" or abs(number) < 999.5:
        assert len(digits.replace(".", "").lstrip("0")) <= MOST[kind]
        assert float(digits) < 1000


@pytest.mark.parametrize("kind", MOST)
@given(number=ANY)
def test_a_number_is_read_as_what_it_was_but_for_half_of_the_last_digit(kind, number):
    """Of a share that is one decimal, of others three digits."""
    found, _ = read(write(kind, number))
    least = 0.05 if kind == "percent" else 0
    assert abs(found - number) <= max(abs(number) * 0.00501, least * 1.001, 1e-320)


@pytest.mark.parametrize("kind", MOST)
@given(one=ANY, other=ANY)
def test_a_number_is_never_read_as_less_than_a_smaller_one(kind, one, other):
    """And a negative one is the positive with a minus."""
    low, high = (read(write(kind, number))[0] for number in sorted((one, other)))
    assert low - high <= abs(low) * 1e-12
    assert write(kind, -abs(one)) == ("-" if one else "") + write(kind, abs(one))


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_setting_that_is_not_whole_never_looks_so_unless_it_is_very_near(number):
    """Within twelve digits it is told from a whole number; whole ones keep what Python says of them."""
    text = numbers.figure(number)
    assert math.isclose(float(text), number, rel_tol=5.1e-6, abs_tol=0)
    if number == int(number):
        assert text == repr(number)
    elif float(text).is_integer():
        assert math.isclose(float(text), number, rel_tol=5.1e-12)
