"""Letters in a terminal: how wide they are, and how names of any content are shown safely in a given width."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def printable(text: str, encoding: str = "utf-8") -> str:
    """The text with line breaks, escape codes, invisible and unencodable characters written out, so none can act."""
    if text.isascii() and text.isprintable():
        return text
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def cell_width(text: str) -> int:
    """Terminal cells it takes: a Chinese character takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - costs start-up time, and most names are ASCII

    return cell_len(text)


def align(text: str, width: int, side: str, ellipsis: str) -> str:
    """The text in exactly ``width`` cells, shortened or filled with blanks."""
    shown = shorten(text, width, ellipsis)
    blank = " " * (width - cell_width(shown))
    return blank + shown if side == "right" else shown + blank


def shorten(text: str, width: int, ellipsis: str) -> str:
    """At most ``width`` cells: the middle goes, since names differ at their ends."""
    if cell_width(text) <= width:
        return text
    if width <= len(ellipsis) + 1:
        return _beginning(text, width)
    keep = width - len(ellipsis)
    return _beginning(text, keep - keep // 2) + ellipsis + _beginning(text[::-1], keep // 2)[::-1]


def shorten_apart(texts: Sequence[str], widths: Sequence[int], ellipsis: str) -> list[str]:
    """Each text in its width, and two that differ never alike, as long as their widths can show where they do.

    Cut in the middle, ``block_attention_query_projection`` and ``block_attention_value_projection`` would both be
    ``block_at...ojection``; what they begin with in common is cut instead: ``...query_projection``.
    """
    shown = [shorten(text, width, ellipsis) for text, width in zip(texts, widths, strict=True)]
    waiting = [list(range(len(texts)))]
    while waiting:
        for alike in _alike(waiting.pop(), texts, shown):
            # A few letters of what is common stay, to be read with.
            begin = max(0, _common([texts[index] for index in alike]) - min(widths[index] for index in alike) // 4)
            for index in alike:
                rest = texts[index][begin:]
                room = widths[index] - len(ellipsis)
                end = rest if cell_width(rest) <= room else _beginning(rest, max(1, room - len(ellipsis))) + ellipsis
                shown[index] = shorten(ellipsis + end, widths[index], ellipsis)
            apart = {shown[index] for index in alike}
            if 1 < len(apart) < len(alike):
                waiting.append(alike)
    return shown


def _alike(group: Sequence[int], texts: Sequence[str], shown: Sequence[str]) -> list[list[int]]:
    """Those of a group that differ and are shown alike."""
    by_look: dict[str, list[int]] = {}
    for index in group:
        by_look.setdefault(shown[index], []).append(index)
    return [alike for alike in by_look.values() if len({texts[index] for index in alike}) > 1]


def _common(texts: Sequence[str]) -> int:
    """How many letters all begin with: as many as the first and the last of them, in the order of letters."""
    first, last = min(texts), max(texts)
    return next((index for index, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells, broken between words where that is possible."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_width(longer) <= width:
            lines[-1] = longer
            continue
        rest = word
        while rest:
            part = _beginning(rest, width) or rest[0]
            lines.append(part)
            rest = rest[len(part) :]
    return [line for line in lines if line] or [""]


def _beginning(text: str, width: int) -> str:
    """The longest beginning that fits."""
    fitting = text[:width]
    while cell_width(fitting) > width:
        fitting = fitting[:-1]
    return fitting
