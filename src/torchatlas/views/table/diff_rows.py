"""The rows of two graphs beside each other: one tree of all modules of both, in which what is the same is one line.

Rows follow the second graph; what is in the first alone stands where it was. Neighbours that differ in the same way are
one row with a count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchatlas.core.comparing.likeness import parent_of
from torchatlas.core.folding.label import path_range
from torchatlas.core.folding.signature import without_numbers
from torchatlas.views.table.row import Row
from torchatlas.views.table.rows import ROWS_BY_DEFAULT, fitting_depth

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from torchatlas.core.comparing.compare import Changes, Item, Location
    from torchatlas.core.graph import Graph


@dataclass(frozen=True, slots=True)
class DiffRow(Row):
    """A row of two graphs.

    Attributes:
        items: positions in ``Changes.items`` of what the row itself stands for, all repeats.
        inside: items below it that have no row of their own.
        was: its name in the first graph where that is another one.
        differ: how many items that differ are below it, beyond the depth that is shown.
    """

    items: tuple[int, ...] = ()
    inside: tuple[int, ...] = ()
    was: str = ""
    differ: int = 0


def rows_of_changes(changes: Changes, *, fold: bool = True) -> tuple[DiffRow, ...]:
    """All rows, parents before children.

    Args:
        changes: what changed.
        fold: show equal neighbours once, and what is the same in one line; without, every item has a row.
    """
    return tuple(_Union(changes, fold=fold).rows())


def cut_changes(rows: Sequence[DiffRow], depth: int | None) -> tuple[DiffRow, ...]:
    """The rows down to ``depth``, which say how much differs below them; without one, as many as a screen or two."""
    depth = fitting_depth(rows, ROWS_BY_DEFAULT) if depth is None else depth
    hidden = [0] * len(rows)
    for at in range(len(rows) - 1, -1, -1):
        parent = rows[at].parent
        if parent is not None and rows[at].depth > depth:
            hidden[parent] += hidden[at] + (rows[at].state != "same")
    place: dict[int | None, int | None] = {None: None}
    kept: list[DiffRow] = []
    for at, row in enumerate(rows):
        if row.depth <= depth:
            place[at] = len(kept)
            kept.append(replace(row, parent=place[row.parent], differ=hidden[at]))
    return tuple(kept)


class _Union:
    """The tree of the items, and what is alike in it."""

    def __init__(self, changes: Changes, *, fold: bool) -> None:
        self.changes = changes
        self.items = changes.items
        self.fold = fold
        self.parents = list(_parents(changes))
        self.children: list[list[int]] = [[] for _ in self.items]
        self.tops: list[int] = []
        for at, parent in enumerate(self.parents):
            (self.children[parent] if parent >= 0 else self.tops).append(at)
        self.order = self._order()
        self.was = [self._was(at) for at in range(len(self.items))]
        self.kinds, self.still, self.alone = self._likeness()

    def rows(self) -> Iterator[DiffRow]:
        todo: list[tuple[tuple[int, ...], int | None, int]] = [
            (run, None, 0) for run in reversed(self._runs(self.tops))
        ]
        count = 0
        while todo:
            run, parent, depth = todo.pop()
            closed = self.fold and all(self.still[at] or self.alone[at] for at in run)
            yield self._row(run, parent, depth, closed=closed)
            if not closed:
                inside = [(each, count, depth + 1) for each in self._runs(self.children[run[0]])]
                todo += reversed(inside)
            count += 1

    def _row(self, run: tuple[int, ...], parent: int | None, depth: int, *, closed: bool) -> DiffRow:
        item = self.items[run[0]]
        graph, place = _side(self.changes, item)
        return DiffRow(
            kind="function" if self.changes.by_call else "module",
            label=self._label(run),
            path=place if isinstance(place, str) else None,
            paths=(),
            type=_class(graph, place),
            depth=depth,
            parent=parent,
            count=1 if closed and self.still[run[0]] else len(run),
            state=item.mark,
            items=run,
            inside=tuple(each for at in run for each in self._below(at)) if closed else (),
            was=", ".join(filter(None, dict.fromkeys(self.was[at] for at in (run[0], run[-1])))),
        )

    def _label(self, run: tuple[int, ...]) -> str:
        names = [self._name(at) for at in run]
        if len({without_numbers(name) for name in names}) == 1:
            return path_range(names)
        return f"{names[0]} … {names[-1]}" if len(names) > 2 else ", ".join(names)  # noqa: PLR2004 - two can be said

    def _name(self, at: int) -> str:
        """As what is around it in its graph knows it."""
        graph, place = _side(self.changes, self.items[at])
        if isinstance(place, int):
            return graph.calls[place].name if place else graph.name
        return self._relative(at, place, "a" if self.items[at].b is None else "b") or graph.name

    def _relative(self, at: int, path: str, side: str) -> str:
        """The path as it goes on from the nearest item around that is around it in that graph too."""
        around = self.parents[at]
        while around >= 0:
            above = getattr(self.items[around], side)
            if above and path.startswith(f"{above}."):
                return path[len(above) + 1 :]
            around = self.parents[around]
        return path

    def _was(self, at: int) -> str:
        """The name that it had, if what is around it would now call it by another."""
        item = self.items[at]
        if not isinstance(item.a, str) or not isinstance(item.b, str):
            return ""
        old = self._relative(at, item.a, "a")
        return old or self.changes.a.name if old != self._relative(at, item.b, "b") else ""

    def _order(self) -> list[int]:
        """Items, those around before those inside."""
        order, todo = [], self.tops[::-1]
        while todo:
            at = todo.pop()
            order.append(at)
            todo += self.children[at][::-1]
        return order

    def _likeness(self) -> tuple[list[int], list[bool], list[bool]]:
        """For each item a number, equal if all differs alike in and below it; whether nothing differs there; or all."""
        numbers: dict[Hashable, int] = {}
        kinds, still, alone = ([0] * len(self.items), [False] * len(self.items), [False] * len(self.items))
        for at in reversed(self.order):
            item = self.items[at]
            inside = self.children[at]
            still[at] = item.mark == "same" and all(still[child] for child in inside)
            lone = item.mark in {"added", "removed"}
            alone[at] = lone and all(alone[child] and self.items[child].mark == item.mark for child in inside)
            graph, place = _side(self.changes, item)
            named = tuple((without_numbers(self._name(child)), kinds[child]) for child in inside)
            key = (item.mark, item.differences, _class(graph, place), bool(self.was[at]), named)
            kinds[at] = numbers.setdefault(key, len(numbers))
        return kinds, still, alone

    def _runs(self, siblings: Sequence[int]) -> list[tuple[int, ...]]:
        """Neighbours that share a row: all that are the same; or else those under one name that differ alike."""
        runs: list[list[int]] = []
        for at in siblings:
            if runs and self.fold and self._together(runs[-1][-1], at):
                runs[-1].append(at)
            else:
                runs.append([at])
        return [tuple(run) for run in runs]

    def _together(self, one: int, other: int) -> bool:
        if bool(self.was[one]) != bool(self.was[other]):
            return False
        if self.still[one] and self.still[other]:
            return True
        return self.kinds[one] == self.kinds[other] and without_numbers(self._name(one)) == without_numbers(
            self._name(other)
        )

    def _below(self, at: int) -> Iterator[int]:
        todo = list(self.children[at])
        while todo:
            below = todo.pop()
            yield below
            todo += self.children[below]


def _side(changes: Changes, item: Item) -> tuple[Graph, Location]:
    """The graph that an item is shown of, and where it is there."""
    if item.b is not None:
        return changes.b, item.b
    return changes.a, item.a if item.a is not None else ""


def _class(graph: Graph, place: Location) -> str:
    return graph.calls[place].kind if isinstance(place, int) else graph.module_at[place].name


def _parents(changes: Changes) -> Iterator[int]:
    """For each item the item around it, -1 for none: around it in b; of what a has alone, in a."""
    in_a: dict[Location | None, int] = {item.a: at for at, item in enumerate(changes.items) if item.a is not None}
    in_b: dict[Location | None, int] = {item.b: at for at, item in enumerate(changes.items) if item.b is not None}
    paths_a, paths_b = ({m.path: at for at, m in enumerate(graph.modules)} for graph in (changes.a, changes.b))
    for item in changes.items:
        if item.b is not None:
            yield in_b.get(_around(changes.b, item.b, paths_b), -1)
        elif item.a is not None:
            yield in_a.get(_around(changes.a, item.a, paths_a), -1)


def _around(graph: Graph, place: Location, paths: Mapping[str, int]) -> Location | None:
    if isinstance(place, int):
        return graph.calls[place].parent
    parent = parent_of(place, paths)
    return graph.modules[parent].path if parent >= 0 else None
