"""The children of one call as a sequence in which repeats are equal numbers at equal distances.

Each child is linked to earlier ones by what it reads: a value that a call alike read before it (``AGAIN``), that a
sibling made (``MADE``), or that came from outside and that a sibling touched before (``SEEN``). Distances, not ids,
say which, so the links of a repeat are those of the repeat before it. Values that nobody touched before (weights of
its own, the next element of a list) make no link.
"""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.core.folding.call_signature import CallClasses, Touch
    from torchatlas.core.folding.first_repeat import Merged
    from torchatlas.core.graph import Graph

AGAIN, MADE, SEEN, NONE = range(4)
NO_LINK = (0, NONE, 0, 0)

Link: TypeAlias = "tuple[int, int, int, int]"
"""(name, how, back, detail): how a read is tied to an earlier sibling.

The name is the value's place inside the reader, 0 for the module that is called; ``how`` is AGAIN, MADE or SEEN;
``back`` is the distance to that sibling; ``detail`` is the value's place inside it. After AGAIN, ``detail`` is how far
the value moved on among those of its maker (``for step in x.unbind()``), 0 if it is the same.
"""


class Siblings:
    """Children of one call, in order, by position among them.

    Attributes:
        number: equal for children built alike, in modules named alike.
        linked: equal if their links are equal too.
        links: ties to earlier siblings.
        reach: distance of the farthest AGAIN link.
        crossing: for each border before a child, how many values go from siblings before it to siblings after it.
        weights: elements of the parameters that each reads.
        merged: by position, children taken for calls of their twin's class (``core.folding.first_repeat``).
    """

    def __init__(
        self, graph: Graph, classes: CallClasses, calls: Sequence[int], merged: Mapping[int, Merged] | None = None
    ) -> None:
        self.merged = merged or {}
        self.touches = [classes.touches[call] for call in calls]
        self.weights = [classes.weights[call] for call in calls]
        kinds: dict[tuple[int, str | None], int] = {}
        self.number = [kinds.setdefault((classes.number[call], classes.pattern[call]), len(kinds)) for call in calls]
        for place, (twin, touches, _) in self.merged.items():
            self.touches[place] = touches
            self.number[place] = kinds[classes.number[calls[twin]], classes.pattern[calls[twin]]]
        linker = _Linker()
        self.links = [
            linker.link(number, touches, graph.calls[call].path)
            for number, touches, call in zip(self.number, self.touches, calls, strict=True)
        ]
        self._made = linker.made
        tied: dict[tuple[int, tuple[Link, ...]], int] = {}
        self.linked = [tied.setdefault(pair, len(tied)) for pair in zip(self.number, self.links, strict=True)]
        self.reach = [max((back for _, how, back, _ in links if how == AGAIN), default=0) for links in self.links]
        self.crossing = self._crossing()

    def again(self, lags: int) -> list[tuple[int, int]]:
        """(position, lag) where something is read again after ``lag``, for the lags at which that is commonest.

        Children that are all alike repeat after one; only what they read again tells that every second is another.
        """
        often = Counter(self.reach)
        del often[0]
        common = {lag for lag, _ in often.most_common(lags)}
        return [(place - lag, lag) for place, lag in enumerate(self.reach) if lag in common]

    def values(self, place: int) -> dict[int, int]:
        """What a child reads and makes, by name."""
        return {name: value for value, name, _ in self.touches[place]}

    def maker(self, value: int | None) -> int:
        """Which sibling made a value; -1 if none did."""
        return -1 if value is None else self._made.get(value, (-1, 0))[0]

    def _crossing(self) -> list[int]:
        change = [0] * (len(self.touches) + 1)
        ends = {value: place for place, touches in enumerate(self.touches) for value, name, _ in touches if name > 0}
        for value, end in ends.items():
            made = self.maker(value)
            if 0 <= made < end:
                change[made + 1] += 1
                change[end + 1] -= 1
        return list(accumulate(change))


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
