"""The options of a run: how the model is run, and with what made of shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from torchatlas.core.errors import InputError
from torchatlas.core.options import Option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from torchatlas.core.graph import Level, Mode


@dataclass(frozen=True)
class Options:
    """How to run: see `torchatlas.capture`."""

    mode: Mode = "eval"
    fake: bool = False
    level: Level = "op"
    source: bool = True
    replay: bool = False
    grad: bool = False

    def __post_init__(self) -> None:
        for name, given, known in (
            ("mode", self.mode, ("eval", "train", "same")),
            ("level", self.level, ("op", "aten")),
        ):
            if given not in known:
                raise InputError(f"{name}={given!r} is not one of {', '.join(map(repr, known))}.")
        if self.fake and self.replay:
            raise InputError("replay=True needs real tensors: leave out fake=True, or leave out replay=True.")


class CompareOptions(TypedDict, total=False):
    """What `torchatlas.compare` takes of them."""

    input_size: Sequence[Any] | Mapping[str, Any] | None
    dtypes: Any
    mode: Mode
    fake: bool


class RunOptions(CompareOptions, total=False):
    """What every function takes that runs a model."""

    device: str | torch.device | None


class CaptureOptions(RunOptions, total=False):
    """What `torchatlas.capture` takes."""

    level: Level
    source: bool
    replay: bool
    grad: bool


GIVEN: Mapping[str, Option] = {
    "input_size": Option(
        None,
        "instead of ``args``: one shape, several, or a mapping from argument names to shapes. A mapping or a list in"
        " the place of a shape makes a dict, whose items are attributes too, or a list:"
        ' ``{"batch": {"x": (2, 4), "edge_index": (2, 8)}}``. A shape without the batch is run with a batch of one'
        " where the model needs it, and a note says so",
    ),
    "dtypes": Option(
        None,
        'of the tensors made from shapes: one for all, several, or by name (``"int64"``), structured as the shapes are',
    ),
    "device": Option(None, "of the tensors made from shapes; by default where the model's parameters are"),
}
"""What says which tensors are made: fields of `capture.inputs.arguments.Given`."""

RUN: Mapping[str, Option] = {
    **GIVEN,
    "mode": Option(
        Options.mode,
        "``eval`` (evaluation flags, no gradients), ``train`` (training flags, gradients), ``same`` (as it is)",
    ),
    "fake": Option(Options.fake, "run on fake tensors, without memory or arithmetic; the graph is the same"),
}

CAPTURE: Mapping[str, Option] = {
    **RUN,
    "level": Option(Options.level, "``op``: what the code calls; ``aten``: also the ATen operations inside"),
    "source": Option(Options.source, "record the line of the user's code that made each call"),
    "replay": Option(Options.replay, "keep what `Atlas.replay` needs (copies of parameters and inputs)"),
    "grad": Option(
        Options.grad,
        "run with gradients, whatever ``mode`` says of them, and keep the result with its autograd graph as"
        " `Atlas.outputs`, for `torchatlas.backward`",
    ),
}
