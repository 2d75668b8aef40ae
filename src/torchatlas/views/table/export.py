"""The table for programs: records of exact values as CSV, JSON and a pandas DataFrame."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from torchatlas.core.errors import MissingError
from torchatlas.views.table import footer

if TYPE_CHECKING:
    import pandas as pd

    from torchatlas.views.table.columns import Plain
    from torchatlas.views.table.table import Table

# A spreadsheet would run a text cell that begins with one of these.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def records(table: Table) -> list[dict[str, Plain]]:
    """One dictionary per row: column name to value. Shapes are tuples, bytes and operations whole numbers."""
    return [{column.name: column.value(table.facts, row) for column in table.columns} for row in table.rows]


def to_csv(table: Table) -> str:
    """RFC 4180 with a header. A text that a spreadsheet would take for a formula gets a leading apostrophe.

    Source: https://www.rfc-editor.org/rfc/rfc4180, https://owasp.org/www-community/attacks/CSV_Injection
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([column.name for column in table.columns])
    for record in records(table):
        writer.writerow([_csv_cell(value) for value in record.values()])
    return out.getvalue()


def _csv_cell(value: Plain) -> str | float | None:
    if isinstance(value, tuple):
        return str(list(value))
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def to_json(table: Table) -> str:
    """A document: ``model``, ``provenance``, ``rows``, ``units``, ``totals``, ``memory``, ``notes``, ``failure``.

    ``rows`` are the records. ``units`` are those of the columns that are overlays, by name; times are in seconds.
    ``totals`` are the fields of ``core.measure.cost.Cost``, ``memory`` (null without a run, and of a backward pass)
    those of ``core.measure.memory.Memory``.
    """
    graph = table.facts.graph
    total, peak = table.facts.total, table.facts.memory()
    failed = footer.failure(graph, table.rows)
    document = {
        "model": graph.name,
        "provenance": asdict(graph.provenance),
        "rows": records(table),
        "units": {name: overlay.unit for name, overlay in table.facts.overlays.items()},
        "totals": {**asdict(total), "frozen": total.frozen, "mult_adds": total.macs, "exact": total.exact},
        "memory": None if peak is None else asdict(peak),
        "notes": footer.notes(table.facts, table.rows),
        "failure": None if failed is None else asdict(failed),
    }
    return json.dumps(document, indent=1)


def to_frame(table: Table) -> pd.DataFrame:
    """One row per row of the table, exact values.

    Raises:
        MissingError: pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - optional
    except ImportError as error:
        raise MissingError(
            "A DataFrame needs pandas, which is not installed: pip install torchatlas[pandas]"
        ) from error
    return pd.DataFrame.from_records(records(table), columns=[column.name for column in table.columns])
