"""Higher-order operators: ``torch.cond``, ``while_loop``, ``scan``, ``map``, ``flex_attention`` and their like.

Torch compiles what is handed to them, and traces it where gradients are wanted: nobody would see the calls of the
branch that runs. A capture runs them in Python instead, as torch's own kernels do, so that what they call is recorded,
counted and differentiated as it happens. What torch refuses of them is refused here too, where it can be seen.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import torch

from torchatlas.capture.objects.tree import describe, tensors_in
from torchatlas.capture.torch_private import (
    NEEDS_DATA,
    DispatchMode,
    FakeTensor,
    FakeTensorMode,
    HigherOrderOperator,
    dispatched,
    in_transform,
    kernel_of,
    key_of,
    pytree,
)
from torchatlas.capture.unrecorded import unrecorded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchatlas.core.graph import Tree


class Remark(Protocol):
    """Where a reader is told what the record does not show."""

    def __call__(self, text: str) -> None:
        """A note of the call that runs."""


def body_of(operator: HigherOrderOperator, remark: Remark) -> Callable[..., Any] | None:
    """What runs in the place of an operator, its inside to be recorded; None if it is to be called as it is."""
    if in_transform():  # its rule for this transform, which calls it again a level below
        return dispatched(operator)
    name = operator.name()
    if name in _PYTHON:
        return partial(_PYTHON[name], remark)
    return kernel_of(operator) if name in _KERNELS else None


def _cond(remark: Remark, pred: Any, true_fn: Any, false_fn: Any, operands: Sequence[Any]) -> Any:
    known = _truth(pred)
    if known is None:
        remark("torch.cond: the predicate is unknown without data, so the true branch is recorded.")
    if known is False:
        left, chosen, other = "true", false_fn, true_fn
    else:
        left, chosen, other = "false", true_fn, false_fn
    out = chosen(*operands)
    _compare_branches(remark, out, other, operands)
    if known is not None:
        remark(f"torch.cond ran {_name(chosen)}; the {left} branch, {_name(other)}, did not run.")
    return out


def _while_loop(
    remark: Remark,
    cond_fn: Any,
    body_fn: Any,
    carried_inputs: Sequence[Any],
    additional_inputs: Sequence[Any] = (),
    *,
    mutated_arg_indices: str = "",
) -> Any:
    """As torch's kernel; what turns out not to run at all is copied."""
    del mutated_arg_indices
    carried, turns = tuple(carried_inputs), 0
    while True:
        going = _going(cond_fn(*carried, *additional_inputs))
        if going is None and not turns:
            remark(
                "while_loop: the number of iterations is unknown without data. One is recorded, so its counts are"
                " too low."
            )
        if not (going or (going is None and not turns)):
            return carried if turns else tuple([_cloned(item) for item in carried])
        out = body_fn(*carried, *additional_inputs)
        if not isinstance(out, (tuple, list)):
            raise TypeError(f"while_loop: body_fn must return a tuple, and returned {type(out).__name__}.")
        _compare("while_loop: what body_fn returns", out, "the carried inputs", carried)
        carried, turns = tuple(out), turns + 1


def _scan(remark: Remark, combine_fn: Any, init: Sequence[Any], xs: Sequence[Any], *rest: Any) -> Any:
    """In torch 2.6 axis and direction come before the additional inputs; a later one has turned ``xs`` by then."""
    del remark
    dim, reverse, additional_inputs = rest if len(rest) == _SCAN_IN_2_6 else (0, False, *(rest or ((),)))
    carry, steps = list(init), []
    for slices in _slices(xs, dim)[:: -1 if reverse else 1]:
        out = pytree.tree_leaves(combine_fn(*carry, *slices, *additional_inputs))
        _compare("scan: the next carry", out[: len(init)], "init", init)
        carry = out[: len(init)]
        steps.append(out[len(init) :])
    return (*carry, *_stacked(steps[:: -1 if reverse else 1]))


_SCAN_IN_2_6 = 3


def _map(remark: Remark, f: Any, xs: Sequence[Any], pos_args: Sequence[Any]) -> Any:
    del remark
    outs = [pytree.tree_flatten(f(*slices, *pos_args)) for slices in _slices(xs)]
    return pytree.tree_unflatten(_stacked([leaves for leaves, _ in outs]), outs[0][1])


def _flex_attention(remark: Remark, *args: Any, **kwargs: Any) -> Any:
    operator = torch.ops.higher_order.flex_attention
    kernel = kernel_of(operator)
    if kernel is None or key_of(operator, args, kwargs).startswith("Autocast"):  # casts, and calls it again
        return dispatched(operator)(*args, **kwargs)
    mask = kwargs.get("block_mask") or next((item for item in args if isinstance(item, tuple)), (None,))
    if _name(mask[-1]) != "noop_mask":
        remark(
            "flex_attention: every query is counted with every key; when compiled, it skips what the block mask"
            " excludes."
        )
    return kernel(*args, **kwargs)


def _invoke_subgraph(remark: Remark, subgraph: Any, identifier: str, *operands: Any) -> Any:
    del remark, identifier
    return subgraph(list(operands)) if getattr(subgraph, "_boxed_call", False) else subgraph(*operands)


