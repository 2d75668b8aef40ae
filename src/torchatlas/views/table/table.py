"""The table before it is written down: which rows, which columns, and the facts that fill them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.views.table.columns import mark

if TYPE_CHECKING:
    from torchatlas.views.table.columns import Column
    from torchatlas.views.table.facts import Facts
    from torchatlas.views.table.rows import Row


@dataclass(frozen=True, slots=True)
class Table:
    """Rows and columns, chosen and cut. ``chosen``: the reader named the columns, so none is left out silently."""

    facts: Facts
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    chosen: bool = False

    def mark(self, row: Row) -> str:
        """What has to stand beside the row's name, because no cell of the row says it."""
        told = any(column.name == "output" for column in self.columns) and not self.facts.outputs(row)
        return "" if told else mark(row)
