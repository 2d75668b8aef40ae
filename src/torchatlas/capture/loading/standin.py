"""Tensors that stand for others without their memory, and what torch would say where one is copied into another.

A stand-in is a tensor on the meta device of the same shape, strides and type. What real tensors refuse to each other
(a sparse one into a dense one, one without data into one that has some) a tensor on meta does not notice. So a copy
between stand-ins is tried on small real tensors of the same kinds, once for each pair of kinds.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from torchatlas.capture.objects.contents import LAZY
from torchatlas.capture.stored import ONE_SCALE
from torchatlas.capture.torch_private import empty_per_channel, empty_per_tensor, overrides_off

if TYPE_CHECKING:
    from collections.abc import Callable


class NoStandInError(Exception):
    """A tensor is of a class that has no other form than its own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What decides whether one tensor can be copied into another of its shape.

    Attributes:
        dtype: of the elements.
        layout: strided, or one of the sparse ones.
        scheme: of a quantized tensor, how.
        meta: it has no data.
        overlapping: several of its elements are one in memory, so it cannot be written.
        inference: it was made in inference mode, and cannot be written outside of it.
    """

    dtype: torch.dtype
    layout: torch.layout = torch.strided
    scheme: torch.qscheme | None = None
    meta: bool = False
    overlapping: bool = False
    inference: bool = False

    @staticmethod
    def of(tensor: Tensor) -> Kind:
        """That of a real tensor, which is no stand-in."""
        strided = tensor.layout is torch.strided and not tensor.is_nested
        overlapping = strided and any(
            step == 0 and size > 1 for step, size in zip(tensor.stride(), tensor.shape, strict=True)
        )
        scheme = tensor.qscheme() if tensor.is_quantized else None
        return Kind(tensor.dtype, tensor.layout, scheme, tensor.is_meta, overlapping, tensor.is_inference())

    def example(self, dimensions: int) -> Tensor:
        """A real tensor of this kind, of few elements."""
        shape = (1,) * dimensions
        if self.meta:
            return torch.empty(shape, dtype=self.dtype, device="meta")
        if self.scheme is not None:
            return quantized(shape, self.dtype, self.scheme)
        with torch.inference_mode(self.inference):
            if self.layout is not torch.strided:
                return torch.zeros(shape, dtype=self.dtype).to_sparse(layout=self.layout)
            made = torch.empty(shape, dtype=self.dtype)
            return made.expand(2, *shape[1:]) if self.overlapping else made


def quantized(shape: tuple[int, ...], dtype: torch.dtype, scheme: torch.qscheme, axis: int = 0) -> Tensor:
    """A quantized tensor of zeros."""
    made: Tensor
    if scheme in ONE_SCALE:
        made = empty_per_tensor(shape, scale=1.0, zero_point=0, dtype=dtype)
    else:
        size = shape[axis] if axis < len(shape) else 1
        floats = scheme is torch.per_channel_affine_float_qparams
        points = torch.zeros(size, dtype=torch.float32 if floats else torch.int64)
        made = empty_per_channel(shape, scales=torch.ones(size), zero_points=points, axis=axis, dtype=dtype)
    return made


class StandIns(TorchFunctionMode):
    """The stand-ins of one copy of a model; inside, copies between them end as those of the real tensors would."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[int, tuple[Tensor, Tensor]] = {}  # by the tensor that is stood for, which stays alive so
        self._kinds: dict[int, tuple[Tensor, Kind]] = {}  # by the stand-in
        self._answers: dict[tuple[Kind, Kind, int], Exception | None] = {}

    def of(self, tensor: Tensor) -> Tensor:
        """The stand-in of a tensor, always the same.

        Raises:
            NoStandInError: its class has a form of its own.
        """
        if id(tensor) not in self._known:
            with overrides_off():
                self._known[id(tensor)] = tensor, self._made(tensor)
        return self._known[id(tensor)][1]

    def made(self, shape: tuple[int, ...], stride: tuple[int, ...] | None, kind: Kind, *, parameter: bool) -> Tensor:
        """A stand-in of what is not there as a tensor."""
        with overrides_off():
            bare = _bare(shape, stride, kind)
            grows = bare.is_floating_point() or bare.is_complex()
            return self._noted(nn.Parameter(bare, grows) if parameter else bare, kind)

    def _noted(self, twin: Tensor, kind: Kind) -> Tensor:
        self._kinds[id(twin)] = twin, kind
        return twin

    def _made(self, tensor: Tensor) -> Tensor:
        cls: Any = type(tensor)
        if cls in LAZY:
            lazy: Any = cls
            made: Tensor = lazy(requires_grad=tensor.requires_grad, device="meta", dtype=tensor.dtype)
            return self._noted(made, Kind(tensor.dtype))
        if tensor.is_nested or cls.__torch_dispatch__ is not Tensor.__torch_dispatch__:
            raise NoStandInError(cls.__name__)
        kind = Kind.of(tensor)
        strided = kind.layout is torch.strided
        bare = _bare(tuple(tensor.shape), tensor.stride() if strided else None, kind)
        if issubclass(cls, nn.Parameter):
            made = nn.Parameter(bare, requires_grad=False)
            made.__class__ = cls
        elif cls is Tensor:
            made = bare
        else:
            made = bare.as_subclass(cls)
        if made.is_floating_point() or made.is_complex():
            made.requires_grad_(tensor.requires_grad)
        with suppress(AttributeError):
            made.__dict__.update(tensor.__dict__)
        return self._noted(made, kind)

    def _kind(self, tensor: Tensor) -> Kind:
        """What a stand-in stands for; what code made of one stands for a tensor with data."""
        known = self._kinds.get(id(tensor))
        if known is not None:
            return known[1]
        return Kind(tensor.dtype) if tensor.device.type == "meta" else Kind.of(tensor)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch instead of ``func``, this mode being off inside."""
        kwargs = kwargs or {}
        if func is Tensor.__deepcopy__:
            return self.of(args[0])
        if func == _IS_META and id(args[0]) in self._kinds:
            return self._kind(args[0]).meta
        if func in _COPIES and len(args) > 1 and self._stand_in(args[0], args[1]):
            copied = self._copied(args[0], args[1])
            return copied if func is Tensor.copy_ else func(*args, **kwargs)
        return func(*args, **kwargs)

    def _stand_in(self, into: Tensor, source: Any) -> bool:
        """Whether one of two tensors has no memory of its own here."""
        if not isinstance(source, Tensor) or type(source) in LAZY or type(into) in LAZY:
            return False
        return into.device.type == "meta" or source.device.type == "meta"

    def _copied(self, into: Tensor, source: Tensor) -> Tensor:
        given = replace(self._kind(source), overlapping=False, inference=False)  # it is only read
        refused = self._answer(self._kind(into), given, into.dim())
        if refused is not None:
            raise refused
        if source.shape != into.shape:
            torch.empty(source.shape, device="meta").expand(into.shape)  # raises what torch does of shapes that differ
        return into

    def _answer(self, into: Kind, source: Kind, dimensions: int) -> Exception | None:
        """What torch raises where a tensor of one kind is copied into one of another; None where it copies."""
        if (into, source, dimensions) not in self._answers:
            refused = None
            with overrides_off():
                try:
                    with torch.no_grad():
                        into.example(dimensions).copy_(source.example(dimensions))
                except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
                    refused = error.with_traceback(None)
            self._answers[into, source, dimensions] = refused
        return self._answers[into, source, dimensions]


_COPIES = (Tensor.copy_, Tensor.module_load)
_IS_META: Callable[..., Any] = Tensor.is_meta.__get__  # type: ignore[attr-defined]  # a property, to torch's own stubs a flag


def _bare(shape: tuple[int, ...], stride: tuple[int, ...] | None, kind: Kind) -> Tensor:
    if kind.scheme is not None:  # there are no quantized tensors on meta
        return torch.empty(shape, dtype=torch.int8, device="meta")
    if stride is None:
        return torch.empty(shape, dtype=kind.dtype, device="meta")
    return torch.empty_strided(shape, stride, dtype=kind.dtype, device="meta")
