"""How long calls took, where it was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph


def is_timed(graph: Graph) -> bool:
    """Whether the time of any call is known."""
    return any(call.seconds is not None for call in graph.calls)


def own_seconds(graph: Graph) -> list[float | None]:
    """For each call its time outside the modules inside it, in seconds; None where its time is not known.

    A function's time is part of its module's own. What ran in another thread ran beside, and is not taken off.
    """
    own = [call.seconds for call in graph.calls]
    around: list[int | None] = []  # the innermost module around each call, or the root
    for call in graph.calls:
        holder = call.parent
        if holder is not None and holder != 0 and graph.calls[holder].kind != "module":
            holder = around[holder]
        around.append(holder)
        taken = None if holder is None else own[holder]
        is_part = call.kind == "module" and call.seconds is not None
        if holder is not None and taken is not None and is_part and call.thread == graph.calls[holder].thread:
            own[holder] = taken - (call.seconds or 0.0)
    return [None if seconds is None else max(0.0, seconds) for seconds in own]
