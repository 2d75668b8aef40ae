"""Chains: stretches of siblings that are built alike, cut into repeats that are wired alike too.

A break is a place where a child is linked otherwise than the one a period later. None is allowed inside a chain but in
its first repeat, which may read from before the chain what every later repeat is handed by the one before it, be it
one value where the later ones are handed several (``core.folding.first_repeat``).
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import chain, compress
from operator import ne
from typing import TYPE_CHECKING

from torchatlas.core.folding.first_repeat import merged_firsts
from torchatlas.core.folding.repeats import Repeat, stretches, stretches_at
from torchatlas.core.folding.siblings import AGAIN, MADE, NO_LINK, Siblings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchatlas.core.folding.call_signature import CallClasses
    from torchatlas.core.folding.repeats import Stretch
    from torchatlas.core.folding.siblings import Link
    from torchatlas.core.graph import Graph

_TRIES = 3
_LAGS = 4


def chains(graph: Graph, classes: CallClasses, calls: Sequence[int]) -> Iterator[Repeat]:
    """Every repeat among the children of a call, as long as it can be; they may overlap."""
    siblings = Siblings(graph, classes, calls)
    found = _stretches(siblings)
    yield from _cut(siblings, found)
    merged = merged_firsts(graph, classes, calls, siblings.number, found)
    if merged:
        siblings = Siblings(graph, classes, calls, merged)
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
        places = range(self.start, self.stop)
        broken = set(compress(places, map(ne, siblings.linked[first], siblings.linked[later])))
        broken.update(compress(places, map(period.__lt__, siblings.reach[later])))
        merged = {place for place in siblings.merged if place in places}
        after = {place - period for place in siblings.merged if place - period in places}
        broken |= merged | after
        twin: dict[int, int] = {}
        for place in sorted(broken):
            different = list(self._differences(place))
            own = [name for name, here, there in different if self._own(place, name, here, there, twin)]
            if own:
                self.listed.append(place)
            if len(own) < len(different) or place in after:
                self.breaks.append(place)

    def _differences(self, place: int) -> Iterator[tuple[int, Link, Link]]:
        """(name, link here, link one period later) where they differ, reach beyond a period, or a value is merged."""
        merged = self._merged(place)
        here = {link[0]: link for link in self.siblings.links[place]}
        there = {link[0]: link for link in self.siblings.links[place + self.period]}
        for name in here.keys() | there.keys() | merged:
            first, later = here.get(name, NO_LINK), there.get(name, NO_LINK)
            if first != later or (later[1] == AGAIN and later[2] > self.period) or name in merged:
                yield name, first, later

    def _own(self, place: int, name: int, here: Link, there: Link, twin: dict[int, int]) -> bool:
        """Whether both read a value of their own of several that calls alike made before the stretch.

        So it is with states or caches, made in a loop of their own, one for each layer. ``twin`` remembers which of
        them stand for each other, from one repeat to the next.
        """
        if here[1] != MADE or there[1] != MADE or here[3] != there[3] or name in self._merged(place):
            return False
        makers = place - here[2], place + self.period - there[2]
        if max(makers) >= self.start or self.siblings.number[makers[0]] != self.siblings.number[makers[1]]:
            return False
        first, later = self.siblings.values(place)[name], self.siblings.values(place + self.period)[name]
        return twin.setdefault(later, first) == first

    def _lawful(self, begin: int) -> int:
        """The first begin from here on for which all breaks in the first repeat can be excused; past the end if none.

        Breaks are few or, where they are many, mostly beyond excuse: after some tries, all in sight are left behind.
        """
        tries = 0
        while begin + self.period <= self.stop:
            inside = self.breaks[bisect_left(self.breaks, begin) : bisect_left(self.breaks, begin + self.period)]
            moved = begin
            for place in reversed(inside):
                if place < moved:
                    break
                low, high = self._excuse(place)
                if not low <= moved <= high:
                    moved = low if moved < low <= high else place + 1
            if moved == begin and (not inside or self._one_to_one(begin)):
                break
            begin = moved if moved > begin and tries < _TRIES else inside[-1] + 1
            tries += 1
        return begin

    def _excuse(self, place: int) -> tuple[int, int]:
        """Lowest and highest begin of a chain whose first repeat may differ here from the next; none if low > high.

        It may read from before the chain what the next one is handed by it, or what the next ones read again. It may
        read one value instead of several only if the next one is handed each of them by it or reads that very value.
        """
        low, high = 0, place if place + self.period not in self.siblings.merged else -1
        merged = self._merged(place)
        values, later_values = self.siblings.values(place), self.siblings.values(place + self.period)
        for name, here, there in self._differences(place):
            first, later = values.get(name), later_values.get(name)
            low = max(low, self.siblings.maker(first) + 1)
            same = first is not None and first == later
            again = there[1] == AGAIN and there[2] == self.period and name not in merged
            if not same and not again and not self._own(place, name, here, there, {}):
                handed = self.siblings.maker(later)
                low, high = max(low, handed - self.period + 1), min(high, handed)
        return low, high

    def _merged(self, place: int) -> frozenset[int]:
        merged = self.siblings.merged.get(place)
        return merged.names if merged else frozenset()

    def _one_to_one(self, begin: int) -> bool:
        """Whether one value stands in the first repeat wherever one stands in the next."""
        twin: dict[int, int] = {}
        for place in range(begin, begin + self.period):
            first = self.siblings.values(place)
            for value, name, _ in self.siblings.touches[place + self.period]:
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
            best = min(choices, key=lambda place: (crossing[place + self.period], -weights[place]))
        return best if self._lawful(best) == best else begin

    def _carries(self, begin: int) -> bool:
        """Whether the second repeat reads what the first made."""
        first = range(begin, begin + self.period)
        second = range(first.stop, first.stop + self.period)
        return any(
            self.siblings.maker(value) in first
            for place in second
            for value, name, _ in self.siblings.touches[place]
            if name > 0
        )
