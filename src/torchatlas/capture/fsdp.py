"""FSDP2: weights that a run gathered are given up again, before a capture puts the module's own ones back.

``fully_shard`` swaps a module's sharded parameters for whole ones while they are gathered, and remembers which are in
place. A capture that put the sharded ones back by itself would leave that memory wrong, and the next call would fail.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torchatlas.capture.contents import is_a

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn


@contextmanager
def resharded(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Modules whose weights were sharded have them sharded again afterwards."""
    kind = getattr(sys.modules.get("torch.distributed.fsdp"), "FSDPModule", None)
    before = [module for module in modules if kind is not None and is_a(module, kind) and _is_sharded(module, kind)]
    try:
        yield
    finally:
        for module in before:
            module.reshard()


def _is_sharded(module: nn.Module, kind: type) -> bool:
    """Whether the parameters that this module gathers are DTensors; not those of its kind inside."""
    sharded: Any = sys.modules["torch.distributed.tensor"].DTensor
    waiting = [module]
    while waiting:
        one = waiting.pop()
        if any(is_a(parameter, sharded) for parameter in one._parameters.values()):
            return True
        waiting += [child for child in one._modules.values() if child is not None and not is_a(child, kind)]
    return False
