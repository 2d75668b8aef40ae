"""Payloads for the engine, of a graph as it is drawn where nothing is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.views.drawing.measures import measures_in
from torchatlas.views.drawing.options import read_options
from torchatlas.views.drawing.payload import payload
from torchatlas.views.drawing.unrun import shown

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph
    from torchatlas.views.contract import View


def view_of(graph: Graph, **options) -> View:
    """How a graph is drawn."""
    return read_options(shown(graph), options)


def payload_of(graph: Graph, *, shorten: bool = False, details: bool = False, **options) -> str:
    """What the engine is given."""
    view = view_of(graph, **options)
    return payload(graph, view, measures_in(view, shown(graph), {}), shorten=shorten, details=details)
