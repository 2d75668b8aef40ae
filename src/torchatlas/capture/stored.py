"""What weights are stored as: packed ones as numbers and scales, sharded ones as the part that this process has.

A tensor subclass that holds other tensors says which by torch's protocol, ``__tensor_flatten__`` (torchao, DTensor,
nested tensors). Quantised and sparse tensors of torch have public accessors. Packed parameters of torch's quantised
layers are C++ objects outside ``parameters()``; they unpack. A parameter subclass of packed integers keeps the tables
that unpack it as attributes (bitsandbytes).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.parameter import Buffer

from torchatlas.capture.objects.contents import attributes
from torchatlas.capture.torch_private import modes_off, packed_of_cell, script_class, storage_key, storage_of
from torchatlas.core.graph import InnerTensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_DEEPEST = 8  # subclasses in subclasses: a DTensor of a quantised tensor has two
_QUANTIZED = "__torch__.torch.classes.quantized."
_CELL = "__torch__.torch.classes.rnn.CellParamsBase"
_SPARSE: dict[torch.layout, tuple[str, ...]] = {
    torch.sparse_coo: ("_indices", "_values"),
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
}
ONE_SCALE = (torch.per_tensor_affine, torch.per_tensor_symmetric)  # two numbers, which are no tensors
_PLAIN = frozenset({Tensor, Parameter, Buffer})
_SCRIPTED = torch.ScriptObject


@dataclass(frozen=True, slots=True)
class Stored:
    """What a tensor is stored as.

    Attributes:
        inner: names and the tensors themselves.
        original: the shape of the weight, where the tensor's own is that of the packed numbers.
        placements: of a DTensor, as in ``Value.placements``.
        mesh: of a DTensor, as in ``Value.mesh``.
    """

    inner: tuple[tuple[str, Tensor], ...]
    original: tuple[int, ...] | None = None
    placements: tuple[str, ...] = ()
    mesh: tuple[int, ...] = ()

    def records(self) -> tuple[InnerTensor, ...]:
        """The inner tensors as plain data."""
        return tuple(InnerTensor(name, _shape(one), dtype_name(one.dtype), _nbytes(one)) for name, one in self.inner)


def stored(tensor: Tensor) -> Stored | None:
    """What a weight is stored as; None where it is stored as itself, or does not say."""
    if type(tensor) in _PLAIN and tensor.layout is torch.strided and not tensor.is_quantized:
        return None
    try:
        return sharded(tensor) or _packed(tensor)
    except Exception:  # noqa: BLE001 - a subclass may answer with any exception: then it is what torch says of it
        return None


def sharded(tensor: Tensor) -> Stored | None:
    """Where a DTensor lies; None for any other tensor."""
    module = sys.modules.get("torch.distributed.tensor")
    if module is None or not isinstance(tensor, module.DTensor):
        return None
    local = tensor.to_local() if not hasattr(tensor, "_local_tensor") else tensor._local_tensor
    placements = tuple(repr(one).replace("dim=", "").removesuffix("()") for one in tensor.placements)
    return Stored(tuple(_leaves("local", local, 0)), None, placements, tuple(tensor.device_mesh.shape))


def _packed(tensor: Tensor) -> Stored | None:
    inner = tuple(_leaves("", tensor, 0))
    if tensor.is_quantized or len(inner) > 1 or (inner and inner[0][1] is not tensor):
        return Stored(inner)
    return _tables(tensor)


def _leaves(name: str, tensor: Tensor, depth: int) -> Iterator[tuple[str, Tensor]]:
    """The tensors that one is stored as, itself where it is a plain one."""
    parts: Mapping[str, Tensor]
    if depth < _DEEPEST and hasattr(type(tensor), "__tensor_flatten__"):
        parts = {key: getattr(tensor, key) for key in tensor.__tensor_flatten__()[0]}  # type: ignore[attr-defined]  # just asked
    elif tensor.layout in _SPARSE:
        parts = {key.strip("_"): getattr(tensor, key)() for key in _SPARSE[tensor.layout]}
    elif tensor.is_quantized:
        yield name or "int_repr", tensor
        if tensor.qscheme() not in ONE_SCALE:
            yield _joined(name, "scales"), tensor.q_per_channel_scales()
            yield _joined(name, "zero_points"), tensor.q_per_channel_zero_points()
        return
    else:
        yield name or "data", tensor
        return
    for key, part in parts.items():
        yield from _leaves(_joined(name, key), part, depth + 1)


def _joined(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _tables(tensor: Tensor) -> Stored | None:
    """A subclass of packed integers, and the tables among its attributes that unpack it."""
    if type(tensor) in _PLAIN or tensor.is_floating_point() or tensor.is_complex():
        return None
    found: dict[int, tuple[str, Tensor]] = {_memory(tensor): ("data", tensor)}
    original: tuple[int, ...] | None = None
    waiting: list[tuple[str, Any, int]] = [("", item, 0) for item in [attributes(tensor)]]
    while waiting:
        name, thing, depth = waiting.pop()
        for key, item in thing.items() if isinstance(thing, dict) else ():
            inside = _joined(name, key)
            if isinstance(item, torch.Size) and key == "shape" and depth == 1:
                original = tuple(item)
            elif isinstance(item, Tensor) and key != "grad":
                found.setdefault(_memory(item), (inside, item))
            elif depth < 2 and key.endswith(("state", "state2")):  # noqa: PLR2004 - the state of nested scales
                waiting.append((inside, attributes(item), depth + 1))
    if len(found) == 1 and original is None:
        return None
    return Stored(tuple(found.values()), original)


def _memory(tensor: Tensor) -> int:
    storage = storage_of(tensor)
    return id(tensor) if storage is None else storage_key(storage)


def packed_parameters(module: nn.Module) -> Iterator[tuple[str, Tensor, Any]]:
    """The weights in a quantised module's packed parameters: names, tensors, and the objects that hold them."""
    held = attributes(module)
    for attribute, thing in [item for item in held.items() if type(item[1]) is _SCRIPTED]:
        kind = script_class(thing)
        half = torch.float16 in (held.get("dtype"), held.get("weight_dtype"))
        try:
            with modes_off():  # a run on fake tensors leaves them real, and they unpack to real ones alone
                if kind == _CELL:
                    found = _cell(thing)
                elif kind is not None and kind.startswith(_QUANTIZED):
                    found = _unpacked(_suffix(attribute), _unpacking(module, thing), half=half)
                else:
                    continue
        except Exception:  # noqa: BLE001, S112 - an engine that cannot unpack: the module has what torch says, nothing
            continue
        yield from ((name, tensor, thing) for name, tensor in found)


