"""Numbers among settings, as they are written."""

from __future__ import annotations

import math

import pytest

from torchatlas.core.measure.numbers import figure, figures


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (0.10000000149011612, "0.1"),
        (1 / 17, "0.0588235"),
        (0.30000000000000004, "0.3"),
        (2.9999999999999996, "3"),
        (0.9999999, "0.9999999"),
        (123456.789, "123456.789"),
        (-1e-5, "-1e-05"),
        (9.999999747378752e-06, "1e-05"),
        (500000.0, "500000.0"),
        (1e300, "1e+300"),
        (math.inf, "inf"),
    ],
)
def test_a_setting_is_written_as_a_person_would(number: float, text: str) -> None:
    """What a float cannot hold exactly is not seen; a number that is not whole never looks so."""
    assert figure(number) == text


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("p=0.0058823529411764705, mode=row, eps=1e-05", "p=0.00588235, mode=row, eps=1e-05"),
        ("(0.10000000149011612, -2.0000000000000004)", "(0.1, -2)"),
        ("v1.0000000000, 1.00000000.2, x.0.12345678", "v1.0000000000, 1.00000000.2, x.0.12345678"),
    ],
)
def test_in_a_text_only_long_numbers_are_written_anew(text: str, short: str) -> None:
    """Parts of names, of paths and of versions stay."""
    assert figures(text) == short
