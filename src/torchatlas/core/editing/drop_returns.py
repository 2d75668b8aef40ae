"""Results are taken out of what calls return, after the calls that made them were pruned.

A call that returned ``(a, b)`` returns ``(left out, b)`` once a is gone; b moves from slot 1 to slot 0 of its outputs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.graph import Node, Slot, Text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torchatlas.core.graph import Call, Graph, Tree

LEFT_OUT = Text("left out")


def drop_returns(graph: Graph, values: Collection[int]) -> Graph:
    """The graph in which no call returns these values; the structure of its result says ``left out`` in their place."""
    if not values:
        return graph
    calls, slots = list(graph.calls), {}
    for call in graph.calls:
        if any(value in values for value in call.outputs):
            stay = [at for at, value in enumerate(call.outputs) if value not in values]
            slots[call.id] = {old: new for new, old in enumerate(stay)}
            calls[call.id] = _returning(call, slots[call.id])
    made = [
        replace(value, slot=slots[value.producer].get(value.slot))
        if value.producer in slots and value.slot is not None and value.id not in values
        else value
        for value in graph.values
    ]
    return replace(graph, calls=tuple(calls), values=tuple(made))


def _returning(call: Call, slots: Mapping[int, int]) -> Call:
    outputs = tuple([value for at, value in enumerate(call.outputs) if at in slots])
    return replace(call, outputs=outputs, returns=_moved(call.returns, slots))


def _moved(tree: Tree, slots: Mapping[int, int]) -> Tree:
    """Recursion is bounded: trees are never deeper than ``core.check`` allows."""
    if isinstance(tree, Slot):
        return Slot(slots[tree.index]) if tree.index in slots else LEFT_OUT
    if isinstance(tree, Node):
        return replace(tree, items=tuple([_moved(item, slots) for item in tree.items]))
    return tree
