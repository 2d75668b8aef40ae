"""Random programs of views, writes and copies, over a handful of tensors that share memory in every way.

Any list of steps is a program: a step names an operation and picks its operands by number, modulo how many there are.
So hypothesis can shrink one that fails to the few steps that matter. Everything made in a program comes from its
inputs through torch functions, hence a capture that misses a write, an alias or an order cannot replay it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import torch
from hypothesis import strategies
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

Made: TypeAlias = "Tensor | tuple[Tensor, ...] | None"


class Step(NamedTuple):
    """One operation on two of the tensors there are, and a small number for where and how much."""

    operation: str
    first: int
    second: int
    number: int


def like(b: Tensor, a: Tensor) -> Tensor:
    """Content of ``b`` in a form that broadcasts to ``a``: itself, or its first element."""
    return b if b.shape == a.shape else b.reshape(-1)[:1].sum()


def cut(a: Tensor, n: int) -> slice:
    """A part of the first axis."""
    return slice(n % max(a.shape[0], 1), None, 1 + n % 2)


def assign_part(a: Tensor, b: Tensor, n: int) -> None:
    """``a[i:] = …``."""
    a[cut(a, n)] = like(b, a[cut(a, n)])


def assign_mask(a: Tensor, b: Tensor, n: int) -> None:
    """``a[a > 0] = number``."""
    a[a > 0] = n - 2.0


def assign_list(a: Tensor, b: Tensor, n: int) -> None:
    """``a[[0, -1]] = …``, by a list of indices."""
    a[[0, -1]] = like(b, a[:1]) + n


def add_assign(a: Tensor, b: Tensor, n: int) -> None:
    """``a += …``."""
    a += like(b, a)


def add_assign_part(a: Tensor, b: Tensor, n: int) -> None:
    """``a[i:] *= …``."""
    a[cut(a, n)] *= 0.5


def replace_data(a: Tensor, b: Tensor, n: int) -> None:
    """``a.data = …``: another memory under the same object."""
    a.data = b.detach() * 2 if n % 2 else b.detach()


def norm_statistics(a: Tensor, b: Tensor, n: int) -> Tensor:
    """Batch norm in training, which writes its statistics from C++."""
    mean = b.detach().reshape(-1)[:2]
    return F.batch_norm(a.reshape(-1)[:4].reshape(2, 2), mean, torch.ones(2), training=True, momentum=0.5)


def out_part(a: Tensor, b: Tensor, n: int) -> None:
    """A result into a view of a part of another tensor."""
    row = a.detach()[:1]
    torch.mul(row, 2, out=b.detach().reshape(-1)[: row.numel()].view_as(row))


def out_pair(a: Tensor, b: Tensor, n: int) -> None:
    """Two results into two given tensors."""
    flat = a.detach().reshape(-1)[:6].reshape(2, 3)
    room = b.detach().reshape(-1)[:2]
    if room.numel() == flat.shape[0]:
        torch.max(flat, 1, out=(room, torch.empty(2, dtype=torch.long)))


VIEWS: dict[str, Callable[[Tensor, Tensor, int], Made]] = {
    "flat": lambda a, b, n: a.reshape(-1),
    "view": lambda a, b, n: a.view(-1),
    "part": lambda a, b, n: a[cut(a, n)],
    "select": lambda a, b, n: a[n % a.shape[0]],
    "whole": lambda a, b, n: a[...],
    "narrow": lambda a, b, n: a.narrow(0, 0, 1 + n % a.shape[0]),
    "transpose": lambda a, b, n: a.transpose(0, -1),
    "unsqueeze": lambda a, b, n: a.unsqueeze(n % 2),
    "squeeze": lambda a, b, n: a.squeeze(),
    "expand": lambda a, b, n: a.expand(2, *a.shape),
    "diagonal": lambda a, b, n: a.diagonal(),
    "unfold": lambda a, b, n: a.unfold(0, 2, 1),
    "strided": lambda a, b, n: a.as_strided((2, 2), (1, 2), n % 3),
    "detach": lambda a, b, n: a.detach(),
    "data": lambda a, b, n: a.data,
    "view_as": lambda a, b, n: a.view_as(a),
    "chunk": lambda a, b, n: a.chunk(2),
    "unbind": lambda a, b, n: a.unbind()[:3],
    "contiguous": lambda a, b, n: a.contiguous(),
    "to": lambda a, b, n: a.to(torch.float32),
    "mT": lambda a, b, n: a.mT if a.ndim > 1 else a.movedim(0, -1),
    "bits": lambda a, b, n: a.detach().view(torch.int32).view(torch.float32),
}
COPIES: dict[str, Callable[[Tensor, Tensor, int], Made]] = {
    "add": lambda a, b, n: a + like(b, a),
    "scale": lambda a, b, n: 0.5 * a - n,
    "cat": lambda a, b, n: torch.cat([a.reshape(-1)[:6], b.reshape(-1)[:6]]),
    "stack": lambda a, b, n: torch.stack([a, a * 2]),
    "where": lambda a, b, n: torch.where(a > 0, a, like(b, a)),
    "clone": lambda a, b, n: a.clone(),
    "sort": lambda a, b, n: a.sort(0)[0],
    "mean": lambda a, b, n: a.mean(),
    "zeros": lambda a, b, n: torch.zeros_like(a),
    "random": lambda a, b, n: torch.rand(3) + like(b, a).mean(),
    "dropout": lambda a, b, n: F.dropout(a, 0.5),
    "number": lambda a, b, n: a * a.mean().item(),
    "norm": norm_statistics,
}
WRITES: dict[str, Callable[[Tensor, Tensor, int], Made]] = {
    "add_": lambda a, b, n: a.add_(like(b, a), alpha=0.5),
    "mul_": lambda a, b, n: a.mul_(0.75),
    "copy_": lambda a, b, n: a.copy_(like(b, a)),
    "zero_": lambda a, b, n: a.zero_(),
    "fill_": lambda a, b, n: a.fill_(n),
    "uniform_": lambda a, b, n: a.uniform_(-1, 1),
    "clamp_": lambda a, b, n: a.clamp_(-n, n),
    "masked_fill_": lambda a, b, n: a.masked_fill_(like(b, a) > 0, n),
    "index_add_": lambda a, b, n: a.index_add_(0, torch.tensor([0]), a[:1].detach().clone()),
    "relu": lambda a, b, n: F.relu(a, inplace=True),
    "dropout_": lambda a, b, n: F.dropout(a, 0.5, inplace=True),
    "assign_part": assign_part,
    "assign_mask": assign_mask,
    "assign_list": assign_list,
    "add_assign": add_assign,
    "add_assign_part": add_assign_part,
    "data_add_": lambda a, b, n: a.data.add_(1),
    "data_assign": lambda a, b, n: assign_part(a.data, b.detach(), n),
    "replace_data": replace_data,
    "detached_mul_": lambda a, b, n: a.detach().mul_(0.5),
    "foreach": lambda a, b, n: torch._foreach_mul_([b.detach().clone(), a.detach()], 0.5),
    "transpose_": lambda a, b, n: a.transpose_(0, -1),
    "unsqueeze_": lambda a, b, n: a.unsqueeze_(0),
    "out_add": lambda a, b, n: torch.add(b.detach(), 1, out=a.detach()) if a.shape == b.shape else None,
    "out_part": lambda a, b, n: torch.mul(
        a.detach()[:1], 2, out=b.detach().reshape(-1)[: a[:1].numel()].view_as(a[:1])
    ),
    "out_cat": lambda a, b, n: torch.cat([b.detach().reshape(-1), a.detach().reshape(-1)], out=torch.empty(0)),
    "out_pair": out_pair,
}
OPERATIONS = {**VIEWS, **COPIES, **WRITES}
MODES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "grad": nullcontext,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}
MOST = 24  # tensors that a program keeps: more would be copied than compared


@dataclass(frozen=True)
class Program:
    """A callable over tensors; it returns every tensor it still holds, in its last state."""

    steps: tuple[Step, ...]
    mode: str

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the steps; inputs are written too."""
        with MODES[self.mode]():
            held = [*inputs]
            if self.mode == "grad":
                held += [tensor * torch.ones(1, requires_grad=True) for tensor in inputs]
            for step in self.steps:
                # What torch refuses (a view that no longer fits, overlapping memory) it refuses before it writes.
                with suppress(RuntimeError, IndexError, TypeError):
                    held += made(step, held)
            return tuple(held)


