"""A recorded run, measured: times, peaks of memory and statistics, as overlays and notes of its graph."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torchatlas.capture.measure.clock import clock_for, devices_of
from torchatlas.capture.measure.match_calls import align
from torchatlas.capture.measure.peaks import CudaMeter, Peaks
from torchatlas.capture.measure.statistics import Looks
from torchatlas.capture.measure.timing import FUNCTIONS, MODULES, measure, spread
from torchatlas.capture.objects.tree import tensors_in
from torchatlas.capture.record.modes import recording
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Node, Note, Overlay
from torchatlas.core.measure.overlay import with_overlay
from torchatlas.core.measure.peaks import peaks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import torch

    from torchatlas.capture.measure.clock import Clock
    from torchatlas.capture.measure.match_calls import Alignment
    from torchatlas.capture.measure.statistics import Look, Statistics
    from torchatlas.capture.measure.timing import Times
    from torchatlas.capture.run import Run
    from torchatlas.core.graph import Graph, Provenance, Tree

_ALL = MODULES | FUNCTIONS
_SHOWN = 3  # places named in a note
_WORDS = {"nan": "NaN", "inf": "infinity"}


@dataclass(frozen=True, slots=True)
class ProfileOptions:
    """What is measured: see `torchatlas.profile`."""

    repeats: int = 10
    warmup: int = 3
    statistics: bool = True
    memory: bool = True

    def __post_init__(self) -> None:
        for name, number, least in (("repeats", self.repeats, 1), ("warmup", self.warmup, 0)):
            if isinstance(number, bool) or not hasattr(number, "__index__") or number < least:
                raise InputError(f"{name}={number!r}: wanted a whole number from {least}.")


def profiled(run: Run, graph: Graph, options: ProfileOptions) -> Graph:
    """The graph with what was measured.

    Args:
        run: what was recorded; it is run again.
        graph: its record, of a run that did not fail.
        options: what is measured.

    Raises:
        InputError: nothing is computed in this run, so that nothing takes time.
    """
    devices = {device for device in devices_of(run.modules, tensors_in(run.bound)) if device.type != "meta"}
    _check_computed(graph)
    clock = clock_for(devices)
    times = measure(run, graph, clock, repeats=options.repeats, warmup=options.warmup)
    found = _with_times(graph, times, clock)
    if run.compiled:
        found = _noted(found, [Note("The model was measured in eager mode, without torch.compile.")])
    if times.failure is not None:
        return found
    try:
        if options.memory:
            found = _with_peaks(run, found, devices)
        if options.statistics:
            found = _with_statistics(run, found)
    except Exception as error:  # noqa: BLE001 - the model's own, of a run that it cannot repeat; what was measured stays
        return _noted(found, [_unrepeated(error, "Memory and statistics are incomplete.")])
    return found


def _check_computed(graph: Graph) -> None:
    made = [graph.values[value] for call in graph.calls for value in call.outputs]
    if made and all(value.device == "meta" for value in made):
        raise InputError(
            f"{graph.name} and its inputs are on the meta device, where nothing is computed: there is no time to"
            " measure. Move the model to a device with to_empty(device=...), or capture it without times."
        )
    if made and all(value.type == "FakeTensor" for value in made):
        raise InputError(
            f"{graph.name} ran on fake tensors, with which nothing is computed: there is no time to measure. Give it"
            " real ones outside of FakeTensorMode, or capture it without times."
        )


def _with_times(graph: Graph, times: Times, clock: Clock) -> Graph:
    medians = times.medians()
    calls = tuple(replace(call, seconds=medians.get(call.id)) for call in graph.calls)
    found = replace(graph, calls=calls)
    if times.runs:
        found = replace(found, provenance=_timed(graph.provenance, times))
        found = _laid(found, "time spread", "s", times.spreads())
    return _noted(found, _time_notes(graph, times, clock, medians))


def _timed(provenance: Provenance, times: Times) -> Provenance:
    return replace(
        provenance,
        timed_runs=times.runs,
        plain_seconds=statistics.median(times.plain),
        plain_spread=spread(times.plain) if times.runs > 1 else None,
        marked_ratio=statistics.median(
            one / other for one, other in zip(times.marked, times.plain, strict=True) if other
        ),
    )


def _time_notes(graph: Graph, times: Times, clock: Clock, medians: Mapping[int, float]) -> Iterator[Note]:
    if times.failure is not None:
        had = f"Times are from the {times.runs} runs before." if times.runs else "There are no times."
        yield _unrepeated(times.failure, had)
    if clock.words and times.runs:
        yield Note(clock.words)
    missing = sum(call.kind in _ALL and call.id not in medians for call in graph.calls)
    if times.runs and times.parted:
        first = min(times.parted)
        where = graph.calls[first].path or graph.calls[first].name
        fused = " (PyTorch's fused path)" if any(note.code == "fused path" for note in graph.notes) else ""
        yield Note(
            f"{missing} calls have no time: inside {where}{_more(len(times.parted) - 1)}, a timed run took another"
            f" path than the recorded one{fused}.",
            first,
        )


def _more(count: int) -> str:
    return f" and {count} other calls" if count > 1 else " and another call" if count else ""


def _unrepeated(error: Exception, had: str) -> Note:
    message = str(error).partition("\n")[0][:200]
    return Note(f"The model could not be run again as it was recorded ({type(error).__name__}: {message}). {had}")


def _with_peaks(run: Run, graph: Graph, devices: Collection[torch.device]) -> Graph:
    cuda = [device for device in devices if device.type == "cuda"]
    if len(cuda) != 1:
        numbers = {call.id: float(peak) for call, peak in zip(graph.calls, peaks(graph), strict=True)}
        note = Note(
            "Peak memory is estimated from when tensors were made and freed. Weights and inputs are not included."
        )
        return _noted(_laid(graph, "peak memory", "B", numbers), [note])
    listener = Peaks(run.paths, run.root, CudaMeter(cuda[0]))
    with run.again() as call, recording(listener):
        result, whole = listener.whole(call)
        del result
    alignment = align(graph, _ALL, listener)
    numbers = {one: float(heard.end) for one, heard in alignment.calls.items() if heard.end is not None}
    return _laid(graph, "peak memory", "B", {0: float(whole), **numbers})


def _with_statistics(run: Run, graph: Graph) -> Graph:
    looks = Looks(run.paths, run.root)
    with run.again() as call:
        with recording(looks):
            out = call()
        root, untold = looks.of(tensors_in(out))
        del out
    alignment = align(graph, _ALL, looks)
    seen: dict[int, Look] = {one: heard.end for one, heard in alignment.calls.items() if heard.end is not None}
    told = {one: look.outputs for one, look in seen.items() if look.outputs is not None and look.outputs.total}
    if root is not None and root.total:
        told[0] = root
    columns = {
        "mean": ("", {one: each.mean for one, each in told.items() if each.count}),
        "std": ("", {one: each.std for one, each in told.items() if each.count}),
        "min": ("", {one: each.low for one, each in told.items() if each.count}),
        "max": ("", {one: each.high for one, each in told.items() if each.count}),
        "zeros": ("%", {one: 100 * each.zeros / each.total for one, each in told.items()}),
        "nan": ("", {one: float(each.nan) for one, each in told.items() if each.nan}),
        "inf": ("", {one: float(each.inf) for one, each in told.items() if each.inf}),
    }
    for name, (unit, numbers) in columns.items():
        graph = _laid(graph, name, unit, numbers)
    reasons = {**dict.fromkeys(untold), **{why: None for look in seen.values() for why in look.untold}}
    return _noted(graph, [*_statistics_notes(graph, reasons, alignment), *_bad_notes(graph, seen, root)])


def _statistics_notes(graph: Graph, reasons: Iterable[str], alignment: Alignment) -> Iterator[Note]:
    for why in reasons:
        yield Note(f"Some tensors have no statistics: {why}.")
    dtypes = {graph.values[value].dtype for call in graph.calls for value in call.outputs}
    if any(dtype.startswith("complex") for dtype in dtypes):
        yield Note("Statistics of complex tensors are those of their absolute values.")
    if alignment.parted:
        first = min(alignment.parted)
        where = graph.calls[first].path or graph.calls[first].name
        inside = f"{where}{_more(len(alignment.parted) - 1)}"
        yield Note(f"There are no statistics inside {inside}: this run took another path there.", first)


def _bad_notes(graph: Graph, looks: Mapping[int, Look], results: Statistics | None) -> Iterator[Note]:
    """Where NaN and infinity came from: what was given with them, and the first call that made any."""
    ends = _ends(graph)
    for bad, word in _WORDS.items():
        brought = {call: [slot for slot, one in look.brought if one == bad] for call, look in sorted(looks.items())}
        given = dict.fromkeys(
            name for call, slots in brought.items() for slot in slots for name in _origin(graph, call, slot)
        )
        if given:
            shown = ", ".join(list(given)[:_SHOWN])
            more = f" and {len(given) - _SHOWN} more" if len(given) > _SHOWN else ""
            yield Note(f"{word} came in with {shown}{more}.")
        # Memory that nobody has written yet holds anything.
        makers = [call for call, look in looks.items() if bad in look.made and "empty" not in graph.calls[call].name]
        makers.sort(key=lambda call: (ends[call], -call))
        asked = [call for call in makers if _asks(graph.calls[call].arguments, bad)]
        if asked:
            yield Note(f"{word} was given as an argument in {_told(graph, asked[0])}{_more(len(asked) - 1)}.", asked[0])
        known = _with_around(graph, (*(call for call, slots in brought.items() if slots), *asked))
        first = next((call for call in makers if call not in known), None)
        if first is not None:
            yield Note(f"The first {word} was produced by {_told(graph, first)}.", first)
        elif not given and not asked and results is not None and getattr(results, bad):
            yield Note(f"There is {word} in the model's output, but no recorded call produced it.", 0)


def _ends(graph: Graph) -> list[int]:
    """For each call the last one in it, itself at least: by that, and from the inside out, calls end."""
    last = list(range(len(graph.calls)))
    for call in reversed(graph.calls):
        if call.parent is not None:
            last[call.parent] = max(last[call.parent], last[call.id])
    return last


def _asks(tree: Tree, bad: str) -> bool:
    """Whether a number among the arguments is such a one, as the ``-inf`` of a mask is."""
    if isinstance(tree, Node):
        return any(_asks(item, bad) for item in tree.items)
    return isinstance(tree, float) and (math.isnan(tree) if bad == "nan" else math.isinf(tree))


def _with_around(graph: Graph, calls: Iterable[int]) -> set[int]:
    """Calls and those around them, of which each has in its results what was given or asked for inside."""
    found: set[int] = set()
    for call in calls:
        holder: int | None = call
        while holder is not None and holder not in found:
            found.add(holder)
            holder = graph.calls[holder].parent
    return found


def _origin(graph: Graph, call: int, slot: int) -> Iterator[str]:
    """The name of an input of a call that comes from outside the run."""
    inputs = graph.calls[call].inputs
    if slot >= len(inputs):
        return
    value = graph.values[inputs[slot]]
    while value.previous is not None or value.alias_of is not None:
        earlier = value.alias_of if value.alias_of is not None else value.previous
        value = graph.values[earlier or 0]
    if value.producer is None:
        kind = "constant" if value.kind == "constant" else value.kind.replace("output", "input")
        yield f"the {kind} {value.names[0]}" if value.names else "a tensor from outside the model"


def _told(graph: Graph, call: int) -> str:
    """A call in words: the module it is in, and what it is."""
    one = graph.calls[call]
    if one.kind == "module":
        return f"{one.path} ({one.name})"
    holder = one.parent
    while holder is not None and graph.calls[holder].kind != "module":
        holder = graph.calls[holder].parent
    path = graph.calls[holder].path if holder is not None else None
    return f"{one.name} in {path}" if path else one.name


def _laid(graph: Graph, name: str, unit: str, numbers: Mapping[int, float]) -> Graph:
    """With an overlay of these numbers; without any, none."""
    if not numbers:
        return graph
    return with_overlay(graph, Overlay(name, unit, tuple(sorted(numbers.items()))))


def _noted(graph: Graph, notes: Iterable[Note]) -> Graph:
    added: list[Any] = list(dict.fromkeys(notes))
    return replace(graph, notes=(*graph.notes, *added)) if added else graph
