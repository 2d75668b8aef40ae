"""Why a module of a run has no call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from torchatlas.core.graph import Module

Uncalled: TypeAlias = Literal["container", "inside TorchScript, not seen", "never ran"]

# By name too: files name classes alone, and what a quantized layer packs has a forward that nobody calls.
CONTAINERS = frozenset({"ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})
PACKED = "PackedParams"


def uncalled(module: Module) -> Uncalled:
    """Why the module, which has no call, has none.

    A ``container`` cannot be called. What TorchScript runs is not seen, so that nobody knows whether it ran.
    """
    if module.container or module.name in CONTAINERS or module.name.endswith(PACKED):
        return "container"
    return "inside TorchScript, not seen" if module.opaque else "never ran"
