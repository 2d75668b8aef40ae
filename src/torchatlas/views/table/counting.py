"""What each row counts of the weights, so that the rows add up to the total, whatever they share.

A row takes, of the weights that its modules hold, those that no row before it has taken; the rows inside it share out
what it took. So at any depth the rows, and what the rows around them hold beside them, sum to the total: of a layer
whose weight is another's, the bias alone counts. Inside a row that stands for several repeats, the rows are those of
the first repeat.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.core.measure.cost import Costs
    from torchatlas.views.table.row import Again, Row


def counted(rows: Sequence[Row], costs: Costs) -> Iterator[Row]:
    """The rows, each with what it counts, and why it counts less than its modules hold."""
    held: list[set[int] | None] = []
    left: list[set[int]] = []  # of what each row took, what no row inside it has taken
    for row in rows:
        around = row.parent
        while around is not None and held[around] is None:
            around = rows[around].parent
        own = weights_of(row, costs)
        held.append(own)
        if own is None:
            left.append(set())
            yield row
            continue
        taken = own if around is None else own & left[around]
        if around is not None:
            left[around] -= taken
        left.append(set(taken))
        outer = None if around is None else held[around]
        yield replace(row, counted=costs.sizes(taken), again=_again(row, own, taken, outer, costs))


def weights_of(row: Row, costs: Costs) -> set[int] | None:
    """The weights of a row's modules, of a group those that are used in it; None for a function."""
    graph = costs.graph
    if row.parent is None:
        return set(costs.weights)
    if row.calls and row.kind != "group" and graph.calls[row.calls[0]].kind == "group":
        return costs.used(row.calls)
    return costs.below(row.paths) if row.paths else None


def _again(row: Row, own: set[int], taken: set[int], outer: set[int] | None, costs: Costs) -> Again:
    if not costs.sizes(own - taken).parameters:
        return "reused" if row.again == "reused" and not costs.sizes(own).parameters else ""
    if costs.sizes(taken).parameters:
        return "partly tied"
    if row.again == "reused":
        return "reused"
    return "tied" if outer is None or own <= outer else "elsewhere"
