"""What capturing costs beside a plain forward, at batch 1 on the CPU, and beside torchview and torchlens."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING

import torch
from torch import nn

import torchatlas as ta
from harness import Section, Timing, judged, race, run
from models import LARGE, SMALL, Built

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = int(os.environ.get("ROUNDS", "7"))
REPEAT = 20
GOAL = {"op": 1.18, "aten": 1.35}
GOAL_PER_CALL = 45.0


def plain(built: Built) -> Callable[[], object]:
    """One forward as it is without us; capture in evaluation mode keeps no gradients either."""

    def job() -> object:
        with torch.no_grad():
            return built.model(built.x)

    return job


def captured(built: Built, level: str) -> Callable[[], object]:
    """One capture, source lines included."""
    return lambda: ta.capture(built.model, built.x, level=level)


def by_torchview(built: Built) -> Callable[[], object]:
    """The graph of torchview, not drawn."""
    from torchview import draw_graph

    def job() -> object:
        with torch.no_grad():
            return draw_graph(built.model, input_data=built.x, depth=20, device="cpu")

    return job


def by_torchlens(built: Built) -> Callable[[], object]:
    """The record of torchlens, as it comes."""
    import torchlens

    def job() -> object:
        with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
            return torchlens.trace(built.model, built.x)

    return job


def large() -> Section:
    """Ratios on models whose arithmetic takes its time."""
    rows = []
    for name, build in LARGE.items():
        built = build()
        contenders = {"plain": plain(built), "op": captured(built, "op"), "aten": captured(built, "aten")}
        times = race(contenders, rounds=ROUNDS)
        calls = {level: len(ta.capture(built.model, built.x, level=level).graph.calls) for level in GOAL}
        rows += [
            (
                name,
                level,
                f"{calls[level]:,}",
                milliseconds(times["plain"]),
                milliseconds(times[level]),
                *judged(ratio, goal),
            )
            for level, goal in GOAL.items()
            if (ratio := times[level].ratio)
        ]
    head = ("model", "level", "calls", "plain, ms", "capture, ms", "ratio", "goal", "")
    return Section("Capture beside a plain forward", head, tuple(rows), "CPU time, one thread.")


def milliseconds(timing: Timing) -> str:
    """CPU time in milliseconds."""
    return f"{1e3 * timing.cpu:.1f}"


def small() -> Section:
    """What one call costs where arithmetic is nothing, beside tools that also record every operation.

    torchlens runs after everything else: it wraps torch's functions, and they stay wrapped.
    """
    built = {name: build() for name, build in SMALL.items()}
    rows = []
    for name, one in built.items():
        contenders = {
            "plain forward": plain(one),
            "torchatlas, op": captured(one, "op"),
            "torchatlas, aten": captured(one, "aten"),
            "torchview": by_torchview(one),
        }
        calls = {f"torchatlas, {level}": len(ta.capture(one.model, one.x, level=level).graph.calls) for level in GOAL}
        times = race(contenders, rounds=ROUNDS, repeat=REPEAT)
        rows += [small_row(name, who, timing, times["plain forward"], calls.get(who)) for who, timing in times.items()]
    for name, one in built.items():
        before = race({"plain forward": plain(one)}, rounds=ROUNDS, repeat=REPEAT)["plain forward"]
        after = race({"torchlens": by_torchlens(one)}, rounds=ROUNDS, repeat=2)["torchlens"]
        rows.append(small_row(name, "torchlens", Timing(after.cpu, after.wall, after.cpu / before.cpu), before, None))
    head = ("model", "", "ms", "ratio", "calls", "us per call", "goal", "")
    return Section("Capture of small models, beside others", head, tuple(rows), "CPU time, one thread. " + NOTE)


NOTE = "us per call: what is more than the plain forward, by the calls recorded."


def small_row(model: str, who: str, timing: Timing, base: Timing, calls: int | None) -> tuple[str, ...]:
    """One contender on one small model; only our own calls are counted."""
    told = (model, who, milliseconds(timing), f"{timing.ratio:.1f}")
    if calls is None:
        return (*told, "", "", "", "")
    each = 1e6 * (timing.cpu - base.cpu) / calls
    goal = judged(each, GOAL_PER_CALL) if who.endswith("op") else (f"{each:.2f}", "", "")
    return (*told, f"{calls:,}", *goal)


def chain(length: int) -> Built:
    """So many times relu of one number, in a module of their own each."""
    return Built(nn.Sequential(*(nn.ReLU() for _ in range(length))).eval(), torch.zeros(1))


def marginal() -> Section:
    """What capturing costs once, and what each further call costs: from a short and a long chain of relu."""
    few, many = 10, 500
    rows = []
    for level in GOAL:
        extra, calls = [], []
        for built in (chain(few), chain(many)):
            times = race({"plain": plain(built), level: captured(built, level)}, rounds=ROUNDS, repeat=REPEAT)
            extra.append(times[level].cpu - times["plain"].cpu)
            calls.append(len(ta.capture(built.model, built.x, level=level).graph.calls))
        each = (extra[1] - extra[0]) / (calls[1] - calls[0])
        rows.append((level, f"{1e3 * (extra[0] - each * calls[0]):.2f}", f"{1e6 * each:.1f}"))
    return Section(
        "What one call more costs", ("level", "once, ms", "each call, us"), tuple(rows), "Beside plain forwards."
    )


def main() -> list[Section]:
    """All tables; torchlens, which stays in torch, in the last."""
    torch.manual_seed(0)
    return [large(), marginal(), small()]


if __name__ == "__main__":
    run(main)
