"""The table as lines of text: a tree of rows, the totals, and what must be said beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.views.table import footer
from torchatlas.views.table.layout import GAP, fit
from torchatlas.views.table.letters import align, cell_width, printable, shorten, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchatlas.views.table.page import Glyphs, Page
    from torchatlas.views.table.rows import Row
    from torchatlas.views.table.table import Table

# A stretch of text and its rich style, empty for plain.
Segment: TypeAlias = "tuple[str, str]"
Line: TypeAlias = "list[Segment]"

DIM, BOLD, RED, PLAIN = "dim", "bold", "bold red", ""
STYLES = {
    "failed": RED,
    "never ran": DIM,
    "weights used": DIM,
    "added": "green",
    "removed": "red",
    "changed": "yellow",
    "same": DIM,
}
# Deeper rows show the guides of their last levels only: a line full of guides would leave no room for the name.
GUIDES = 12
LEAST_NAME = 6


def plain(table: Table, page: Page) -> str:
    """The table as one string without colour; no line ends in blanks."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines(table, page))


def lines(table: Table, page: Page) -> Iterator[Line]:
    """The whole table, line by line, none wider than the page unless a single number is."""
    sheet = _sheet(table, page)
    yield from _grid(sheet)
    yield from totals(footer.totals(table.facts), page)
    yield from _failure(table, page)
    yield from _notes(table, page, sheet.left_out())


def grid(table: Table, page: Page) -> Iterator[Line]:
    """The head, the rows and a rule below them, without what stands under the table."""
    return _grid(_sheet(table, page))


def _grid(sheet: _Sheet) -> Iterator[Line]:
    rule = [(sheet.page.glyphs.rule * sheet.width, DIM)]
    yield sheet.header()
    yield rule
    for row, name, cells in zip(sheet.table.rows, sheet.names, sheet.cells, strict=True):
        yield sheet.line(row, name, cells)
    yield rule


