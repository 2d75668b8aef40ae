"""The face of autograd: `backward` gives the graph behind a loss, or any other result, as an `Atlas`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchatlas.api.atlas import Atlas
from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch


def backward(
    outputs: Any = None,
    params: torch.nn.Module | Mapping[str, torch.Tensor] | None = None,
    saved: bool = False,
    atlas: Atlas | None = None,
) -> Atlas:
    """The autograd graph behind some tensors: what ``backward()`` from them would run, in its order.

    Nothing runs, and the graph stays as it was: ``loss.backward()`` works afterwards.

    Args:
        outputs: a tensor, or any structure of tensors: a loss, what a model returned. May be left out with ``atlas``,
            whose ``outputs`` are taken.
        params: names for the leaves: a module, or a mapping of names to tensors, which are found by identity; beside
            ``atlas``, for what its model does not have: a head, a loss with weights.
        saved: with the tensors that each node keeps for its backward, their shapes and bytes. What hooks have packed
            (checkpointing, offloading) is not unpacked, and said to be there.
        atlas: the run that made the outputs, captured with ``grad=True``: each node then belongs to the call of the
            forward that made it, and nodes are grouped by module.

    Returns:
        An atlas whose graph has a call of kind ``backward`` for every autograd node, named as torch names it, and a
        value for every gradient that one hands another.

    Raises:
        InputError: no tensor, none that requires a gradient, one that ``atlas`` has not made, or an ``atlas`` that is
            none; says what to do.
    """
    from torchatlas.capture.backward.graph import backward_graph  # noqa: PLC0415  # torch is loaded when asked for

    if atlas is not None and not isinstance(atlas, Atlas):
        raise InputError(
            f"atlas={type(atlas).__name__}(…); wanted the run that made the outputs, as capture(model, ..., grad=True)"
            " returns it."
        )
    if issubclass(type(outputs), Atlas):  # not isinstance, which asks the user's object what it is
        raise InputError(
            "outputs=Atlas(…) is a run; wanted what it returned: backward(atlas=…), or a loss made of that."
        )
    if outputs is None:
        if atlas is None:
            raise InputError(
                "backward wants a tensor, or a structure of tensors, or atlas=capture(model, ..., grad=True)."
            )
        outputs = atlas.outputs
    forward = kept = None
    if atlas is not None:
        forward, kept = atlas.graph, atlas.kept
    return Atlas(backward_graph(outputs, params, forward, kept, saved=saved))
