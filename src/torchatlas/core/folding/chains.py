"""Chains are repeats that are wired alike; they are cut from stretches of siblings that are built alike.

A *break* is a position at which a child is linked otherwise than the child one period later. A chain holds no break
except in its first repeat, which may read from before the chain what every later repeat is handed by the repeat before
it. Six equal calls, of which the fourth reads the input ``x`` again instead of the result of the third:

    child     0     1     2     3     4     5
    reads     x     0     1     x     3     4        (a number is the child whose result it reads)
    break     yes   -     yes   yes   -              (compared with the next child: period 1)

One chain begins at 0; its break is in the first repeat, and excused. It ends with child 2, for child 3 is linked
otherwise. A second chain begins at 3, whose break is excused too. With period 3, the two are repeats themselves:

>>> import torch, torchatlas as ta
>>> from torchatlas.core.folding.call_signature import call_signatures
>>> def net(x):
...     return torch.relu(torch.relu(torch.relu(x))), torch.relu(torch.relu(torch.relu(x)))
>>> graph = ta.capture(net, torch.zeros(8)).graph
>>> for repeat in chains(graph, call_signatures(graph), graph.children[0]):
...     print(repeat)
Repeat(period=1, start=0, times=3)
Repeat(period=1, start=3, times=3)
Repeat(period=3, start=0, times=2)

Where a first repeat is handed one value and the later ones two, ``first_repeat.py`` says what it would look like with
two, and the stretches are cut once more.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import chain, compress
from operator import ne
from typing import TYPE_CHECKING

from torchatlas.core.folding.first_repeat import first_repeats
from torchatlas.core.folding.repeats import Repeat, stretches, stretches_at
from torchatlas.core.folding.siblings import AGAIN, MADE, NO_LINK, Siblings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchatlas.core.folding.call_signature import CallSignatures
    from torchatlas.core.folding.repeats import Stretch
    from torchatlas.core.folding.siblings import Link
    from torchatlas.core.graph import Graph

_TRIES = 3
"""Begins that are tried near a break before all breaks in sight are skipped: keeps a stretch of many breaks linear."""

_LAGS = 4
"""Periods that are taken from what is read again, the commonest first: a bound, so that the search stays linear."""


def chains(graph: Graph, signatures: CallSignatures, calls: Sequence[int]) -> Iterator[Repeat]:
    """Every repeat among the children of a call, as long as it can be; they may overlap."""
    siblings = Siblings(graph, signatures, calls)
    found = _stretches(siblings)
    yield from _cut(siblings, found)
    merged = first_repeats(graph, signatures, calls, siblings.number, found)
    if merged:
        siblings = Siblings(graph, signatures, calls, merged)
        yield from _cut(siblings, _stretches(siblings))


def _stretches(siblings: Siblings) -> Sequence[Stretch]:
    numbers = siblings.number
    return [*stretches(numbers), *stretches_at(numbers, siblings.again(_LAGS))]


def _cut(siblings: Siblings, found: Iterable[Stretch]) -> Iterator[Repeat]:
    return chain.from_iterable(_Stretch(siblings, stretch).cut() for stretch in found)


class _Stretch:
    """A stretch of siblings while it is cut.

    Attributes:
        breaks: positions whose links differ from those one period later.
        listed: positions where they differ because each repeat has values of its own, from a list made before.
    """

    def __init__(self, siblings: Siblings, stretch: Stretch) -> None:
        self.siblings = siblings
        self.period, self.start, self.stop = stretch
        self.breaks: list[int] = []
        self.listed: list[int] = []
        self._find_breaks()

    def cut(self) -> Iterator[Repeat]:
        """The chains of the stretch, in order."""
        begin, period = self.start, self.period
        while True:
            begin = self._lawful(begin)
            if begin + period > self.stop:
                return
            later = bisect_left(self.breaks, begin + period)
            limit = self.breaks[later] if later < len(self.breaks) else self.stop
            begin = self._aligned(begin, limit)
            count = (limit - begin) // period + 1
            listed = bisect_left(self.listed, begin)
            if listed == len(self.listed) or self.listed[listed] >= limit or self._carries(begin):
                yield Repeat(period, begin, count)
            begin += period * count

    def _find_breaks(self) -> None:
        siblings, period = self.siblings, self.period
        first, later = slice(self.start, self.stop), slice(self.start + period, self.stop + period)
        positions = range(self.start, self.stop)
        broken = set(compress(positions, map(ne, siblings.linked[first], siblings.linked[later])))
        broken.update(compress(positions, map(period.__lt__, siblings.reach[later])))
        merged = {position for position in siblings.merged if position in positions}
        after = {position - period for position in siblings.merged if position - period in positions}
        broken |= merged | after
        twin: dict[int, int] = {}
        for position in sorted(broken):
            different = list(self._differences(position))
            own = [name for name, here, there in different if self._own(position, name, here, there, twin)]
            if own:
                self.listed.append(position)
            if len(own) < len(different) or position in after:
                self.breaks.append(position)

    def _differences(self, position: int) -> Iterator[tuple[int, Link, Link]]:
        """(name, link here, link one period later) where they differ, reach beyond a period, or a value is merged."""
        merged = self._merged(position)
        here = {link[0]: link for link in self.siblings.links[position]}
        there = {link[0]: link for link in self.siblings.links[position + self.period]}
        for name in here.keys() | there.keys() | merged:
            first, later = here.get(name, NO_LINK), there.get(name, NO_LINK)
            if first != later or (later[1] == AGAIN and later[2] > self.period) or name in merged:
                yield name, first, later

    def _own(self, position: int, name: int, here: Link, there: Link, twin: dict[int, int]) -> bool:
        """Whether both read a value of their own of several that calls alike made before the stretch.

        So it is with states or caches, made in a loop of their own, one for each layer. ``twin`` remembers which of
        them stand for each other, from one repeat to the next.
        """
        if here[1] != MADE or there[1] != MADE or here[3] != there[3] or name in self._merged(position):
            return False
        makers = position - here[2], position + self.period - there[2]
        if max(makers) >= self.start or self.siblings.number[makers[0]] != self.siblings.number[makers[1]]:
            return False
        first, later = self.siblings.values(position)[name], self.siblings.values(position + self.period)[name]
        return twin.setdefault(later, first) == first

    def _lawful(self, begin: int) -> int:
        """The first begin from here on for which all breaks in the first repeat can be excused; past the end if none.

        Breaks are few or, where they are many, mostly beyond excuse: after some tries, all in sight are left behind.
        """
        tries = 0
        while begin + self.period <= self.stop:
            inside = self.breaks[bisect_left(self.breaks, begin) : bisect_left(self.breaks, begin + self.period)]
            moved = begin
            for position in reversed(inside):
                if position < moved:
                    break
                low, high = self._excuse(position)
                if not low <= moved <= high:
                    moved = low if moved < low <= high else position + 1
            if moved == begin and (not inside or self._one_to_one(begin)):
                break
            begin = moved if moved > begin and tries < _TRIES else inside[-1] + 1
            tries += 1
        return begin

    def _excuse(self, position: int) -> tuple[int, int]:
        """Lowest and highest begin of a chain whose first repeat may differ here from the next; none if low > high.

        It may read from before the chain what the next one is handed by it, or what the next ones read again. It may
        read one value instead of several only if the next one is handed each of them by it or reads that very value.
        """
        low, high = 0, position if position + self.period not in self.siblings.merged else -1
        merged = self._merged(position)
        values, later_values = self.siblings.values(position), self.siblings.values(position + self.period)
        for name, here, there in self._differences(position):
            first, later = values.get(name), later_values.get(name)
            low = max(low, self.siblings.maker(first) + 1)
            same = first is not None and first == later
            again = there[1] == AGAIN and there[2] == self.period and name not in merged
            if not same and not again and not self._own(position, name, here, there, {}):
                handed = self.siblings.maker(later)
                low, high = max(low, handed - self.period + 1), min(high, handed)
        return low, high

    def _merged(self, position: int) -> frozenset[int]:
        merged = self.siblings.merged.get(position)
        return merged.names if merged else frozenset()

    def _one_to_one(self, begin: int) -> bool:
        """Whether one value stands in the first repeat wherever one stands in the next."""
        twin: dict[int, int] = {}
        for position in range(begin, begin + self.period):
            first = self.siblings.values(position)
            for value, name, _ in self.siblings.touches[position + self.period]:
                if name in first and twin.setdefault(value, first[name]) != first[name]:
                    return False
        return True

    def _aligned(self, begin: int, limit: int) -> int:
        """A later begin that costs no repeat, if it suits better than the first.

        Repeats begin where the chain reads from elsewhere; else where they hand each other the fewest values; of
        several such places, at the one with the most weights.
        """
        choices = range(begin, begin + (limit - begin) % self.period + 1)
        if len(choices) == 1:
            return begin
        first = bisect_left(self.breaks, begin)
        if first < len(self.breaks) and self.breaks[first] in choices:
            best = self.breaks[first]
        else:
            crossing, weights = self.siblings.crossing, self.siblings.weights
            best = min(choices, key=lambda position: (crossing[position + self.period], -weights[position]))
        return best if self._lawful(best) == best else begin

    def _carries(self, begin: int) -> bool:
        """Whether the second repeat reads what the first made."""
        first = range(begin, begin + self.period)
        second = range(first.stop, first.stop + self.period)
        return any(
            self.siblings.maker(value) in first
            for position in second
            for value, name, _ in self.siblings.touches[position]
            if name > 0
        )