def _strict_mode(remark: Remark, function: Any, operands: Sequence[Any]) -> Any:
    del remark
    return function(*operands)


def _hints_wrapper(remark: Remark, body_fn: Any, args: Any, kwargs: Any, hints: Any) -> Any:
    del remark, hints
    return body_fn(*args, **kwargs)


_PYTHON: dict[str, Callable[..., Any]] = {
    "cond": _cond,
    "while_loop": _while_loop,
    "scan": _scan,
    "map_impl": _map,
    "flex_attention": _flex_attention,
    "invoke_subgraph": _invoke_subgraph,
    "strict_mode": _strict_mode,
    "hints_wrapper": _hints_wrapper,
}
# Torch's own kernel of these is Python that can run as it stands.
_KERNELS = frozenset(
    {
        *("associative_scan", "auto_functionalized", "auto_functionalized_v2", "out_dtype"),
        *("wrap_with_set_grad_enabled", "wrap_with_autocast"),
    }
)


def _truth(pred: Any) -> bool | None:
    """Whether a predicate holds; None where there is no data to say.

    It is asked twice: unrecorded, where it may fail, and again for the record, in which the branch hangs on it.
    """
    with unrecorded():
        try:
            known = bool(pred)
        except NEEDS_DATA:
            return None
    return bool(pred) if isinstance(pred, torch.Tensor) else known


def _going(pred: Any) -> bool | None:
    scalar = isinstance(pred, torch.Tensor) and pred.dim() == 0 and pred.dtype == torch.bool
    if not scalar and not isinstance(pred, bool):
        raise RuntimeError(
            f"while_loop: cond_fn must return a boolean scalar tensor or a boolean, and returned {pred}."
        )
    return _truth(pred)


def _slices(xs: Sequence[Any], dim: int = 0) -> list[tuple[Any, ...]]:
    return list(zip(*[torch.unbind(x, dim) for x in xs], strict=True))


def _stacked(steps: Sequence[Sequence[Any]]) -> list[Any]:
    return [torch.stack(column) if column[0] is not None else None for column in zip(*steps, strict=True)]


def _cloned(item: Any) -> Any:
    return item.clone() if isinstance(item, torch.Tensor) else item


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _compare(what: str, these: Sequence[Any], other: str, those: Sequence[Any]) -> None:
    """Raises RuntimeError if carried values differ in number, shape, dtype or device, as torch does."""
    if len(these) != len(those):
        raise RuntimeError(f"{what}, and {other}, must be equally many: {len(these)} and {len(those)}.")
    for place, (one, two) in enumerate(zip(these, those, strict=True)):
        if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor) and _form(one) != _form(two):
            raise RuntimeError(f"{what}, and {other}, differ at [{place}]: {_said(one)} and {_said(two)}.")


def _form(tensor: torch.Tensor) -> tuple[Any, ...]:
    return tensor.shape, tensor.dtype, tensor.device


def _said(tensor: torch.Tensor) -> str:
    return f"{list(tensor.shape)} {tensor.dtype} on {tensor.device}"


def _compare_branches(remark: Remark, out: Any, other: Any, operands: Sequence[Any]) -> None:
    """Torch looks at both branches: the one that did not run is tried on tensors without data."""
    with unrecorded():
        try:
            instead = _tried(other, operands)
        except NEEDS_DATA:
            return
        except Exception as error:  # noqa: BLE001 - whatever the user's code raises on tensors without data
            raised = type(error).__name__
            remark(f"torch.cond: the branch that did not run raises {raised}; outside a capture, torch may reject it.")
            return
    one, two = _outline(out), _outline(instead)
    if one != two:
        raise RuntimeError(
            f"torch.cond: its branches must return the same structure, dtypes and numbers of dimensions; one returns "
            f"{one[0]} {one[1]}, the other {two[0]} {two[1]}."
        )


def _tried(function: Any, operands: Sequence[Any]) -> Any:
    with torch.no_grad():
        if any(isinstance(tensor, FakeTensor) for tensor in tensors_in(operands)):
            return function(*operands)
        with FakeTensorMode() as fake, _Faked(fake) as twins:
            return function(*twins.of(operands))


class _Faked(DispatchMode):
    """Every operation gets twins without data of the real tensors it is given, so that it writes none of them."""

    def __init__(self, fake: Any) -> None:
        super().__init__()
        self._fake = fake

    def of(self, thing: Any) -> Any:
        """The same structure with the twins of its tensors; a tensor has one twin."""
        return pytree.tree_map_only(torch.Tensor, self._twin, thing)

    def _twin(self, tensor: torch.Tensor) -> Any:
        return tensor if isinstance(tensor, FakeTensor) else self._fake.from_tensor(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch instead of ``func``."""
        args, kwargs = self.of((args, kwargs or {}))
        return func(*args, **kwargs)


def _outline(out: Any) -> tuple[Tree, list[str]]:
    found: list[torch.Tensor] = []
    tree = describe(out, found)
    return tree, [f"{tensor.dtype} of {tensor.dim()} dimensions" for tensor in found]
