"""The work of calls: arithmetic done, and memory taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchatlas.core.measure.aliasing import allocated
from torchatlas.core.measure.subtree_sums import sum_up, zeros
from torchatlas.core.measure.weights import elements_of

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.nesting import Nesting


class Work(NamedTuple):
    """Per call, subtree included: one list per quantity, one entry per call and a last one for all of them.

    Attributes:
        activation_bytes: bytes of new memory.
        flops: floating point operations.
        elementwise: elements produced by arithmetic that has no formula.
        unknown: calls whose arithmetic was not seen.
        unmeasured: tensors in new memory whose bytes are not known.
    """

    activation_bytes: list[int]
    flops: list[int]
    elementwise: list[int]
    unknown: list[int]
    unmeasured: list[int]


def work_of(graph: Graph, nesting: Nesting) -> Work:
    """The work of every call."""
    columns = activation_bytes, flops, elementwise, unknown, unmeasured = Work(*zeros(5, len(graph.calls)))
    for value in allocated(graph.values):
        if value.producer is not None:
            activation_bytes[value.producer] += value.local_nbytes or 0
            unmeasured[value.producer] += value.nbytes is None
    for call in graph.calls:
        flops[call.id] = call.flops
        unknown[call.id] = call.arithmetic == "unknown"
        if call.arithmetic == "elementwise":
            produced = dict.fromkeys((*call.outputs, *call.writes))
            elementwise[call.id] = sum(elements_of(graph.values[value]) for value in produced)
    sum_up(columns, nesting.parents)
    return columns
