"""What parameters and buffers add to the sums over modules and calls, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.core.graph import Graph, Value


Weights: TypeAlias = "dict[int, tuple[int, ...]]"
"""By the id of its value what each adds: the first fields of ``Cost``, then the tensors whose bytes are not known."""

WEIGHT_FIELDS = 8
"""How many numbers that are."""

PARAMETERS, UNREGISTERED, BYTES = 0, 3, (4, 5, 6)
"""Where these stand among them."""


class WeightSizes(NamedTuple):
    """Weights: elements of the parameters, of those that require a gradient, and bytes, with the buffers."""

    parameters: int = 0
    trainable: int = 0
    nbytes: int = 0


def weights_of(graph: Graph, origins: Sequence[int]) -> Weights:
    """All parameters and buffers of a graph, each tensor once."""
    apart = unregistered(graph, origins)
    return {
        value.id: _weight(value, registered=value.id not in apart)
        for value in graph.values
        if value.is_weight and origins[value.id] == value.id
    }


def _weight(value: Value, *, registered: bool) -> tuple[int, ...]:
    """What one parameter or buffer adds, in the order of the first fields of ``Cost``, then 1 if bytes are unknown."""
    elements = elements_of(value)
    nbytes, unmeasured = value.nbytes or 0, int(value.nbytes is None)
    if not registered:
        return (0, 0, 0, elements if value.kind == "parameter" else 0, 0, 0, nbytes, unmeasured)
    if value.kind == "parameter":
        return (elements, elements if value.requires_grad else 0, 0, 0, nbytes, 0, 0, unmeasured)
    return (0, 0, elements, 0, 0, nbytes, 0, unmeasured)


def unregistered(graph: Graph, origins: Sequence[int]) -> set[int]:
    """The parameters and buffers that only modules have which the model does not hold."""
    found: set[int] = set()
    held: set[int] = set()
    for module in graph.modules:
        own = (origins[value] for _, value in (*module.parameters, *module.buffers))
        (held if module.registered else found).update(own)
    return found - held


def elements_of(value: Value) -> int:
    """Its elements; none where the shape is not known: then it is a scalar without bytes, as lazy parameters are."""
    return value.numel if value.shape or value.nbytes is not None else 0
