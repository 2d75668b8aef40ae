"""Models that call higher-order operators, and what each must come to; run as a program, it captures one of them.

Every one is captured in a process of its own, in which nothing has loaded torch's compiler: a warm one hides what the
first capture of a user's process meets.
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch._higher_order_ops import while_loop
from torch._higher_order_ops.associative_scan import associative_scan
from torch._higher_order_ops.map import map as mapped
from torch._higher_order_ops.scan import scan
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.utils.checkpoint import checkpoint

import torchatlas as ta
from torchatlas.core.measure.cost import total

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Case:
    """A model and what its capture must hold.

    Attributes:
        forward: what it does; the first argument holds the layers ``a`` and ``b``, Linear(4, 4) both, and ``cell``.
        shape: of the input, which holds positive numbers alone.
        mult_adds: counted by hand.
        calls: by name of a function or path of a module, how often it is called.
        grad: whether torch can differentiate it.
        fake: whether its count is the same without data.
        plain: the same in Python, where torch's own gradients cannot be held to be right.
    """

    forward: Callable[[Any, Any], Any]
    mult_adds: int
    calls: dict[str, int] = field(default_factory=dict)
    shape: tuple[int, ...] = (3, 4)
    grad: bool = True
    fake: bool = True
    plain: Callable[[Any, Any], Any] | None = None


class Model(nn.Module):
    """Does what a case says."""

    def __init__(self, forward: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.does = forward
        self.a, self.b, self.cell = nn.Linear(4, 4), nn.Linear(4, 4), nn.GRUCell(4, 4)

    def forward(self, x: torch.Tensor) -> Any:
        return self.does(self, x)


def _cond(model, x):
    return torch.cond(x.sum() > 0, lambda x: model.a(x).relu(), lambda x: model.b(model.b(x)).sin(), (x,))


def _cond_false(model, x):
    return torch.cond(x.sum() < 0, lambda x: model.a(x).relu(), lambda x: model.b(model.b(x)).sin(), (x,))


def _cond_of_modules(model, x):
    return torch.cond(x.sum() > 0, model.a, model.b, (x,))


def _cond_in_cond(model, x):
    return torch.cond(x.sum() > 0, lambda x: torch.cond(x.mean() > 1e6, model.a, model.b, (x,)), torch.sin, (x,))


def _while_loop(model, x):
    start = torch.tensor(0), x
    return while_loop(lambda turn, x: turn < 3, lambda turn, x: (turn + 1, model.a(x).tanh()), start)[1]


def _scan(model, x):
    def step(state, x):
        state = model.cell(x, state)
        return state, state.clone()

    return scan(step, torch.zeros(2, 4), x, reverse=True)


def _map(model, x):
    return mapped(lambda x: model.a(x).relu(), x)


def _associative_scan(model, x):
    return model.a(associative_scan(lambda one, two: one + two, x, 0, combine_mode="generic"))


def _flex_attention(model, x):
    mask = create_block_mask(lambda _, __, i, j: i >= j, None, None, 8, 8, device="cpu")
    bias = model.a.bias
    return flex_attention(x, x, x, score_mod=lambda score, _, h, i, j: score + bias[h] * (i - j), block_mask=mask)


def _flex_attention_alone(_, x):
    return flex_attention(x, x, x)


def _checkpoint(model, x):
    return checkpoint(model.a, checkpoint(model.b, x, use_reentrant=True), use_reentrant=False)


def _nested_compile_region(model, x):
    region = torch.compiler.nested_compile_region(lambda x: model.a(x).sin())
    return region(region(x))


def _compiled_inside(model, x):
    return torch.compile(model.a, backend="eager", fullgraph=True)(x)


def _cond_under_vmap(model, x):
    return torch.vmap(lambda x: torch.cond(torch.tensor(1) > 0, model.a, model.b, (x,)))(x)


def _grad_in_cond(model, x):
    return torch.cond(x.sum() > 0, torch.func.grad(lambda x: model.a(x).sin().sum()), torch.cos, (x,))


def _jvp_in_cond(model, x):
    return torch.cond(x.sum() > 0, lambda x: model.a(torch.func.jvp(torch.sin, (x,), (x,))[1]), torch.cos, (x,))


def _out_dtype(_, x):
    whole = x.to(torch.int8)
    return torch.ops.higher_order.out_dtype(torch.ops.aten.mm.default, torch.int32, whole, whole.t()).float()


class Double(torch.autograd.Function):
    """Twice its input, once its gradient."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad


def _autograd_function(model, x):
    return torch.cond(x.sum() > 0, lambda x: Double.apply(model.a(x)), torch.sin, (x,))