def made(step: Step, held: list[Tensor]) -> list[Tensor]:
    """Run one step; what it adds to the tensors held."""
    first, second = held[step.first % len(held)], held[step.second % len(held)]
    result = OPERATIONS[step.operation](first, second, step.number)
    found = [result] if isinstance(result, Tensor) else list(result or ())
    return [tensor for tensor in found if tensor.numel() and tensor.is_floating_point()][: MOST - len(held)]


def inputs(count: int) -> tuple[Tensor, ...]:
    """So many matrices of four by three, of which the third shares its memory with the first."""
    dice = torch.Generator().manual_seed(count)
    tensors = [torch.randn(4, 3, generator=dice) for _ in range(min(count, 2))]
    return (*tensors, tensors[0].view(-1)[2:8]) if count > 2 else tuple(tensors)


NAMES = tuple(OPERATIONS)
_SMALL = strategies.integers(0, MOST)
_STEP = strategies.builds(Step, strategies.sampled_from(NAMES), _SMALL, _SMALL, strategies.integers(0, 4))


def programs(mode: str) -> strategies.SearchStrategy[Program]:
    """Programs of up to twenty steps in one gradient mode."""
    return strategies.builds(
        Program, strategies.lists(_STEP, min_size=1, max_size=20).map(tuple), strategies.just(mode)
    )
