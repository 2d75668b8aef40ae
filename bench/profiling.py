"""What measuring costs: runs with marks beside the plain forward, and a whole profile beside torch's own profiler."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch

import torchatlas as ta
from harness import Section, race, run
from models import SMALL, resnet152
from torchatlas.capture.measure.clock import HostClock
from torchatlas.capture.measure.timing import Marks
from torchatlas.capture.options import Options
from torchatlas.capture.record.modes import recording
from torchatlas.capture.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from models import Built

ROUNDS = int(os.environ.get("ROUNDS", "7"))
MODELS = {"resnet152": (resnet152, 1), **{name: (build, 5) for name, build in SMALL.items()}}


def plain(built: Built) -> Callable[[], object]:
    """One forward as it is without us."""

    def job() -> object:
        with torch.no_grad():
            return built.model(built.x)

    return job


def marked(built: Built, *, functions: bool) -> Callable[[], object]:
    """One forward with two clock readings around each call."""
    once = Run(built.model, Options())

    def job() -> object:
        with torch.no_grad(), recording(Marks(once.paths, once.root, HostClock(), functions=functions)):
            return built.model(built.x)

    return job


def by_torch(built: Built) -> Callable[[], object]:
    """One forward under torch's profiler."""
    activities = [torch.profiler.ProfilerActivity.CPU]

    def job() -> object:
        with torch.no_grad(), torch.profiler.profile(activities=activities):
            return built.model(built.x)

    return job


def beside() -> Section:
    """A timed run, by what is timed, and torch's profiler."""
    rows = []
    for name, (build, repeat) in MODELS.items():
        built = build()
        contenders = {
            "plain forward": plain(built),
            "modules timed": marked(built, functions=False),
            "functions timed": marked(built, functions=True),
            "torch.profiler": by_torch(built),
        }
        times = race(contenders, rounds=ROUNDS, repeat=repeat)
        rows += [(name, who, f"{1e3 * one.wall:.2f}", f"{one.ratio:.2f}") for who, one in times.items()]
    words = "Wall time; the ratio is of CPU time. What marks cost is taken off the times that a profile tells."
    return Section("Timed runs beside a plain forward", ("model", "", "ms", "ratio"), tuple(rows), words)


def told() -> Section:
    """The time that a profile tells of a whole run, and that of the same run without any marks."""
    rows = []
    for name, (build, repeat) in MODELS.items():
        built = build()
        atlas = ta.profile(built.model, built.x, repeats=ROUNDS * repeat, statistics=False, memory=False)
        seconds, without = atlas.graph.calls[0].seconds or 0.0, atlas.graph.provenance.plain_seconds
        rows.append((name, f"{1e3 * without:.2f}", f"{1e3 * seconds:.2f}", f"{seconds / without:.3f}"))
    head = ("model", "without marks, ms", "told, ms", "ratio")
    return Section("The time that a profile tells", head, tuple(rows), "Medians over rounds, in turn.")


def whole() -> Section:
    """A whole profile of one round, with memory and statistics, in forwards."""
    rows = []
    for name, (build, _) in MODELS.items():
        built = build()
        contenders = {
            "plain": plain(built),
            "profile": lambda built=built: ta.profile(built.model, built.x, repeats=1, warmup=0),
        }
        times = race(contenders, rounds=3)
        rows.append((name, f"{1e3 * times['profile'].wall:.0f}", f"{times['profile'].ratio:.1f}"))
    words = "One capture, three timed runs, one for statistics."
    return Section("A whole profile of one round", ("model", "ms", "forwards"), tuple(rows), words)


def main() -> list[Section]:
    """All tables."""
    torch.manual_seed(0)
    return [beside(), told(), whole()]


if __name__ == "__main__":
    run(main)
