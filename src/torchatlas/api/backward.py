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
    """Show the autograd graph behind some tensors: what ``backward()`` from them would run, in order.

    Nothing is run or freed: ``loss.backward()`` still works afterwards.

    >>> x = torch.ones(3, requires_grad=True)
    >>> [call.name for call in ta.backward((x * x).sum(), {"x": x}).calls[1:]]
    ['SumBackward0', 'MulBackward0', 'AccumulateGrad']

    Args:
        outputs: a tensor, or any structure of tensors: a loss, or what a model returned. By default the ``outputs`` of
            ``atlas``.
        params: names for the leaves: a module, or a mapping of names to tensors, which are found by identity; beside
            ``atlas``, for what its model does not have: a head, a loss with weights.
        saved: also show the tensors that each node keeps, with shapes and bytes. Tensors that hooks have packed
            (checkpointing, offloading) are not unpacked; a note counts them.
        atlas: the run that made the outputs, captured with ``grad=True``: each node then belongs to the call of the
            forward that made it, and nodes are grouped by module.

    Returns:
        An atlas whose graph has a call of kind ``backward`` for every autograd node, named as torch names it, and a
        value for every gradient passed between two nodes.

    Raises:
        InputError: there is no tensor, none requires a gradient, one was not made by ``atlas``, or ``atlas`` is no
            atlas; the message says what to do.
    """
    from torchatlas.capture.backward.graph import backward_graph  # noqa: PLC0415  # torch is loaded when asked for

    if atlas is not None and not isinstance(atlas, Atlas):
        raise InputError(
            f"atlas={type(atlas).__name__}(…); give the run that made the outputs, as capture(model, ..., grad=True)"
            " returns it."
        )
    if issubclass(type(outputs), Atlas):  # not isinstance, which asks the user's object what it is
        raise InputError(
            "outputs=Atlas(…) is a run, not its result. Call backward(atlas=…), or give a loss computed from the"
            " result."
        )
    if outputs is None:
        if atlas is None:
            raise InputError("Give backward a tensor, a structure of tensors, or atlas=capture(model, ..., grad=True).")
        outputs = atlas.outputs
    forward = link = None
    if atlas is not None:
        forward, link = atlas.graph, atlas.kept
    return Atlas(backward_graph(outputs, params, forward, link, saved=saved))
