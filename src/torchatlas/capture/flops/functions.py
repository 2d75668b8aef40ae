"""Floating point operations of one torch function, as the user's code calls it; 1 multiply-add is 2 of them.

Three ways, tried in this order. The functions that make up nearly all of a network's arithmetic are counted from
their shapes alone (`direct`). Functions known to hold no contraction are let through (`free_kind`). Any other call is
watched: a `Watch` sees the ATen calls it makes and sums their counts. What it saw may be remembered (`learn`)::

    formula = direct(func, args, kwargs)
    if formula is not None:
        out = func(*args, **kwargs)
        flops, arithmetic = count(formula, args, kwargs, out)
    elif (kind := free_kind(func, args)) is not None:
        out, flops, arithmetic = func(*args, **kwargs), 0, kind
    else:
        with Watch() as watch:
            out = func(*args, **kwargs)
        flops, arithmetic = watch.flops, watch.arithmetic
        learn(func, arithmetic)

All three give the same count, that of `capture.flops.aten`.
"""

from __future__ import annotations

import math
from types import BuiltinFunctionType, MethodWrapperType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.parameter import Buffer, Parameter

from torchatlas.capture.flops import aten
from torchatlas.capture.flops.aten import aten_flops, formula_of
from torchatlas.capture.torch_private import DispatchMode, FakeTensor, is_transformed, overrides_off
from torchatlas.capture.unrecorded import silence
from torchatlas.core.operators import flops

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchatlas.capture.flops.aten import Formula
    from torchatlas.core.graph import Arithmetic

_PLAIN_TENSORS = frozenset({Tensor, Parameter, Buffer, FakeTensor})
_STRENGTH: dict[Arithmetic, int] = {"movement": 0, "elementwise": 1, "counted": 2, "unknown": 3}


def _named(formula: Formula, *names: str) -> Formula:
    """A formula of positional arguments, for a function that may be called with these names."""

    def counted(out: Any, /, *args: Any, **kwargs: Any) -> int:
        by_name = (kwargs[name] for name in names[len(args) :]) if kwargs else ()
        return formula(out, *args, *by_name)

    return counted


def _added(formula: Formula, *names: str) -> Formula:
    """The same for sums with a product, whose old spelling mixes numbers in: ``addmm(beta, input, alpha, …)``."""
    named = _named(formula, *names)
    return lambda out, /, *args, **kwargs: named(out, *(one for one in args if isinstance(one, Tensor)), **kwargs)


def _bilinear(out: Any, first: Any, second: Any, *_: Any) -> int:
    return int(flops.bilinear(out.numel(), first.shape[-1], second.shape[-1]))


def _recurrent(out: Any, /, x: Any, *rest: Any, **_: Any) -> int:
    """lstm, gru, rnn: (x, state, weights, …) or, packed, (x, batch sizes, state, weights, …)."""
    return aten.recurrent_stack(out, x, rest[2] if isinstance(rest[2], (list, tuple)) else rest[1])


def _cell(_: Any, x: Any, __: Any, by_input: Any, by_hidden: Any, *___: Any) -> int:
    return int(flops.recurrent(math.prod(x.shape[:-1]), by_input.numel() + by_hidden.numel()))


def _spellings(names: str) -> Iterable[Any]:
    """The functions and methods of these names, those that work in place too."""
    for name in names.split():
        for owner in (torch, Tensor, F, torch.linalg):
            for spelling in (name, name + "_"):
                if hasattr(owner, spelling):
                    yield getattr(owner, spelling)


def _table() -> Iterable[tuple[Any, Formula]]:
    """Each function with the names of the arguments that its formula reads."""
    for names, formula in {
        "mm bmm mv dot vdot linear matmul": _named(aten.product, "input"),
        "addmm": _added(aten.added_product, "input", "mat1", "mat2"),
        "addmv": _added(aten.added_product, "input", "mat", "vec"),
        "baddbmm": _added(aten.added_product, "input", "batch1", "batch2"),
        "addbmm": _added(aten.summed_product, "input", "batch1"),
        "conv1d conv2d conv3d": _named(aten.convolution, "input", "weight"),
        "conv_transpose1d conv_transpose2d conv_transpose3d": _named(aten.transposed_convolution, "input", "weight"),
        "scaled_dot_product_attention": _named(aten.attention, "query", "key"),
        "bilinear": _named(_bilinear, "input1", "input2"),
        "lstm gru rnn_tanh rnn_relu": _recurrent,
        "lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell": _named(_cell, "input", "hx", "w_ih", "w_hh"),
    }.items():
        yield from ((function, formula) for function in _spellings(names))
    yield Tensor.__matmul__, aten.product
    yield Tensor.__rmatmul__, lambda out, _, other: aten.product(out, other)


_DIRECT: dict[Any, Formula] = dict(_table())


