"""Which calls get a row of their own, directly inside another, and which share one because they repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.folding.fold import fold_calls

if TYPE_CHECKING:
    from torchatlas.core.folding.fold import Fold
    from torchatlas.core.folding.growth import Growth
    from torchatlas.core.graph import Call, Graph


@dataclass(frozen=True, slots=True)
class Stretch:
    """Calls that share one row.

    Attributes:
        calls: one call, or the same call in each of ``count`` repeats; with ``members``, everything that repeats.
        count: repeats.
        members: the rows inside a stretch of several that repeats together, for one repeat.
        growth: what grows from one repeat to the next.
    """

    calls: tuple[int, ...]
    count: int
    members: tuple[Stretch, ...] = ()
    growth: Growth | None = None


class Stretches:
    """The tree of rows over the calls of a graph. Calls without a row give their place to what is inside them.

    Attributes:
        failed: the call that ended the run, as the user knows it: an ATen call goes by the function around it.
        stopped: that call and those around it.
    """

    def __init__(self, graph: Graph, *, ops: bool, fold: bool) -> None:
        self.graph = graph
        self.failed = _failed(graph)
        self.stopped = frozenset(_outwards(graph, self.failed))
        self._folds = {fold.calls[0]: fold for found in fold_calls(graph).values() for fold in found} if fold else {}
        self._shown = [self._is_shown(call, ops=ops) and not self._is_told_within(call) for call in graph.calls]
        self._holds = self._holding()

    def roots(self) -> list[Stretch]:
        """The model itself."""
        return [Stretch((call.id,), 1) for call in self.graph.calls if call.parent is None]

    def inside(self, stretch: Stretch) -> list[Stretch]:
        """The rows directly inside a row, for one repeat."""
        return list(stretch.members) if stretch.members else self._uncovered((stretch.calls[0],))

    def _is_shown(self, call: Call, *, ops: bool) -> bool:
        if call.parent is None or call.kind in {"module", "group"} or call.id == self.failed:
            return True
        return ops and call.kind != "aten" and self._is_operation(call)

    def _is_operation(self, call: Call) -> bool:
        """Whether tensors went in or came out, of it or of what ran inside: ``torch.device("cpu")`` is none."""
        return bool(call.inputs or call.outputs or call.writes or self.graph.children[call.id])

    def _is_told_within(self, call: Call) -> bool:
        """Whether it is a group of repeats, and nothing else, so that their own row says all of it."""
        if call.kind != "group" or call.id in self.stopped:
            return False
        inside = [child for child in self.graph.children[call.id] if self.graph.calls[child].kind != "aten"]
        fold = self._folds.get(inside[0]) if inside else None
        return fold is not None and len(fold.calls) == len(inside)

    def _holding(self) -> list[bool]:
        """For each call, whether it or something inside it gets a row."""
        holds = list(self._shown)
        for call in reversed(self.graph.calls):
            if call.parent is not None and holds[call.id]:
                holds[call.parent] = True
        return holds

    def _uncovered(self, outer: tuple[int, ...]) -> list[Stretch]:
        """The rows inside a call, hidden calls opened; ``outer`` is the same call in each repeat around."""
        found: list[Stretch] = []
        waiting = self._direct(outer)[::-1]
        while waiting:
            stretch = waiting.pop()
            if stretch.members or self._shown[stretch.calls[0]]:
                found.append(stretch)
            else:
                waiting.extend(reversed(self._direct(stretch.calls)))
        return found

    def _direct(self, outer: tuple[int, ...]) -> list[Stretch]:
        if not self.graph.children[outer[0]]:
            return []
        children = [self._body(call) for call in outer]
        found: list[Stretch] = []
        at = 0
        while at < len(children[0]):
            call = children[0][at]
            fold = self._folds.get(call)
            # What led to the failure is shown as it ran.
            if fold is not None and self.stopped.isdisjoint(fold.calls):
                found.extend(self._folded(children, at, fold))
                at += fold.period * fold.count
                continue
            if self._holds[call]:
                found.append(Stretch(tuple(each[at] for each in children), len(children)))
            at += 1
        return found

    def _body(self, call: int) -> list[int]:
        """What ran directly inside, without the ATen calls that folds do not count either."""
        return [
            child for child in self.graph.children[call] if self._holds[child] or self.graph.calls[child].kind != "aten"
        ]

    def _folded(self, children: list[list[int]], at: int, fold: Fold) -> list[Stretch]:
        """One row if one call of the period gets one; a row around them for several; none for none."""
        period, count, growth = fold.period, fold.count, fold.growth
        end = at + period * count
        places = [place for place in range(at, at + period) if self._holds[children[0][place]]]
        if len(places) <= 1:
            every = [tuple(each[index] for each in children for index in range(place, end, period)) for place in places]
            return [Stretch(calls, count * len(children), growth=growth) for calls in every]
        members = tuple(member for place in places for member in self._opened(children[0][place]))
        calls = tuple(call for each in children for call in each[at:end])
        return [Stretch(calls, count * len(children), members, growth)]

    def _opened(self, call: int) -> list[Stretch]:
        return [Stretch((call,), 1)] if self._shown[call] else self._uncovered((call,))


def _failed(graph: Graph) -> int | None:
    return next((call for call in _outwards(graph, graph.error) if graph.calls[call].kind != "aten"), graph.error)


def _outwards(graph: Graph, call: int | None) -> list[int]:
    found: list[int] = []
    while call is not None:
        found.append(call)
        call = graph.calls[call].parent
    return found
