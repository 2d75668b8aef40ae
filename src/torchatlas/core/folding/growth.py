"""Loops are folded too whose turns differ in sizes that grow steadily, as the cache of a decoder grows by one token.

No two turns of such a loop are equal, so calls get signatures once more, without sizes
(`call_signature.without_sizes`). What repeats then is cut into runs in which every size changes by the same amount from
turn to turn:

    turn                   0          1          2          3
    cache read        [1, 3, 8]  [1, 4, 8]  [1, 5, 8]  [1, 9, 8]
    change                  (0, +1, 0) (0, +1, 0) (0, +4, 0)         turns 0 to 2 are one run

Such a run is written ``×3, cache 3..6``: 3 long before the first turn, 6 after the last.

>>> str(Growth("cache", 3, 6))
'cache 3..6'
>>> str(Growth("cache", 3, 6).of_part(turns=3, start=1, count=2))
'cache 4..6'

A run calls the same modules again: blocks that widen step by step, each with weights of its own, are no loop.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

from torchatlas.core.folding.call_signature import AROUND, without_sizes
from torchatlas.core.folding.chains import chains
from torchatlas.core.folding.repeats import Repeat
from torchatlas.core.folding.signature import numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchatlas.core.folding.call_signature import CallSignatures
    from torchatlas.core.graph import Graph

SIZE = "size"
TURNS = 3
"""Two turns always differ by some amount; that it stays the same shows from three on."""

_LOOKS = 8
"""Candidates that are looked at for each parent, the longest first: a bound, for each is compared turn by turn."""


class _Sizes(NamedTuple):
    """Sizes and numbers in a call, or by how much they change from one turn to the next.

    Attributes:
        read: of what the calls inside read.
        made: of what they make, and the numbers that they were given.
    """

    read: tuple[float, ...]
    made: tuple[float, ...]


def _change(one: float, two: float) -> float:
    return 0 if one == two else two - one


@dataclass(frozen=True, slots=True)
class Growth:
    """What grows from turn to turn.

    Attributes:
        name: ``cache`` for numbers that one turn hands to the next, ``length`` for whole numbers (tokens, a mask),
            ``size`` for what no turn hands on.
        first: before the first turn; of a ``size``, in it.
        last: after the last turn; of a ``size``, in it.
    """

    name: str
    first: int
    last: int

    def __str__(self) -> str:
        """In a few words: ``cache 3..32``."""
        return f"{self.name} {self.first}..{self.last}"

    def of_part(self, turns: int, start: int, count: int) -> Growth:
        """What grows in ``count`` of all its turns alone, from ``start`` on; it grows by as much in each."""
        ends = 1 if self.name == SIZE else 0  # the last turn has the last size, and is not followed by it
        step = (self.last - self.first) // (turns - ends)
        first = self.first + step * start
        return Growth(self.name, first, first + step * (count - ends))


class Growing:
    """Repeats of a graph that grow, found parent by parent."""

    def __init__(self, graph: Graph, signatures: CallSignatures) -> None:
        self._graph = graph
        self._strict = signatures
        self._loose: CallSignatures | None = None
        self._sizes: dict[int, _Sizes] = {}

    def repeats(self, body: Sequence[int]) -> list[tuple[Repeat, Growth]]:
        """Among the children of one call; they may overlap."""
        if not self._may_grow(body):
            return []
        if self._loose is None:
            self._loose = without_sizes(self._graph, self._strict)
        found: dict[Repeat, Growth] = {}
        candidates = {repeat for repeat in chains(self._graph, self._loose, body) if repeat.times >= TURNS}
        for repeat in sorted(candidates, key=lambda each: (-each.period * each.times, each))[:_LOOKS]:
            for run in self._steady(body, repeat):
                growth = self._growth(body, run)
                if growth is not None:
                    found[run] = growth
        return list(found.items())

    def part(self, body: Sequence[int], repeat: Repeat, found: Mapping[Repeat, Growth]) -> Growth | None:
        """What grows in a repeat that is one of those found, or a part of one; None if it is neither."""
        end = repeat.start + repeat.period * repeat.times
        for run in found:
            if run.period == repeat.period and run.start <= repeat.start and end <= run.start + run.period * run.times:
                return found[run] if run == repeat else self._growth(body, repeat)
        return None

    def _may_grow(self, body: Sequence[int]) -> bool:
        """Whether one module is called several times, and something several times, each time built otherwise."""
        often: Counter[str] = Counter()
        kinds: dict[str, set[int]] = {}
        for call in map(self._graph.calls.__getitem__, body):
            often.update([call.path] if call.path is not None else [])
            kinds.setdefault(call.name, set()).add(self._strict.number[call.id])
        several = max(often.values(), default=0) >= TURNS
        return several and any(len(numbers) >= TURNS for numbers in kinds.values())

    def _steady(self, body: Sequence[int], repeat: Repeat) -> Iterator[Repeat]:
        """The runs of turns, as long as they can be, from each of which to the next every size changes alike.

        What the first turn reads may come from elsewhere, and be of another size than what later ones are handed.
        """
        period, start, times = repeat
        turns = [body[start + period * turn : start + period * (turn + 1)] for turn in range(times)]
        steps = [self._step(one, two) for one, two in pairwise(turns)]
        begin = 0
        for turn in range(1, times):
            first, next_ = steps[begin], steps[turn] if turn < times - 1 else None
            second = steps[begin + 1] if next_ is not None else None
            if first and next_ and second and next_.made == first.made and next_.read == second.read:
                continue
            if first and turn - begin >= TURNS - 1 and any(first.made):
                yield Repeat(period, start + period * begin, turn - begin + 1)
            begin = turn

    def _step(self, one: Sequence[int], two: Sequence[int]) -> _Sizes | None:
        """By how much each size changes from one turn to the next; None if they are not the same calls again."""
        calls = self._graph.calls
        if any(calls[here].path != calls[there].path for here, there in zip(one, two, strict=True)):
            return None
        here, there = self._sizes_in(one), self._sizes_in(two)
        if list(map(len, here)) != list(map(len, there)):
            return None
        return _Sizes(*[tuple(map(_change, first, second)) for first, second in zip(here, there, strict=True)])

    def _sizes_in(self, turn: Sequence[int]) -> _Sizes:
        each = [self._sizes_of(call) for call in turn]
        return _Sizes(*[tuple(chain.from_iterable(part)) for part in zip(*each, strict=True)])

    def _sizes_of(self, call: int) -> _Sizes:
        """Every size and number in a call, the weights' left out."""
        known = self._sizes.get(call)
        if known is None:
            read: list[float] = []
            made: list[float] = []
            waiting = [call]
            while waiting:
                item = waiting.pop()
                if self._graph.calls[item].kind not in AROUND or not self._strict.body[item]:
                    made += numbers_of(self._graph.calls[item])
                    read += self._shapes(self._graph.calls[item].inputs)
                made += self._shapes(self._strict.made.get(item, ()))
                waiting += reversed(self._strict.body[item])
            known = self._sizes[call] = _Sizes(tuple(read), tuple(made))
        return known

    def _shapes(self, values: Sequence[int]) -> list[int]:
        known = self._graph.values
        return [size for at in values if not known[at].is_weight for size in known[at].shape]

    def _growth(self, body: Sequence[int], run: Repeat) -> Growth | None:
        """What grows, said by what most of that which grows has in common; None if no size of a tensor does."""
        period, start, times = run
        turns = [body[start + period * turn : start + period * (turn + 1)] for turn in (0, 1, times - 1)]
        first, second, last = [self._touched(turn) for turn in turns]
        made = {value for (_, name), value in first.items() if name < 0}
        said: Counter[Growth] = Counter()
        for place, value in second.items():
            if place[1] > 0 and value in made:  # handed from the first to the second; each value speaks once
                made.discard(value)
                said.update(self._range(first.get(place), value, last.get(place), handed=True))
        if not said:
            for place, value in first.items():
                said.update(self._range(value, second.get(place), last.get(place), handed=False))
        return max(said, key=lambda each: (each.name == "cache", said[each]), default=None)

    def _touched(self, calls: Sequence[int]) -> dict[tuple[int, int], int]:
        """What a turn reads and makes, by the place of the call in it and the value's name there."""
        assert self._loose is not None  # noqa: S101 - repeats were found with it
        return {(at, name): value for at, call in enumerate(calls) for value, name, _ in self._loose.touches[call]}

    def _range(self, one: int | None, two: int | None, last: int | None, *, handed: bool) -> Iterator[Growth]:
        """From which size to which a dimension of a value goes: what is handed on is longer yet after the last turn."""
        if one is None or two is None or last is None:
            return
        values = self._graph.values
        whole = "int" in values[one].dtype or "bool" in values[one].dtype
        for first, second, end in zip(values[one].shape, values[two].shape, values[last].shape, strict=False):
            if first != second and handed:
                yield Growth("length" if whole else "cache", first, end + second - first)
            elif first != second:
                yield Growth(SIZE, first, end)
