"""A first repeat may read one value where the later repeats read several, and is then still the first repeat.

An example is a loop over an LSTM cell whose two states begin as one tensor:

    h = c = torch.zeros(n, 8)
    for x in steps:
        h, c = cell(x, (h, c))

The first call reads (x, h, h), every later one (x, h, c). Its signature differs from theirs, though nothing is done
otherwise. So the first call is compared with its *twin*, the call one period later, call by call and value by value:

    twin (second turn)    x1    h1    c1
    first turn            x0    h0    h0        every value of the twin has one value here, so they are alike

Only values from outside may stand for several; what is made inside stands one to one. The same holds of a backward
node that is handed one gradient where later ones are handed a sum (``backward_signature.py``): of a stack of residual
blocks, the last block's result is read once, and every other one twice.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from torchatlas.core.folding.backward_signature import node_kind, sums_as_one
from torchatlas.core.folding.call_signature import AROUND
from torchatlas.core.folding.signature import constants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchatlas.core.folding.call_signature import CallSignatures, Touch
    from torchatlas.core.folding.repeats import Stretch
    from torchatlas.core.graph import Call, Graph


class FirstRepeat(NamedTuple):
    """A call that equals its twin, except that one value here stands for several values from outside there.

    Attributes:
        twin: position of the call one period later.
        touches: what the call reads and makes, by the twin's names.
        names: those of these names that mean one and the same value here.
    """

    twin: int
    touches: Sequence[Touch]
    names: frozenset[int]


def first_repeats(
    graph: Graph, signatures: CallSignatures, calls: Sequence[int], numbers: Sequence[int], stretches: Iterable[Stretch]
) -> Mapping[int, FirstRepeat]:
    """Find, by position, calls right before a stretch that belong to its first repeat, though they read fewer values.

    Longer stretches come first: a call that one of them holds is left to it. The search goes back one period at most,
    which takes no longer than it took to find the stretch.
    """
    found: dict[int, FirstRepeat] = {}
    taken = bytearray(len(calls))
    for period, start, stop in sorted(stretches, key=lambda stretch: stretch.start - stretch.stop):
        begin = start
        for position in range(start - 1, max(start - period, 0) - 1, -1):
            twin = position + period
            if numbers[position] == numbers[twin]:
                continue
            merged = None if taken[position] else _merged(graph, signatures, calls, position, twin)
            if merged is None:
                break
            found[position] = merged
            begin = position
        if begin < start:
            taken[begin : stop + period] = b"\1" * (stop + period - begin)
    return found


def _merged(
    graph: Graph, signatures: CallSignatures, calls: Sequence[int], position: int, twin: int
) -> FirstRepeat | None:
    touches = _Comparison(graph, signatures, calls[position], calls[twin]).touches()
    often = Counter([value for value, _, _ in touches])
    names = frozenset([name for value, name, _ in touches if often[value] > 1])
    return FirstRepeat(twin, touches, names) if names else None


class _Comparison:
    """A call beside its twin.

    Attributes:
        value: for each value that the twin or a call inside it touches, the one in its place here.
        inside: values made here.
    """

    def __init__(self, graph: Graph, signatures: CallSignatures, first: int, second: int) -> None:
        self.graph = graph
        self.signatures = signatures
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
        touches = {
            name: (self.value[value], name, count) for value, name, count in self.signatures.touches[self.second]
        }
        own = {name: (value, name, count) for value, name, count in self.signatures.touches[self.first]}
        return tuple((own | touches).values())

    def _pairs(self) -> Sequence[tuple[Call, Call]]:
        """Calls here and there, that one by one do the same and make the same; none if some do not."""
        if self.signatures.size[self.first] != self.signatures.size[self.second]:
            return ()
        ids = [(self.first, self.second)]
        paths: dict[str | None, str | None] = {}
        for one, other in ids:
            here, there = self.graph.calls[one], self.graph.calls[other]
            if not self._does_alike(here, there) or paths.setdefault(there.path, here.path) != here.path:
                return ()
            ids.extend(zip(self.signatures.body[one], self.signatures.body[other], strict=True))
        one_to_one = len(set(paths.values())) == len(paths)
        return [(self.graph.calls[one], self.graph.calls[other]) for one, other in ids] if one_to_one else ()

    def _does_alike(self, here: Call, there: Call) -> bool:
        signatures = self.signatures
        made = signatures.made.get(here.id, ()), signatures.made.get(there.id, ())
        body = signatures.body[here.id]
        if (
            (here.kind, node_kind(here), here.error is None) != (there.kind, node_kind(there), there.error is None)
            or signatures.pattern[here.id] != signatures.pattern[there.id]
            or len(body) != len(signatures.body[there.id])
            or [signatures.value_number[value] for value in made[0]]
            != [signatures.value_number[value] for value in made[1]]
        ):
            return False
        self.value.update(zip(made[1], made[0], strict=True))
        self.inside.update(made[0])
        if here.kind == "backward":
            return constants(sums_as_one(here)[0]) == constants(sums_as_one(there)[0])
        if here.kind not in AROUND:
            return constants(here) == constants(there)
        module = None if body or here.path is None else self.graph.module_at.get(here.path)
        return bool(body) or (
            constants(here) == constants(there) and (here.path == there.path or module is None or not module.opaque)
        )

    def _reads_alike(self, here: Call, there: Call) -> bool:
        if here.kind in AROUND and self.signatures.body[here.id]:
            return True
        value_number = self.signatures.value_number
        pairs = self._inputs(here, there)
        return pairs is not None and all(
            value_number[one] == value_number[other] and self._stands_for(one, other) for one, other in pairs
        )

    def _inputs(self, here: Call, there: Call) -> list[tuple[int, int]] | None:
        """What each reads in the place of what; of a sum, the last here stands for what there is more of there."""
        if here.kind != "backward":
            return list(zip(here.inputs, there.inputs, strict=True)) if len(here.inputs) == len(there.inputs) else None
        ours, theirs = sums_as_one(here)[1], sums_as_one(there)[1]
        if len(ours) != len(theirs) or any(len(one) > len(other) for one, other in zip(ours, theirs, strict=True)):
            return None
        return [
            (one[min(position, len(one) - 1)], value)
            for one, other in zip(ours, theirs, strict=True)
            for position, value in enumerate(other)
        ]

    def _stands_for(self, one: int, other: int) -> bool:
        if other not in self.value and one in self.inside:
            return False
        return self.value.setdefault(other, one) == one

    def _is_known(self) -> bool:
        """Whether values that are one here are known outside the twin, where it shows what they are there."""
        known = {value for value, _, _ in self.signatures.touches[self.second]}
        often = Counter(self.value.values())
        return all(other in known for other, one in self.value.items() if often[one] > 1)

    def _results_alike(self, here: Call, there: Call) -> bool:
        """Whether they return the same and, of what they make, the same is a view of an input or written over one."""
        known = set(self.value.values())
        leaf = not self.signatures.body[here.id]
        returned = [value for value in here.outputs if value in known]
        if returned != [self.value[value] for value in there.outputs if value in self.value]:
            return False
        made = zip(self.signatures.made.get(here.id, ()), self.signatures.made.get(there.id, ()), strict=True)
        return not leaf or (
            len(here.outputs) == len(there.outputs)
            and all(self._comes_alike(here, there, one, other) for one, other in made)
        )

    def _comes_alike(self, here: Call, there: Call, one: int, other: int) -> bool:
        first, later = self.graph.values[one], self.graph.values[other]
        for before, after in ((first.previous, later.previous), (first.alias_of, later.alias_of)):
            if after is not None and after in there.inputs:
                if self.value[after] != before:
                    return False
            elif (before is None) != (after is None) or before in here.inputs:
                return False
        return (first.view_of is None) == (later.view_of is None)
