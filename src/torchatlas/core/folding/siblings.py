"""The children of one call become a sequence in which repeats are equal numbers with equal links.

A link says by distance, not by id, where a child got what it reads, so that the links of two repeats are equal. It is
one of three:

* ``AGAIN``: an equal call read the same value before (a mask that every layer gets);
* ``MADE``: a sibling made the value;
* ``SEEN``: the value came from outside, and a sibling read it before.

A value that nobody read before (weights of its own, the next element of a list) makes no link. Values are named by
their position in the call: 1, 2, … for those read, -1, -2, … for those made. So the last call below reads, as its first
value, the first one that the child before it made, and as its second value the one that the child two before it read:

>>> import torch, torchatlas as ta
>>> from torchatlas.core.folding.call_signature import call_signatures
>>> def net(a):
...     b = torch.relu(a)
...     c = torch.relu(b)
...     return torch.add(c, a)
>>> graph = ta.capture(net, torch.zeros(8)).graph
>>> for links in Siblings(graph, call_signatures(graph), graph.children[0]).links:
...     print(links)
()
((1, 1, 1, -1),)
((1, 1, 1, -1), (2, 2, 2, 1))
>>> AGAIN, MADE, SEEN
(0, 1, 2)
"""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.core.folding.call_signature import CallSignatures, Touch
    from torchatlas.core.folding.first_repeat import FirstRepeat
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
        merged: by position, children that count as equal to their twins (``first_repeat.py``).
    """

    def __init__(
        self,
        graph: Graph,
        signatures: CallSignatures,
        calls: Sequence[int],
        merged: Mapping[int, FirstRepeat] | None = None,
    ) -> None:
        self.merged = merged or {}
        self.touches = [signatures.touches[call] for call in calls]
        self.weights = [signatures.weights[call] for call in calls]
        kinds: dict[tuple[int, str | None], int] = {}
        self.number = [
            kinds.setdefault((signatures.number[call], signatures.pattern[call]), len(kinds)) for call in calls
        ]
        for position, (twin, touches, _) in self.merged.items():
            self.touches[position] = touches
            self.number[position] = kinds[signatures.number[calls[twin]], signatures.pattern[calls[twin]]]
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
        return [(position - lag, lag) for position, lag in enumerate(self.reach) if lag in common]

    def values(self, position: int) -> dict[int, int]:
        """What a child reads and makes, by name."""
        return {name: value for value, name, _ in self.touches[position]}

    def maker(self, value: int | None) -> int:
        """Which sibling made a value; -1 if none did."""
        return -1 if value is None else self._made.get(value, (-1, 0))[0]

    def _crossing(self) -> list[int]:
        change = [0] * (len(self.touches) + 1)
        ends = {
            value: position for position, touches in enumerate(self.touches) for value, name, _ in touches if name > 0
        }
        for value, end in ends.items():
            made = self.maker(value)
            if 0 <= made < end:
                change[made + 1] += 1
                change[end + 1] -= 1
        return list(accumulate(change))


class _Linker:
    """What was touched so far, while walking the children in order."""

    def __init__(self) -> None:
        self.position = -1
        self.made: dict[int, tuple[int, int]] = {}
        self.seen: dict[int, tuple[int, int]] = {}
        self.last: dict[tuple[int, int, int], tuple[int, int]] = {}
        self.called: dict[str, int] = {}

    def link(self, number: int, touches: Sequence[Touch], path: str | None) -> tuple[Link, ...]:
        self.position += 1
        links = []
        if path is not None:
            before = self.called.get(path)
            self.called[path] = self.position
            if before is not None:
                links.append((0, AGAIN, self.position - before, 0))
        for value, name, _ in touches:
            if name < 0:
                self.made[value] = (self.position, name)
            else:
                found = self._read(number, value, name)
                if found is not None:
                    links.append(found)
        return tuple(links)

    def _read(self, number: int, value: int, name: int) -> Link | None:
        maker, slot = self.made.get(value, (~value, 0))
        key = (maker, number, name)
        before = self.last.get(key)
        self.last[key] = (self.position, slot)
        if before is not None:
            return (name, AGAIN, self.position - before[0], slot - before[1])
        if maker >= 0:
            return (name, MADE, self.position - maker, slot)
        toucher, there = self.seen.setdefault(value, (self.position, name))
        return (name, SEEN, self.position - toucher, there) if toucher != self.position else None
