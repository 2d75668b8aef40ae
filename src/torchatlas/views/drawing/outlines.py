"""Some characters of a font as a TrueType font of their own, which every writer of PDF can embed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from fontTools import subset
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont, newTable

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

TABLES = {"GlyphOrder", "OS/2", "cmap", "head", "hhea", "hmtx", "maxp", "name", "post", "CFF ", "glyf", "loca"}
"""What a PDF needs of a font, and nothing of its hints and layout."""

TOLERANCE = 1 / 1000
"""How far a quadratic curve may lie from the cubic one, in ems."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """A TrueType font, and the characters in it.

    Attributes:
        name: of its own, told by what is in it: writers take two fonts of one name for the same.
        data: a TrueType file.
        held: its characters.
    """

    name: str
    data: bytes
    held: frozenset[str]


def outlines(path: Path, characters: Collection[str]) -> Outlines:
    """Cut characters out of a font file, of a collection out of its first; cubic outlines become quadratic."""
    with TTFont(path, fontNumber=0, lazy=True) as font:
        held = frozenset(characters) & frozenset(map(chr, font.getBestCmap()))
        for table in set(font.keys()) - TABLES:
            del font[table]
        options = subset.Options(layout_features=[], hinting=False, notdef_outline=True, name_IDs=["*"])
        cutter = subset.Subsetter(options)
        cutter.populate(text="".join(sorted(held)))
        cutter.subset(font)
        if "glyf" not in font:
            _to_quadratic(font)
        name = f"{path.stem[:40]}-{sha256(''.join(sorted(held)).encode()).hexdigest()[:12]}"
        font["name"].setName(name, 6, 3, 1, 0x409)
        font["name"].setName(name, 6, 1, 0, 0)
        font.recalcTimestamp = False
        out = io.BytesIO()
        font.save(out)
    return Outlines(name, out.getvalue(), held)


def _to_quadratic(font: TTFont) -> None:
    glyphs = font.getGlyphSet()
    drawn = {}
    for name in font.getGlyphOrder():
        pen = TTGlyphPen(glyphs)
        glyphs[name].draw(Cu2QuPen(pen, TOLERANCE * font["head"].unitsPerEm, reverse_direction=True))
        drawn[name] = pen.glyph()
    table = newTable("glyf")
    table.glyphOrder, table.glyphs = font.getGlyphOrder(), drawn
    font["loca"], font["glyf"] = newTable("loca"), table
    maximum = newTable("maxp")
    maximum.tableVersion, maximum.numGlyphs = 0x00010000, len(drawn)
    for field in ("maxZones", "maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs"):
        setattr(maximum, field, int(field == "maxZones"))
    for field in ("maxStackElements", "maxSizeOfInstructions", "maxComponentElements"):
        setattr(maximum, field, 0)
    font["maxp"] = maximum
    font["post"].formatType = 3.0
    del font["CFF "]
    font.sfntVersion = "\x00\x01\x00\x00"
