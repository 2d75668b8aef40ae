"""The summary end to end beside torchinfo; and whose numbers are right where they are hard to get."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torchinfo
import torchsummary
from torch import Tensor, nn
from torch.nn import functional as F

import torchatlas as ta
from harness import Section, race, run
from models import resnet152
from torchatlas.core.measure import cost

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = int(os.environ.get("ROUNDS", "7"))


def speed() -> Section:
    """From the model to the printed text."""
    model, x = resnet152()

    def plain() -> object:
        with torch.no_grad():
            return model(x)

    contenders: dict[str, Callable[[], object]] = {
        "plain forward": plain,
        "torchatlas": lambda: str(ta.summary(model, x)),
        "torchatlas, fake": lambda: str(ta.summary(model, x, fake=True)),
        "torchinfo": lambda: str(torchinfo.summary(model, input_data=x, depth=3, verbose=0)),
    }
    times = race(contenders, rounds=ROUNDS)
    rows = tuple(
        (name, f"{1e3 * took.cpu:.0f}", f"{took.ratio:.2f}", f"{took.ratio / times['torchinfo'].ratio:.2f}")
        for name, took in times.items()
    )
    head = ("", "CPU ms", "ratio", "to torchinfo")
    return Section("Summary of ResNet-152, from model to text", head, rows, "Goal: as fast as torchinfo.")


@dataclass(frozen=True, slots=True)
class Hard:
    """A model whose numbers are easily got wrong.

    Attributes:
        x: its input; shape and type.
        parameters: elements of all distinct parameters, by hand.
        mult_adds: of one forward, matrix products and convolutions with biases left out, by hand.
    """

    model: nn.Module
    x: Tensor
    parameters: int
    mult_adds: int


class Tied(nn.Module):
    """The output layer shares the embedding's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(1000, 64)
        self.head = nn.Linear(64, 1000, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Scores (N, T, 1000) for ids (N, T)."""
        return self.head(self.embed(ids))


class Functional(nn.Module):
    """A matrix product without a module."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(32, 64))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64) to (N, 32)."""
        return F.linear(x, self.weight)


class Twice(nn.Module):
    """One layer, used two times."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64) to (N, 64)."""
        return self.layer(self.layer(x))


class SelfAttention(nn.Module):
    """nn.MultiheadAttention of a sequence with itself."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(64, 4, bias=False, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, 64) to (N, T, 64)."""
        return self.attention(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    """nn.LSTM, its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(32, 64, bias=False, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, 32) to (N, 64)."""
        return self.lstm(x)[0][:, -1]


def hard() -> dict[str, Hard]:
    """Seven models, with both numbers worked out."""
    length = 20
    encoder = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    sequence = torch.randn(1, length, 64)
    attention = 4 * length * 64 * 64 + 2 * length * length * 64  # four projections; scores, and what they weigh
    norms_and_biases = 4 * 64 + 4 * 64 + 128 + 64  # two norms; biases of the projections and of the two linear layers
    return {
        "Linear on 20 tokens": Hard(nn.Sequential(nn.Linear(64, 32, bias=False)), sequence, 64 * 32, length * 64 * 32),
        "tied embedding": Hard(Tied(), torch.zeros(1, length, dtype=torch.int64), 64_000, length * 64_000),
        "F.linear": Hard(Functional(), torch.randn(1, 64), 64 * 32, 64 * 32),
        "one layer twice": Hard(Twice(), torch.randn(1, 64), 64 * 64, 2 * 64 * 64),
        "MultiheadAttention": Hard(SelfAttention(), sequence, 4 * 64 * 64, attention),
        "TransformerEncoderLayer": Hard(
            encoder, sequence, 4 * 64 * 64 + 2 * 64 * 128 + norms_and_biases, attention + length * 2 * 64 * 128
        ),
        "LSTM of 20 steps": Hard(
            Recurrent(), torch.randn(1, length, 32), 4 * 64 * (32 + 64), length * 4 * 64 * (32 + 64)
        ),
    }


def ours(case: Hard) -> tuple[Any, Any]:
    """Parameters and multiply-adds by torchatlas."""
    total = cost.total(ta.capture(case.model, case.x).graph)
    return total.parameters, total.flops // 2


def by_torchinfo(case: Hard) -> tuple[Any, Any]:
    """The same by torchinfo."""
    table = torchinfo.summary(case.model, input_data=case.x, verbose=0)
    return table.total_params, table.total_mult_adds


def by_torchsummary(case: Hard) -> tuple[Any, Any]:
    """Parameters by torchsummary, as printed; it counts no multiply-adds and makes float inputs alone."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        torchsummary.summary(case.model, tuple(case.x.shape[1:]), device="cpu")
    (line,) = [line for line in printed.getvalue().splitlines() if line.startswith("Total params")]
    return int(line.partition(":")[2].replace(",", "")), None


def accuracy() -> Section:
    """Each number as it is told; what differs from the hand count is marked."""
    rows = []
    for name, case in hard().items():
        case.model.eval()
        right = case.parameters, case.mult_adds
        told = [tell(by, case, right) for by in (ours, by_torchinfo, by_torchsummary)]
        for index, what in enumerate(("parameters", "mult-adds")):
            rows.append((name, what, f"{right[index]:,}", *(cells[index] for cells in told)))
    head = ("model", "", "by hand", "torchatlas", "torchinfo", "torchsummary")
    return Section(
        "Numbers that are hard to get right", head, tuple(rows), "In brackets: not what the hand count says."
    )


def tell(by: Callable[[Hard], tuple[Any, Any]], case: Hard, right: tuple[int, int]) -> tuple[str, str]:
    """What one tool says, wrong numbers in brackets; the name of the exception if it fails."""
    try:
        parameters, mult_adds = (mark(number, wanted) for number, wanted in zip(by(case), right, strict=True))
    except Exception as error:  # noqa: BLE001 - a peer that fails is a result
        return (f"({type(error).__name__})",) * 2
    return parameters, mult_adds


def mark(number: Any, wanted: int) -> str:
    """A number in brackets if it is not the wanted one."""
    if number is None:
        return "-"
    return f"{int(number):,}" if number == wanted else f"[{int(number):,}]"


def main() -> list[Section]:
    """Both tables."""
    torch.manual_seed(0)
    return [speed(), accuracy()]


if __name__ == "__main__":
    run(main)
