"""Lifetimes: during which calls the memory of each tensor was alive, and how much was alive at once.

``a = f(x)``, ``b = g(a)``, ``c = h(b)``, 16 bytes each; a tensor is freed once the next call has read it:

    call                 0 model   1 f   2 g   3 h   after
    a, 16 bytes                    x     x
    b                                    x     x
    c                                          x     x
    bytes alive          0         16    32    32    16

Each tensor adds its bytes at the call where it was born and takes them off at the first call without it; running
sums of these changes (`alive`) give the last line.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from torchatlas.core.measure.aliasing import allocated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.core.graph import Graph, Value


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When memory was allocated and freed. A block of memory is named by the value it was allocated for, its owner.

    Attributes:
        owner: for each value the owner of its memory; parameters, inputs and other leaves own theirs.
        nbytes: bytes of each block that the run allocated.
        born: the call during which it was allocated.
        died: the first call that began without it; one more than the number of calls if it outlived the run.
        taped: whether autograd was on. It keeps tensors for the backward pass, so they are freed later than in
            inference.
        recorded: False where the run did not free memory as inference would; each block is then assumed to live until
            its last use.
    """

    owner: list[int]
    nbytes: dict[int, int]
    born: dict[int, int]
    died: dict[int, int]
    taped: bool
    recorded: bool


def lifetimes(graph: Graph) -> Lifetimes:
    """The lifetimes of all memory that the run took."""
    fresh = {value.id: value for value in allocated(graph.values)}
    owner = _owners(graph.values)
    outlived = len(graph.calls) + 1
    born = {i: value.producer or 0 for i, value in fresh.items()}
    died = {i: outlived if value.freed is None else value.freed for i, value in fresh.items()}
    # Results of ATen calls never require a gradient, for these run below autograd; a run in train mode has a tape.
    differentiable = any(value.requires_grad and owner[value.id] in fresh for value in graph.values)
    taped = differentiable or graph.provenance.mode == "train"
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
        earlier = value.previous if value.alias_of is None else value.alias_of
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
