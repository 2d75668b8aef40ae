"""When the memory of a run's tensors was taken and released, and how much was alive at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from torchatlas.core.measure.cost import made

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.core.graph import Graph, Value


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When memory was taken and released. One memory is known by the value for which it was taken, its owner.

    Attributes:
        owner: for each value the owner of its memory; parameters, inputs and other leaves own theirs.
        nbytes: of each memory that the run took.
        born: the call during which it was taken.
        died: the first call that began without it; one more than the number of calls if it outlived the run.
        taped: whether autograd was on. What it saved outlives its use, so that releases come later than in inference.
        recorded: False where releases were not recorded as inference would have them, so that a memory is taken to
            live until its last reader ends.
    """

    owner: list[int]
    nbytes: dict[int, int]
    born: dict[int, int]
    died: dict[int, int]
    taped: bool
    recorded: bool


def lifetimes(graph: Graph) -> Lifetimes:
    """The lifetimes of all memory that the run took."""
    fresh = {value.id: value for value in made(graph.values)}
    owner = _owners(graph.values)
    outlived = len(graph.calls) + 1
    born = {i: value.producer or 0 for i, value in fresh.items()}
    died = {i: outlived if value.freed is None else value.freed for i, value in fresh.items()}
    # ATen calls run below autograd, where results do not tell; a run in train mode has a tape.
    told = any(value.requires_grad and owner[value.id] in fresh for value in graph.values)
    taped = told or ("mode", "train") in graph.made
    recorded = not taped and any(value.freed is not None for value in fresh.values())
    if not recorded:
        used = _last_uses(graph, owner)
        died = {i: min(died[i], used.get(i, born[i] + 1)) for i in fresh}
    sizes = {i: value.local_nbytes or 0 for i, value in fresh.items()}
    return Lifetimes(owner, sizes, born, died, taped, recorded or not fresh)


def alive(lives: Lifetimes, died: Mapping[int, int], beside: Mapping[int, int], calls: int) -> list[int]:
    """Bytes alive during each call, and, last, after the run.

    Args:
        lives: who was born when, and how big.
        died: the first call without it, for each memory.
        beside: bytes that a call takes beside its values and that outlive the run.
        calls: the number of calls.
    """
    change = [0] * (calls + 2)
    for memory, born in lives.born.items():
        change[born] += lives.nbytes[memory]
        change[max(died[memory], born + 1)] -= lives.nbytes[memory]
    for call, size in beside.items():
        change[call] += size
    return list(accumulate(change[:-1]))


def _owners(values: Sequence[Value]) -> list[int]:
    owner: list[int] = []
    first: dict[int, int] = {}
    for value in values:
        earlier = value.previous if value.same_as is None else value.same_as
        if earlier is None:
            earlier = value.view_of
        own = value.id if earlier is None else owner[earlier]
        owner.append(own if value.storage is None else first.setdefault(value.storage, own))
    return owner


def ends(graph: Graph) -> list[int]:
    """For each call the first that began after it and all inside it."""
    end = [call.id + 1 for call in graph.calls]
    for call in reversed(graph.calls):
        if call.parent is not None:
            end[call.parent] = max(end[call.parent], end[call.id])
    return end


def _last_uses(graph: Graph, owner: list[int]) -> dict[int, int]:
    """For each memory the first call after its last use. A module's arguments live while it runs, as do its results."""
    outlived = len(graph.calls) + 1
    end = ends(graph)
    used: dict[int, int] = {}
    for call in graph.calls:
        if call.kind == "group":  # put around the others later: it kept nothing alive
            continue
        for value in (*call.inputs, *call.outputs):
            until = outlived if call.parent is None else end[call.id]
            used[owner[value]] = max(used.get(owner[value], 0), until)
    return used
