"""Numbers among settings and arguments, as a person would write them."""

from __future__ import annotations

import math
import re

DIGITS = 6
"""Significant ones: enough to tell settings apart, and fewer than a float32 is exact to."""

MORE_DIGITS = 12
"""Where fewer would leave a whole number of one that is not."""

LONG = re.compile(r"(?<![\w.])\d+\.\d{6,}(?:e[-+]?\d+)?(?![\w.])")
"""A number with many digits in a text; not a part of a name, a path or a version."""


def figure(number: float) -> str:
    """``0.1`` of 0.10000000149011612, ``0.0588235`` of 1 / 17, ``1e-05``; whole numbers in full."""
    if not math.isfinite(number) or number == int(number):
        return repr(number)
    short = f"{number:.{DIGITS}g}"
    return f"{number:.{MORE_DIGITS}g}" if float(short).is_integer() else short


def figures(text: str) -> str:
    """A text, with every long number in it written so."""
    return LONG.sub(lambda match: figure(float(match[0])), text)
