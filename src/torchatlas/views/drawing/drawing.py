"""``Drawing``: the picture of a graph, which shows itself in a notebook and writes itself to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError
from torchatlas.core.measure.overlay import overlays_by_name
from torchatlas.core.options import takes, with_defaults
from torchatlas.views.drawing.measures import check_color_by, measures_in
from torchatlas.views.drawing.options import DRAW, DrawOptions, read_options
from torchatlas.views.drawing.payload import payload
from torchatlas.views.drawing.picture import Picture
from torchatlas.views.drawing.unrun import shown

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.overlay import Overlays
    from torchatlas.views.contract import View
    from torchatlas.views.drawing.options import BoxSelection


@takes(DRAW, DrawOptions)
def draw(
    graph: Graph,
    depth: int | None = None,
    expand: BoxSelection = (),
    collapse: BoxSelection = (),
    **options: Unpack[DrawOptions],
) -> Drawing:
    """The picture of a graph; of a model that was not run, that of its modules, without anything between them.

    Args:
        graph: what ran. A module of ``expand`` that is a later repeat of a fold is shown by itself.
        {options}

    Raises:
        InputError: an option is none of those that there are, or needs a run, and there was none.
        DrawingError: it takes too long, or too much memory.
    """
    every = with_defaults("draw", {"depth": depth, "expand": expand, "collapse": collapse, **options}, DRAW)
    color_by, overlays = every["color_by"], every["overlays"]
    if not graph.calls and color_by is not None:
        raise InputError(f"color_by={color_by!r}: {graph.name} was not run. Capture it with inputs to colour by a run.")
    return Drawing(graph, read_options(shown(graph), every), overlays)


class Drawing(Picture):
    """The picture of a graph: leave it as the last line of a notebook cell, or `save` it. Made by ``draw``.

    >>> ta.draw(torch.nn.Linear(4, 3), (1, 4))
    Drawing(Linear, ... x ...)

    Attributes:
        graph: what is drawn.
        view: how.
    """

    def __init__(self, graph: Graph, view: View, overlays: Overlays | None = None) -> None:
        self.graph = graph
        self.view = view
        laid = overlays_by_name(graph, overlays)
        if view.color_by is not None:
            check_color_by(view.color_by, laid)
        measures = measures_in(view, shown(graph), laid)
        super().__init__(payload(graph, view, measures, shorten=view.fold and not view.expand), graph.name)

    def __repr__(self) -> str:
        return f"Drawing({self.graph.name}, {self.scene.width:.0f} x {self.scene.height:.0f})"