CASES = {
    "cond": Case(_cond, 48, {"cond": 1, "a": 1, "b": 0, "Tensor.relu": 1, "Tensor.sin": 0}),
    "cond_false": Case(_cond_false, 96, {"cond": 1, "a": 0, "b": 2, "Tensor.relu": 0, "Tensor.sin": 1}, fake=False),
    "cond_of_modules": Case(_cond_of_modules, 48, {"cond": 1, "a": 1, "b": 0}),
    "cond_in_cond": Case(_cond_in_cond, 48, {"cond": 2, "a": 0, "b": 1}),
    "while_loop": Case(
        _while_loop,
        3 * 48,
        {"while_loop": 1, "a": 3, "Tensor.tanh": 3, "Tensor.lt": 4},
        plain=lambda model, x: model.a(model.a(model.a(x).tanh()).tanh()).tanh(),
    ),
    "scan": Case(_scan, 5 * 2 * 2 * 12 * 4, {"scan": 1, "cell": 5}, shape=(5, 2, 4)),
    "map": Case(_map, 48, {"map_impl": 1, "a": 3}),
    "associative_scan": Case(_associative_scan, 5 * 16, {"a": 1}, shape=(5, 4)),
    "flex_attention": Case(
        _flex_attention, 2 * (2 * 4 * 8 * 8 * 16), {"flex_attention": 1}, shape=(2, 4, 8, 16), grad=False
    ),
    "flex_attention_alone": Case(
        _flex_attention_alone, 2 * (2 * 4 * 8 * 8 * 16), {"flex_attention": 1}, shape=(2, 4, 8, 16), grad=False
    ),
    "checkpoint": Case(_checkpoint, 96, {"a": 1, "b": 1}),
    "nested_compile_region": Case(_nested_compile_region, 96, {"a": 2, "Tensor.sin": 2}),
    "compiled_inside": Case(_compiled_inside, 48, {"a": 1}),
    "cond_under_vmap": Case(_cond_under_vmap, 48, {"a": 1, "b": 0}),
    "grad_in_cond": Case(_grad_in_cond, 2 * 48, {"cond": 1, "a": 1}, grad=False),
    "jvp_in_cond": Case(_jvp_in_cond, 48, {"cond": 1, "a": 1}, grad=False),
    "out_dtype": Case(_out_dtype, 3 * 3 * 4, {"out_dtype": 1}, grad=False),
    "autograd_function": Case(_autograd_function, 48, {"cond": 1, "Double": 1, "a": 1}),
}


def seen(case: Case) -> dict[str, Any]:
    """What captures of the case hold, the first of them with a replay, beside what torch computes."""
    torch.manual_seed(0)
    model = Model(case.forward)
    x = torch.rand(case.shape) * 4
    got: list[Any] = []
    model.register_forward_hook(lambda _, __, out: got.append(out))
    with torch.no_grad():
        atlas = ta.capture(model, x, replay=True)
        levels = [atlas, ta.capture(model, x, level="aten"), ta.capture(model, x, fake=True)]
        names = [call.name if call.path is None else call.path for call in atlas.graph.calls]
        result = {
            "calls": {name: names.count(name) for name in case.calls},
            "mult_adds": [total(one.graph).flops // 2 for one in levels],
            "unknown": [total(one.graph).unknown for one in levels],
            "replay": atlas.replay().equal,
            "notes": [note.text for note in atlas.graph.notes],
            "rows": str(atlas.summary()),
            "drawing": str(atlas.draw()),
            "plain": _equal(got[0], model(x)),
        }
    if case.grad:
        recorded = ta.capture(model, x, mode="train", grad=True)
        result["backward"] = len(ta.backward(_total(recorded.outputs)).graph.calls)
        plain = case.plain or case.forward
        result["gradients"] = _equal(_gradients(model, recorded.outputs), _gradients(model, plain(model, x)))
    return result


def _gradients(model: Model, out: Any) -> list[torch.Tensor]:
    """Of every parameter; zero, as torch has it for the branch that did not run, where there is none."""
    weights = list(model.parameters())
    found = torch.autograd.grad(_total(out), weights, allow_unused=True)
    return [
        torch.zeros_like(weight) if one is None else one.clone() for one, weight in zip(found, weights, strict=True)
    ]


def _total(out: Any) -> torch.Tensor:
    return sum(tensor.float().sum() for tensor in torch.utils._pytree.tree_leaves(out))


def _equal(one: Any, two: Any) -> bool:
    pairs = zip(torch.utils._pytree.tree_leaves(one), torch.utils._pytree.tree_leaves(two), strict=True)
    return all(torch.allclose(left, right, rtol=1e-6, atol=1e-6) for left, right in pairs)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.stdout.write(json.dumps(seen(CASES[sys.argv[1]])))
