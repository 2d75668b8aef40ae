"""What a whole graph comes to, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.measure.cost import total

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of one run: the numbers under its table.

    >>> import torch, torchatlas as ta
    >>> totals = ta.capture(torch.nn.Linear(3, 2), torch.zeros(5, 3)).totals
    >>> totals.parameters, totals.mult_adds, totals.bytes
    (8, 30, 32)

    Attributes:
        parameters: elements of all parameters, each tensor once, however often it is used, tied or shared. Packed
            (quantised) weights count as they are stored, with their scales.
        trainable: elements of the parameters that require a gradient.
        frozen: elements of those that require none.
        buffers: elements of all buffers.
        flops: floating point operations of matrix products and convolutions, two for each multiply-add. None for a
            model that was not run.
        mult_adds: multiply-adds, half of ``flops``. None likewise.
        elementwise: elements made by other arithmetic (activations, norms, pooling), which ``flops`` does not hold.
            None likewise.
        bytes: of all parameters and buffers as they are stored, those included that ran without belonging to the model.
        exact: whether all of these are exact. Where it is False, ``flops``, ``mult_adds`` and ``elementwise`` are lower
            bounds, since the arithmetic of a call was not seen, or parameters and bytes are, since a weight has no size
            yet (lazy layers); the notes under the table say which. What NumPy and others compute outside of torch is in
            no number.
    """

    parameters: int
    trainable: int
    frozen: int
    buffers: int
    flops: int | None
    mult_adds: int | None
    elementwise: int | None
    bytes: int
    exact: bool


def totals_of(graph: Graph) -> Totals:
    """The totals of a graph."""
    cost = total(graph)
    ran = bool(graph.calls)
    measured = all(value.nbytes is not None for value in graph.values if value.is_weight)
    return Totals(
        parameters=cost.parameters,
        trainable=cost.trainable,
        frozen=cost.frozen,
        buffers=cost.buffers,
        flops=cost.flops if ran else None,
        mult_adds=cost.macs if ran else None,
        elementwise=cost.elementwise if ran else None,
        bytes=cost.weight_bytes,
        exact=cost.exact and measured,
    )
