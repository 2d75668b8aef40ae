"""What one process has of a model whose weights are spread over several (DTensor): elements and bytes per rank."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from torchatlas.core.measure.aliasing import origins_of
from torchatlas.core.measure.weights import unregistered

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph


@dataclass(frozen=True, slots=True)
class Rank:
    """The weights in one process, each once.

    Attributes:
        ranks: how many processes the largest mesh has; 1 where nothing is sharded.
        parameters: elements.
        parameter_bytes: bytes.
        buffer_bytes: bytes.
        unregistered_bytes: bytes of those that the model does not hold.
    """

    ranks: int
    parameters: int
    parameter_bytes: int
    buffer_bytes: int
    unregistered_bytes: int


def per_rank(graph: Graph) -> Rank:
    """The parameters and buffers that the process of the run has; all of them where nothing is sharded."""
    origins = origins_of(graph.values)
    apart = unregistered(graph, origins)
    held = [v for v in graph.values if origins[v.id] == v.id and v.is_weight]
    own = [value for value in held if value.id not in apart]
    parameters = [value for value in own if value.kind == "parameter" and (value.shape or value.nbytes is not None)]
    return Rank(
        ranks=max((prod(value.mesh) for value in own if value.mesh), default=1),
        parameters=sum(value.local_numel for value in parameters),
        parameter_bytes=sum(value.local_nbytes or 0 for value in parameters),
        buffer_bytes=sum(value.local_nbytes or 0 for value in own if value.kind == "buffer"),
        unregistered_bytes=sum(value.local_nbytes or 0 for value in held if value.id in apart),
    )
