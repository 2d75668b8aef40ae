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
        if abs(float(digits)) < THOUSAND:
            return f"{digits} {prefix}".rstrip()
        size /= THOUSAND
    return f"{number:.3g}"


def memory(nbytes: float) -> str:
    """Bytes with a decimal prefix: ``46.8 MB``."""
    number = human(nbytes)
    return f"{number}B" if " " in number else f"{number} B"


def duration(seconds: float) -> str:
    """A time in the unit in which it is easily read, with three significant digits: ``1.23 ms``, ``45.6 us``."""
    if seconds == 0:
        return "0 s"
    size, unit = seconds, "s"
    for smaller in ("ms", "us", "ns"):
        if abs(size) >= 0.9995:  # noqa: PLR2004 - what rounds to 1.00
            break
        size, unit = size * THOUSAND, smaller
    return f"{size:,.{_decimals(size)}f} {unit}"


def measured(number: float, unit: str = "") -> str:
    """A number of an overlay: times and bytes with a prefix, others with their unit behind."""
    if unit == "s":
        return duration(number)
    if unit == "B":
        return memory(number) if number >= 0 else f"-{memory(-number)}"
    if unit == "%":
        return f"{number:.2g} %" if 0 < abs(number) < 0.05 else f"{number:.1f} %"  # noqa: PLR2004 - what rounds to 0.0
    return f"{plain(number)} {unit}".rstrip()


def plain(number: float) -> str:
    """Four significant digits; from 10,000 on with a decimal prefix."""
    return f"{number:.4g}" if abs(number) < 10 * THOUSAND else human(number)


def percent(part: int, whole: int) -> str:
    """A share with one decimal; nothing of nothing is a dash."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _decimals(size: float) -> int:
    size = abs(size)
    return 2 if size < 9.995 else 1 if size < 99.95 else 0  # noqa: PLR2004 - where three digits round up to the next
