"""A drawing as PDF: shapes as vectors, text as text, fonts embedded.

It is painted from the engine's SVG, which holds rectangles, paths and texts alone, with every colour in place.
"""

from __future__ import annotations

import io
import re
import unicodedata
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from torchatlas.views.drawing.fonts import BOLD, REGULAR, SHIPPED, is_invisible
from torchatlas.views.drawing.outlines import outlines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reportlab.pdfgen.pathobject import PDFPathObject

    from torchatlas.views.drawing.picture import Picture

POINTS = 0.75
"""Points per pixel."""

LARGEST = 14_400
"""Points of a side that every reader shows; a larger drawing is made smaller."""

ROUND = 0.5523
"""Where the control points of a quarter circle lie, in radii."""

SVG = "{http://www.w3.org/2000/svg}"
PIECE = re.compile(r"([MLQAZ])([^MLQAZ]*)")


def pdf(drawing: Picture) -> bytes:
    """One page as large as the drawing; the same drawing always gives the same bytes."""
    svg, fonts = drawing.legible(outlines=True)
    root = ET.fromstring(svg)  # noqa: S314 - the engine wrote it
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    scale = min(POINTS, LARGEST / max(width, height))
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(width * scale, height * scale), invariant=1, pageCompression=1)
    canvas.setTitle(drawing.title)
    canvas.setCreator("torchatlas")
    canvas.scale(scale, scale)
    page = Page(canvas, height, _foreign("".join(root.itertext()), fonts))
    for element in root.iter():
        PAINTERS[element.tag.removeprefix(SVG)](page, element.attrib, element.text or "")
    canvas.save()
    return out.getvalue()


class Page:
    """A canvas whose y grows downwards, as the SVG's does."""

    def __init__(self, canvas: Canvas, height: float, fonts: Mapping[str, str]) -> None:
        self.canvas = canvas
        self.height = height
        self.fonts = fonts

    def paint(self, path: PDFPathObject, attributes: Mapping[str, str]) -> None:
        """Fill and stroke a path."""
        fill, stroke = attributes.get("fill", "none"), attributes.get("stroke", "none")
        if fill != "none":
            self.canvas.setFillColor(fill)
        if stroke != "none":
            self.canvas.setStrokeColor(stroke)
            self.canvas.setLineWidth(float(attributes.get("stroke-width", "1")))
            self.canvas.setDash([float(part) for part in attributes.get("stroke-dasharray", "").split()])
        self.canvas.drawPath(path, stroke=int(stroke != "none"), fill=int(fill != "none"))

    def runs(self, text: str, *, bold: bool) -> Iterator[tuple[str, str]]:
        """Font and text of each stretch that one font has; bold there is of the shipped font alone."""
        own = BOLD.stem if bold else REGULAR.stem
        drawn = [sign for sign in text if not is_invisible(sign)]
        for font, signs in groupby(_as_seen(drawn), key=lambda sign: self.fonts.get(sign, own)):
            yield font, "".join(signs)


def _as_seen(signs: list[str]) -> Iterator[str]:
    """Characters from left to right: Hebrew and Arabic ones, with what stands among them, run the other way."""
    rtl = [unicodedata.bidirectional(sign) in {"R", "AL"} for sign in signs]
    at = 0
    while at < len(signs):
        stop = at + 1
        if rtl[at]:
            while stop < len(signs) and (rtl[stop] or unicodedata.bidirectional(signs[stop]) in {"WS", "NSM"}):
                stop += 1
        yield from reversed(signs[at:stop])
        at = stop


class EmbeddedFont(TTFont):  # type: ignore[misc]  # reportlab has no types
    """A font whose text can be copied also beyond the first 65,536 characters, which need a pair of codes each."""

    def addObjects(self, doc: Any) -> None:  # noqa: N802 - reportlab calls it
        """Put the font into the document."""
        super().addObjects(doc)
        for name, held in doc.idToObject.items():
            if name.startswith("toUnicodeCMap:"):
                held.content = re.sub("<([0-9A-F]{5,6})>", _pair, held.content)


