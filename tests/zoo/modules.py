"""Modules that are built, held, shared, called or changed in ways other than once, in order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint

from zoo.case import Built, Case


class Shared(nn.Module):
    """One module under two names, called twice, and one weight in two modules."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.first = nn.Linear(6, 6)
        self.second = self.first
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.second(self.first(self.embed(ids)).relu()))


class Tree(nn.Module):
    """A module made of modules of its own class."""

    def __init__(self, depth: int):
        super().__init__()
        self.value = nn.Linear(4, 4)
        self.branches = nn.ModuleList(Tree(depth - 1) for _ in range(2 if depth else 0))

    def forward(self, x: Tensor) -> Tensor:
        x = self.value(x)
        return x + sum(branch(x) for branch in self.branches) if self.branches else x


class CallsItself(nn.Module):
    """A module whose forward calls the same object, deeper."""

    def __init__(self):
        super().__init__()
        self.step = nn.Linear(4, 4)

    def forward(self, x: Tensor, depth: int = 3) -> Tensor:
        return x if depth == 0 else self(self.step(x).tanh(), depth - 1)


class SomeNever(nn.Module):
    """One part never runs, one runs five times, and one is held but is not registered."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.often = nn.Linear(4, 4)
        self.hidden = [nn.Linear(4, 4)]

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(5):
            x = self.often(x)
        return self.hidden[0](x)


class Routed(nn.Module):
    """Which of its parts runs is read from the data."""

    def __init__(self):
        super().__init__()
        self.router = nn.Linear(4, 3)
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        chosen = self.router(x).mean(0).argmax()
        x = self.experts[chosen](x)
        return x * 2 if x.sum() > 0 else x - 1


class OwnCall(nn.Module):
    """A class that replaces ``__call__``."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def __call__(self, x: Tensor, *, times: int = 2) -> Tensor:
        for _ in range(times):
            x = super().__call__(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).relu()


class HoldsOwnCall(nn.Module):
    def __init__(self):
        super().__init__()
        self.strange = OwnCall()

    def forward(self, x: Tensor) -> Tensor:
        return self.strange(x, times=3) + self.strange.inner.forward(x)


class PlainTensors(nn.Module):
    """Tensors that are neither parameters nor buffers: an attribute, in a list, in a dictionary."""

    def __init__(self):
        super().__init__()
        self.scale = torch.randn(4)
        self.shifts = [torch.randn(4), torch.randn(4)]
        self.table = {"last": torch.eye(4)}
        self.seen: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        for shift in self.shifts:
            x = x * self.scale + shift
        self.latest = x.detach()
        self.seen.append(1.0)
        self.table["count"] = x.new_zeros(())
        return x @ self.table["last"]


class Counts(nn.Module):
    """Buffers that the forward changes: in place, by replacement, and by a running mean."""

    def __init__(self):
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("last", torch.zeros(4), persistent=False)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        self.mean.mul_(0.9).add_(x.detach().mean(0), alpha=0.1)
        self.last = x.detach()[-1]
        return self.norm(x) - self.mean + self.steps


def hooked() -> Built:
    """A model whose hooks replace inputs and outputs, and one that only looks."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
    seen: list[Any] = []
    model[0].register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    model[1].register_forward_hook(lambda module, args, output: output * 2)
    model[2].register_forward_hook(lambda module, args, output: seen.append(output.shape))
    model.register_forward_hook(lambda module, args, kwargs, output: {"out": output}, with_kwargs=True)
    return Built(model, (torch.randn(2, 4),))


class Checkpointed(nn.Module):
    def __init__(self, *, use_reentrant: bool):
        super().__init__()
        self.use_reentrant = use_reentrant
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + checkpoint(block, x, use_reentrant=self.use_reentrant)
        return x


class Scripted(nn.Module):
    """A scripted part and a traced part inside an ordinary module."""

    def __init__(self):
        super().__init__()
        self.scripted = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
        self.traced = torch.jit.trace(nn.Linear(4, 4), torch.randn(2, 4))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.traced(self.scripted(x)))


class PartCompiled(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.compile(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), backend="eager")
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def pruned() -> Built:
    """A model with masked weights, by magnitude and by channel."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    prune.l1_unstructured(model[0], "weight", amount=0.5)
    prune.ln_structured(model[3], "weight", amount=0.25, n=2, dim=0)
    return Built(model, (torch.randn(1, 3, 4, 4),))


class Symmetric(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).mT


