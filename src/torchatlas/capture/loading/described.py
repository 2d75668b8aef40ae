"""Weights in memory, described as those of a file are (`torchatlas.core.comparing.state`)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from torchatlas.capture.objects.contents import class_name, is_a
from torchatlas.capture.stored import ONE_SCALE, dtype_name
from torchatlas.capture.torch_private import script_class, script_state, storage_key
from torchatlas.core.comparing.state import LazyTensor, NotBuilt, ScriptObject, TensorSpec

DEEPEST = 64
"""Dictionaries inside dictionaries that are followed."""


def described(thing: Any, depth: int = 0, known: dict[int, Any] | None = None, *, lasting: bool = True) -> Any:  # noqa: PLR0911 - one for each kind
    """Give a structure with its tensors described; what is neither a tensor nor plain is only named.

    Args:
        thing: the structure.
        depth: how deep it stands in another.
        known: containers that were described already, by ``id``: one may stand in many places.
        lasting: its tensors are there afterwards too, so that their memory tells them apart.
    """
    if is_a(thing, Tensor):
        return LazyTensor(is_a(thing, nn.Parameter)) if is_lazy(thing) else _tensor(thing, lasting=lasting)
    if thing is None or type(thing) in (bool, int, float, str, bytes):
        return thing
    if class_name(type(thing)) == "ndarray" and thing.dtype.kind in "biufc":
        return TensorSpec(tuple(thing.shape), thing.dtype.name, type="ndarray", nbytes=thing.nbytes)
    known = {} if known is None else known
    if id(thing) in known:
        return known[id(thing)]
    if depth < DEEPEST and isinstance(thing, Mapping):
        made: Any = OrderedDict()
        made.update((key, described(item, depth + 1, known, lasting=lasting)) for key, item in thing.items())
        metadata = getattr(thing, "_metadata", None)
        if metadata is not None:
            made._metadata = described(metadata, depth + 1, known)
        known[id(thing)] = made
        return made
    if depth < DEEPEST and type(thing) in (list, tuple):
        known[id(thing)] = type(thing)(described(item, depth + 1, known, lasting=lasting) for item in thing)
        return known[id(thing)]
    kind = script_class(thing)
    if kind is not None and depth < DEEPEST:
        with suppress(Exception):  # one without a state
            return ScriptObject(kind, described(script_state(thing), depth + 1, lasting=False))
    return NotBuilt(f"{type(thing).__module__}.{class_name(type(thing))}")


def _tensor(tensor: Tensor, *, lasting: bool) -> TensorSpec:
    strided = tensor.layout is torch.strided and not tensor.is_nested
    own = lasting and strided and not tensor.is_meta and type(tensor) in (Tensor, nn.Parameter)
    kind = "nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch.")
    return TensorSpec(
        (-1,) if tensor.is_nested else tuple(tensor.shape),
        dtype_name(tensor.dtype),
        tensor.stride() if strided else None,
        str(tensor.device),
        _quantized(tensor) if tensor.is_quantized else "" if strided else kind,
        is_a(tensor, nn.Parameter),
        tensor.requires_grad,
        None if tensor.is_nested else tensor.numel() * tensor.element_size(),
        storage_key(tensor.untyped_storage()) if own else None,
        int(tensor.storage_offset()) if own else 0,
    )


def _quantized(tensor: Tensor) -> str:
    """How it is quantized: per tensor, or with its scheme and the axis of its channels."""
    if tensor.qscheme() in ONE_SCALE:
        return "quantized"
    return f"quantized {str(tensor.qscheme()).removeprefix('torch.')} {tensor.q_per_channel_axis()}"
