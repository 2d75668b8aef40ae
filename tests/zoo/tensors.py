"""What a forward does with tensors besides calling functions on them in order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.case import Built, Case


class InPlace(nn.Module):
    """Writes through methods, operators, indices and functions, into the tensor and through views of it."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        y += 1
        y[:, 0] = 3
        y[:, 1:3].mul_(2)
        y.view(-1)[2] -= 0.5
        F.relu_(y)
        half, rest = y[:, :2], y[:, 2:]
        half.copy_(rest)
        rest.zero_()
        return y + half.sum()


class ThroughData(nn.Module):
    """Writes that the version counter does not see."""

    def forward(self, x: Tensor) -> Tensor:
        y = x * 2
        y.data.add_(1)
        y.data[0] = 5
        y.detach().mul_(3)
        z = y + 1
        z.data = y * 4
        return y + z


class IntoOut(nn.Module):
    """Results written where the caller says."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total, room = torch.empty(2, 4), torch.empty(2, 8)
        torch.add(x, 1, out=total)
        torch.mul(total, 2, out=room[:, ::2])
        torch.cat([total, total], 1, out=room)
        values, indices = torch.empty(2), torch.empty(2, dtype=torch.long)
        torch.max(room, 1, out=(values, indices))
        return room, values + indices


class Views(nn.Module):
    """Every kind of view, and copies that only look like views."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = x.reshape(2, 2, 6).transpose(0, 1)
        flat = y.reshape(-1)
        windows = x.unfold(1, 4, 2).as_strided((2, 3), (1, 2))
        wide = x[:1].expand(3, -1).contiguous()
        first, *others = x.T.unbind()
        real = torch.view_as_complex(x.view(2, 6, 2)).real.squeeze()
        same = x.contiguous().view_as(x).to(torch.float32)
        return flat, windows + 1, wide.diagonal(), first + sum(others), real, same


class MadeInside(nn.Module):
    """Tensors that come from nowhere: counted, constant, parsed, from numbers and from other libraries."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[1])
        mask = torch.ones(4, 4).tril().bool()
        scores = (x @ x.mT).masked_fill(~mask, float("-inf")).softmax(-1)
        ends = torch.from_numpy(x.detach().numpy().max(axis=-1)) if type(x) is Tensor else x.amax(-1)
        return scores @ self.table(places) + torch.tensor([1.0, 2, 3, 4]) + ends[..., None] + torch.linspace(0, 1, 4)


class Random(nn.Module):
    """Random numbers of every kind that a forward draws from the global generator."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(x, 0.3, training=True) + torch.randn_like(x) * torch.rand(4)
        x = x + torch.empty(4).uniform_(-1, 1) + torch.bernoulli(torch.full((4,), 0.5))
        return x[torch.randperm(2)] + torch.randint(3, (2, 1)) + torch.normal(0.0, 1.0, (1,))


class OwnGenerator(nn.Module):
    """Random numbers of a generator of its own."""

    def __init__(self):
        super().__init__()
        self.dice = torch.Generator().manual_seed(3)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand(x.shape, generator=self.dice)


class ReadsData(nn.Module):
    """Control flow on values: item, bool, float, tolist, nonzero, a loop that ends when the data say so."""

    def forward(self, x: Tensor) -> Tensor:
        count = 0
        while x.norm() > 1 and count < 5:
            x = x / 2
            count += 1
        scale = x.max().item() + float(x.min()) + sum(x[0].tolist())
        chosen = x[x > 0]
        places = x.abs().argmax(1).numpy() if count else None
        return chosen.sum() * scale + (0 if places is None else int(places[0])) + x.nonzero().shape[0]


class Catches(nn.Module):
    """An error that the forward expects, inside a module and inside a function."""

    def __init__(self):
        super().__init__()
        self.narrow = nn.Linear(3, 4)
        self.wide = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        try:
            y = self.narrow(x)
        except RuntimeError:
            y = self.wide(x)
        try:
            return y @ x
        except RuntimeError:
            return y * x


class ComplexNumbers(nn.Module):
    """A global filter in the Fourier domain."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, dtype=torch.cfloat))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        spectrum = torch.fft.rfft(x) * self.weight
        frames = torch.stft(x, 8, 4, window=torch.hann_window(8), return_complex=True)
        return torch.fft.irfft(spectrum), frames.abs() + spectrum.conj().imag.sum()


class Sparse(nn.Module):
    """A graph convolution with a sparse matrix, in both layouts."""

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        matrix = torch.sparse_coo_tensor(edges, torch.ones(edges.shape[1]), (4, 4)).coalesce()
        return torch.sparse.mm(matrix, x) + matrix.to_dense() @ x


class Nested(nn.Module):
    """Sequences of several lengths as one tensor."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(4, 4)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        ragged = self.mix(torch.nested.nested_tensor([a, b], layout=torch.jagged))
        return torch.nested.to_padded_tensor(ragged, 0.0)


class Labelled(torch.Tensor):
    """A subclass that survives operations."""


