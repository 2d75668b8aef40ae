"""Letters in a terminal: how wide they are, and how names of any content are shown safely in a given width."""

from __future__ import annotations


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
