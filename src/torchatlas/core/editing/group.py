"""The call around a group: it reads what its members read from outside, and returns what is read outside of it.

Around ``b = conv(a, weight)`` and ``c = relu(b)``, where only c is read later: ``c = group(a)``. Weights stay inside.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.graph import Call, Node, Slot
from torchatlas.core.measure.nesting import nest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.nesting import Nesting


@dataclass(frozen=True, slots=True)
class Grouping:
    """What is asked of a graph for every group. Made by ``grouping``.

    Attributes:
        graph: what ran.
        nesting: the tree of its calls.
        order: all calls, depth first.
        made: for each call the values that it made.
        users: for each value the calls that read or return it.
    """

    graph: Graph
    nesting: Nesting
    order: list[int]
    made: list[list[int]]
    users: list[list[int]]

    def group(self, name: str, members: Sequence[int], repeats: int = 1) -> Call:
        """A call around these siblings, in order; its id and parent are still to be given."""
        calls = [self.graph.calls[member] for member in members]
        span = _Span.of(members, self.nesting)
        inputs = tuple(dict.fromkeys(self._read(members, span)))
        outputs = tuple(self._handed(span))
        if not outputs:  # a run that failed, or a result that nobody wanted
            outputs = tuple(dict.fromkeys(value for value in calls[-1].outputs if value not in inputs))
        seconds = [call.seconds for call in calls if call.seconds is not None]
        slots = tuple(map(Slot, range(len(outputs))))
        return Call(
            id=0,
            kind="group",
            name=name,
            inputs=inputs,
            outputs=outputs,
            arguments=Node("arguments", self._names(inputs), tuple(map(Slot, range(len(inputs))))),
            returns=slots[0] if len(slots) == 1 else Node("tuple", (), slots) if slots else None,
            error=next((call.error for call in calls if call.error is not None), None),
            thread=calls[0].thread,
            seconds=sum(seconds) if seconds else None,
            repeats=repeats,
        )

    def _within(self, span: _Span) -> Iterator[int]:
        for begin, end in zip(span.begins, span.ends, strict=True):
            yield from self.order[begin:end]

    def _read(self, members: Sequence[int], span: _Span) -> Iterator[int]:
        """What comes from outside: all that the members were given, and what else is read in them but weights."""
        own = frozenset(members)
        for call in self._within(span):
            for value in self.graph.calls[call].inputs:
                known = self.graph.values[value]
                is_outside = known.producer is None or not span.holds(self.nesting.begin[known.producer])
                if is_outside and (call in own or not known.is_weight):
                    yield value

    def _handed(self, span: _Span) -> Iterator[int]:
        """What was made inside and is read outside, or returned by what is around."""
        for call in self._within(span):
            for value in self.made[call]:
                if any(not span.holds(self.nesting.begin[user]) for user in self.users[value]):
                    yield value

    def _names(self, inputs: Sequence[int]) -> tuple[str, ...]:
        """Inputs go by their own names, if they have any, and no two have the same."""
        names = [(self.graph.values[value].names or ("",))[0] for value in inputs]
        often = Counter(names)
        return tuple([name if name and often[name] == 1 else f"input{at}" for at, name in enumerate(names)])


@dataclass(frozen=True, slots=True)
class _Span:
    """Where some calls, with all inside them, stand in depth-first order: half-open intervals."""

    begins: list[int]
    ends: list[int]

    @classmethod
    def of(cls, members: Sequence[int], nesting: Nesting) -> _Span:
        pairs = sorted((nesting.begin[member], nesting.end[member]) for member in members)
        return cls([begin for begin, _ in pairs], [end for _, end in pairs])

    def holds(self, place: int) -> bool:
        at = bisect_right(self.begins, place) - 1
        return at >= 0 and place < self.ends[at]


def grouping(graph: Graph) -> Grouping:
    """Index a graph, so that each group takes time in what is inside it alone."""
    nesting = nest(graph.calls)
    order = sorted(range(len(graph.calls)), key=nesting.begin.__getitem__)
    made: list[list[int]] = [[] for _ in graph.calls]
    for value in graph.values:
        if value.producer is not None:
            made[value.producer].append(value.id)
    users: list[list[int]] = [[] for _ in graph.values]
    for call in graph.calls:
        for used in (*call.inputs, *call.outputs):
            users[used].append(call.id)
    return Grouping(graph, nesting, order, made, users)