def _pair(code: re.Match[str]) -> str:
    return f"<{chr(int(code[1], 16)).encode('utf-16-be').hex().upper()}>"


def _foreign(text: str, fonts: Sequence[Path]) -> dict[str, str]:
    """Register all fonts; for each character that the shipped one lacks, the name of one that has it."""
    _register_shipped()
    found: dict[str, str] = {}
    wanted = set(text) - SHIPPED
    for path in fonts:
        part = outlines(path, wanted - found.keys())
        registerFont(EmbeddedFont(part.name, io.BytesIO(part.data), asciiReadable=False))
        found |= dict.fromkeys(part.held, part.name)
    return found


@cache
def _register_shipped() -> None:
    for path in (REGULAR, BOLD):
        registerFont(EmbeddedFont(path.stem, str(path), asciiReadable=False))


def _nothing(_page: Page, _attributes: Mapping[str, str], _text: str) -> None:
    """What only groups, or is shown when pointed at."""


def _rect(page: Page, attributes: Mapping[str, str], _text: str) -> None:
    x, y, width, height, radius = (float(attributes.get(key, "0")) for key in ("x", "y", "width", "height", "rx"))
    path = page.canvas.beginPath()
    path.roundRect(x, page.height - y - height, width, height, min(radius, width / 2, height / 2))
    page.paint(path, attributes)


def _path(page: Page, attributes: Mapping[str, str], _text: str) -> None:
    path = page.canvas.beginPath()
    at = (0.0, 0.0)
    for command, rest in PIECE.findall(attributes["d"]):
        numbers = [float(number) for number in re.split(r"[ ,]+", rest.strip()) if number]
        if command == "Z":
            path.close()
            continue
        end = (numbers[-2], page.height - numbers[-1])
        if command == "M":
            path.moveTo(*end)
        elif command == "L":
            path.lineTo(*end)
        elif command == "Q":
            path.curveTo(*_quadratic(at, (numbers[0], page.height - numbers[1]), end))
        else:
            path.curveTo(*_quarter(at, end, clockwise=numbers[4] == 1))
        at = end
    page.paint(path, attributes)


Point = tuple[float, float]
Curve = tuple[float, float, float, float, float, float]


def _quadratic(start: Point, control: Point, end: Point) -> Curve:
    """A quadratic curve as a cubic one."""
    first = [a + 2 / 3 * (c - a) for a, c in zip(start, control, strict=True)]
    second = [b + 2 / 3 * (c - b) for b, c in zip(end, control, strict=True)]
    return first[0], first[1], second[0], second[1], *end


def _quarter(start: Point, end: Point, *, clockwise: bool) -> Curve:
    """A quarter of a circle, the only arc that the engine draws, as a cubic curve; y grows upwards here."""
    (x0, y0), (x1, y1) = start, end
    # The corner that both tangents meet in: one of the two others of the square between start and end.
    horizontal = ((x1 - x0) * (y1 - y0) < 0) == clockwise
    corner = (x1, y0) if horizontal else (x0, y1)
    first = [a + ROUND * (c - a) for a, c in zip(start, corner, strict=True)]
    second = [b + ROUND * (c - b) for b, c in zip(end, corner, strict=True)]
    return first[0], first[1], second[0], second[1], *end


def _text(page: Page, attributes: Mapping[str, str], text: str) -> None:
    size = float(attributes["font-size"])
    runs = list(page.runs(text, bold=attributes.get("font-weight") == "bold"))
    width = sum(stringWidth(run, font, size) for font, run in runs)
    share = {"start": 0.0, "middle": 0.5, "end": 1.0}[attributes.get("text-anchor", "start")]
    x = float(attributes["x"]) - share * width
    page.canvas.setFillColor(attributes["fill"])
    for font, run in runs:
        page.canvas.setFont(font, size)
        page.canvas.drawString(x, page.height - float(attributes["y"]), run)
        x += stringWidth(run, font, size)


PAINTERS: dict[str, Callable[[Page, Mapping[str, str], str], None]] = {
    "svg": _nothing,
    "g": _nothing,
    "title": _nothing,
    "rect": _rect,
    "path": _path,
    "text": _text,
}
