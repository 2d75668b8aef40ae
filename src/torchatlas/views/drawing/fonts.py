r"""The shipped font, and what is done about characters that it lacks.

It holds Latin, Greek and some signs. For others a font of the system is looked for, and where there is none, the
character stands in the picture as ``\u{4E2D}``: seen, if not read, and never silently gone.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REGULAR = Path(str(files(__package__))) / "fonts" / "AtlasSans-Regular.ttf"
BOLD = REGULAR.with_name("AtlasSans-Bold.ttf")

LATIN = (*range(0x20, 0x7F), *range(0xA0, 0x180))
GREEK = (*range(0x391, 0x3A2), *range(0x3A3, 0x3AA), *range(0x3B1, 0x3CA))
DASHES, QUOTES = (0x2010, 0x2013, 0x2014), (0x2018, 0x2019, 0x201C, 0x201D, 0x2039, 0x203A)
SIGNS = (0x2022, 0x2026, 0x20AC, *range(0x2190, 0x2194))
MATHEMATICS = (0x2202, 0x220F, 0x2211, 0x2212, 0x221A, 0x221E, 0x2248, 0x2260, 0x2264, 0x2265)
SHIPPED = frozenset(map(chr, (*LATIN, *GREEK, *DASHES, *QUOTES, *SIGNS, *MATHEMATICS)))
"""The characters of the shipped font."""

KINDS = {".ttf", ".otf", ".ttc", ".otc"}
STYLED = re.compile(r"bold|italic|oblique|black|heavy|light|thin|mono|condensed|lastresort", re.IGNORECASE)
"""Fonts that are tried after the plain ones: Apple's LastResort has a box for every character."""


def foreign(letters: Iterable[str]) -> frozenset[str]:
    """Those of the characters that the shipped font lacks; those that are never drawn do not count."""
    return frozenset(sign for sign in set(letters) - SHIPPED if sign != "\n" and not is_invisible(sign))


def is_invisible(sign: str) -> bool:
    """Joiners, marks of direction, and selectors of variants have no picture of their own."""
    return unicodedata.category(sign) == "Cf" or 0xFE00 <= ord(sign) <= 0xFE0F  # noqa: PLR2004 - variation selectors


def fonts_for(characters: Iterable[str], *, outlines: bool) -> tuple[tuple[Path, ...], frozenset[str]]:
    """Fonts of the system that have these characters, and the characters that none has.

    Args:
        characters: those that the shipped font lacks.
        outlines: only fonts whose glyphs are outlines, not pictures.
    """
    missing = set(characters)
    found = []
    for path in _system_fonts() if missing else ():
        held = missing & _held(path, outlines=outlines)
        if held:
            found.append(path)
            missing -= held
            if not missing:
                break
    return tuple(found), frozenset(missing)


def folders() -> Iterator[Path]:
    """Where systems keep fonts."""
    home = Path.home()
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"
        yield home / "AppData/Local/Microsoft/Windows/Fonts"
    elif sys.platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts")
    else:
        data = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
        yield from (Path(folder) / "fonts" for folder in data.split(":"))
        yield from (home / ".local/share/fonts", home / ".fonts")


def _system_fonts() -> Iterator[Path]:
    """Every font file, plain ones first, always in the same order."""
    found = {path for folder in folders() if folder.is_dir() for path in folder.rglob("*")}
    fonts = [path for path in found if path.suffix.lower() in KINDS]
    return iter(sorted(fonts, key=lambda path: (STYLED.search(path.name) is not None, path)))


@cache
def _held(path: Path, *, outlines: bool) -> frozenset[str]:
    """The characters of a font file; of a collection, of its first font. None, if it cannot be read."""
    from fontTools.ttLib import TTFont, TTLibError  # noqa: PLC0415 - most names need no other font

    try:
        with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as font:
            if outlines and "glyf" not in font and "CFF " not in font:
                return frozenset()
            return frozenset(map(chr, font.getBestCmap() or ()))
    except (TTLibError, OSError, ValueError, KeyError, AssertionError):
        return frozenset()  # damaged, or of a kind of its own: as if it were not there
