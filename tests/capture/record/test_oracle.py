"""An oracle over the recorder: whatever a call reads has the content that its recorded value had when it was made.

The recorder says which version of which tensor each call reads. Here every version's content is copied when it is
recorded, and compared, bit by bit, whenever a later call is said to read it. A write that was missed, through any
alias and by any means, shows as a version whose content is no longer what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

import torchatlas as ta
from models import MODELS
from programs import MODES, Program, inputs, programs
from torchatlas.capture.record.tensors import Tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("ignore:Use of .* on expanded tensors is deprecated")

WATCHED = [
    name for name, case in MODELS.items() if case.family in ("structures", "modules", "sequences", "tensors", "counted")
]


class Oracle:
    """Contents of all versions, and the reads that did not find them."""

    def __init__(self) -> None:
        self.contents: dict[tuple[int, int], bytes] = {}
        self.reads = 0
        self.missed: list[str] = []

    def remember(self, tensors: Tensors, tensor: Tensor, value: int) -> None:
        """A version was recorded."""
        self.contents[id(tensors), value] = content(tensor)

    def compare(self, tensors: Tensors, tensor: Tensor, value: int) -> None:
        """A call is said to read this version."""
        self.reads += 1
        if content(tensor) != self.contents[id(tensors), value]:
            self.missed.append(f"value {value} was changed and no call is known to have written it")


def content(tensor: Tensor) -> bytes:
    """Bits of a tensor; empty where it has none that can be seen (meta, fake, transforms, sparse, lazy)."""
    with _disable_current_modes(), torch._C.DisableTorchFunction(), torch.no_grad():
        try:
            return tensor.detach().clone().cpu().contiguous().view(torch.uint8).numpy().tobytes()
        except (RuntimeError, TypeError, ValueError, NotImplementedError):
            return b""


@pytest.fixture
def oracle(monkeypatch) -> Iterator[Oracle]:
    """An oracle that listens to every capture of the test."""
    found, add, read = Oracle(), Tensors.add, Tensors.read

    def heard_add(self: Tensors, tensor: Tensor, *args, **kwargs) -> int:
        value = add(self, tensor, *args, **kwargs)
        found.remember(self, tensor, value)
        return value

    def heard_read(self: Tensors, tensor: Tensor) -> int:
        value = read(self, tensor)
        found.compare(self, tensor, value)
        return value

    monkeypatch.setattr(Tensors, "add", heard_add)
    monkeypatch.setattr(Tensors, "read", heard_read)
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("level", ["op", "aten"])
def test_every_read_of_a_program_finds_what_was_recorded(oracle, mode, level):
    """No write of any random program is missed, whether functions or ATen operations are watched."""

    @settings(
        max_examples=150,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(program=programs(mode), count=strategies.integers(1, 3))
    def run(program: Program, count: int) -> None:
        oracle.missed.clear()
        ta.capture(program, inputs(count), mode="same", level=level)
        assert not oracle.missed

    run()
    assert oracle.reads > 1000


@pytest.mark.parametrize("name", WATCHED)
def test_every_read_of_a_model_finds_what_was_recorded(oracle, name):
    """The same over the awkward half of the zoo."""
    case = MODELS[name]
    with case.ready() as built:
        ta.capture(built.model, built.args, dict(built.kwargs), mode=case.mode)
    assert oracle.reads
    assert not oracle.missed


def test_the_oracle_notices_a_missed_write(oracle, monkeypatch):
    """With the announcement of writes taken away, in-place writes under inference mode are reported."""
    monkeypatch.setattr(Tensors, "wrote", lambda self, tensor, call: self.read(tensor))

    def program(x: Tensor) -> Tensor:
        with torch.inference_mode():
            y = x * 2
            y.add_(1)
            return y * 3

    ta.capture(program, torch.ones(3), mode="same")
    assert oracle.missed
