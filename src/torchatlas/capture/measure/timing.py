"""How long every call of a run takes, without what recording costs: the run again, with two marks around each call.

Modules and functions are timed in runs of their own, for hearing of functions costs more; runs without any marks are
timed in turn with them, since a machine's speed drifts. What a mark costs is measured, and taken off.
"""

from __future__ import annotations

import gc
import statistics
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from torchatlas.capture.measure.match_calls import align
from torchatlas.capture.record.listen import Listener
from torchatlas.capture.record.modes import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torchatlas.capture.measure.clock import Clock
    from torchatlas.capture.measure.match_calls import Heard
    from torchatlas.capture.record.listen import Stream
    from torchatlas.capture.run import Run
    from torchatlas.core.graph import CallKind, Graph

MODULES: frozenset[CallKind] = frozenset({"module"})
FUNCTIONS: frozenset[CallKind] = frozenset({"function", "autograd_function"})
_TRIALS = 5  # batches of calls by which the cost of a mark is measured
_CALLS = 200  # in a batch


@dataclass(frozen=True, slots=True)
class Cost:
    """What listening to one call costs, in seconds: as its own time shows it, and as the time around it does."""

    inside: float = 0.0
    whole: float = 0.0


@dataclass
class Times:
    """What was measured.

    Attributes:
        plain: of the runs without marks, in seconds.
        marked: of the runs in which modules were timed, as they were.
        calls: by call, a time for each run; what listening costs is taken off.
        parted: by call, in how many runs the way inside it was another than in the record.
        runs: how many rounds were measured.
        failure: what a run raised, so that there was none after it.
    """

    plain: list[float] = field(default_factory=list)
    marked: list[float] = field(default_factory=list)
    calls: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    parted: Counter[int] = field(default_factory=Counter)
    runs: int = 0
    failure: Exception | None = None

    def medians(self) -> dict[int, float]:
        """The median of every call that took the same way in all runs, in seconds."""
        return {call: statistics.median(times) for call, times in self.calls.items() if len(times) == self.runs}

    def spreads(self) -> dict[int, float]:
        """The distance between the quartiles of the same, in seconds."""
        return {call: spread(times) for call, times in self.calls.items() if len(times) == self.runs and self.runs > 1}


def spread(times: Sequence[float]) -> float:
    """The interquartile range: the middle half of the times lies within it."""
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    return high - low