@dataclass(frozen=True, slots=True)
class _Name:
    """The parts of a name cell: tree guides, the name itself, and what makes the row unlike others."""

    guide: str
    label: str
    mark: str

    @property
    def width(self) -> int:
        return len(self.guide) + cell_width(self.label) + len(self.mark)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Cells with the widths they were given on a page."""

    table: Table
    page: Page
    names: list[_Name]
    cells: list[list[str]]
    widths: list[int]

    @property
    def width(self) -> int:
        return sum(self.widths) + GAP * (sum(map(bool, self.widths)) - 1)

    def header(self) -> Line:
        titles = zip(self.table.columns, self.widths, strict=True)
        ellipsis = self.page.glyphs.ellipsis
        return _spaced(
            [
                [(align(printable(column.title, self.page.encoding), width, column.align, ellipsis), BOLD)]
                for column, width in titles
                if width
            ]
        )

    def line(self, row: Row, name: _Name, cells: Sequence[str]) -> Line:
        found: list[Line] = []
        for column, cell, width in zip(self.table.columns, cells, self.widths, strict=True):
            if width and column.name == "name":
                found.append(self._name(row, name, width))
            elif width:
                faint = DIM if cell == "-" or cell.startswith("(") else PLAIN
                found.append([(align(cell, width, column.align, self.page.glyphs.ellipsis), _style(row) or faint)])
        return _spaced(found)

    def _name(self, row: Row, name: _Name, width: int) -> Line:
        guide = name.guide[: max(0, width - len(name.mark) - min(LEAST_NAME, cell_width(name.label)))]
        mark = name.mark[: max(0, width - len(guide) - 1)]
        room = width - len(guide) - len(mark)
        label = shorten(name.label, room, self.page.glyphs.ellipsis)
        blank = " " * (room - cell_width(label))
        style = _style(row)
        heading = BOLD if row.parent is None else PLAIN
        return [(guide, DIM), (label, style or heading), (mark, style), (blank, PLAIN)]

    def left_out(self) -> list[str]:
        """Titles of columns that were asked for and found no room."""
        columns = zip(self.table.columns, self.widths, strict=True)
        return [column.title for column, width in columns if not width and self.table.chosen]


def _sheet(table: Table, page: Page) -> _Sheet:
    prefixes = guides(table.rows, page.glyphs)
    names = [_name(row, guide, table, page) for row, guide in zip(table.rows, prefixes, strict=True)]
    cells = [
        [printable(column.text(table.facts, row), page.encoding) for column in table.columns] for row in table.rows
    ]
    natural = [cell_width(printable(column.title, page.encoding)) for column in table.columns]
    for index, column in enumerate(table.columns):
        found = (name.width for name in names) if column.name == "name" else (cell_width(line[index]) for line in cells)
        natural[index] = max(natural[index], max(found, default=0))
    return _Sheet(table, page, names, cells, fit(table.columns, natural, page.width, chosen=table.chosen))


def _name(row: Row, guide: str, table: Table, page: Page) -> _Name:
    label = printable(row.label.replace("…", page.glyphs.ellipsis), page.encoding)
    repeats = f" {page.glyphs.times}{row.count}" if row.count > 1 else ""
    failed = f" {page.glyphs.failed}" if row.state == "failed" else ""
    mark = table.mark(row)
    return _Name(guide, f"{label}{repeats}", f"{failed}  {mark}" if mark else failed)


def _style(row: Row) -> str:
    return STYLES.get(row.state, PLAIN)


def guides(rows: Sequence[Row], glyphs: Glyphs) -> list[str]:
    """The tree lines before each name. Read from below, since only there it shows whether a branch goes on."""
    goes_on: dict[int, bool] = {}
    found: list[str] = []
    for row in reversed(rows):
        levels = range(max(1, row.depth - GUIDES), row.depth)
        stem = "".join(glyphs.through if goes_on.get(level) else glyphs.blank for level in levels)
        elbow = (glyphs.branch if goes_on.get(row.depth) else glyphs.last) if row.depth else ""
        found.append(stem + elbow)
        goes_on[row.depth] = True
        # Going up, the parent comes next or a sibling's content: what is deeper starts anew.
        goes_on.pop(row.depth + 1, None)
    return found[::-1]


def totals(sums: Sequence[footer.Line], page: Page) -> Iterator[Line]:
    """Labels, numbers below each other, and what they are made of."""
    label = max((len(line.label) for line in sums), default=0)
    number = max((len(line.number) for line in sums), default=0)
    for line in sums:
        left = f"{line.label:<{label}}{'':{GAP}}"
        detail = shorten(line.detail, max(1, page.width - label - number - 2 * GAP), page.glyphs.ellipsis)
        yield [(left, PLAIN), (f"{line.number:>{number}}", BOLD), (f"{'':{GAP}}{detail}", DIM)]


def _failure(table: Table, page: Page) -> Iterator[Line]:
    failed = footer.failure(table.facts.graph, table.rows)
    for number, line in enumerate(failed.lines() if failed else ()):
        yield from wrapped([line], page, "   " if number else f"{page.glyphs.failed} ", RED)


def _notes(table: Table, page: Page, left_out: Sequence[str]) -> Iterator[Line]:
    said = [f"not shown at this width: {', '.join(left_out)}"] if left_out else []
    yield from wrapped([*footer.notes(table.facts, table.rows), *said], page, "note: ", DIM)


def wrapped(texts: Iterable[str], page: Page, first: str, style: str) -> Iterator[Line]:
    """Each text in lines as wide as the page, the first of which begins so, and the others as far in."""
    for text in texts:
        for number, line in enumerate(wrap(printable(text, page.encoding), max(1, page.width - len(first)))):
            yield [(f"{first if number == 0 else ' ' * len(first)}{line}", style)]


def _spaced(cells: Iterable[Line]) -> Line:
    found: Line = []
    for cell in cells:
        found += [(" " * GAP, PLAIN), *cell] if found else cell
    return found