class Subclass(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        labelled = x.as_subclass(Labelled) * 2
        return self.mix(labelled) + labelled[:, :1]


class Autocast(nn.Module):
    """bfloat16 inside, float32 around."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.body(x) @ x.new_ones(4, 4)
        return y.float() + x[:, :4]


class GradientModes(nn.Module):
    """Parts of one forward under each gradient mode."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.mix(x).softmax(-1)
        with torch.enable_grad():
            y = self.mix(x)
        with torch.inference_mode():
            level = (target * 2).sum()
        return y * target.detach() + float(level)


class Straight(torch.autograd.Function):
    """Rounds forward and passes the gradient through."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: float) -> tuple[Tensor, Tensor]:
        ctx.mark_non_differentiable(sign := x.sign())
        return (x / step).round() * step, sign

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, None]:
        return grad, None


class Rounds(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        rounded, sign = Straight.apply(self.mix(x), 0.25)
        return rounded * sign


class Penalized(nn.Module):
    """A forward that differentiates: a gradient penalty."""

    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.critic(x).sum(), x, create_graph=True)
        return (slope.norm(dim=1) - 1).square().mean()


FAMILY = "tensors"
ROW = (2, 4)
SPARSE = "Sparse invariant checks are implicitly disabled"


def nested() -> Built:
    """A model of ragged tensors; the first of a process makes and keeps some tensors for all others."""
    torch.nested.nested_tensor([torch.ones(1)], layout=torch.jagged)
    return Built(Nested(), (torch.randn(2, 4), torch.randn(3, 4)))


def bfloat16() -> Built:
    """A model whose weights are bfloat16."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.SiLU(), nn.Flatten(), nn.Linear(64, 5))
    return Built(model.to(torch.bfloat16), (torch.randn(1, 3, 6, 6, dtype=torch.bfloat16),))


MODELS: dict[str, Case] = {
    "tensors/in_place": Case(lambda: Built(InPlace(), (torch.randn(ROW),)), FAMILY),
    "tensors/in_place_training": Case(lambda: Built(InPlace(), (torch.randn(ROW),)), FAMILY, mode="train"),
    "tensors/through_data": Case(lambda: Built(ThroughData(), (torch.randn(ROW),)), FAMILY),
    "tensors/into_out": Case(lambda: Built(IntoOut(), (torch.randn(ROW),)), FAMILY),
    "tensors/views": Case(lambda: Built(Views(), (torch.randn(2, 12),)), FAMILY),
    "tensors/made_inside": Case(
        lambda: Built(MadeInside(), (torch.randn(2, 4, 4),)), FAMILY, fake=False, because="a fake tensor has no array"
    ),
    "tensors/random": Case(lambda: Built(Random(), (torch.randn(ROW),)), FAMILY),
    "tensors/own_generator": Case(lambda: Built(OwnGenerator(), (torch.randn(ROW),)), FAMILY),
    "tensors/reads_data": Case(
        lambda: Built(ReadsData(), (torch.randn(ROW),)), FAMILY, fake=False, because="the data choose what runs"
    ),
    "tensors/catches": Case(lambda: Built(Catches(), (torch.randn(ROW),)), FAMILY),
    # an FFT of n real points is 2.5 n log2 n: two of 8 forward, two back, and six frames of 8
    "tensors/complex": Case(lambda: Built(ComplexNumbers(), (torch.randn(2, 8),)), FAMILY, hand=10 * 60),
    # dense 4 x 4 by 4 x 3; sparse 4 stored elements by 3
    "tensors/sparse": Case(
        lambda: Built(Sparse(), (torch.randn(4, 3), torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]]))),
        FAMILY,
        hand=2 * 4 * 4 * 3 + 2 * 4 * 3,
        fake=False,
        because="how many elements are stored is in the data",
        quiet=(SPARSE,),
    ),
    # 2 + 3 rows by 4 x 4; the counter does not run on ragged tensors
    "tensors/nested": Case(
        nested,
        FAMILY,
        hand=2 * 5 * 4 * 4,
        fake=False,
        because="the ragged size is in the data",
    ),
    "tensors/subclass": Case(
        lambda: Built(Subclass(), (torch.randn(ROW),)),
        FAMILY,
        fake=False,
        because="a fake tensor is a subclass already",
    ),
    "tensors/autocast": Case(lambda: Built(Autocast(), (torch.randn(2, 8),)), FAMILY),
    "tensors/bfloat16": Case(bfloat16, FAMILY),
    "tensors/gradient_modes": Case(
        lambda: Built(GradientModes(), (torch.randn(ROW),)),
        FAMILY,
        mode="train",
        fake=False,
        because="it reads a number",
    ),
    "tensors/custom_function": Case(lambda: Built(Rounds(), (torch.randn(ROW),)), FAMILY, mode="train"),
    "tensors/gradient_inside": Case(lambda: Built(Penalized(), (torch.randn(ROW),)), FAMILY, mode="train"),
}
