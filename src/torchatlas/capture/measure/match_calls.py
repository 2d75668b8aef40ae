"""Which recorded call a call of another run is.

Two runs of a model take the same way, or part: for a call that had the same calls inside in both, in the same order and
by the same names, those belong together; where it had not, nothing inside it is laid beside anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import nn

from torchatlas.capture.objects.contents import is_a
from torchatlas.capture.record import names
from torchatlas.capture.record.listen import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from torchatlas.capture.record.listen import Listener, Stream
    from torchatlas.core.graph import CallKind, Graph

Key: TypeAlias = "tuple[str | None, str]"


@dataclass(slots=True)
class Heard:
    """A call of a run that was listened to.

    Attributes:
        key: path and name.
        begin, end: what was noted then; ``end`` is None where the run ended first.
        inside: the calls in it, in order.
    """

    key: Key
    begin: Any
    end: Any = None
    inside: list[Heard] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Alignment:
    """The calls of a run by the ids of the recorded ones, and the recorded calls inside which the two parted."""

    calls: dict[int, Heard]
    parted: tuple[int, ...]


def heard(stream: Stream, paths: Mapping[int, str]) -> list[Heard]:
    """The calls of one thread, as a tree."""
    top: list[Heard] = []
    waiting: list[Heard] = []
    for thing, note in stream:
        if thing is not None:
            call = Heard(_key_heard(thing, paths), note)
            (waiting[-1].inside if waiting else top).append(call)
            waiting.append(call)
        else:
            waiting.pop().end = note
    return top


def _key_heard(thing: Any, paths: Mapping[int, str]) -> Key:
    """What is called, as the record of a call has it: path, of a module only, and name."""
    if is_a(thing, nn.Module):
        return paths.get(id(thing), UNKNOWN), type(thing).__name__
    return None, thing if isinstance(thing, str) else names.function(thing).name


def align(graph: Graph, kinds: Collection[CallKind], listener: Listener) -> Alignment:
    """Lay what was heard beside what was recorded.

    Args:
        graph: the recorded run.
        kinds: of the calls that the listener heard of.
        listener: what it heard.
    """
    inside, threads = _nested(graph, kinds)
    found: dict[int, Heard] = {}
    parted: list[int] = []
    _walk(0, heard(listener.main, listener.paths), (graph, inside), found, parted)
    others = [call for stream in listener.others for call in heard(stream, listener.paths)[:1]]
    for call in threads:
        match = next((at for at, other in enumerate(others) if _is_alike(_key(graph, call), other)), None)
        if match is None:
            parted.append(call)
            continue
        found[call] = others.pop(match)
        _walk(call, found[call].inside, (graph, inside), found, parted)
    return Alignment(found, tuple(parted))


def _walk(
    root: int,
    there: Sequence[Heard],
    recorded: tuple[Graph, list[list[int]]],
    found: dict[int, Heard],
    parted: list[int],
) -> None:
    graph, inside = recorded
    waiting = [(root, there)]
    while waiting:
        around, calls = waiting.pop()
        ids = inside[around]
        if len(ids) != len(calls) or not all(map(_is_alike, [_key(graph, call) for call in ids], calls)):
            parted.append(around)
            continue
        found.update(zip(ids, calls, strict=True))
        waiting.extend((call, other.inside) for call, other in zip(ids, calls, strict=True))


def _is_alike(recorded: Key, call: Heard) -> bool:
    """Whether they have one name and path; a module that was not known before the run may be another object now."""
    path, name = call.key
    return name == recorded[1] and (path == recorded[0] or (path == UNKNOWN and recorded[0] is not None))


def _key(graph: Graph, call: int) -> Key:
    return graph.calls[call].path, graph.calls[call].name


def _nested(graph: Graph, kinds: Collection[CallKind]) -> tuple[list[list[int]], list[int]]:
    """For each call the calls of those kinds in it and in no other of them; and those that begin a thread."""
    inside: list[list[int]] = [[] for _ in graph.calls]
    threads: list[int] = []
    around: list[int] = []  # the nearest call of those kinds that each call is in, or is
    for call in graph.calls:
        holder = 0 if call.parent is None else around[call.parent]
        around.append(call.id if call.kind in kinds or call.parent is None else holder)
        if call.parent is None or call.kind not in kinds:
            continue
        if call.thread != graph.calls[call.parent].thread:
            threads.append(call.id)
        else:
            inside[holder].append(call.id)
    return inside, threads
