"""Peaks read off an allocator, and those estimated from lifetimes, beside the profiler's own account."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import torchatlas as ta
from core.graphs import build
from models import MODELS
from torchatlas.capture.measure.match_calls import align
from torchatlas.capture.measure.peaks import Peaks
from torchatlas.capture.measure.timing import FUNCTIONS, MODULES
from torchatlas.capture.record.modes import recording
from torchatlas.core.measure.peaks import peaks


class Allocator:
    """An allocator with one counter of its most, as CUDA's has."""

    def __init__(self) -> None:
        self.taken = self.highest = 100

    def now(self) -> int:
        """What is taken."""
        return self.taken

    def most(self) -> int:
        """The most since it was forgotten."""
        return self.highest

    def forget(self) -> None:
        """From here."""
        self.highest = self.taken

    def take(self, size: int) -> None:
        """So many more, or fewer."""
        self.taken += size
        self.highest = max(self.highest, self.taken)


class Taking(nn.Module):
    """Takes memory, runs a module, gives back and takes again."""

    def __init__(self, allocator, before: int, after: int, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.allocator, self.before, self.after, self.inner = [allocator], before, after, inner

    def forward(self, x):
        """Of its own: ``before`` for a moment around the inner module, then ``after``, which stays."""
        (allocator,) = self.allocator
        allocator.take(self.before)
        if self.inner is not None:
            x = self.inner(x)
        allocator.take(-self.before)
        allocator.take(self.after)
        return x


def test_nested_calls_each_know_their_own_peak():
    """One counter, forgotten as each call begins, serves all of them."""
    allocator = Allocator()
    net = nn.Sequential(
        Taking(allocator, 10, 1, Taking(allocator, 50, 2)), Taking(allocator, 5, 3), Taking(allocator, 0, 200)
    )
    x = torch.zeros(1)
    graph = ta.capture(net, x).graph
    listener = Peaks({id(module): path for path, module in net.named_modules()}, net, allocator)
    with recording(listener):
        _, whole = listener.whole(lambda: net(x))
    found = {
        graph.calls[call].path: heard.end for call, heard in align(graph, MODULES | FUNCTIONS, listener).calls.items()
    }
    assert found == {"0": 60, "0.inner": 50, "1": 5, "2": 200}
    assert whole == 1 + 2 + 3 + 200


def allocated(run) -> int:
    """The most bytes that the CPU's allocator gave at once during a run, by the profiler's account."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profiler:
        run()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most


@pytest.mark.parametrize(
    "name",
    ["counted/resnet18", "torchvision/resnet18", "torchvision/swin", "transformers/qwen2", "transformers/gpt2_loss"],
)
def test_the_estimate_is_what_the_allocator_gave(name):
    """Over a whole run, to a hundredth: large and small images, attention, training."""
    case = MODELS[name]
    with case.ready() as built:
        graph = ta.capture(built.model, built.args, built.kwargs, mode=case.mode).graph
        with case.grad():
            built.run()
            assert peaks(graph)[0] == pytest.approx(allocated(built.run), rel=0.01)


def test_a_call_counts_from_what_was_there_when_it_began():
    """What is released inside counts until then; what others hold does not."""
    graph = build("""
        input x 10
        Net x -> z
          one x -> a 100
          two a -> b 50
          three b -> z 10
    """)
    assert peaks(graph)[1:] == [400, 200, 40]
    assert peaks(graph)[0] >= 600
