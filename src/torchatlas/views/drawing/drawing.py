"""``Drawing``: the picture of a graph, which shows itself in a notebook and writes itself to files."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import InputError
from torchatlas.views.drawing.engine import render
from torchatlas.views.drawing.fonts import fonts_for, foreign
from torchatlas.views.drawing.options import Options, read_options
from torchatlas.views.drawing.overlay import colouring
from torchatlas.views.drawing.payload import payload, with_escapes
from torchatlas.views.drawing.picture import Picture
from torchatlas.views.drawing.structure import shown
from torchatlas.views.drawing.tint import samples, tint, tinted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.overlay import Overlays
    from torchatlas.views.drawing.options import Direction, Level, Places, Theme


def draw(
    graph: Graph,
    depth: int | None = None,
    expand: Places = (),
    collapse: Places = (),
    *,
    fold: bool = True,
    direction: Direction = "TB",
    theme: Theme = "light",
    labels: Sequence[str] = ("shape", "params"),
    constants: bool = False,
    level: Level | None = None,
    color_by: str | None = None,
    overlays: Overlays | None = None,
) -> Drawing:
    """The picture of a graph; of a model that was not run, that of its modules, without anything between them.

    Args:
        graph: what ran.
        depth: levels of boxes open below the model; None opens as many as can be read on one page.
        expand: module paths, or call ids, to open although ``depth`` would leave them closed; one that is a later
            repeat of a fold is shown by itself.
        collapse: module paths, or call ids, to leave closed.
        fold: show what repeats once, with its count.
        direction: ``TB``: data flows to the bottom; ``LR``: to the right.
        theme: ``light``, ``dark``, or ``paper`` for print.
        labels: of ``shape`` (on the wires), ``params`` and ``flops`` (on the boxes).
        constants: show calls that depend on no input and no parameter.
        level: ``op`` draws functions; ``aten`` also the ATen operators in them, where they were captured.
        color_by: what the boxes' colours show: one of ``MEASURES``, or an overlay; a legend says how.
        overlays: beside those of the graph, numbers for module paths or call ids, by name.

    Raises:
        InputError: an option is none of those that there are, or needs a run, and there was none.
        DrawingError: it takes too long, or too much memory.
    """
    if not graph.calls and color_by is not None:
        raise InputError(f"color_by={color_by!r}: {graph.name} was not run; capture it with inputs to colour by a run")
    options = read_options(
        shown(graph),
        depth=depth,
        expand=expand,
        collapse=collapse,
        fold=fold,
        direction=direction,
        theme=theme,
        labels=labels,
        constants=constants,
        level=level,
    )
    return Drawing(graph, options, color_by, overlays)


class Drawing(Picture):
    """The picture of a graph: leave it as the last line of a notebook cell, or `save` it. Made by ``draw``.

    Attributes:
        graph: what is drawn.
        options: how.
        svg: the picture as SVG text; the same graph and options always give the same.
    """

    def __init__(
        self, graph: Graph, options: Options, color_by: str | None = None, overlays: Overlays | None = None
    ) -> None:
        self.graph = graph
        self.options = options
        self._payload = payload(graph, shorten=options.fold and not options.expand)
        self._colouring = None
        if color_by is not None:
            self._colouring = colouring(graph, self.scene["places"], color_by, overlays or {})
        self.svg = self._paint(self._payload)

    def _paint(self, given: str) -> str:
        svg = render(given, self.options.engine())
        if self._colouring is None:
            return svg
        return tinted(svg, self.scene["groups"], self._colouring, self.options.theme)

    def legible(self, *, outlines: bool) -> tuple[str, tuple[Path, ...]]:
        """The picture as SVG, and the fonts of the system that it needs beside the shipped one.

        Characters that no font has are written as numbers in it, and have the room for that.
        """
        fonts, missing = fonts_for(foreign(self.svg), outlines=outlines)
        if not missing:
            return self.svg, fonts
        return self._paint(with_escapes(self._payload, missing)), fonts

    def dot(self) -> str:
        """The same as Graphviz text, which is on white paper."""
        from torchatlas.views.drawing.dot import dot, filled  # noqa: PLC0415 - loaded when it is needed

        looks, legend = {}, None
        if (colours := self._colouring) is not None:
            looks = {key: filled(tint(one, colours, "paper")) for key, one in colours.said.items()}
            legend = colours.name, {word: filled(look) for word, look in samples(colours, "paper").items()}
        return dot(shown(self.graph), self.scene, self.options.direction, looks, legend)

    @property
    def title(self) -> str:
        """The model's name."""
        return self.graph.name

    @cached_property
    def scene(self) -> dict[str, Any]:
        """The picture as plain shapes and places, as the engine gives it."""
        scene: dict[str, Any] = json.loads(render(self._payload, self.options.engine(format="scene")))
        return scene

    @property
    def notes(self) -> tuple[str, ...]:
        """What the picture leaves out, in words."""
        return tuple(self.scene["notes"])

    def __repr__(self) -> str:
        return f"Drawing({self.graph.name}, {self.scene['width']:.0f} x {self.scene['height']:.0f})"
