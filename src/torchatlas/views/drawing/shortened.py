"""Long loops with some turns left out: a folded loop shows its first turn, and says numbers of its last.

What the turns between them would add to a picture is what the turns before them add already, so the engine is spared
their records. That is proven for every loop by its records, or the loop stays as it is:

- each turn left out is the one before it again, its values numbered on by the same amount, and for each value that is
  read the first turn has one in its place;
- nothing else reads what these turns make, but the last turn, which then reads it from the last turn kept before them;
- that turn depends on the same calls in it, and on the same values from elsewhere, as the turn before it, so that no
  later turn is constant where it is not.

Ids stay as they are; the engine (``web/src/graph/shortened.ts``) fills the gaps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchatlas.core.folding.fold import Fold
    from torchatlas.core.graph import Call, Graph, Value

LEAST = 6
"""Turns kept before those that are left out; a picture draws constants that few others led to, which may take a few."""

MOST = 24
LONG = LEAST + 3


@dataclass(frozen=True, slots=True)
class _Turns:
    """The turns of a loop from the second on, each so many calls and values after the one before it.

    Attributes:
        call: the first call of the second turn.
        value: the first value that was made in it.
        calls: in a turn, with all that is inside them.
        values: made in a turn.
        count: turns, the first one of the loop included.
    """

    call: int
    value: int
    calls: int
    values: int
    count: int

    def calls_of(self, turn: int) -> range:
        start = self.call + self.calls * (turn - 1)
        return range(start, start + self.calls)

    def values_of(self, turn: int) -> range:
        start = self.value + self.values * (turn - 1)
        return range(start, start + self.values)


@dataclass(frozen=True, slots=True)
class _Gap:
    """The turns of a fold that are left out: all from ``first`` on but the last one."""

    fold: Fold
    turns: _Turns
    first: int

    def calls(self) -> range:
        turns = self.turns
        return range(turns.calls_of(self.first).start, turns.calls_of(turns.count - 1).start)

    def values(self) -> range:
        turns = self.turns
        return range(turns.values_of(self.first).start, turns.values_of(turns.count - 1).start)

    def short(self) -> Fold:
        """The fold with the calls that are left; it has as many repeats as before."""
        calls, period = self.fold.calls, self.fold.period
        return replace(self.fold, calls=calls[: period * self.first] + calls[-period:])


def shortened(graph: Graph, folds: Sequence[Fold]) -> tuple[Graph, Sequence[Fold]]:
    """The records of a graph, and its folds, without turns that no picture shows while its folds are closed.

    What is returned has gaps: ids are no positions any more, and it is of no use but to be written. A fold with turns
    left out has fewer calls than its period and count say.
    """
    gaps = [gap for fold in _outermost(graph, folds) if (gap := _gap(graph, fold))]
    while gaps:
        short = _without(graph, gaps)
        read = _read(short, gaps)
        if not read:
            return short, _folds(folds, gaps)
        gaps = [gap for gap in gaps if gap not in read]
    return graph, folds


def _outermost(graph: Graph, folds: Sequence[Fold]) -> Iterator[Fold]:
    """Long loops that are in no repeat of another fold, for there a repeat stands for the others place by place."""
    long = [fold for fold in folds if fold.kind == "loop" and fold.count >= LONG]
    repeated = set(chain.from_iterable(fold.calls for fold in folds)) if long else set()
    for fold in long:
        at: int | None = fold.parent
        while at is not None and at not in repeated:
            at = graph.calls[at].parent
        if at is None:
            yield fold


def _gap(graph: Graph, fold: Fold) -> _Gap | None:
    turns = _turns(graph, fold)
    first = None if turns is None else _settled(graph, turns)
    if turns is None or first is None:
        return None
    values = graph.values
    if any(not _is_next(graph, fold.parent, turns, turn) for turn in range(first, turns.count)):
        return None
    if not _have_places(graph, turns, first):
        return None
    gap = _Gap(fold, turns, first)
    hidden = gap.calls()
    made = sum(value.producer in hidden for value in values if value.producer is not None)
    return gap if made == len(gap.values()) else None


def _turns(graph: Graph, fold: Fold) -> _Turns | None:
    """How the turns follow each other, if all from the second on have as many calls, and values, in a row."""
    starts = fold.calls[:: fold.period]
    size = starts[2] - starts[1]
    if any(later - start != size for start, later in pairwise(starts[1:])):
        return None
    if starts[-1] + size > len(graph.calls):
        return None
    bodies = [call.id for call in graph.calls[starts[1] : starts[2]] if call.parent == fold.parent]
    if bodies != list(fold.calls[fold.period : 2 * fold.period]):
        return None
    second, third = range(starts[1], starts[2]), range(starts[2], starts[2] + size)
    first = [next((value.id for value in graph.values if value.producer in turn), None) for turn in (second, third)]
    if first[0] is None or first[1] is None or first[1] <= first[0]:
        return None
    turns = _Turns(starts[1], first[0], size, first[1] - first[0], fold.count)
    return turns if turns.values_of(fold.count - 1).stop <= len(graph.values) else None


def _settled(graph: Graph, turns: _Turns) -> int | None:
    """The first turn that may be left out; None if there are not several, or they keep depending on others."""
    reach = _Reach(graph, turns)
    before: list[int] = []
    for turn in range(1, min(turns.count - 2, MOST)):
        now = reach.follow(turn)
        if now == before and turn >= LEAST - 1:
            return turn + 1
        before = now
    return None


class _Reach:
    """What the values of a loop depend on, in bits: one for each call of a turn, and one for each value before it."""

    def __init__(self, graph: Graph, turns: _Turns) -> None:
        self._graph = graph
        self._turns = turns
        self._bits: dict[int, int] = {}
        self._of: dict[int, int] = {}

    def follow(self, turn: int) -> list[int]:
        """Add the values of a turn, which comes after those added before; what its calls and values depend on."""
        inside = self._turns.calls_of(turn)
        values = self._turns.values_of(turn)
        made = dict.fromkeys(values, 0)
        reached = []
        for place, call in enumerate(self._graph.calls[inside.start : inside.stop]):
            bits = 1 << place
            for value in call.inputs:
                bits |= made[value] if value in made else self._before(value)
            reached.append(bits)
            for value in chain(call.outputs, call.writes):
                if value in made:
                    made[value] |= bits
        for value in values:
            known = self._graph.values[value]
            for earlier in (known.previous, known.alias_of, known.view_of):
                if earlier is not None:
                    made[value] |= made[earlier] if earlier in made else self._before(earlier)
        self._of |= made
        return [*reached, *made.values()]

    def _before(self, value: int) -> int:
        """Of a value of an earlier turn, what it depends on; of any other, itself."""
        if value not in self._of:
            self._of[value] = 1 << (self._turns.calls + self._bits.setdefault(value, len(self._bits)))
        return self._of[value]


def _is_next(graph: Graph, parent: int, turns: _Turns, turn: int) -> bool:
    """Whether a turn is the one before it again: it reads the same, or what stands equally far before it."""
    here, there = turns.calls_of(turn - 1), turns.calls_of(turn)
    values = range(turns.values_of(turn - 2).start, turns.values_of(turn - 1).stop)
    step = turns.values

    def moved(ids: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([value + step if value in values else value for value in ids])

    def follows(one: int | None, other: int | None) -> bool:
        return other == (one + step if one is not None and one in values else one)

    for call, later in zip(graph.calls[here.start : here.stop], graph.calls[there.start : there.stop], strict=True):
        around = parent if call.parent == parent else (call.parent or 0) + turns.calls
        if (
            later.parent != around
            or (call.kind, call.name, call.path, None) != (later.kind, later.name, later.path, later.error)
            or moved(call.inputs) != later.inputs
            or moved(call.outputs) != later.outputs
            or moved(call.writes) != later.writes
        ):
            return False
    for value in turns.values_of(turn - 1):
        one, other = graph.values[value], graph.values[value + step]
        if one.producer is None or one.producer not in here or other.producer != one.producer + turns.calls:
            return False
        if one.slot != other.slot:
            return False
        if not follows(one.previous, other.previous) or not follows(one.alias_of, other.alias_of):
            return False
        if not follows(one.view_of, other.view_of) or (one.kind == "input") != (other.kind == "input"):
            return False
    return True


def _have_places(graph: Graph, turns: _Turns, turn: int) -> bool:
    """Whether what is read in a turn was returned where it was made, so that the first turn has one in its place.

    What was written in place without being returned has no such place, and is drawn for each turn.
    """
    values = range(turns.values_of(turn - 1).start, turns.values_of(turn).stop)
    if any(value.slot is None for value in graph.values[values.start : values.stop]):
        return False
    inside = turns.calls_of(turn)
    functions = [call for call in graph.calls[inside.start : inside.stop] if call.kind != "aten"]
    read = set(chain.from_iterable(call.inputs for call in functions))
    numbers = {call.id for call in functions}
    for value in graph.values[turns.values_of(turn).start : values.stop]:
        if value.producer in numbers:
            read.update(one for one in (value.previous, value.alias_of, value.view_of) if one is not None)
    return all(_is_returned(graph, value) for value in read if value in values)


def _is_returned(graph: Graph, value: int) -> bool:
    """Whether the call that made it returns it, be it an ATen call that is not drawn, or the call around that."""
    maker = graph.values[value].producer
    while maker is not None and graph.calls[maker].kind == "aten":
        maker = graph.calls[maker].parent
    return maker is not None and value in graph.calls[maker].outputs


def _without(graph: Graph, gaps: Sequence[_Gap]) -> Graph:
    """The graph without what is in the gaps; the turn after each reads from the one before it."""
    hidden_calls, hidden_values = set[int](), set[int]()
    for gap in gaps:
        hidden_calls.update(gap.calls())
        hidden_values.update(gap.values())
    calls = {call.id: call for call in graph.calls if call.id not in hidden_calls}
    values = {value.id: value for value in graph.values if value.id not in hidden_values}
    for gap in gaps:
        _join(gap, calls, values)
        above = calls[gap.fold.parent]
        flops = sum(call.flops for call in graph.calls[gap.calls().start : gap.calls().stop])
        calls[above.id] = replace(above, flops=above.flops + flops)
    return replace(graph, calls=tuple(calls.values()), values=tuple(values.values()))


def _join(gap: _Gap, calls: dict[int, Call], values: dict[int, Value]) -> None:
    turns, last = gap.turns, gap.turns.count - 1
    kept = turns.values_of(gap.first - 1).start
    moved: Mapping[int, int] = {value: kept + at for at, value in enumerate(turns.values_of(last - 1))}
    for at in turns.calls_of(last):
        call = calls[at]
        inputs, outputs, writes = (
            tuple([moved.get(value, value) for value in ids]) for ids in (call.inputs, call.outputs, call.writes)
        )
        calls[at] = replace(call, inputs=inputs, outputs=outputs, writes=writes)
    for at in turns.values_of(last):
        value = values[at]
        earlier = {name: getattr(value, name) for name in ("previous", "alias_of", "view_of")}
        values[at] = replace(value, **{name: moved.get(one, one) for name, one in earlier.items()})


def _read(short: Graph, gaps: Sequence[_Gap]) -> list[_Gap]:
    """The gaps of which something is read outside."""
    calls = {call: gap for gap in gaps for call in gap.calls()}
    values = {value: gap for gap in gaps for value in gap.values()}
    found: dict[int, _Gap] = {}
    for call in short.calls:
        for value in chain(call.inputs, call.outputs, call.writes):
            if value in values:
                found[values[value].fold.calls[0]] = values[value]
        if call.parent in calls:
            found[calls[call.parent].fold.calls[0]] = calls[call.parent]
    for made in short.values:
        for earlier in (made.previous, made.alias_of, made.view_of):
            if earlier in values:
                found[values[earlier].fold.calls[0]] = values[earlier]
    return list(found.values())


def _folds(folds: Sequence[Fold], gaps: Sequence[_Gap]) -> Sequence[Fold]:
    short = {gap.fold.calls[0]: gap.short() for gap in gaps}
    hidden = set(chain.from_iterable(gap.calls() for gap in gaps))
    return [short.get(fold.calls[0], fold) for fold in folds if fold.parent not in hidden]
