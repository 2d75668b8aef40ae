"""The table before it is written down: which rows, which columns, and the facts that fill them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
