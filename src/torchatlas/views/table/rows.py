"""The rows of the table, as a tree written from the top down.

Rows follow the calls in the order they began. A module that never ran is shown in its structural place. What repeats
is one row that stands for all repeats; the rows inside it show one repeat.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchatlas.core.folding.label import path_range
from torchatlas.core.measure.cost import costs
from torchatlas.views.table.counting import counted
from torchatlas.views.table.repeats import Stretch, Stretches
from torchatlas.views.table.row import Row
from torchatlas.views.table.uncalled import Structure, relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.cost import Costs
    from torchatlas.views.table.row import Again, State
    from torchatlas.views.table.uncalled import UncalledModules

Mode: TypeAlias = Literal["modules", "ops"]

# A table that nobody gave a depth stops where it would leave a screen or two.
ROWS_BY_DEFAULT = 60


def rows_of(graph: Graph, *, mode: Mode = "modules", fold: bool = True, known: Costs | None = None) -> tuple[Row, ...]:
    """All rows, however deep, parents before children.

    Args:
        graph: what ran; without calls, the rows show the structure.
        mode: ``ops`` adds a row for every function called, between the module rows.
        fold: show repeats once.
        known: the costs of the graph, where somebody has them.
    """
    return tuple(counted(_Builder(graph, mode=mode, fold=fold).build(), costs(graph) if known is None else known))


def cut(rows: Sequence[Row], depth: int | None) -> tuple[Row, ...]:
    """The rows down to ``depth``, and the one that failed with those around it, however deep.

    Without a depth: as deep as stays within 60 rows, but at least one level.
    """
    if depth is None:
        depth = fitting_depth(rows, ROWS_BY_DEFAULT)
    place: dict[int | None, int | None] = {None: None}
    kept: list[Row] = []
    for index, row in enumerate(rows):
        if row.depth <= depth or row.state in {"failed", "stopped"}:
            place[index] = len(kept)
            kept.append(replace(row, parent=place[row.parent]))
    return tuple(kept)


def fitting_depth(rows: Sequence[Row], limit: int) -> int:
    """The greatest depth, at least 1, at which no more than ``limit`` rows are shown."""
    at_depth = [0] * (max((row.depth for row in rows), default=0) + 1)
    for row in rows:
        at_depth[row.depth] += 1
    shown = at_depth[0]
    for depth, count in enumerate(at_depth[1:], start=1):
        shown += count
        if shown > limit:
            return max(1, depth - 1)
    return len(at_depth) - 1


class _Builder:
    """One pass from the graph to its rows; its stack stands in for recursion, which a deep graph would exhaust."""

    def __init__(self, graph: Graph, *, mode: Mode, fold: bool) -> None:
        self.graph = graph
        self.stretches = Stretches(graph, ops=mode == "ops", fold=fold)
        self.structure = Structure(graph, fold=fold)
        self.rows: list[Row] = []
        # The module that names inside a row are relative to, by row.
        self.places: dict[int | None, str] = {None: ""}

    def build(self) -> tuple[Row, ...]:
        roots: Sequence[Stretch | UncalledModules] = self.stretches.roots() or self.structure.roots()
        waiting: list[tuple[Stretch | UncalledModules, int | None]] = [(root, None) for root in reversed(roots)]
        while waiting:
            item, parent = waiting.pop()
            row = self._called(item, parent) if isinstance(item, Stretch) else self._absent(item, parent)
            index = len(self.rows)
            self.rows.append(row)
            self.places[index] = self.places[parent] if row.path is None else row.path
            waiting.extend((each, index) for each in reversed(self._inside(item, row)))
        return tuple(self.rows)

    def _inside(self, item: Stretch | UncalledModules, row: Row) -> Sequence[Stretch | UncalledModules]:
        if not isinstance(item, Stretch):
            return self.structure.inside(item)
        inside = self.stretches.inside(item)
        # A module that runs again does not show its sleeping parts again.
        absent = [] if row.path is None or row.again == "reused" else self.structure.absent(row.path)
        return self._woven(inside, absent) if absent else inside

    def _called(self, stretch: Stretch, parent: int | None) -> Row:
        call = self.graph.calls[stretch.calls[0]]
        # Most rows are functions, which have no path to look for.
        paths = self._paths(stretch.calls) if stretch.members or call.path is not None else ()
        is_module = call.kind == "module" and not stretch.members
        names = [self.graph.calls[member.calls[0]].label for member in stretch.members] or [call.name]
        return Row(
            kind="group" if stretch.members else "module" if is_module else "function",
            label=self._label(paths, parent) if paths and parent is not None else ", ".join(names),
            path=paths[0] if is_module and paths else None,
            paths=paths,
            type=", ".join(names) if stretch.members or is_module else call.kind.replace("_", " "),
            depth=self._depth(parent),
            parent=parent,
            calls=stretch.calls,
            repeats=1 if stretch.members else call.repeats,
            count=stretch.count,
            grows=str(stretch.growth or ""),
            again=self._again(paths, stretch.calls),
            state=self._state(call.id),
            reads_data=call.reads_data and not stretch.members,
        )

    def _absent(self, part: UncalledModules, parent: int | None) -> Row:
        return Row(
            kind="group" if part.members else "module",
            label=self.graph.name if parent is None else self._label(part.paths, parent),
            path=None if part.members else part.paths[0],
            paths=part.paths,
            type=part.type,
            depth=self._depth(parent),
            parent=parent,
            count=part.count,
            state=self.structure.state(part.paths),
        )

    def _depth(self, parent: int | None) -> int:
        return 0 if parent is None else self.rows[parent].depth + 1

    def _paths(self, calls: Iterable[int]) -> tuple[str, ...]:
        """The modules called, each once; those that the model does not register have no path of their own."""
        paths = (self.graph.calls[call].path for call in calls)
        return tuple(dict.fromkeys(path for path in paths if path is not None and path in self.graph.module_at))

    def _again(self, paths: tuple[str, ...], calls: tuple[int, ...]) -> Again:
        return "reused" if paths and all(self.graph.calls_of[path][0] < calls[0] for path in paths) else ""

    def _state(self, call: int) -> State:
        if call == self.stretches.failed:
            return "failed"
        return "stopped" if call in self.stretches.stopped else "ran"

    def _label(self, paths: Iterable[str], parent: int | None) -> str:
        return path_range([self._relative(path, self.places[parent]) for path in paths])

    def _relative(self, path: str, place: str) -> str:
        """The name under which the module at ``place`` knows it, else its full path."""
        module = self.graph.module_at.get(path)
        names = (path, *(module.aliases if module else ()))
        inside = next((name for name in names if relative(name, place) != name), path)
        return relative(inside, place) or (module.name if module and path == "" else self.graph.name)

    def _woven(
        self, inside: Sequence[Stretch], absent: Sequence[UncalledModules]
    ) -> Sequence[Stretch | UncalledModules]:
        """Modules that never ran, each after the row that precedes it in the structure."""
        order = self.structure.order
        known = sorted(
            (order[path], index)
            for index, stretch in enumerate(inside)
            for path in self._paths(stretch.calls)[-1:]
            if path in order
        )
        woven: list[tuple[int, int, Stretch | UncalledModules]] = [
            (index, -1, stretch) for index, stretch in enumerate(inside)
        ]
        for part in absent:
            own = order[part.paths[0]]
            before = bisect_left(known, (own,))
            woven.append((known[before - 1][1] if before else -1, own, part))
        return [item for _, _, item in sorted(woven, key=lambda each: each[:2])]
