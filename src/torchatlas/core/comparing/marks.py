"""Boxes of a picture of two graphs get their marks: added, removed, changed or the same.

A box is a call, or, in a graph without calls, a module (by position). A box stands for all that is inside it: if
anything inside differs, the box is ``changed``, so that neither a closed box nor a fold hides a difference.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from torchatlas.core.comparing.likeness import parent_of, reader_of
from torchatlas.core.comparing.matching import operation_key

if TYPE_CHECKING:
    from torchatlas.core.comparing.compare import Changes, Location, Mark
    from torchatlas.core.graph import Graph


class Boxes:
    """The boxes of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._positions = {module.path: at for at, module in enumerate(graph.modules)}

    def of(self, place: Location | None) -> tuple[int, ...]:
        """The boxes of a module or a call; a module that never ran has none."""
        if place is None:
            return ()
        if isinstance(place, int):
            return (place,)
        return self.graph.calls_of.get(place, ()) if self.graph.calls else (self._positions[place],)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """The box around each box; -1 for the outermost."""
        if self.graph.calls:
            return tuple(-1 if call.parent is None else call.parent for call in self.graph.calls)
        return tuple(parent_of(module.path, self._positions) for module in self.graph.modules)


def pairs(changes: Changes) -> tuple[tuple[int, int], ...]:
    """(box of a, box of b) of what is the same thing in both."""
    if changes.a.calls and changes.b.calls:
        return changes.calls
    one, other = Boxes(changes.a), Boxes(changes.b)
    found = (zip(one.of(item.a), other.of(item.b), strict=False) for item in changes.items)
    return tuple(sorted(pair for each in found for pair in each))


def own_marks(changes: Changes) -> tuple[dict[int, Mark], dict[int, Mark]]:
    """For every box of each graph its own mark, what is inside it not counted."""
    sides = Boxes(changes.a), Boxes(changes.b)
    found: tuple[dict[int, Mark], dict[int, Mark]] = {}, {}
    for item in changes.items:
        for boxes, marks, place in zip(sides, found, (item.a, item.b), strict=True):
            marks.update(dict.fromkeys(boxes.of(place), item.mark))
    both_ran = bool(changes.a.calls and changes.b.calls)
    if both_ran:
        for one, other in changes.calls:
            if one not in found[0] and changes.a.calls[one].kind != "module":
                same = operation_key(changes.a.calls[one], changes.a) == operation_key(
                    changes.b.calls[other], changes.b
                )
                found[0][one] = found[1][other] = "same" if same else "changed"
    comparable = both_ran and reader_of(changes.a) == reader_of(changes.b)
    _fill(sides[0], found[0], "removed" if comparable else "same")
    _fill(sides[1], found[1], "added" if comparable else "same")
    return found


def _fill(boxes: Boxes, marks: dict[int, Mark], lone: Mark) -> None:
    """Calls without a mark: ATen operators go with the function they ran for, others are alone."""
    for call in boxes.graph.calls:
        if call.id not in marks:
            aten = call.kind == "aten" and call.parent is not None
            marks[call.id] = marks[call.parent] if aten and call.parent is not None else lone


def deep_marks(changes: Changes) -> tuple[dict[int, Mark], dict[int, Mark]]:
    """As `own_marks`, but what has something in it that differs is ``changed``."""
    found = own_marks(changes)
    for graph, marks in zip((changes.a, changes.b), found, strict=True):
        parents = Boxes(graph).parents
        for box in range(len(parents) - 1, 0, -1):
            around = parents[box]
            if around >= 0 and marks[box] != "same" and marks[around] == "same":
                marks[around] = "changed"
    return found
