"""The calls of a match are widened to whole modules, where the match is all that these modules do.

Net                     match of ``Linear > Relu``: the calls linear and relu
  Block                 Block does nothing else, so the match covers Block
    linear, relu
  Head                  a match of linear in Block and relu in Head would *cut* Head, if Head does more than relu
    relu, linear
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from torchatlas.core.measure.nesting import nest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.nesting import Nesting
    from torchatlas.core.pattern.units import Units


class Cover(NamedTuple):
    """Neighbours, or nearly, inside one call: they and all inside them are the match.

    ``cut`` is a call that holds something of the match and something else: then they are more than the match.
    """

    around: int
    calls: tuple[int, ...]
    cut: int | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much work is inside each call of a graph. Made by ``coverage``."""

    graph: Graph
    nesting: Nesting
    work: list[int]

    def cover(self, units: Sequence[int]) -> Cover:
        """The widest calls that hold these units, and do nothing else, inside the narrowest call around them all.

        Args:
            units: calls, none inside another, none the first of the graph; one at least.
        """
        around = self._around(units)
        covered = self._covered(units, around)
        calls = tuple(sorted(call for call in covered if self.graph.calls[call].parent == around))
        cut = [call for call, work in covered.items() if work < self.work[call]]
        if cut:
            return Cover(around, calls, max(cut))
        total = sum(self.work[call] for call in calls)
        while around != 0 and total == self.work[around] > 0:
            calls, around = (around,), self.graph.calls[around].parent or 0
        return Cover(around, calls, None)

    def _around(self, units: Sequence[int]) -> int:
        """The narrowest call around all."""
        begin, end = self.nesting.begin, self.nesting.end
        first, last = min(begin[unit] for unit in units), max(begin[unit] for unit in units)
        around = self.graph.calls[units[0]].parent or 0
        while not begin[around] <= first <= last < end[around]:
            around = self.graph.calls[around].parent or 0
        return around

    def _covered(self, units: Sequence[int], around: int) -> dict[int, int]:
        """How much of the match is in each call between the units and the call around them."""
        covered = {unit: self.work[unit] for unit in units}
        waiting = list(units)
        for unit in waiting:
            parent = self.graph.calls[unit].parent
            if parent is not None and parent != around and parent not in covered:
                covered[parent] = 0
                waiting.append(parent)
        kept = set(units)
        for call in sorted(covered, reverse=True):
            parent = self.graph.calls[call].parent
            if parent is not None and parent in covered and parent not in kept:
                covered[parent] += covered[call]
        return covered


def coverage(flow: Units) -> Coverage:
    """Weigh every call by the units inside it; what only hands on, or computes from weights alone, weighs nothing."""
    graph = flow.graph
    work = [0] * len(graph.calls)
    for unit in flow.calls:
        work[unit] = int(bool(flow.reads.get(unit)))
    for call in reversed(graph.calls):
        if call.parent is not None:
            work[call.parent] += work[call.id]
    return Coverage(graph, nest(graph.calls), work)
