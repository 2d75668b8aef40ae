"""Function transforms, threads, and the wrappers that distribute a model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed, func, nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DataParallel, DistributedDataParallel

from zoo.case import Built, Case

if TYPE_CHECKING:
    from collections.abc import Iterator


class Mapped(nn.Module):
    """A module applied to each row by ``vmap``."""

    def __init__(self):
        super().__init__()
        self.score = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.vmap(lambda row: self.score(row).softmax(0) @ row[:3])(x)


class Differentiated(nn.Module):
    """Gradients for each sample, and a derivative along a direction."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        each = func.vmap(func.grad(lambda row: self.body(row).tanh().sum()))(x)
        value, slope = func.jvp(lambda rows: self.body(rows).sin(), (x,), (torch.ones_like(x),))
        return each, value, slope


class Ensemble(nn.Module):
    """Two models as one, by ``functional_call`` on stacked parameters."""

    def __init__(self):
        super().__init__()
        self.models = nn.ModuleList(nn.Linear(4, 2) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        parameters, buffers = func.stack_module_state(list(self.models))
        one = self.models[0]
        return func.vmap(lambda p, b: func.functional_call(one, (p, b), (x,)))(parameters, buffers)


class Substituted(nn.Module):
    """Gradients with respect to its own weights for each sample, by ``functional_call``: each weight is wrapped."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        def loss(weights: dict[str, Tensor], row: Tensor) -> Tensor:
            return func.functional_call(self.body, weights, (row,)).square().sum()

        each = func.vmap(func.grad(loss), in_dims=(None, 0))(dict(self.body.named_parameters()), x)
        return [gradient.mean(0) for gradient in each.values()]


class Threads(nn.Module):
    """Branches that run in a pool of threads."""

    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        grad = torch.is_grad_enabled()

        def run(branch: nn.Module) -> Tensor:
            with torch.set_grad_enabled(grad):
                return branch(x)

        with ThreadPoolExecutor(1) as pool:
            return torch.stack([work.result() for work in [pool.submit(run, branch) for branch in self.branches]])


@contextmanager
def alone() -> Iterator[None]:
    """A process group of this process only."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def network() -> nn.Module:
    """What the wrappers wrap."""
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def sharded() -> Built:
    """A model whose parameters are distributed tensors."""
    model, mesh = network(), distributed.device_mesh.init_device_mesh("cpu", (1,))
    for layer in (model[0], model[2]):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return Built(model, (torch.randn(2, 4),))


FAMILY = "transforms"
ROW = (2, 4)

MODELS: dict[str, Case] = {
    "transforms/vmap": Case(lambda: Built(Mapped(), (torch.randn(ROW),)), FAMILY),
    "transforms/grad": Case(
        lambda: Built(Differentiated(), (torch.randn(ROW),)),
        FAMILY,
        quiet=("`torch.jit",),
    ),
    "transforms/substituted": Case(lambda: Built(Substituted(), (torch.randn(ROW),)), FAMILY),
    "transforms/ensemble": Case(lambda: Built(Ensemble(), (torch.randn(ROW),)), FAMILY),
    # two branches of 2 rows by 4 x 4; the counter sees its own thread alone
    "transforms/threads": Case(lambda: Built(Threads(), (torch.randn(ROW),)), FAMILY, hand=2 * 2 * 2 * 4 * 4),
    "transforms/data_parallel": Case(lambda: Built(DataParallel(network()), (torch.randn(ROW),)), FAMILY),
    "transforms/distributed": Case(
        lambda: Built(DistributedDataParallel(network()), (torch.randn(ROW),)), FAMILY, around=alone
    ),
    "transforms/fully_sharded": Case(
        sharded, FAMILY, fake=False, because="its hooks look for the memory of its shards", around=alone
    ),
}
