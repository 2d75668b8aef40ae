"""One model of the zoo: how to build it, how it is to be run, and what is known of it beforehand."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Built(NamedTuple):
    """A model, or any callable, with the arguments of one run."""

    model: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}

    def run(self) -> Any:
        """Call it, as its user would."""
        return self.model(*self.args, **self.kwargs)


@dataclass(frozen=True)
class Case:
    """A model of the zoo.

    Attributes:
        build: makes the model and its arguments; random numbers are seeded before.
        family: where it comes from, or what it is a case of.
        mode: how it is captured: ``eval`` without gradients, ``train`` with them, ``same`` as it is.
        hand: floating point operations of one run (1 multiply-add = 2; matrix products and convolutions alone), worked
            out by hand beside the case; None where torch's own counter is the reference.
        counter: whether ``FlopCounterMode`` sees every matrix product and convolution of the run.
        replayable: whether the recorded calls alone give the result again.
        fake: whether it runs on fake tensors, with the same calls.
        because: why one of the three is False.
        around: what must be entered around building and running it.
        quiet: warnings, by their beginning, that its own library gives and that are no concern of ours.
    """

    build: Callable[[], Built]
    family: str
    mode: Literal["eval", "train", "same"] = "eval"
    hand: int | None = None
    counter: bool = True
    replayable: bool = True
    fake: bool = True
    because: str = ""
    around: Callable[[], AbstractContextManager[Any]] = field(default=nullcontext)
    quiet: tuple[str, ...] = ()

    @contextmanager
    def ready(self) -> Iterator[Built]:
        """The model and its arguments, built from the same seed every time."""
        with self.around(), warnings.catch_warnings(), torch.random.fork_rng(devices=()):
            for beginning in self.quiet:
                warnings.filterwarnings("ignore", message=beginning)
            torch.manual_seed(0)
            built = self.build()
            if self.mode != "same" and isinstance(built.model, torch.nn.Module):
                built.model.train(self.mode == "train")
            yield built

    def grad(self) -> AbstractContextManager[Any]:
        """The gradient mode in which a capture runs the model."""
        return torch.no_grad() if self.mode == "eval" else nullcontext()
