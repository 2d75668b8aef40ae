"""Random programs of views, writes and copies: a capture of one, replayed, gives every bit again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies
from torch import Tensor
from torch.nn import functional as F

import torchatlas as ta
from programs import MODES, Program, Step, inputs, programs
from torchatlas.core.check import check

if TYPE_CHECKING:
    from collections.abc import Callable

# torch deprecates, but performs, writes by index into expanded tensors.
pytestmark = pytest.mark.filterwarnings("ignore:Use of .* on expanded tensors is deprecated")

FUZZ = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,  # the same programs on every machine
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def same_bits(one: Tensor, two: Tensor) -> bool:
    """Equal shape and bytes; a NaN equals itself."""
    return one.shape == two.shape and torch.equal(
        one.detach().contiguous().view(torch.int32), two.detach().contiguous().view(torch.int32)
    )


def replays(program: Callable[..., tuple[Tensor, ...]], count: int) -> None:
    """Capture a program, compare its replay with an uncaptured run, and its inputs with what they were."""
    given_inputs = inputs(count)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        atlas = ta.capture(program, given_inputs, mode="same", replay=True)
        assert all(map(same_bits, given_inputs, inputs(count)))
        torch.manual_seed(0)
        expected = program(*inputs(count))
    check(atlas.graph)
    replay = atlas.replay()
    assert replay.equal, replay.differences
    assert len(replay.outputs) == len(expected)
    assert all(map(same_bits, replay.outputs, expected))


@pytest.mark.parametrize("mode", MODES)
def test_a_captured_program_replays_bit_for_bit(mode):
    """Any program, in each gradient mode: its replay equals both its captured and its plain run."""

    @FUZZ
    @given(program=programs(mode), count=strategies.integers(1, 3))
    def run(program: Program, count: int) -> None:
        replays(program, count)

    run()


@pytest.mark.parametrize("mode", MODES)
def test_nothing_made_in_a_program_is_taken_for_a_constant(mode):
    """All tensors come from the inputs, so a constant or a value without a maker would be a link that was lost."""

    @FUZZ
    @given(program=programs(mode), count=strategies.integers(1, 3))
    def run(program: Program, count: int) -> None:
        graph = ta.capture(program, inputs(count), mode="same").graph
        lost = [value for value in graph.values if value.kind != "input" and value.producer is None]
        assert not [value for value in lost if value.alias_of is None and value.view_of is None]
        assert not [value for value in lost if value.kind == "constant"]

    run()


@pytest.mark.parametrize(
    "names",
    [
        ("flat", "zero_", "add"),
        ("data", "data_add_", "clone"),
        ("transpose", "out_add", "where"),
        ("replace_data", "mul_", "flat"),
        ("norm", "mean"),
        ("uniform_", "dropout"),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("mode", MODES)
def test_a_chosen_program_replays_bit_for_bit(mode, names):
    """The kinds of write that are easiest to miss, each in a program of its own."""
    replays(Program(tuple(Step(name, index, index + 1, index) for index, name in enumerate(names)), mode), 2)


def refused_after_drawing(x: Tensor) -> tuple[Tensor, ...]:
    """An operation that torch refuses only after it drew random numbers."""
    with suppress(RuntimeError):
        F.dropout(x.expand(2, 4, 3), 0.5, inplace=True)
    return (F.dropout(x, 0.5),)


def odd_stride(x: Tensor) -> tuple[Tensor, ...]:
    """One element whose stride is not one."""
    return x.diagonal()[:1] + x.diagonal()[:1], x.diagonal()[:1]


def parted(x: Tensor, y: Tensor, part: Tensor) -> tuple[Tensor, ...]:
    """A view that is given another memory, and still shares the version counter of what it viewed."""
    part.data = y.detach()
    x.mul_(0.5)
    part.add_(1)
    return x, y, part


def replaced(x: Tensor) -> tuple[Tensor, ...]:
    """A tensor that is given another memory, while a view keeps the old one."""
    view, other = x.view(-1), torch.ones(4, 3)
    x.data = other
    view[0] = 7
    kept = x.clone()
    other.mul_(3)
    return x, other, view, kept


def counted_for_others(x: Tensor) -> tuple[Tensor, ...]:
    """A view with memory of its own: writes to it move the counter of those that it viewed."""
    view, part = x.unfold(0, 2, 1), x.view(-1)[2:8]
    view.data = view.detach() * 2
    view.detach().mul_(0.5)
    torch.relu_(part)
    return x, part, view


@pytest.mark.parametrize(
    ("program", "count"),
    [(refused_after_drawing, 1), (odd_stride, 1), (parted, 3), (replaced, 1), (counted_for_others, 1)],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_a_written_program_replays_bit_for_bit(program, count):
    """Programs that random ones led to."""
    replays(program, count)
