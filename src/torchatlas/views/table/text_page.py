"""Where text is written: how wide it may be, which signs it can show, and whether colour is welcome."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

WITHOUT_TERMINAL = 120
WITHOUT_CURSOR = frozenset({"dumb", "unknown"})


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs that are not letters: tree guides, a rule, repeat, cut and failure."""

    branch: str
    last: str
    through: str
    blank: str
    rule: str
    times: str
    ellipsis: str
    failed: str


ASCII = Glyphs("|- ", "`- ", "|  ", "   ", "-", "x", "...", "!!")
UNICODE = Glyphs("├─ ", "└─ ", "│  ", "   ", "─", "\N{MULTIPLICATION SIGN}", "…", "✗")


@dataclass(frozen=True, slots=True)
class TextPage:
    """What a table is written on: ``width`` in terminal cells, ``encoding`` of its letters."""

    width: int = WITHOUT_TERMINAL
    glyphs: Glyphs = ASCII
    encoding: str = "utf-8"
    colour: bool = False


def page_of(file: TextIO | None, width: int | None) -> TextPage:
    """A terminal as wide as it is, with guides and colour as far as it can; a pipe or a file in plain ASCII signs."""
    encoding = getattr(file, "encoding", None) or "utf-8"
    if file is None or not _is_terminal(file):
        return TextPage(width or WITHOUT_TERMINAL, ASCII, encoding)
    able = os.environ.get("TERM", "") not in WITHOUT_CURSOR
    return TextPage(
        width=width or shutil.get_terminal_size((WITHOUT_TERMINAL, 24)).columns,
        glyphs=UNICODE if able and can_write(encoding) else ASCII,
        encoding=encoding,
        colour=able and not os.environ.get("NO_COLOR"),
    )


def _is_terminal(file: TextIO) -> bool:
    try:
        return file.isatty()
    except (AttributeError, ValueError):  # not quite a file, or a closed one
        return False


def can_write(encoding: str) -> bool:
    """Whether the encoding has the signs of ``UNICODE``."""
    try:
        f"{UNICODE.branch}{UNICODE.last}{UNICODE.times}{UNICODE.ellipsis}{UNICODE.failed}".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
