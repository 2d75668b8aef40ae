"""Times laid beside recorded calls, with what listening costs taken off."""

from __future__ import annotations

import sys
from dataclasses import replace

import torch
from torch import nn

import torchatlas as ta
from torchatlas.capture.inputs.arguments import Inputs
from torchatlas.capture.measure.clock import Clock, HostClock
from torchatlas.capture.measure.timing import Cost, Times, cost_of, measure, spread
from torchatlas.capture.options import Options
from torchatlas.capture.run import Run
from torchatlas.core.measure.timing import own_seconds


class Steps(Clock):
    """Each mark is one second after the last."""

    deducts = False

    def __init__(self) -> None:
        self.at = 0

    def mark(self) -> int:
        """One more."""
        self.at += 1
        return self.at

    def seconds(self, pairs):
        """The difference."""
        return [float(end - begin) for begin, end in pairs]

    def settle(self) -> None:
        """There is nothing to wait for."""


def measured(model, x, **options):
    """The times of a run by the clock of steps, and its graph."""
    run = Run(model, Options())
    run.go(Inputs((x,)))
    return measure(run, run.graph, Steps(), **{"repeats": 3, "warmup": 0, **options}), run.graph


def test_a_call_takes_as_long_as_there_are_marks_in_it():
    """By a clock whose every reading takes a second: one, and two more for each call inside."""
    times, graph = measured(nn.Sequential(nn.Sequential(nn.ReLU(), nn.ReLU()), nn.ReLU()), torch.zeros(1))
    found = times.medians()
    by_path = {graph.calls[call].path: seconds for call, seconds in found.items() if graph.calls[call].kind == "module"}
    assert by_path == {"": 9, "0": 5, "0.0": 1, "0.1": 1, "1": 1}
    assert all(found[call.id] == 1 for call in graph.calls if call.kind == "function")
    assert times.plain == [1, 1, 1]
    assert set(times.spreads().values()) == {0}


def test_listening_is_taken_off(monkeypatch):
    """Of each call what it costs itself, and all of what the calls inside it cost."""
    monkeypatch.setattr(sys.modules[measure.__module__], "cost_of", lambda *_, **__: Cost(inside=1, whole=2))
    times, graph = measured(nn.Sequential(nn.Sequential(nn.ReLU(), nn.ReLU()), nn.ReLU()), torch.zeros(1))
    assert {times.medians()[call.id] for call in graph.calls if call.path != ""} == {0}
    assert times.medians()[0] == 1


def test_what_listening_costs_is_measured():
    """Something, and less than a millisecond a call; nothing where it cannot be seen."""
    for functions in (False, True):
        cost = cost_of(HostClock(), functions=functions)
        assert 0 <= cost.inside < 1e-3
        assert 0 < cost.whole < 1e-3
    assert cost_of(Steps(), functions=True) == Cost()


def test_the_spread_is_that_of_the_middle_half():
    """One slow run does not widen it."""
    assert spread([1, 2, 3, 4, 5]) == 2
    assert spread([3, 3, 3, 3, 100]) == 0


def test_a_call_that_some_runs_did_not_make_has_no_time():
    """A median over fewer runs would not be comparable."""
    times = Times(runs=2)
    times.calls[0] += [1.0, 3.0]
    times.calls[1] += [1.0]
    assert times.medians() == {0: 2.0}
    assert times.spreads() == {0: 1.0}


def test_a_modules_own_time_is_outside_the_modules_in_it():
    """A function's time is its module's; rounding never makes it negative; what was not timed has none."""
    graph = ta.capture(nn.Sequential(nn.Sequential(nn.ReLU(), nn.ReLU()), nn.ReLU()), torch.zeros(1)).graph
    given = {"": 10.0, "0": 6.0, "0.0": 4.0, "0.1": 3.0}
    graph = replace(graph, calls=tuple(replace(call, seconds=given.get(call.path)) for call in graph.calls))
    found = {call.path: own for call, own in zip(graph.calls, own_seconds(graph), strict=True) if call.path is not None}
    assert found == {"": 4.0, "0": 0.0, "0.0": 4.0, "0.1": 3.0, "1": None}
