"""First repeats that read one value from outside where the later ones read several: ``h = c = torch.zeros(n, 8)``.

Such a call is in another structural class than those after it, though nothing in it differs: what it was handed merely
was the same. So it is with a backward node that is handed one gradient where the later ones are handed the sum of
several (``backward_signature``): of a stack of residual blocks, the last is read once and the others twice.

It is compared with the one a period later call by call and value by value; each value of the later call must have one
value in the first. Only values from outside may share theirs; what is made inside stands one to one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from torchatlas.core.folding.backward_signature import gathered, kind_of_node
from torchatlas.core.folding.call_signature import AROUND
from torchatlas.core.folding.signature import constants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchatlas.core.folding.call_signature import CallClasses, Touch
    from torchatlas.core.folding.repeats import Stretch
    from torchatlas.core.graph import Call, Graph


class Merged(NamedTuple):
    """A call that is like its twin but for values from outside that are one here.

    Attributes:
        twin: position of the call it is like.
        touches: what it touches, by the names its twin has for it.
        names: those names under which one value stands several times.
    """

    twin: int
    touches: Sequence[Touch]
    names: frozenset[int]


def merged_firsts(
    graph: Graph, classes: CallClasses, calls: Sequence[int], numbers: Sequence[int], stretches: Iterable[Stretch]
) -> Mapping[int, Merged]:
    """By position, the calls that keep a stretch from beginning a repeat earlier and are like their twins but merged.

    The longest stretch comes first; inside it and its first repeat, no other may take a call for something else. Each
    is looked at no farther back than one period, which takes no longer than finding it did.
    """
    found: dict[int, Merged] = {}
    taken = bytearray(len(calls))
    for period, start, stop in sorted(stretches, key=lambda stretch: stretch.start - stretch.stop):
        begin = start
        for place in range(start - 1, max(start - period, 0) - 1, -1):
            twin = place + period
            if numbers[place] == numbers[twin]:
                continue
            merged = None if taken[place] else _merged(graph, classes, calls, place, twin)
            if merged is None:
                break
            found[place] = merged
            begin = place
        if begin < start:
            taken[begin : stop + period] = b"\1" * (stop + period - begin)
    return found


def _merged(graph: Graph, classes: CallClasses, calls: Sequence[int], place: int, twin: int) -> Merged | None:
    touches = _Comparison(graph, classes, calls[place], calls[twin]).touches()
    often = Counter([value for value, _, _ in touches])
    names = frozenset([name for value, name, _ in touches if often[value] > 1])
    return Merged(twin, touches, names) if names else None


class _Comparison:
    """A call beside its twin.

    Attributes:
        value: for each value that the twin or a call inside it touches, the one in its place here.
        inside: values made here.
    """

    def __init__(self, graph: Graph, classes: CallClasses, first: int, second: int) -> None:
        self.graph = graph
        self.classes = classes
        self.first, self.second = first, second
        self.value: dict[int, int] = {}
        self.inside: set[int] = set()

    def touches(self) -> Sequence[Touch]:
        """What the call touches by its twin's names; nothing if they differ in more than merged values."""
        pairs = self._pairs()
        if not pairs or not all(self._reads_alike(*pair) for pair in pairs) or not self._is_known():
            return ()
        if not all(self._results_alike(*pair) for pair in pairs):
            return ()
        touches = {name: (self.value[value], name, count) for value, name, count in self.classes.touches[self.second]}
        own = {name: (value, name, count) for value, name, count in self.classes.touches[self.first]}
        return tuple((own | touches).values())

    def _pairs(self) -> Sequence[tuple[Call, Call]]:
        """Calls here and there, that one by one do the same and make the same; none if some do not."""
        if self.classes.size[self.first] != self.classes.size[self.second]:
            return ()
        ids = [(self.first, self.second)]
        paths: dict[str | None, str | None] = {}
        for one, other in ids:
            here, there = self.graph.calls[one], self.graph.calls[other]
            if not self._does_alike(here, there) or paths.setdefault(there.path, here.path) != here.path:
                return ()
            ids.extend(zip(self.classes.body[one], self.classes.body[other], strict=True))
        one_to_one = len(set(paths.values())) == len(paths)
        return [(self.graph.calls[one], self.graph.calls[other]) for one, other in ids] if one_to_one else ()

    def _does_alike(self, here: Call, there: Call) -> bool:
        classes = self.classes
        made = classes.made.get(here.id, ()), classes.made.get(there.id, ())
        body = classes.body[here.id]
        if (
            (here.kind, kind_of_node(here), here.error is None)
            != (there.kind, kind_of_node(there), there.error is None)
            or classes.pattern[here.id] != classes.pattern[there.id]
            or len(body) != len(classes.body[there.id])
            or [classes.sort[value] for value in made[0]] != [classes.sort[value] for value in made[1]]
        ):
            return False
        self.value.update(zip(made[1], made[0], strict=True))
        self.inside.update(made[0])
        if here.kind == "backward":
            return constants(gathered(here)[0]) == constants(gathered(there)[0])
        if here.kind not in AROUND:
            return constants(here) == constants(there)
        module = None if body or here.path is None else self.graph.module_at.get(here.path)
        return bool(body) or (
            constants(here) == constants(there) and (here.path == there.path or module is None or not module.opaque)
        )

    def _reads_alike(self, here: Call, there: Call) -> bool:
        if here.kind in AROUND and self.classes.body[here.id]:
            return True
        sort = self.classes.sort
        pairs = self._inputs(here, there)
        return pairs is not None and all(
            sort[one] == sort[other] and self._stands_for(one, other) for one, other in pairs
        )

    def _inputs(self, here: Call, there: Call) -> list[tuple[int, int]] | None:
        """What each reads in the place of what; of a sum, the last here stands for what there is more of there."""
        if here.kind != "backward":
            return list(zip(here.inputs, there.inputs, strict=True)) if len(here.inputs) == len(there.inputs) else None
        ours, theirs = gathered(here)[1], gathered(there)[1]
        if len(ours) != len(theirs) or any(len(one) > len(other) for one, other in zip(ours, theirs, strict=True)):
            return None
        return [
            (one[min(place, len(one) - 1)], value)
            for one, other in zip(ours, theirs, strict=True)
            for place, value in enumerate(other)
        ]

    def _stands_for(self, one: int, other: int) -> bool:
        if other not in self.value and one in self.inside:
            return False
        return self.value.setdefault(other, one) == one

    def _is_known(self) -> bool:
        """Whether values that are one here are known outside the twin, where it shows what they are there."""
        known = {value for value, _, _ in self.classes.touches[self.second]}
        often = Counter(self.value.values())
        return all(other in known for other, one in self.value.items() if often[one] > 1)

    def _results_alike(self, here: Call, there: Call) -> bool:
        """Whether they return the same and, of what they make, the same is a view of an input or written over one."""
        known = set(self.value.values())
        leaf = not self.classes.body[here.id]
        returned = [value for value in here.outputs if value in known]
        if returned != [self.value[value] for value in there.outputs if value in self.value]:
            return False
        made = zip(self.classes.made.get(here.id, ()), self.classes.made.get(there.id, ()), strict=True)
        return not leaf or (
            len(here.outputs) == len(there.outputs)
            and all(self._comes_alike(here, there, one, other) for one, other in made)
        )

    def _comes_alike(self, here: Call, there: Call, one: int, other: int) -> bool:
        first, later = self.graph.values[one], self.graph.values[other]
        for before, after in ((first.previous, later.previous), (first.same_as, later.same_as)):
            if after is not None and after in there.inputs:
                if self.value[after] != before:
                    return False
            elif (before is None) != (after is None) or before in here.inputs:
                return False
        return (first.view_of is None) == (later.view_of is None)
