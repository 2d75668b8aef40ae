"""Numbers as people read them, by the rules and the cases of ``schema/numbers.json``.

All is done on decimal digits, rounded once from the number itself: 1,125 is ``1.13K`` here and in the pictures. To
divide first, or to round halves to even, would tell them apart.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

COUNTS = ("", "K", "M", "G", "T", "P", "E")
BYTES = ("", "k", "M", "G", "T", "P", "E")
TIMES = {"s": 0, "ms": -3, "us": -6, "ns": -9}
"""Each with the power of ten of its second."""

THREE = Context(prec=3, rounding=ROUND_HALF_UP)
TWO = Context(prec=2, rounding=ROUND_HALF_UP)
SIX = Context(prec=6, rounding=ROUND_HALF_UP)
"""Significant digits of a setting: enough to tell settings apart, and fewer than a float32 is exact to."""

TWELVE = Context(prec=12, rounding=ROUND_HALF_UP)
"""Where fewer would leave a whole number of one that is not."""

EXACT = Context(prec=1100, rounding=ROUND_HALF_UP)
"""More digits than any float has, to be rounded once."""

TENTH = Decimal("0.1")

BEYOND = 21
"""From this power of ten on there is no prefix."""

SMALLEST = -4
"""Below this power of ten a number has an exponent, as Python writes it."""

THOUSAND = 1000
LONG = re.compile(r"(?<![\w.])\d+\.\d{6,}(?:e[-+]?\d+)?(?![\w.])")
"""A number with many digits in a text; not a part of a name, a path or a version."""


class Digits(NamedTuple):
    """Decimal digits, and the power of ten of the first of them: of 1125, ``113`` and 3."""

    sign: str
    digits: str
    power: int


def exact(number: int) -> str:
    """All digits, in groups of three."""
    return f"{number:,}"


def short(number: float) -> str:
    """Three significant digits and a power of a thousand: ``0.5``, ``999``, ``9.41K``, ``25.6M``."""
    return "".join(_scaled(number, COUNTS))


def size(nbytes: float) -> str:
    """Bytes with a decimal prefix: ``512 B``, ``46.8 MB``."""
    return f"{' '.join(_scaled(nbytes, BYTES))}B"


def duration(seconds: float) -> str:
    """A time in the unit in which it is easily read: ``1.23 ms``, ``45.6 us``."""
    if not math.isfinite(seconds) or seconds == 0:
        return f"{short(seconds)} s"
    decimal = _rounded(seconds, THREE)
    sign, digits, power = decimal
    if power >= BEYOND:
        return f"{_general(decimal)} s"
    if power >= THREE.prec:
        return f"{sign}{exact(math.floor(abs(seconds) + 0.5))} s"
    for unit, least in TIMES.items():
        if power >= least:
            return f"{_pointed(sign, digits, power - least)} {unit}"
    return f"{_general(Digits(sign, digits, power - TIMES['ns']))} ns"


def percent(share: float) -> str:
    """A share of a hundred with one decimal; where that would be 0.0 of what is not zero, two significant digits."""
    if math.isfinite(share) and abs(share) < THOUSAND:
        tenths = str(abs(EXACT.create_decimal(share).quantize(TENTH, context=EXACT)))
        if tenths == "0.0" and share != 0:
            return f"{_general(_rounded(share, TWO))} %"
        if tenths != "1000.0":
            return f"{'-' if share < 0 else ''}{tenths} %"
    return f"{short(share)} %"


def quantity(number: float, unit: str = "") -> str:
    """A number with its unit: times, bytes and shares in their own way, of others the unit stands behind."""
    if unit == "s":
        return duration(number)
    if unit == "B":
        return size(number)
    return percent(number) if unit == "%" else f"{short(number)} {unit}".rstrip()


def figure(number: float) -> str:
    """A setting: ``0.1`` of 0.10000000149011612, ``0.0588235`` of 1 / 17, ``1e-05``; whole numbers in full."""
    if not math.isfinite(number) or number == int(number):
        return repr(number)
    text = _general(_rounded(number, SIX), SIX.prec)
    return _general(_rounded(number, TWELVE), TWELVE.prec) if float(text).is_integer() else text


def figures(text: str) -> str:
    """A text, with every long number in it written so."""
    return LONG.sub(lambda match: figure(float(match[0])), text)


def _scaled(number: float, prefixes: tuple[str, ...]) -> tuple[str, str]:
    """The digits, and the prefix of their power of a thousand."""
    if isinstance(number, float) and not math.isfinite(number):
        return repr(number), ""
    decimal = _rounded(number, THREE)
    sign, digits, power = decimal
    if THREE.prec <= power < BEYOND:
        return _pointed(sign, digits, power % 3), prefixes[power // 3]
    return _general(decimal), ""


def _rounded(number: float, context: Context) -> Digits:
    """Halves away from zero, by the exact value."""
    digits = context.prec
    if number == 0:
        return Digits("", "0" * digits, 0)
    mantissa, power = f"{context.create_decimal(abs(number)):.{digits - 1}e}".split("e")
    return Digits("-" if number < 0 else "", mantissa.replace(".", ""), int(power))


def _pointed(sign: str, digits: str, power: int) -> str:
    """All digits, the point after those of the power; which is not negative, nor beyond the digits."""
    whole, rest = digits[: power + 1], digits[power + 1 :]
    return f"{sign}{whole}.{rest}" if rest else f"{sign}{whole}"


def _general(decimal: Digits, beyond: int = 3) -> str:
    """Without zeros at the end; with an exponent for small powers and from ``beyond`` on."""
    sign, digits, power = decimal
    kept = digits.rstrip("0") or "0"
    if power < SMALLEST or power >= beyond:
        return f"{_pointed(sign, kept, 0)}e{power:+03d}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{kept}"
    return _pointed(sign, kept.ljust(power + 1, "0"), power)
