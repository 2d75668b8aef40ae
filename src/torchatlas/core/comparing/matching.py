"""Modules and calls of two graphs are matched: modules by their trees, then calls between the matched modules.

The calls inside two matched calls, in order; ``|`` stands between matches that are known already (module calls):

    a    Linear |  F.relu  F.dropout  | Linear
    b    Linear |  F.relu  torch.add  | Linear      F.relu is matched with F.relu, the two others with nothing

First functions are matched that were called alike (`operation_key`: name, arguments, result), then, in the gaps, those
of the same name. Each time the longest common subsequence is taken. The example of ``compare.py`` shows the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.comparing.alignment import align
from torchatlas.core.comparing.likeness import module_trees
from torchatlas.core.comparing.subsequence import longest_common
from torchatlas.core.folding.signature import constants

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from torchatlas.core.graph import Call, Graph


def match_modules(a: Graph, b: Graph) -> dict[str, str]:
    """Match modules: first paths in b by first paths in a."""
    pairs = align(*module_trees(a, b)).pairs
    return {a.modules[one].path: b.modules[other].path for one, other in sorted(pairs.items())}


def match_calls(a: Graph, b: Graph, modules: Mapping[str, str]) -> dict[int, int]:
    """Match calls: ids in b by ids in a.

    The n-th call of a module is matched with the n-th call of its match. Functions are aligned in running order,
    between the module calls around them. A module that only one graph has, around parts that both have, is ignored.
    """
    if not a.calls or not b.calls:
        return {}
    swapped = tuple(call.name for call in b.calls) < tuple(call.name for call in a.calls)
    if swapped:
        other_way = _Calls(b, a, {other: one for one, other in modules.items()}).run()
        return dict(sorted((one, other) for other, one in other_way.items()))
    return dict(sorted(_Calls(a, b, modules).run().items()))


def operation_key(call: Call, graph: Graph) -> tuple[Hashable, ...]:
    """What makes two calls of functions the same operation: name, constants, and shapes and dtypes of the results."""
    made = tuple((graph.values[value].shape, graph.values[value].dtype) for value in call.outputs)
    return (call.kind, call.name, constants(call), made)


class _Calls:
    """One walk over the calls of both graphs."""

    def __init__(self, a: Graph, b: Graph, modules: Mapping[str, str]) -> None:
        self.a, self.b = a, b
        self.match: dict[int, int] = {}
        for one, other in modules.items():
            self.match |= zip(a.calls_of.get(one, ()), b.calls_of.get(other, ()), strict=False)
        if 0 not in self.match and 0 not in self.match.values():
            self.match[0] = 0
        self.match_back = {other: one for one, other in self.match.items()}
        self.around = _around(a, self.match), _around(b, self.match_back)
        self.numbers: dict[Hashable, int] = {}

    def run(self) -> dict[int, int]:
        todo = list(self.match.items())
        while todo:
            one, other = todo.pop()
            for pair in self._inside(one, other):
                self.match[pair[0]] = pair[1]
                self.match_back[pair[1]] = pair[0]
                todo.append(pair)
        return self.match

    def _inside(self, one: int, other: int) -> Iterator[tuple[int, int]]:
        """Match the functions directly inside two calls: the same operations first, then the same names."""
        gaps = [(self._visible(self.a, one), self._visible(self.b, other))]
        for strict in (True, False):
            later = []
            for left, right in gaps:
                keys = [
                    [self._key(graph, call, strict=strict) for call in calls]
                    for graph, calls in ((self.a, left), (self.b, right))
                ]
                start = begin = 0
                for i, j in longest_common(*keys):
                    if left[i] not in self.match:
                        yield left[i], right[j]
                    later.append((left[start:i], right[begin:j]))
                    start, begin = i + 1, j + 1
                later.append((left[start:], right[begin:]))
            gaps = [gap for gap in later if all(gap)]

    def _visible(self, graph: Graph, call: int) -> list[int]:
        """The calls directly inside; a module call that only wraps matched calls is replaced by the calls inside it."""
        known, around = (self.match, self.around[0]) if graph is self.a else (self.match_back, self.around[1])
        found, todo = [], [*graph.children[call][::-1]]
        while todo:
            at = todo.pop()
            if at in around and at not in known and graph.calls[at].kind == "module":
                todo += graph.children[at][::-1]
            else:
                found.append(at)
        return found

    def _key(self, graph: Graph, call: int, *, strict: bool) -> int:
        """A number that is equal for calls that may match: of matched calls by pair, of others by operation or name."""
        mine = self.match.get(call) if graph is self.a else call if call in self.match_back else None
        called = graph.calls[call]
        key: tuple[Hashable, ...]
        if mine is not None:
            key = ("pair", mine)
        elif called.kind == "module" and called.path in graph.module_at:
            key = ("alone", graph is self.a, call)
        else:
            key = operation_key(called, graph) if strict else (called.kind, called.name)
        return self.numbers.setdefault(key, len(self.numbers))


def _around(graph: Graph, known: Iterable[int]) -> set[int]:
    """All calls around these."""
    found: set[int] = set()
    for call in known:
        at = graph.calls[call].parent
        while at is not None and at not in found:
            found.add(at)
            at = graph.calls[at].parent
    return found