def reparametrized() -> Built:
    """A model whose weights are computed anew at every access."""
    model = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(4, 4)),
        parametrizations.spectral_norm(nn.Linear(4, 4)),
        parametrizations.orthogonal(nn.Linear(4, 4)),
        nn.Linear(4, 4),
    )
    parametrize.register_parametrization(model[3], "weight", Symmetric())
    return Built(model, (torch.randn(2, 4),))


def quantized() -> Built:
    """A model whose linear layers hold packed 8-bit weights."""
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    packed = torch.ao.quantization.quantize_dynamic(model.eval(), {nn.Linear}, dtype=torch.qint8)
    return Built(packed, (torch.randn(2, 8),))


def lazy() -> Built:
    """A model that learns its sizes from its first input."""
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    return Built(model, (torch.randn(2, 3, 6, 6),))


def mixed_flags() -> Built:
    """A model of which one part is frozen and in eval mode while the rest trains."""
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    body.requires_grad_(requires_grad=False).eval()
    model = nn.Sequential(body, nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(), nn.Linear(64, 3))
    return Built(model, (torch.randn(2, 3, 6, 6),))


FAMILY = "modules"
ROW = (2, 4)
EXPONENTIAL = "the exponential of a matrix has no formula"
LAZY = "Lazy modules are a new feature"
OLD = (r"`torch.jit", r"torch.ao.quantization is deprecated", r"torch.quantize_per_tensor")


def row(model: type[nn.Module], *args: Any, **options: Any) -> Built:
    """A module of four features, and two random rows."""
    return Built(model(*args, **options), (torch.randn(ROW),))


MODELS: dict[str, Case] = {
    "modules/shared": Case(lambda: Built(Shared(), (torch.tensor([[1, 2, 3]]),)), FAMILY),
    "modules/tree": Case(lambda: row(Tree, 2), FAMILY),
    "modules/calls_itself": Case(lambda: row(CallsItself), FAMILY),
    "modules/some_never": Case(lambda: row(SomeNever), FAMILY),
    "modules/routed": Case(lambda: row(Routed), FAMILY, fake=False, because="the data choose what runs"),
    "modules/own_call": Case(lambda: row(OwnCall), FAMILY),
    "modules/holds_own_call": Case(lambda: row(HoldsOwnCall), FAMILY),
    "modules/plain_tensors": Case(lambda: row(PlainTensors), FAMILY),
    "modules/counts": Case(lambda: row(Counts), FAMILY),
    "modules/counts_training": Case(lambda: row(Counts), FAMILY, mode="train"),
    "modules/hooked": Case(hooked, FAMILY),
    "modules/checkpoint": Case(lambda: row(Checkpointed, use_reentrant=False), FAMILY, mode="train"),
    "modules/checkpoint_reentrant": Case(
        lambda: Built(Checkpointed(use_reentrant=True), (torch.randn(ROW, requires_grad=True),)), FAMILY, mode="train"
    ),
    "modules/scripted": Case(lambda: row(Scripted), FAMILY, quiet=OLD),
    "modules/compiled": Case(
        lambda: Built(torch.compile(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), backend="eager"), (torch.randn(ROW),)),
        FAMILY,
    ),
    "modules/part_compiled": Case(lambda: row(PartCompiled), FAMILY),
    "modules/pruned": Case(pruned, FAMILY),
    # four layers of 2 rows by 4 x 4; the spectral norm is a 4 x 4 by a vector, and a dot of 4; the orthogonal map ends
    # in a product of two 4 x 4
    "modules/reparametrized": Case(
        reparametrized, FAMILY, hand=4 * 2 * 2 * 16 + 2 * 16 + 2 * 4 + 2 * 4 * 4 * 4, counter=False, because=EXPONENTIAL
    ),
    # as above; in training the spectral norm iterates once: two more products with a vector
    "modules/reparametrized_training": Case(
        reparametrized,
        FAMILY,
        mode="train",
        hand=4 * 2 * 2 * 16 + 3 * 2 * 16 + 2 * 4 + 2 * 4 * 4 * 4,
        counter=False,
        because=EXPONENTIAL,
    ),
    # 2 rows by 8 x 16 and by 16 x 4
    "modules/quantized": Case(quantized, FAMILY, hand=2 * 2 * 8 * 16 + 2 * 2 * 16 * 4, quiet=OLD),
    "modules/lazy": Case(lazy, FAMILY, fake=False, because="its sizes come from a run on real tensors", quiet=(LAZY,)),
    "modules/mixed_flags": Case(mixed_flags, FAMILY, mode="same"),
}
