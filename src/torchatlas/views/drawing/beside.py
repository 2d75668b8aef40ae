"""``Beside``: two graphs side by side in one picture, with what was removed, added and changed in colours and signs.

The hues are Okabe and Ito's, which colour-blind people can tell apart, and every box that is not the same bears a sign.
"""

from __future__ import annotations

import json
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from torchatlas.core.comparing.marks import deep_marks, own_marks, pairs
from torchatlas.views.drawing import dot
from torchatlas.views.drawing.differing import Half, folds_that_differ_alike, opened_alike, said
from torchatlas.views.drawing.engine import render
from torchatlas.views.drawing.fonts import fonts_for, foreign
from torchatlas.views.drawing.options import read_options
from torchatlas.views.drawing.overlay import Colouring
from torchatlas.views.drawing.payload import payload, with_escapes
from torchatlas.views.drawing.picture import Picture
from torchatlas.views.drawing.png import size
from torchatlas.views.drawing.shift import shifted
from torchatlas.views.drawing.structure import shown
from torchatlas.views.drawing.tint import INKS, PAPERS, recoloured, swatch
from torchatlas.views.table.text_width import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torchatlas.core.comparing.compare import Changes
    from torchatlas.views.drawing.options import Direction, Level, Options, Theme

HUES = {"added": "#009e73", "removed": "#d55e00", "changed": "#e69f00", "same": "#8a8f96"}
SIGNS = {"added": "+", "removed": "\N{MINUS SIGN}", "changed": "~"}
SIGN_INK = "#000000"

MARGIN, GAP, LINE = 14.0, 28.0, 16.0
TITLE, BADGE = 22.0, 14.0
LETTER = 6.1
"""Pixels that a letter of the verdict takes on average."""

NARROWEST = 540.0


class _Drawn(NamedTuple):
    """One half: how it is drawn, and what the engine made of it."""

    half: Half
    options: Options
    payload: str
    scene: dict[str, Any]


def beside(
    changes: Changes,
    titles: tuple[str, str],
    verdict: str,
    depth: int | None = None,
    *,
    direction: Direction = "TB",
    theme: Theme = "light",
    labels: Sequence[str] = ("shape", "params"),
    constants: bool = False,
    level: Level | None = None,
) -> Beside:
    """Both graphs of a comparison side by side.

    Args:
        changes: what changed.
        titles: what the two are called.
        verdict: the whole in one line.
        depth: levels of boxes open below the models; None opens what differs, and leaves the rest closed.
        direction: ``TB``: data flows to the bottom; ``LR``: to the right, and the second graph stands below.
        theme: ``light``, ``dark``, or ``paper`` for print.
        labels: of ``shape`` (on the wires), ``params`` and ``flops`` (on the boxes).
        constants: show calls that depend on no input and no parameter.
        level: ``op`` draws functions; ``aten`` also the ATen operators in them, where they were captured.

    Raises:
        InputError: an option is none of those that there are.
        DrawingError: it takes too long, or too much memory.
    """
    own, deep = own_marks(changes), deep_marks(changes)
    halves = Half(changes.a, own[0], deep[0]), Half(changes.b, own[1], deep[1])
    folds = [folds_that_differ_alike(half) for half in halves]
    places = opened_alike(halves, folds, pairs(changes)) if depth is None else ((), ())
    drawn = []
    for half, kept, expand in zip(halves, folds, places, strict=True):
        options = read_options(
            shown(half.graph),
            depth=1 if depth is None else depth,
            expand=expand,
            collapse=(),
            fold=True,
            direction=direction,
            theme=theme,
            labels=labels,
            constants=constants,
            level=level,
        )
        text = payload(half.graph, folds=kept, shorten=not expand)
        drawn.append(_Drawn(half, options, text, json.loads(render(text, options.engine(format="scene")))))
    return Beside((drawn[0], drawn[1]), titles, verdict)


