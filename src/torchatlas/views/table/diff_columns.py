"""The columns of two graphs beside each other: what each says of a row, for programs and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.measure.cost import costs
from torchatlas.core.measure.numbers import exact, short
from torchatlas.views.table.columns import NOTHING, Column
from torchatlas.views.table.diff_rows import DiffRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torchatlas.core.comparing.compare import Changes, Item, Location
    from torchatlas.core.comparing.difference import Difference
    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.cost import Cost, Costs
    from torchatlas.views.table.columns import Plain
    from torchatlas.views.table.facts import Facts
    from torchatlas.views.table.row import Row

SIGNS = {"added": "+", "removed": "-", "changed": "~", "same": " "}
MOST_NAMED = 3
"""Differences that a line names; how many others there are, it counts."""


class DiffFacts:
    """What there is to say of both graphs; numbers are computed when asked for, and kept."""

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.costs: tuple[Costs, Costs] = (costs(changes.a), costs(changes.b))
        self._known: tuple[dict[Location, Cost], dict[Location, Cost]] = ({}, {})

    def cost(self, side: int, place: Location | None) -> Cost | None:
        """Of a module or call of the first graph (0) or the second (1)."""
        if place is None:
            return None
        known = self._known[side]
        if place not in known:
            held = self.costs[side]
            known[place] = held.call(place) if isinstance(place, int) else held.module(place)
        return known[place]

    def sum(self, row: DiffRow, side: int, field: str) -> int | None:
        """Of all repeats of a row; None where the graph does not have it."""
        found = [self.cost(side, self.place(item, side)) for item in row.items]
        numbers = [getattr(cost, field) for cost in found if cost is not None]
        return sum(numbers) if numbers else None

    def exact(self, row: DiffRow, side: int) -> bool:
        """Whether all arithmetic of the row was seen."""
        found = (self.cost(side, self.place(item, side)) for item in row.items)
        return all(cost.exact for cost in found if cost is not None)

    def place(self, number: int, side: int) -> Location | None:
        """Where an item is in one of the graphs."""
        item = self.changes.items[number]
        return item.b if side else item.a

    def item(self, row: DiffRow) -> Item:
        """The first item of a row."""
        return self.changes.items[row.items[0]]

    def graph(self, side: int) -> Graph:
        """One of the two."""
        return self.changes.b if side else self.changes.a


def columns(sides: DiffFacts, *, everything: bool = False) -> tuple[Column, ...]:
    """Those of the table; with ``everything`` those for programs."""
    ran = bool(sides.changes.a.calls and sides.changes.b.calls)
    work = ("a_flops", "b_flops") if ran else ()
    chosen = ("mark", "name", "class", "a_params", "b_params", *work, "differences")
    programs = (
        "mark",
        "a",
        "b",
        "a_type",
        "b_type",
        "a_params",
        "b_params",
        "a_flops",
        "b_flops",
        "a_output",
        "b_output",
        "differences",
    )
    known = _all(sides)
    return tuple(known[name] for name in (programs if everything else chosen))


def _all(sides: DiffFacts) -> dict[str, Column]:
    found = [
        _column("mark", "", lambda row: sides.item(row).mark, lambda row: SIGNS[row.state]),
        _column("name", "name", lambda row: row.label),
        _column("class", "class", lambda row: types(sides, row)),
        _column("differences", "what differs", lambda row: differences(sides, row), lambda row: what(sides, row)),
    ]
    for side, letter in enumerate("ab"):
        found += _of_side(sides, side, letter)
    return {column.name: column for column in found}


def _of_side(sides: DiffFacts, side: int, letter: str) -> list[Column]:
    def place(row: DiffRow) -> Plain:
        return sides.place(row.items[0], side)

    def kind(row: DiffRow) -> Plain:
        return _name(sides, row, side)

    def parameters(row: DiffRow) -> Plain:
        return sides.sum(row, side, "parameters")

    def flops(row: DiffRow) -> Plain:
        return sides.sum(row, side, "flops") if sides.graph(side).calls else None

    def output(row: DiffRow) -> Plain:
        return _output(sides, row, side)

    def bound(row: DiffRow) -> str:
        count = sides.sum(row, side, "flops")
        return NOTHING if not count else f"{'' if sides.exact(row, side) else '>='}{short(count)}"

    def counted(row: DiffRow) -> str:
        return exact(sides.sum(row, side, "parameters") or 0) if sides.sum(row, side, "parameters") else NOTHING

    return [
        _column(letter, letter, place),
        _column(f"{letter}_type", f"{letter} type", kind),
        _column(f"{letter}_params", f"{letter} params", parameters, counted, right=True),
        _column(f"{letter}_flops", f"{letter} FLOPs", flops, bound, right=True),
        _column(f"{letter}_output", f"{letter} output", output),
    ]


def _column(
    name: str,
    title: str,
    value: Callable[[DiffRow], Plain],
    text: Callable[[DiffRow], str] | None = None,
    *,
    right: bool = False,
) -> Column:
    def valued(_: Facts, row: Row) -> Plain:
        return value(row) if isinstance(row, DiffRow) else None

    def said(facts: Facts, row: Row) -> str:
        if text is not None and isinstance(row, DiffRow):
            return text(row)
        found = valued(facts, row)
        return NOTHING if found is None else str(found)

    return Column(name, title, valued, said, "right" if right else "left")


def _name(sides: DiffFacts, row: DiffRow, side: int) -> str | None:
    place = sides.place(row.items[0], side)
    if place is None:
        return None
    graph = sides.graph(side)
    return graph.calls[place].name if isinstance(place, int) else graph.module_at[place].name


def types(sides: DiffFacts, row: DiffRow) -> str:
    """The class; of several that have nothing in common but that they are the same, none."""
    if len(row.items) > 1 and row.count == 1:
        names = {sides.changes.items[at].b for at in row.items}
        kinds = {_of(sides.changes, place) for place in names}
        return kinds.pop() if len(kinds) == 1 else ""
    return _name(sides, row, 1) or _name(sides, row, 0) or ""


def _of(changes: Changes, place: Location | None) -> str:
    if place is None:
        return ""
    return changes.b.calls[place].kind if isinstance(place, int) else changes.b.module_at[place].name


def _output(sides: DiffFacts, row: DiffRow, side: int) -> Plain:
    place, graph = sides.place(row.items[0], side), sides.graph(side)
    if place is None or not graph.calls:
        return None
    calls = (place,) if isinstance(place, int) else graph.calls_of.get(place, ())
    shapes = tuple(graph.values[value].shape for value in graph.calls[calls[0]].outputs) if calls else ()
    return shapes[0] if len(shapes) == 1 else shapes or None


def differences(sides: DiffFacts, row: DiffRow) -> str | None:
    """All of them, one after the other."""
    return "; ".join(map(told, sides.item(row).differences)) or None


def told(difference: Difference) -> str:
    """``kernel_size (3, 3) -> (5, 5)``."""
    return f"{difference.what} {difference.a} -> {difference.b}"


def _briefly(difference: Difference) -> str:
    """The class that it has now stands in a column of its own."""
    return f"class was {difference.a}" if difference.what == "class" else told(difference)


def what(sides: DiffFacts, row: DiffRow) -> str:
    """What differs, in a line; of what is the same, how much that is."""
    item = sides.item(row)
    if item.differences:
        shown = item.differences
        listed = "; ".join(map(_briefly, shown[:MOST_NAMED]))
        more = f"; {len(shown) - MOST_NAMED} more" if len(shown) > MOST_NAMED else ""
        return _also(listed + more, row)
    if item.mark == "same":
        alone = row.count == 1 and (row.inside or len(row.items) > 1)
        count = len(row.items) + len(row.inside) if alone else 0
        return _also(f"{count:,} the same" if count > 1 else "", row)
    count = (len(row.items) + len(row.inside)) // max(row.count, 1)
    return f"{count:,} {_units(sides.changes)}{' each' if row.count > 1 else ''}" if row.inside else ""


def _units(changes: Changes) -> str:
    return "calls" if changes.by_call else "modules"


def _also(text: str, row: DiffRow) -> str:
    was = f"was {row.was}" if row.was else ""
    below = f"{row.differ:,} differ inside" if row.differ else ""
    return "; ".join(filter(None, (was, text, below)))


def marks(items: Iterable[Item]) -> dict[str, int]:
    """How many items have which mark."""
    found = dict.fromkeys(SIGNS, 0)
    for item in items:
        found[item.mark] += 1
    return found
