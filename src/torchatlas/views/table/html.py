"""The table as one piece of HTML for notebooks: opened and closed by level, without a script, light or dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from torchatlas.views.table import footer
from torchatlas.views.table.rows import fitting_depth
from torchatlas.views.table.text_width import cell_width, printable, shorten
from torchatlas.views.table.uncalled import UNCALLED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.views.table.columns import Column
    from torchatlas.views.table.row import Row
    from torchatlas.views.table.table import Table

WIDEST_NAME, WIDEST = 48, 32
LEAST_NAME = 10
ROWS_OPEN = 40
INDENT = 1.2
MARKED = frozenset({"added", "removed", "changed", "same"})
# Colours follow the page around it: whatever its text is, dark on light or light on dark.
CSS = """
.torchatlas { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-x: auto; }
.torchatlas .ta-table { display: inline-block; min-width: max-content; }
.torchatlas .ta-row { display: grid; grid-template-columns: var(--ta-columns); column-gap: 1.5em; padding: 0 .5em; }
.torchatlas .ta-row > span { overflow: hidden; text-overflow: ellipsis; white-space: pre; text-align: left; }
.torchatlas .ta-row > .ta-number { text-align: right; font-variant-numeric: tabular-nums; }
.torchatlas .ta-head { font-weight: 600; border-bottom: 1px solid color-mix(in srgb, currentColor 35%, transparent); }
.torchatlas summary { cursor: pointer; list-style: none; }
.torchatlas summary::-webkit-details-marker { display: none; }
.torchatlas .ta-name::before { content: ""; display: inline-block; width: 1.2em; opacity: .6; }
.torchatlas summary > .ta-name::before { content: "\\25B8"; }
.torchatlas details[open] > summary > .ta-name::before { content: "\\25BE"; }
.torchatlas .ta-row:not(.ta-head):hover { background: color-mix(in srgb, currentColor 8%, transparent); }
.torchatlas .ta-dim { opacity: .55; }
.torchatlas .ta-failed { color: #d6453d; font-weight: 600; }
.torchatlas .ta-added { color: #1a7f4b; }
.torchatlas .ta-removed { color: #c8462c; }
.torchatlas .ta-changed { color: #a86b00; }
.torchatlas .ta-same { opacity: .6; }
.torchatlas .ta-foot { border-top: 1px solid color-mix(in srgb, currentColor 35%, transparent); padding: .4em .5em; }
.torchatlas .ta-foot table { border-collapse: collapse; margin: 0; font: inherit; }
.torchatlas .ta-foot td { padding: 0 1.5em 0 0; border: 0; background: none; text-align: left; }
.torchatlas .ta-foot .ta-number { text-align: right; font-variant-numeric: tabular-nums; }
.torchatlas .ta-foot p { margin: .2em 0 0; max-width: 90ch; white-space: pre-wrap; overflow-wrap: anywhere; }
"""


def fragment(table: Table, left_out: int = 0) -> str:
    """A ``<div>`` with its own style sheet. Levels are open as far as that keeps the table short.

    Args:
        table: rows and columns.
        left_out: rows that the table would have if a notebook could hold them; a note says so.
    """
    return framed(table, "".join(_foot(table, left_out)))


def framed(table: Table, foot: str) -> str:
    """The rows, with that HTML below them."""
    tracks = " ".join(_track(index, table) for index in range(len(table.columns)))
    body = "".join((_head(table.columns), *_tree(table, fitting_depth(table.rows, ROWS_OPEN)), foot))
    style = f"<style>{CSS}</style>"
    return f'<div class="torchatlas" style="--ta-columns: {tracks}">{style}<div class="ta-table">{body}</div></div>'


def preformatted(text: str) -> str:
    """Text whose columns are aligned already."""
    return f"<pre>{escape(text)}</pre>"


def _track(index: int, table: Table) -> str:
    """Every row is a grid of its own: the columns line up because all have the same fixed widths."""
    column = table.columns[index]
    width = max((cell_width(column.text(table.facts, row)) for row in table.rows), default=0)
    width = min(max(width, len(column.title)), WIDEST)
    if column.name != "name":
        return f"{width}ch"
    named = (cell_width(_named(row, table)) + _indent(row) for row in table.rows)
    return f"{min(max(named, default=0), WIDEST_NAME)}ch"


def _indent(row: Row) -> int:
    """Letters that the indent and the sign of opening take, rounded up."""
    return 2 * row.depth + 3


def _head(columns: Sequence[Column]) -> str:
    cells = "".join(f"<span{_class(column)}>{escape(printable(column.title))}</span>" for column in columns)
    return f'<div class="ta-row ta-head">{cells}</div>'


def _tree(table: Table, opened: int) -> Iterator[str]:
    """Rows with rows inside are ``<details>``; they close where the next row is not deeper."""
    rows = table.rows
    open_details: list[int] = []
    for index, row in enumerate(rows):
        while open_details and open_details[-1] >= row.depth:
            open_details.pop()
            yield "</details>"
        cells = "".join(_cell(column, row, table) for column in table.columns)
        if index + 1 < len(rows) and rows[index + 1].depth > row.depth:
            open_details.append(row.depth)
            yield f"<details{' open' if row.depth < opened or row.state == 'stopped' else ''}>"
            yield f'<summary class="{_row_class(row)}">{cells}</summary>'
        else:
            yield f'<div class="{_row_class(row)}">{cells}</div>'
    yield "</details>" * len(open_details)


def _row_class(row: Row) -> str:
    if row.state == "failed":
        return "ta-row ta-failed"
    if row.state in MARKED:
        return f"ta-row ta-{row.state}"
    return "ta-row ta-dim" if row.state in UNCALLED else "ta-row"


def _class(column: Column) -> str:
    if column.name == "name":
        return ' class="ta-name"'
    return ' class="ta-number"' if column.align == "right" else ""


def _cell(column: Column, row: Row, table: Table) -> str:
    if column.name == "name":
        indent = f"padding-left: {INDENT * row.depth:.1f}em"
        title = escape(printable(row.path or row.label))
        name = _named(row, table, WIDEST_NAME - _indent(row))
        return f'<span class="ta-name" style="{indent}" title="{title}">{escape(name)}</span>'
    value, shown = column.value(table.facts, row), printable(column.text(table.facts, row))
    title = f' title="{escape(_exact(value))}"' if value is not None and str(value) != shown else ""
    return f"<span{_class(column)}{title}>{escape(shown)}</span>"


def _exact(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def _named(row: Row, table: Table, width: int | None = None) -> str:
    """The name with what belongs to it; in a width, cut in its middle: a browser would cut off how it ends."""
    grows = f", {row.grows}" if row.grows else ""
    repeats = "".join(f" \N{MULTIPLICATION SIGN}{count}" for count in row.times) + grows
    mark = f"  {table.mark(row)}" if table.mark(row) else ""
    label = printable(row.label)
    if width is not None:
        label = shorten(label, max(LEAST_NAME, width - len(repeats) - len(mark)), "\N{HORIZONTAL ELLIPSIS}")
    return f"{label}{repeats}{mark}"


def _foot(table: Table, left_out: int) -> Iterator[str]:
    lines = "".join(
        f'<tr><td>{escape(line.label)}</td><td class="ta-number">{escape(line.number)}</td>'
        f'<td class="ta-dim">{escape(line.detail)}</td></tr>'
        for line in footer.totals(table.facts)
    )
    yield f'<div class="ta-foot"><table>{lines}</table>'
    failed = footer.failure(table.facts.graph, table.rows)
    if failed is not None:
        told = "<br>".join(escape(printable(line)) for line in failed.lines())
        yield f'<p class="ta-failed">{told}</p>'
    said = (f"{left_out:,} more rows are left out here; text() and csv() have them",) if left_out else ()
    for note in (*said, *footer.notes(table.facts, table.rows)):
        yield f'<p class="ta-dim">note: {escape(printable(note))}</p>'
    yield "</div>"
