"""``Drawing``: the picture of a graph, which shows itself in a notebook and writes itself to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError
from torchatlas.core.measure.overlay import overlays_by_name
from torchatlas.views.drawing.measures import measure
from torchatlas.views.drawing.options import read_options
from torchatlas.views.drawing.payload import payload
from torchatlas.views.drawing.picture import Picture
from torchatlas.views.drawing.structure import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.overlay import Overlays
    from torchatlas.views.contract import View
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
    view = read_options(
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
        color_by=color_by,
    )
    return Drawing(graph, view, overlays)


class Drawing(Picture):
    """The picture of a graph: leave it as the last line of a notebook cell, or `save` it. Made by ``draw``.

    Attributes:
        graph: what is drawn.
        view: how.
    """

    def __init__(self, graph: Graph, view: View, overlays: Overlays | None = None) -> None:
        self.graph = graph
        self.view = view
        laid = overlays_by_name(graph, overlays)
        measures = () if view.color_by is None else (measure(graph, view.color_by, laid),)
        super().__init__(payload(graph, view, measures=measures, shorten=view.fold and not view.expand), graph.name)

    def __repr__(self) -> str:
        return f"Drawing({self.graph.name}, {self.scene.width:.0f} x {self.scene.height:.0f})"
