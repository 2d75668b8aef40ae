"""A drawing as PDF: shapes as vectors, text as text, fonts embedded.

It is painted from the engine's scene, which holds rectangles, paths and texts alone, with every colour in place.
"""

from __future__ import annotations

import io
import re
import unicodedata
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from torchatlas.views.contract import Path, Rect, Text
from torchatlas.views.drawing.fonts import BOLD, REGULAR, SHIPPED, is_invisible
from torchatlas.views.drawing.outlines import outlines
from torchatlas.views.drawing.scene import letters_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path as FilePath

    from reportlab.pdfgen.pathobject import PDFPathObject

    from torchatlas.views.contract import Scene

POINTS = 0.75
"""Points per pixel."""

LARGEST = 14_400
"""Points of a side that every reader shows; a larger drawing is made smaller."""

ROUND = 0.5523
"""Where the control points of a quarter circle lie, in radii."""

DASHES = (5, 3)
"""Pixels of a stroke and a gap, as `web/src/scene/svg.ts` has them."""

PIECE = re.compile(r"([MLQAZ])([^MLQAZ]*)")


def pdf(scene: Scene, title: str, fonts: Sequence[FilePath]) -> bytes:
    """One page as large as the drawing; the same drawing always gives the same bytes.

    Args:
        scene: what to paint.
        title: of the document.
        fonts: those that it needs beside the shipped one.
    """
    scale = min(POINTS, LARGEST / max(scene.width, scene.height))
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(scene.width * scale, scene.height * scale), invariant=1, pageCompression=1)
    canvas.setTitle(title)
    canvas.setCreator("torchatlas")
    canvas.scale(scale, scale)
    shapes = [shape for group in scene.groups for shape in group.shapes]
    page = PdfCanvas(canvas, scene.height, _foreign(letters_of(scene), fonts))
    _rect(page, Rect("rect", 0, 0, scene.width, scene.height, 0, scene.background, None, 0, dashed=False))
    for shape in shapes:
        if isinstance(shape, Rect):
            _rect(page, shape)
        elif isinstance(shape, Path):
            _path(page, shape)
        else:
            _text(page, shape)
    canvas.save()
    return out.getvalue()


class PdfCanvas:
    """A canvas whose y grows downwards, as the SVG's does."""

    def __init__(self, canvas: Canvas, height: float, fonts: Mapping[str, str]) -> None:
        self.canvas = canvas
        self.height = height
        self.fonts = fonts

    def paint(self, path: PDFPathObject, shape: Rect | Path) -> None:
        """Fill and stroke a path."""
        if shape.fill is not None:
            self.canvas.setFillColor(shape.fill)
        if shape.line is not None:
            self.canvas.setStrokeColor(shape.line)
            self.canvas.setLineWidth(shape.line_width)
            self.canvas.setDash(DASHES if isinstance(shape, Rect) and shape.dashed else [])
        self.canvas.drawPath(path, stroke=int(shape.line is not None), fill=int(shape.fill is not None))

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


def _foreign(letters: frozenset[str], fonts: Sequence[FilePath]) -> dict[str, str]:
    """Register all fonts; for each character that the shipped one lacks, the name of one that has it."""
    _register_shipped()
    found: dict[str, str] = {}
    wanted = letters - SHIPPED
    for path in fonts:
        part = outlines(path, wanted - found.keys())
        registerFont(EmbeddedFont(part.name, io.BytesIO(part.data), asciiReadable=False))
        found |= dict.fromkeys(part.held, part.name)
    return found


@cache
def _register_shipped() -> None:
    for path in (REGULAR, BOLD):
        registerFont(EmbeddedFont(path.stem, str(path), asciiReadable=False))


def _rect(page: PdfCanvas, rect: Rect) -> None:
    path = page.canvas.beginPath()
    radius = min(rect.radius, rect.width / 2, rect.height / 2)
    path.roundRect(rect.x, page.height - rect.y - rect.height, rect.width, rect.height, radius)
    page.paint(path, rect)


def _path(page: PdfCanvas, drawn: Path) -> None:
    path = page.canvas.beginPath()
    at = (0.0, 0.0)
    for command, rest in PIECE.findall(drawn.d):
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
    page.paint(path, drawn)


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


def _text(page: PdfCanvas, text: Text) -> None:
    runs = list(page.runs(text.text, bold=text.bold))
    width = sum(stringWidth(run, font, text.size) for font, run in runs)
    x = text.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor] * width
    page.canvas.setFillColor(text.fill)
    for font, run in runs:
        page.canvas.setFont(font, text.size)
        page.canvas.drawString(x, page.height - text.y, run)
        x += stringWidth(run, font, text.size)
