"""Numbers as people read them. Units are decimal: 1 kB is 1,000 bytes, 1 G is 1,000,000,000."""

from __future__ import annotations

PREFIXES = ("", "k", "M", "G", "T", "P", "E")
THOUSAND = 1000


def exact(number: int) -> str:
    """All digits, in groups of three."""
    return f"{number:,}"


def human(number: float) -> str:
    """Three significant digits and a decimal prefix: ``1.81 G``. Whole numbers below 1,000 stay as they are."""
    if abs(number) < THOUSAND and number == int(number):
        return str(int(number))
    size = float(number)
    for prefix in PREFIXES:
        digits = f"{size:.{_decimals(size)}f}"
        # 999,950 rounds to 1000 k, which is written 1.00 M.
        if abs(float(digits)) < THOUSAND or prefix == PREFIXES[-1]:
            return f"{digits} {prefix}".rstrip()
        size /= THOUSAND
    raise AssertionError


def memory(nbytes: int) -> str:
    """Bytes with a decimal prefix: ``46.8 MB``."""
    number = human(nbytes)
    return f"{number}B" if " " in number else f"{number} B"


def percent(part: int, whole: int) -> str:
    """A share with one decimal; nothing of nothing is a dash."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _decimals(size: float) -> int:
    size = abs(size)
    return 2 if size < 9.995 else 1 if size < 99.95 else 0  # noqa: PLR2004 - where three digits round up to the next
