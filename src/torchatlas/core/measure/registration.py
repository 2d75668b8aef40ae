"""Who registers which weights: modules in modules, and the parameters and buffers of each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.measure.subtree_sums import add_row, zeros
from torchatlas.core.measure.weights import WEIGHT_FIELDS
from torchatlas.core.paths import nearest_ancestor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.subtree_sums import Columns
    from torchatlas.core.measure.weights import Weights


@dataclass(frozen=True, slots=True)
class Registration:
    """Who registers what. A shared module has several parents; a module may even be found below itself."""

    index: dict[str, int]
    parents: list[list[int]]
    children: list[list[int]]
    own: list[list[int]]

    @classmethod
    def of(cls, graph: Graph, origins: list[int], weights: Weights) -> Registration:
        """Read it off the paths of the modules, under whatever name they are found."""
        index = {path: i for i, m in enumerate(graph.modules) for path in (m.path, *m.aliases)}
        parents: list[list[int]] = [[] for _ in graph.modules]
        children: list[list[int]] = [[] for _ in graph.modules]
        for path, module in index.items():
            above = nearest_ancestor(path, index)
            if above is not None and index[above] not in parents[module]:
                parents[module].append(index[above])
                children[index[above]].append(module)
        own = [
            [origins[value] for _, value in (*m.parameters, *m.buffers) if origins[value] in weights]
            for m in graph.modules
        ]
        return cls(index, parents, children, own)

    def below(self, path: str | None) -> set[int]:
        """Values registered in the module or below it."""
        if path is None or path not in self.index:
            return set()
        return {value for module in _reach([self.index[path]], self.children) for value in self.own[module]}

    def columns(self, weights: Weights) -> Columns:
        """Per module, what is below it included: the weights of what is registered. The last row has all values."""
        columns = zeros(WEIGHT_FIELDS, len(self.own))
        owners: defaultdict[int, list[int]] = defaultdict(list)
        for module, own in enumerate(self.own):
            for value in dict.fromkeys(own):
                owners[value].append(module)
        # Values with the same holders climb together: one walk per module, not one per tensor.
        together: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for value, holders in owners.items():
            together[tuple(holders)].append(value)
        for group, held in together.items():
            sums = [sum(numbers) for numbers in zip(*(weights[value] for value in held), strict=True)]
            for module in _reach(group, self.parents):
                add_row(columns, module, sums)
        for column, numbers in zip(columns, zip(*weights.values(), strict=True), strict=False):
            column[-1] = sum(numbers)
        return columns


def _reach(start: Iterable[int], edges: list[list[int]]) -> set[int]:
    found = set(start)
    open_ends = list(found)
    while open_ends:
        for module in edges[open_ends.pop()]:
            if module not in found:
                found.add(module)
                open_ends.append(module)
    return found