class Marks(Listener):
    """Notes the time as calls begin and end."""

    def __init__(self, paths: Mapping[int, str], root: Any, clock: Clock, *, functions: bool) -> None:
        super().__init__(paths, root, functions=functions)
        self._mark = clock.mark

    def around(self, stream: Stream, thing: Any, run: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Two readings, and nothing else between them."""
        mark = self._mark
        stream.append((thing, mark()))
        try:
            return run(*args, **kwargs)
        finally:
            stream.append((None, mark()))


def measure(run: Run, graph: Graph, clock: Clock, *, repeats: int, warmup: int) -> Times:
    """Time the run and its calls.

    Args:
        run: what was recorded, to be run again.
        graph: its record.
        clock: what time is read from.
        repeats: rounds, each of a run without marks, one with marks around modules, one around functions.
        warmup: runs before, which are not timed.
    """
    times = Times()
    costs = {functions: cost_of(clock, functions=functions) for functions in (False, True)}
    try:
        for _ in range(warmup):
            with run.again() as call:
                call()
        for _ in range(repeats):
            _round(run, graph, clock, costs, times)
    except Exception as error:  # noqa: BLE001 - the model's own, of a run that it cannot repeat; what was measured stays
        times.failure = error
    return times


def _round(run: Run, graph: Graph, clock: Clock, costs: Mapping[bool, Cost], times: Times) -> None:
    """One run without marks, one with marks around modules, one with marks around functions too."""
    plain = _timed(run, clock)
    modules, functions = (Marks(run.paths, run.root, clock, functions=each) for each in (False, True))
    marked = _timed(run, clock, modules)
    _timed(run, clock, functions)
    found = {0: max(0.0, marked - costs[False].whole * (len(modules.main) // 2))}
    parted: set[int] = set()
    _take(graph, modules, clock, costs[False], found, parted)
    _take(graph, functions, clock, costs[True], found, parted)
    times.plain.append(plain)
    times.marked.append(marked)
    times.parted.update(parted)
    for call, seconds in found.items():
        times.calls[call].append(seconds)
    times.runs += 1


def _timed(run: Run, clock: Clock, marks: Marks | None = None) -> float:
    """Seconds of one whole run."""
    with run.again() as call, _uncollected():
        clock.settle()
        if marks is None:
            begin = clock.mark()
            result = call()
            end = clock.mark()
        else:
            with recording(marks):
                begin = clock.mark()
                result = call()
                end = clock.mark()
        (seconds,) = clock.seconds([(begin, end)])
        del result  # it lived until here: releasing it is not part of the run
    return seconds


def _take(graph: Graph, marks: Marks, clock: Clock, cost: Cost, found: dict[int, float], parted: set[int]) -> None:
    """The times of one run, by recorded call."""
    alignment = align(graph, MODULES | FUNCTIONS if marks.functions else MODULES, marks)
    parted.update(alignment.parted)
    calls = {
        call: heard
        for call, heard in alignment.calls.items()
        if heard.end is not None
        and (not marks.functions or (graph.calls[call].kind in FUNCTIONS and _is_within(graph, call, found)))
    }
    seconds = clock.seconds([(heard.begin, heard.end) for heard in calls.values()])
    inside = _sizes(calls.values())
    for (call, heard), time in zip(calls.items(), seconds, strict=True):
        found[call] = max(0.0, time - cost.inside - cost.whole * inside[id(heard)])


def _is_within(graph: Graph, call: int, found: Mapping[int, float]) -> bool:
    """Whether the module around a function took the same way where modules were timed."""
    holder = graph.calls[call].parent
    while holder is not None and graph.calls[holder].kind != "module":
        holder = graph.calls[holder].parent
    return holder is None or holder in found


def _sizes(calls: Any) -> dict[int, int]:
    """How many calls were heard inside each of these."""
    found: dict[int, int] = {}
    waiting: list[tuple[Heard, bool]] = [(call, False) for call in calls]
    while waiting:
        call, seen = waiting.pop()
        if id(call) in found:
            continue
        if seen or not call.inside:
            found[id(call)] = sum(1 + found[id(inner)] for inner in call.inside)
        else:
            waiting.append((call, True))
            waiting.extend((inner, False) for inner in call.inside)
    return found


def cost_of(clock: Clock, *, functions: bool) -> Cost:
    """What a mark around a call costs here and now: calls that do nothing, with marks and without."""
    if not clock.deducts:
        return Cost()
    nothing = _Nothing()
    one = torch.ones(1)
    call: Callable[[], Any] = (lambda: torch.neg(one)) if functions else (lambda: nn.Module.__call__(nothing))
    bare, around, shown = [], [], []
    with torch.no_grad(), _uncollected():
        for _ in range(_TRIALS):
            bare.append(_each(clock, call))
            marks = Marks({}, None, clock, functions=functions)
            with recording(marks):
                around.append(_each(clock, call))
            notes = [note for _, note in marks.main]
            shown.append(statistics.median(clock.seconds(list(zip(notes[::2], notes[1::2], strict=True)))))
    least = min(bare)
    return Cost(max(0.0, min(shown) - least), max(0.0, min(around) - least))


class _Nothing(nn.Module):
    def forward(self) -> None:
        """Do nothing."""


def _each(clock: Clock, call: Callable[[], Any]) -> float:
    begin = clock.mark()
    for _ in range(_CALLS):
        call()
    return clock.seconds([(begin, clock.mark())])[0] / _CALLS


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage is collected inside, which would be one call's time by chance."""
    on = gc.isenabled()
    try:
        gc.disable()  # inside: an interrupt may come before the next line
        yield
    finally:
        if on:
            gc.enable()
