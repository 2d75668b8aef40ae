"""Overlays: numbers that a user gives for module paths or call ids, to be seen as colour and as a column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph

Overlay: TypeAlias = Mapping[str | int, float]
Overlays: TypeAlias = Mapping[str, Overlay]


def by_call(graph: Graph, name: str, overlay: Overlay) -> dict[int, float]:
    """Each finite number by the call it belongs to; that of a module by every call of it.

    Raises:
        InputError: a number is for something that the graph does not hold; the message names it.
    """
    found: dict[int, float] = {}
    for place, number in overlay.items():
        if isinstance(place, int):
            calls: tuple[int, ...] = (place,) if 0 <= place < len(graph.calls) else ()
        else:
            module = graph.module_at.get(place)
            calls = graph.calls_of.get(module.path if module else place, ())
        if not calls and place not in graph.module_at:
            raise InputError(
                f"overlay {name!r} has a number for {place!r}, which is neither a module's path nor the id of one of"
                f" the {len(graph.calls):,} calls of {graph.name}."
            )
        if math.isfinite(number):
            found |= dict.fromkeys(calls, float(number))
    return found
