"""How weights that are packed or sharded are said: in a cell, in the totals, in the notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.graph import InnerTensor, numel_of
from torchatlas.core.measure.numbers import exact, size
from torchatlas.core.measure.sharding import per_rank

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.core.graph import Value
    from torchatlas.core.measure.cost import Costs


def forms(value: Value) -> tuple[InnerTensor, ...]:
    """What a weight is stored as, the numbers before scales and indices; a tensor of packed numbers as itself."""
    if not value.inner:
        return (InnerTensor("", value.shape, value.dtype, value.nbytes),)
    return tuple(sorted(value.inner, key=lambda inner: inner.dtype != value.dtype))


def stored_form(inner: InnerTensor) -> tuple[str, str, tuple[int, ...]]:
    """One of them, for programs: name, dtype, shape."""
    return (inner.name, inner.dtype, inner.shape)


def stored_text(value: Value) -> str:
    """One weight: ``[32, 64] as uint8 [1024, 1] +2``, ``int8 [32, 64] +2``; ``[32, 64] Shard(0), here [8, 64]``."""
    shape = list(value.original or value.shape)
    first, *more = forms(value)
    if value.placements:
        return f"{shape} {' '.join(value.placements)}, here {list(first.shape)}"
    as_stored = f"{first.dtype} {list(first.shape)}{f' +{len(more)}' if more else ''}"
    return as_stored if list(first.shape) == shape else f"{shape} as {as_stored}"


def stored_totals(costs: Costs) -> Iterator[tuple[str, str, str]]:
    """Label, number and detail of the lines below the parameters."""
    weights = [costs.graph.values[value] for value in costs.weights]
    packed = [value for value in weights if value.is_packed]
    if packed:
        original = sum(numel_of(value.original or value.shape) for value in packed)
        stored = sum(value.numel for value in packed)
        dtypes = ", ".join(dict.fromkeys(inner.dtype for value in packed for inner in forms(value)))
        yield "packed", exact(original), f"weights, stored as {exact(stored)} elements ({dtypes})"
    if any(value.placements for value in weights):
        rank = per_rank(costs.graph)
        nbytes = rank.parameter_bytes + rank.buffer_bytes
        yield "per rank", exact(rank.parameters), f"of the parameters; {size(nbytes)} of weights"


def stored_notes(costs: Costs) -> Iterator[str]:
    """What the numbers mean where weights are packed or sharded."""
    graph = costs.graph
    weights = [graph.values[value] for value in costs.weights]
    if any(value.is_packed for value in weights):
        yield "Packed weights are counted as stored, including scales, in parameters, buffers and bytes."
    if any(value.placements for value in weights) and graph.calls:
        yield (
            f"Weights are sharded over {per_rank(graph).ranks} ranks (DTensor). Parameters and weights are totals"
            f" over all ranks, each counted once; mult-adds, activations and peak memory are those of this rank."
        )
