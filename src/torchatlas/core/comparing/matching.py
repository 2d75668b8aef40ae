"""Which module and which call of one graph is which of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.comparing.alignment import align
from torchatlas.core.comparing.likeness import module_trees
from torchatlas.core.comparing.subsequence import common
from torchatlas.core.folding.signature import constants

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from torchatlas.core.graph import Call, Graph


def match_modules(a: Graph, b: Graph) -> dict[str, str]:
    """For first paths of modules of a, those of the modules of b that they are."""
    pairs = align(*module_trees(a, b)).pairs
    return {a.modules[one].path: b.modules[other].path for one, other in sorted(pairs.items())}


def match_calls(a: Graph, b: Graph, modules: Mapping[str, str]) -> dict[int, int]:
    """For calls of a, the calls of b that they are.

    The n-th call of a module is that of the module it was matched with; functions are aligned, as they ran, between
    the module calls of the calls around them. A module that only one graph has around what both have is looked through.
    """
    if not a.calls or not b.calls:
        return {}
    swapped = tuple(call.name for call in b.calls) < tuple(call.name for call in a.calls)
    if swapped:
        other_way = _Calls(b, a, {other: one for one, other in modules.items()}).run()
        return dict(sorted((one, other) for other, one in other_way.items()))
    return dict(sorted(_Calls(a, b, modules).run().items()))


def did(call: Call, graph: Graph) -> tuple[Hashable, ...]:
    """What a function was called with, tensors apart, and what it gave: shapes and dtypes."""
    made = tuple((graph.values[value].shape, graph.values[value].dtype) for value in call.outputs)
    return (call.kind, call.name, constants(call), made)


class _Calls:
    """One walk over the calls of both graphs."""

    def __init__(self, a: Graph, b: Graph, modules: Mapping[str, str]) -> None:
        self.a, self.b = a, b
        self.mate: dict[int, int] = {}
        for one, other in modules.items():
            self.mate |= zip(a.calls_of.get(one, ()), b.calls_of.get(other, ()), strict=False)
        if 0 not in self.mate and 0 not in self.mate.values():
            self.mate[0] = 0
        self.taken = {other: one for one, other in self.mate.items()}
        self.around = _around(a, self.mate), _around(b, self.taken)
        self.numbers: dict[Hashable, int] = {}

    def run(self) -> dict[int, int]:
        todo = list(self.mate.items())
        while todo:
            one, other = todo.pop()
            for pair in self._inside(one, other):
                self.mate[pair[0]] = pair[1]
                self.taken[pair[1]] = pair[0]
                todo.append(pair)
        return self.mate

    def _inside(self, one: int, other: int) -> Iterator[tuple[int, int]]:
        """The functions directly inside two calls: those that did the same, then those of the same name."""
        gaps = [(self._seen(self.a, one), self._seen(self.b, other))]
        for strict in (True, False):
            later = []
            for left, right in gaps:
                keys = [
                    [self._key(graph, call, strict=strict) for call in calls]
                    for graph, calls in ((self.a, left), (self.b, right))
                ]
                start = begin = 0
                for i, j in common(*keys):
                    if left[i] not in self.mate:
                        yield left[i], right[j]
                    later.append((left[start:i], right[begin:j]))
                    start, begin = i + 1, j + 1
                later.append((left[start:], right[begin:]))
            gaps = [gap for gap in later if all(gap)]

    def _seen(self, graph: Graph, call: int) -> list[int]:
        """The calls directly inside, and in the place of one that only one graph has around what both have, its own."""
        known, around = (self.mate, self.around[0]) if graph is self.a else (self.taken, self.around[1])
        found, todo = [], [*graph.children[call][::-1]]
        while todo:
            at = todo.pop()
            if at in around and at not in known and graph.calls[at].kind == "module":
                todo += graph.children[at][::-1]
            else:
                found.append(at)
        return found

    def _key(self, graph: Graph, call: int, *, strict: bool) -> int:
        """Of a module call, which pair it is in; of a function, what it did, or only its name."""
        mine = self.mate.get(call) if graph is self.a else call if call in self.taken else None
        called = graph.calls[call]
        key: tuple[Hashable, ...]
        if mine is not None:
            key = ("pair", mine)
        elif called.kind == "module" and called.path in graph.module_at:
            key = ("alone", graph is self.a, call)
        else:
            key = did(called, graph) if strict else (called.kind, called.name)
        return self.numbers.setdefault(key, len(self.numbers))


def _around(graph: Graph, known: Iterable[int]) -> set[int]:
    """The calls around those that are known."""
    found: set[int] = set()
    for call in known:
        at = graph.calls[call].parent
        while at is not None and at not in found:
            found.add(at)
            at = graph.calls[at].parent
    return found