class Beside(Picture):
    """Two graphs side by side: leave it as the last line of a notebook cell, or `save` it. Made by ``beside``.

    Attributes:
        titles: what the two are called.
        verdict: the whole in one line.
        svg: the picture as SVG text; the same graphs and options always give the same.
    """

    def __init__(self, drawn: tuple[_Drawn, _Drawn], titles: tuple[str, str], verdict: str) -> None:
        self._drawn = drawn
        self.titles = titles
        self.verdict = verdict
        self.svg = self._paint(frozenset())

    @property
    def title(self) -> str:
        """What stands beside what."""
        return " | ".join(self.titles)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the picture leaves out, in words."""
        return tuple(dict.fromkeys(note for drawn in self._drawn for note in drawn.scene["notes"]))

    def legible(self, *, outlines: bool) -> tuple[str, tuple[Path, ...]]:
        """The picture as SVG, and the fonts of the system that it needs beside the shipped one."""
        fonts, missing = fonts_for(foreign(self.svg), outlines=outlines)
        return (self._paint(missing) if missing else self.svg), fonts

    def dot(self) -> str:
        """Both as one Graphviz text, the boxes that differ in their colours."""
        halves = {}
        for letter, title, (half, _, _, scene) in zip("ab", self.titles, self._drawn, strict=True):
            looks = {key: dot.outlined(HUES[mark]) for key, mark, _ in said(half, scene["places"]) if mark != "same"}
            halves[f"{letter}: {title}"] = dot.body(shown(half.graph), scene, f"{letter} ", looks)
        return dot.pair(self.title, self._options.direction, halves)

    @property
    def _options(self) -> Options:
        return self._drawn[0].options

    @cached_property
    def _beneath(self) -> bool:
        """Whether the second stands below the first, as two that are wider than high do."""
        return self._options.direction == "LR"

    def _paint(self, missing: frozenset[str]) -> str:
        halves = [_painted(each, missing) for each in self._drawn]
        sizes = [size(svg) for svg in halves]
        if self._beneath:
            width = max(*(wide for wide, _ in sizes), NARROWEST)
        else:
            width = max(sum(wide for wide, _ in sizes) + GAP, NARROWEST)
        theme = self._options.theme
        told = wrap(_legible(self.verdict, missing), max(40, int((width - 2 * MARGIN) / LETTER)))
        top = MARGIN + LINE * len(told) + TITLE
        places = ((0.0, top), (0.0, top + sizes[0][1] + TITLE) if self._beneath else (sizes[0][0] + GAP, top))
        bottom = max(y + high for (_, y), (_, high) in zip(places, sizes, strict=True))
        parts = [_text(MARGIN, MARGIN + LINE * at + 8, line, theme, 11) for at, line in enumerate(told)]
        for letter, title, drawn, (x, y) in zip("ab", self.titles, self._drawn, places, strict=True):
            whole = drawn.half.own.get(0, "same")  # the model itself has no box
            named = _legible(f"{letter}: {title}{'' if whole == 'same' else f' ({whole})'}", missing)
            parts.append(_text(x + MARGIN, y - 6, named, theme, 13, ' font-weight="bold"'))
        parts += _legend(bottom + MARGIN, theme)
        bodies = [shifted(_body(svg), x, y) for svg, (x, y) in zip(halves, places, strict=True)]
        return _sheet(width, bottom + MARGIN + LINE + MARGIN, theme, [*bodies, f"<g>{''.join(parts)}</g>\n"])


def _painted(drawn: _Drawn, missing: frozenset[str]) -> str:
    """One half in colours, with signs."""
    half, options, text, scene = drawn
    given = with_escapes(text, missing) if missing else text
    laid = json.loads(render(given, options.engine(format="scene"))) if missing else scene
    marks = list(said(half, laid["places"]))
    colouring = Colouring("comparison", {key: mark for key, mark, is_open in marks if not is_open}, hues=HUES)
    svg = recoloured(render(given, options.engine()), laid["groups"], colouring, options.theme)
    at = {place["key"]: place for place in laid["places"]}
    signs = "".join(_sign(at[key], mark) for key, mark, _ in marks if mark != "same")
    return svg.removesuffix("</svg>\n") + f"<g>{signs}</g>\n</svg>\n"


def _sign(place: dict[str, Any], mark: str) -> str:
    """A small plate on the corner of a box."""
    x, y = place["x"] + place["width"] - BADGE + 4, place["y"] - 5
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{BADGE:g}" height="{BADGE:g}" rx="3" fill="{HUES[mark]}"/>'
        f'<text x="{x + BADGE / 2:g}" y="{y + 11:g}" font-size="12" font-weight="bold" text-anchor="middle"'
        f' fill="{SIGN_INK}">{SIGNS[mark]}</text>'
    )


def _legible(text: str, missing: frozenset[str]) -> str:
    printed = "".join(sign if sign.isprintable() else " " for sign in text)
    return "".join(rf"\u{{{ord(sign):04X}}}" if sign in missing else sign for sign in printed)


def _legend(y: float, theme: str) -> list[str]:
    """Colours and signs in one row."""
    colouring = Colouring("comparison", {}, hues=HUES)
    parts, x = [], MARGIN
    for mark in ("removed", "added", "changed", "same"):
        parts.append(swatch(x, y, mark, colouring, theme))
        sign = f"{SIGNS[mark]} " if mark in SIGNS else ""
        words = f"{sign}{mark}" + {"removed": " (in a alone)", "added": " (in b alone)"}.get(mark, "")
        parts.append(_text(x + 40, y + 9, words, theme, 10))
        x += 54 + len(words) * 5.2
    return parts


def _body(svg: str) -> str:
    """What stands in an SVG of the engine, without the sheet."""
    return svg.split("/>\n", 1)[1].removesuffix("</svg>\n")


def _sheet(width: float, height: float, theme: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        f' viewBox="0 0 {width:g} {height:g}"'
        ' font-family="Atlas Sans, Liberation Sans, Arial, Helvetica, sans-serif">\n'
        f'<rect width="{width:g}" height="{height:g}" fill="{PAPERS[theme]}"/>\n{"".join(parts)}</svg>\n'
    )


def _text(x: float, y: float, told: str, theme: str, points: int, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{points}"{more} fill="{INKS[theme]}">{escape(told)}</text>'