def direct(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Formula | None:
    """Before the call: its formula, if these arguments can be counted from the shapes that Python sees.

    They cannot where memory is not what the shape says (sparse, nested, subclasses that hold other tensors), or where a
    ``torch.func`` transform hides a batch dimension.
    """
    try:
        formula = _DIRECT.get(func)
    except TypeError:  # a callable that cannot be hashed
        return None
    if formula is None:
        return None
    for argument in (*args, *kwargs.values()) if kwargs else args:
        if issubclass(type(argument), Tensor) and not _is_plain(argument):
            return None
    return formula


def _is_plain(tensor: Tensor) -> bool:
    return (
        type(tensor) in _PLAIN_TENSORS
        and tensor.layout is torch.strided
        and not tensor.is_nested
        and not is_transformed(tensor)
    )


def count(formula: Formula, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> tuple[int, Arithmetic]:
    """After the call: its FLOPs. Never raises: what cannot be counted (a symbolic size, say) is ``unknown``."""
    try:
        return formula(out, *args, **kwargs), "counted"
    except Exception:  # noqa: BLE001 - a way of calling that the formula does not know must not break the run
        return 0, "unknown"


class Watch(DispatchMode):
    """Counts the ATen calls that run while it is entered.

    Attributes:
        flops: their sum.
        arithmetic: the strongest kind among them: unknown, counted, elementwise, movement.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self.arithmetic: Arithmetic = "movement"

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the call, or what it is made of, and add its count."""
        # A subclass that holds other tensors does its arithmetic on those, and this mode sees it there.
        if any(hasattr(one, "__tensor_flatten__") for one in types):
            return NotImplemented
        kwargs = kwargs or {}
        if silence.on:
            return func(*args, **kwargs)
        if func not in _leaves:
            out = self._decomposed(func, args, kwargs)
            if out is not NotImplemented:
                return out
        with overrides_off():  # the operations of a scripted module are nobody's functions
            out = func(*args, **kwargs)
        counted, arithmetic = aten_flops(func, args, kwargs, out)
        self.flops += counted
        if _STRENGTH[arithmetic] > _STRENGTH[self.arithmetic]:
            self.arithmetic = arithmetic
        return out

    def _decomposed(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Under ``inference_mode`` an operation made of others arrives whole: run those, each through this mode."""
        # Those of prim are no operators that torch can look up; ``torch.cond`` and its like are of no such parts.
        overload = hasattr(func, "decompose") and func.namespace != "prim"
        if overload and formula_of(func) is None and not holds_nested(args):
            with self:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        if not holds_nested(args):
            _leaves.add(func)
        return NotImplemented


def holds_nested(args: Sequence[Any]) -> bool:
    """Whether a nested tensor is among them: what operations are made of is written for tensors with a shape."""
    return any(isinstance(argument, Tensor) and argument.is_nested for argument in args)


_leaves: set[Any] = set()

# Functions that hold a contraction or not depending on their arguments: equations, orders of a norm, powers, callbacks.
_DEPENDENT = frozenset(
    {
        *("einsum", "tensordot", "inner", "kron", "chain_matmul", "cdist", "norm", "nuclear_norm", "frobenius_norm"),
        *("matrix_power", "cov", "corrcoef", "backward", "apply_", "map_", "map2_", "module_load"),
        *("triplet_margin_with_distance_loss", "multi_head_attention_forward"),
    }
)
# Python functions of these modules do one thing whatever they are given, the names above excepted.
_LEAF_MODULES = frozenset({"torch.nn.functional", "torch.functional", "torch._tensor", "torch._jit_internal"})

_free: dict[Any, Arithmetic] = dict.fromkeys(
    (Tensor.__getitem__, Tensor.__setitem__, torch.embedding, F.embedding), "movement"
)


def free_kind(func: Any, args: Sequence[Any]) -> Arithmetic | None:
    """Before the call: ``elementwise`` or ``movement`` if the function is known to hold no contraction, else None.

    A tensor subclass may do anything in any function: with one among its positional arguments, a call is watched.
    """
    try:
        kind = _free.get(func)
    except TypeError:  # a callable that cannot be hashed
        return None
    if kind is None:
        return None
    for argument in args:
        one = argument[0] if type(argument) in {list, tuple} and argument else argument
        if type(one) not in _PLAIN_TENSORS and issubclass(type(one), Tensor):
            return None
    return kind


def learn(func: Any, arithmetic: Arithmetic) -> None:
    """After a watched call that did not raise: remember a function of torch's own that showed no contraction.

    One that did is watched every time, and so is anything not torch's own (a custom operator, a user's function), what
    depends on its arguments, and dropout, which computes only in training.
    """
    if _STRENGTH[arithmetic] < _STRENGTH["counted"] and _does_one_thing(func):
        _free[func] = arithmetic


def _does_one_thing(func: Any) -> bool:
    name = getattr(func, "__name__", "")
    if name in _DEPENDENT or "linalg" in name or "dropout" in name:
        return False
    module = getattr(func, "__module__", None) or ""
    if isinstance(func, MethodWrapperType):  # reading an attribute of a tensor
        func = func.__self__
    if isinstance(func, BuiltinFunctionType) and module.startswith("torch"):
        return True
    if getattr(func, "__objclass__", None) in Tensor.__mro__:
        return True
    return module in _LEAF_MODULES


def is_communication(apply: Any) -> bool:
    """Whether this is ``apply`` of a function by which torch moves DTensors from one placement to another."""
    return str(getattr(apply, "__self__", type).__module__).startswith("torch.distributed.tensor.")
