"""The table before it is written down: which rows, which columns, and the facts that fill them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.views.table.columns import mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.views.table.columns import Column
    from torchatlas.views.table.facts import Facts
    from torchatlas.views.table.row import Row


@dataclass(frozen=True, slots=True)
class Below:
    """Rows that nobody asked to leave out, and which a default depth did: how many, below which level of how many."""

    rows: int
    depth: int
    deepest: int


def below_default(every: Sequence[Row], shown: Sequence[Row]) -> Below | None:
    """What is left of all rows once a default depth has cut them; None if that is nothing."""
    if len(shown) == len(every):
        return None
    shallow = (row.depth for row in shown if row.state not in {"failed", "stopped"})
    return Below(len(every) - len(shown), max(shallow, default=0), max(row.depth for row in every))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows and columns, chosen and cut.

    Attributes:
        chosen: the reader named the columns.
        below: what the depth left out, if the reader named none.
    """

    facts: Facts
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    chosen: bool = False
    below: Below | None = None

    def mark(self, row: Row) -> str:
        """What has to stand beside the row's name, because no cell of the row says it."""
        told = any(column.name == "output" for column in self.columns) and not self.facts.outputs(row)
        return "" if told else mark(row)
