"""What an ATen call without a FLOP formula does: told by what torch says of it, then by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from torchatlas.core.operators import arithmetic

if TYPE_CHECKING:
    from torchatlas.core.graph import Arithmetic

# Data passed around, ranges of the profiler, questions about a tensor.
_without_arithmetic = frozenset({"prim", "profiler", "c10d", "_c10d_functional", "fsdp", "debugprims"})


def kind_of(func: Any) -> Arithmetic:
    """What an OpOverload without a formula does; an operator from outside torch's own is ``unknown``."""
    if not hasattr(func, "overloadpacket"):  # a higher order operator: what it calls cannot be seen
        return "unknown"
    namespace, _, name = func.name().partition("::")
    if namespace in _without_arithmetic:
        return "movement"
    if namespace not in {"aten", "prims", "quantized"}:
        return "unknown"
    if func.is_view or torch.Tag.inplace_view in func.tags:
        return "movement"
    return arithmetic.kind_of(name.partition(".")[0].rstrip("_"))
