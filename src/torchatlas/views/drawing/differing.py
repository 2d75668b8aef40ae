"""What of a graph is open, and what is folded, in a picture of how it differs from another: no difference is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from torchatlas.core.comparing.marks import Boxes
from torchatlas.core.folding.fold import Fold
from torchatlas.views.contract import Marks
from torchatlas.views.drawing.payload import folds_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from torchatlas.core.comparing.compare import Mark
    from torchatlas.core.graph import Graph

ROOM = 110
"""Boxes up to which what differs is opened level by level."""


@dataclass(frozen=True)
class Half:
    """One of two graphs as the picture shows it.

    Attributes:
        graph: what is drawn.
        own: the mark of each box, what is inside it not counted.
        deep: the mark of each box with all that is inside it.
    """

    graph: Graph
    own: Mapping[int, Mark]
    deep: Mapping[int, Mark]

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """The box around each box; -1 for the outermost."""
        return Boxes(self.graph).parents


def folds_that_differ_alike(half: Half) -> list[Fold]:
    """The folds of a graph, cut where one repeat differs from the other graph in another way than the one before it."""
    numbers = _numbers(half)
    found: list[Fold] = []
    for fold in folds_of(half.graph):
        starts = range(0, len(fold.calls), fold.period)
        repeats = [fold.calls[start : start + fold.period] for start in starts]
        turn = 0
        for _, run in groupby(repeats, key=lambda repeat: tuple(numbers[call] for call in repeat)):
            alike = list(run)
            growth = fold.growth and fold.growth.of_part(fold.count, turn, len(alike))
            turn += len(alike)
            if len(alike) > 1:
                calls = tuple(call for repeat in alike for call in repeat)
                found.append(Fold(fold.parent, calls, fold.period, len(alike), fold.kind, fold.carried, growth))
    return found


def _numbers(half: Half) -> list[int]:
    """For each box a number, equal for equal marks of it and, in order, of all that is inside it."""
    parents = half.parents
    inside: list[list[int]] = [[] for _ in parents]
    numbers = [0] * len(parents)
    known: dict[Hashable, int] = {}
    for box in range(len(parents) - 1, -1, -1):
        numbers[box] = known.setdefault((half.own[box], tuple(inside[box])), len(known))
        if parents[box] >= 0:
            inside[parents[box]].append(numbers[box])
    return numbers


def opened_alike(
    halves: tuple[Half, Half], folds: Sequence[Sequence[Fold]], pairs: Sequence[tuple[int, int]]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The boxes to open in both graphs: those that `opened` gives, and what they are in the other graph."""
    found = [set(opened(half, each)) for half, each in zip(halves, folds, strict=True)]
    hidden = [_hidden(each) for each in folds]
    first, second = ({0, *side} for side in found)  # the models themselves are open
    for one, other in pairs:
        if other in second and one not in hidden[0]:
            found[0].add(one)
        if one in first and other not in hidden[1]:
            found[1].add(other)
    reached = [_reached(half, side) for half, side in zip(halves, found, strict=True)]
    return reached[0], reached[1]


def _reached(half: Half, boxes: set[int]) -> tuple[int, ...]:
    """Those of the boxes around which all are open too."""
    found: set[int] = set()
    for box in sorted(boxes):
        if half.parents[box] <= 0 or half.parents[box] in found:
            found.add(box)
    return tuple(sorted(found))


def _hidden(folds: Sequence[Fold]) -> set[int]:
    """The repeats that have no box of their own."""
    return {call for fold in folds for call in fold.calls[fold.period :]}


def opened(half: Half, folds: Sequence[Fold]) -> tuple[int, ...]:
    """The boxes to open so that what differs is seen by itself: level by level, as far as that leaves a picture."""
    hidden = _hidden(folds)
    parents = half.parents
    children: list[list[int]] = [[] for _ in parents]
    for box, parent in enumerate(parents):
        if parent >= 0 and box not in hidden:
            children[parent].append(box)
    found: list[int] = []
    level, room = children[0] if children else [], ROOM
    while level:
        wide = [box for box in level if _differs_inside(half, box, children[box])]
        room -= sum(len(children[box]) for box in wide)
        if room < 0:
            break
        found += wide
        level = [child for box in wide for child in children[box]]
    return tuple(found)


def _differs_inside(half: Half, box: int, children: Sequence[int]) -> bool:
    """Whether there is more to see inside than the mark of the box says."""
    marks = {half.deep[child] for child in children}
    if not marks - {"same"} or (half.own[box] in {"added", "removed"} and marks == {half.own[box]}):
        return False
    whole = half.own[box] == "changed" and not any(_is_module(half.graph, child) for child in children)
    return not whole or bool(marks & {"added", "removed"})


def _is_module(graph: Graph, box: int) -> bool:
    return not graph.calls or graph.calls[box].kind == "module"


DIFFERENCE = "difference"
"""The name by which the engine colours by marks."""


def marks_of(own: Mapping[int, Mark]) -> Marks:
    """The boxes that differ, by what they are."""
    by_mark: dict[Mark, list[int]] = {"added": [], "removed": [], "changed": [], "same": []}
    for box, mark in sorted(own.items()):
        by_mark[mark].append(box)
    return Marks(tuple(by_mark["added"]), tuple(by_mark["removed"]), tuple(by_mark["changed"]))
