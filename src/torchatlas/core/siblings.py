"""The children of one call as a sequence in which repeats are equal numbers at equal distances.

Each child is linked to earlier ones by what it reads: a value that a call alike read before it (``AGAIN``), that a
sibling made (``MADE``), or that came from outside and that a sibling touched before (``SEEN``). Distances, not ids,
say which, so the links of a repeat are those of the repeat before it. Values that nobody touched before (weights of
its own, the next element of a list) make no link.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate, chain, compress
from operator import ne
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.repeats import Repeat, stretches, stretches_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.core.graph import Graph
    from torchatlas.core.repeats import Stretch
    from torchatlas.core.wiring import CallClasses, Touch

AGAIN, MADE, SEEN, NONE = range(4)
_TRIES = 3
_LAGS = 4


Link: TypeAlias = "tuple[int, int, int, int]"
"""(name, how, back, detail): how a read is tied to an earlier sibling.

The name is the value's place inside the reader, 0 for the module that is called; ``how`` is AGAIN, MADE or SEEN;
``back`` is the distance to that sibling; ``detail`` is the value's place inside it. After AGAIN, ``detail`` is how far
the value moved on among those of its maker (``for step in x.unbind()``), 0 if it is the same.
"""


_NO_LINK: Link = (0, NONE, 0, 0)


class Siblings:
    """Children of one call, in order, by position among them.

    Attributes:
        number: equal for children built alike, in modules named alike.
        linked: equal if their links are equal too.
        links: ties to earlier siblings.
        reach: distance of the farthest AGAIN link.
    """

    def __init__(self, graph: Graph, classes: CallClasses, calls: Sequence[int]) -> None:
        self.touches = [classes.touches[call] for call in calls]
        self.weights = [classes.weights[call] for call in calls]
        kinds: dict[tuple[int, str | None], int] = {}
        self.number = [kinds.setdefault((classes.number[call], classes.pattern[call]), len(kinds)) for call in calls]
        self.links: list[tuple[Link, ...]] = []
        if len(kinds) == len(calls):
            return
        linker = _Linker()
        self.made = linker.made
        for number, touches, call in zip(self.number, self.touches, calls, strict=True):
            self.links.append(linker.link(number, touches, graph.calls[call].path))
        tied: dict[tuple[int, tuple[Link, ...]], int] = {}
        self.linked = [tied.setdefault(pair, len(tied)) for pair in zip(self.number, self.links, strict=True)]
        self.reach = [max((back for _, how, back, _ in links if how == AGAIN), default=0) for links in self.links]

    def repeats(self) -> Iterator[Repeat]:
        """Every repeat among them, as long as it can be; they may overlap."""
        if not self.links:
            return
        for stretch in chain(stretches(self.number), stretches_at(self.number, self._again())):
            yield from self._chains(stretch)

    def _again(self) -> list[tuple[int, int]]:
        """(position, lag) where something is read again after ``lag``, for the few lags at which that is commonest.

        Children that are all alike repeat after one; only what they read again tells that every second is another.
        """
        lags = Counter(self.reach)
        del lags[0]
        common = {lag for lag, _ in lags.most_common(_LAGS)}
        return [(place - lag, lag) for place, lag in enumerate(self.reach) if lag in common]

    def _chains(self, stretch: Stretch) -> Iterator[Repeat]:
        """Cut a stretch of children built alike into repeats that are wired alike."""
        period, begin, stop = stretch
        breaks = self._breaks(stretch)
        while True:
            begin = self._lawful(begin, period, breaks)
            if begin + period > stop:
                return
            later = bisect_left(breaks, begin + period)
            limit = breaks[later] if later < len(breaks) else stop
            begin = self._aligned(begin, period, limit, breaks)
            count = (limit - begin) // period + 1
            yield Repeat(period, begin, count)
            begin += period * count

    def _breaks(self, stretch: Stretch) -> list[int]:
        """Positions in the stretch whose links differ from those one period later."""
        period, start, stop = stretch
        here, there = slice(start, stop), slice(start + period, stop + period)
        places = range(start, stop)
        broken = set(compress(places, map(ne, self.linked[here], self.linked[there])))
        broken.update(compress(places, map(period.__lt__, self.reach[there])))
        return sorted(broken)

    def _lawful(self, begin: int, period: int, breaks: list[int]) -> int:
        """The first begin from here on for which all breaks in the first repeat can be excused."""
        for attempt in range(len(breaks) + 1):
            inside = breaks[bisect_left(breaks, begin) : bisect_left(breaks, begin + period)]
            moved = begin
            for place in reversed(inside):
                if place < moved:
                    break
                low, high = self._excuse(place, period)
                if not low <= moved <= high:
                    moved = low if moved < low <= high else place + 1
            if moved == begin and self._one_to_one(inside, period):
                break
            begin = moved if moved > begin and attempt < _TRIES else inside[-1] + 1
        return begin

    def _excuse(self, place: int, period: int) -> tuple[int, int]:
        """Lowest and highest begin of a chain whose first repeat may differ here from the next; none if low > high.

        It may read from before the chain what the next one is handed by it, or what the next ones read again.
        """
        low, high = 0, place
        here = {link[0]: link for link in self.links[place]}
        there = {link[0]: link for link in self.links[place + period]}
        values, later_values = self._values(place), self._values(place + period)
        for name in here.keys() | there.keys():
            _, how, back, _ = there.get(name, _NO_LINK)
            if here.get(name) == there.get(name) and not (how == AGAIN and back > period):
                continue
            first, later = values.get(name), later_values.get(name)
            low = max(low, self._maker(first) + 1)
            same = first is not None and first == later
            if not same and not (how == AGAIN and back == period):
                handed = self._maker(later)
                low, high = max(low, handed - period + 1), min(high, handed)
        return low, high

    def _maker(self, value: int | None) -> int:
        """Which sibling made a value; -1 if none did."""
        return -1 if value is None else self.made.get(value, (-1, 0))[0]

    def _values(self, place: int) -> dict[int, int]:
        """What a child reads and makes, by name."""
        return {name: value for value, name, _ in self.touches[place]}

    def _one_to_one(self, inside: list[int], period: int) -> bool:
        """Whether one value stands in the first repeat wherever one stands in the next."""
        twin: dict[int, int] = {}
        for place in inside:
            first = self._values(place)
            for value, name, _ in self.touches[place + period]:
                if name in first and twin.setdefault(value, first[name]) != first[name]:
                    return False
        return True

    def _aligned(self, begin: int, period: int, limit: int, breaks: list[int]) -> int:
        """A later begin that costs no repeat, if it suits better than the first.

        Repeats begin where the chain reads from elsewhere; else where they hand each other the fewest values; of
        several such places, at the one with the most weights.
        """
        slack = (limit - begin) % period
        if not slack:
            return begin
        choices = range(begin, begin + slack + 1)
        first = bisect_left(breaks, begin)
        if first < len(breaks) and breaks[first] in choices:
            best = breaks[first]
        else:
            crossing = self._crossing(begin + period, slack, period)
            best = min(choices, key=lambda place: (crossing[place - begin], -self.weights[place]))
        return best if self._lawful(best, period, breaks) == best else begin

    def _crossing(self, start: int, slack: int, period: int) -> list[int]:
        """For each of the borders from ``start`` to ``start + slack``, how many values go from before it to after."""
        first, last = start - period, start + slack + period
        ends: dict[int, int] = {}
        for place in range(first, last):
            ends.update((value, place) for value, name, _ in self.touches[place] if name > 0)
        change = [0] * (last - first + 1)
        for value, end in ends.items():
            made = self._maker(value)
            if first <= made < end:
                change[made + 1 - first] += 1
                change[end + 1 - first] -= 1
        return list(accumulate(change))[period : period + slack + 1]


class _Linker:
    """What was touched so far, while walking the children in order."""

    def __init__(self) -> None:
        self.place = -1
        self.made: dict[int, tuple[int, int]] = {}
        self.seen: dict[int, tuple[int, int]] = {}
        self.last: dict[tuple[int, int, int], tuple[int, int]] = {}
        self.called: dict[str, int] = {}

    def link(self, number: int, touches: Sequence[Touch], path: str | None) -> tuple[Link, ...]:
        self.place += 1
        links = []
        if path is not None:
            before = self.called.get(path)
            self.called[path] = self.place
            if before is not None:
                links.append((0, AGAIN, self.place - before, 0))
        for value, name, _ in touches:
            if name < 0:
                self.made[value] = (self.place, name)
            else:
                found = self._read(number, value, name)
                if found is not None:
                    links.append(found)
        return tuple(links)

    def _read(self, number: int, value: int, name: int) -> Link | None:
        maker, slot = self.made.get(value, (~value, 0))
        key = (maker, number, name)
        before = self.last.get(key)
        self.last[key] = (self.place, slot)
        if before is not None:
            return (name, AGAIN, self.place - before[0], slot - before[1])
        if maker >= 0:
            return (name, MADE, self.place - maker, slot)
        toucher, there = self.seen.setdefault(value, (self.place, name))
        return (name, SEEN, self.place - toucher, there) if toucher != self.place else None
