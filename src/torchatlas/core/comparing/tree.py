"""A tree of names is what ``alignment.py`` works on: the modules of a model, or the keys of its weights.

``layers.0.weight`` and ``layers.1.weight`` are six nodes with their root:

    node       0     1         2     3           4     5
    names      ""    layers    0     weight      1     weight
    parents    -1    0         1     2           1     4
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LEVELS = 4
"""Degrees of likeness, from alike in everything (0) to of one class and no more (`LOOSE`)."""

LOOSE = LEVELS - 1


@dataclass(frozen=True)
class Tree:
    """Nodes, parents before children; node 0 is the root.

    Attributes:
        names: of each node under its parent.
        parents: of each node; -1 for the root.
        kinds: of each node ``LEVELS`` numbers, from the strictest likeness to the loosest, shared with the other tree.
        has_tensors: whether a node holds, or is, a tensor; these nodes are aligned first.
        own_tensors: of each node a number for its own tensors, shared with the other tree; -1 where it has none.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    kinds: tuple[tuple[int, ...], ...]
    has_tensors: tuple[bool, ...]
    own_tensors: tuple[int, ...]

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Of each node; those with numbers for names in the order of the numbers."""
        found: list[list[int]] = [[] for _ in self.names]
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                found[parent].append(node)
        return tuple(tuple(self._sorted(nodes)) for nodes in found)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Nodes of each subtree."""
        sizes = [1] * len(self.names)
        for node in range(len(self.names) - 1, 0, -1):
            sizes[self.parents[node]] += sizes[node]
        return tuple(sizes)

    def below(self, node: int) -> Iterator[int]:
        """The node and all that is below it."""
        todo = [node]
        while todo:
            at = todo.pop()
            yield at
            todo.extend(self.children[at])

    def flat(self, node: int, inside: Sequence[bool]) -> list[int]:
        """What has tensors of its own below the node, in order; only as far as ``inside`` is true."""
        found, todo = [], [*self.children[node][::-1]]
        while todo:
            at = todo.pop()
            if inside[at]:
                if self.own_tensors[at] >= 0:
                    found.append(at)
                todo += self.children[at][::-1]
        return found

    def above(self, node: int) -> Iterator[int]:
        """The nodes around it, up to the root."""
        while node:
            node = self.parents[node]
            yield node

    def _sorted(self, nodes: list[int]) -> list[int]:
        numbered = sorted((node for node in nodes if is_number(self.names[node])), key=lambda n: int(self.names[n]))
        rest = iter(numbered)
        return [next(rest) if is_number(self.names[node]) else node for node in nodes]


def is_number(name: str) -> bool:
    """Whether a name says a position in a list."""
    return name.isdecimal() and name.isascii()


def by_alphabet(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> bool:
    """Whether tensors are sorted by name, as some files sort them: then their order says nothing about the model.

    Scalars (counters of batches) do not count: files store other dtypes apart.
    """
    names = [name for name, shape in shapes if shape]
    return names == sorted(names)