def _unpacking(module: nn.Module, thing: Any) -> Callable[[], Any]:
    """How to unpack: convolutions of one dimension pack a weight of two, and have an operator of their own."""
    size = attributes(module).get("kernel_size")
    if isinstance(size, tuple) and len(size) == 1:
        return lambda: torch.ops.quantized.conv1d_unpack(thing)
    unpack: Callable[[], Any] = thing.unpack
    return unpack


def _suffix(attribute: str) -> str:
    """``_packed_weight_ih`` holds ``weight_ih`` and ``bias_ih``."""
    for prefix in ("_packed_params", "_packed_weight"):
        if attribute.startswith(prefix):
            return attribute.removeprefix(prefix)
    return f".{attribute}"


def _unpacked(suffix: str, unpack: Callable[[], Any], *, half: bool) -> list[tuple[str, Tensor]]:
    """Weight and bias; torch hands out weights of half precision in full."""
    given = unpack()
    weight, bias = given if isinstance(given, tuple) else (given, None)
    if half and not weight.is_quantized:
        weight = weight.half()
    return [(f"{kind}{suffix}", one) for kind, one in (("weight", weight), ("bias", bias)) if one is not None]


def _cell(thing: Any) -> list[tuple[str, Tensor]]:
    """The weights of one layer and direction of a recurrent module."""
    kind, parts = packed_of_cell(thing)
    found: list[tuple[str, Tensor]] = []
    for suffix, part in zip(("_ih", "_hh"), parts, strict=True):
        found += _unpacked(suffix, part.unpack, half=kind.endswith("fp16"))
    return found


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(int(size) for size in tensor.shape)


def _nbytes(tensor: Tensor) -> int:
    return int(tensor.numel() * tensor.element_size())


def dtype_name(dtype: torch.dtype) -> str:
    """As records have it: ``float32``."""
    return str(dtype).removeprefix("torch.")
