"""The table as lines of text: a tree of rows, the totals, and what must be said beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.views.table import footer
from torchatlas.views.table.layout import GAP, fit, full_width
from torchatlas.views.table.text_width import align, cell_width, printable, shorten, shorten_apart, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchatlas.views.table.row import Row
    from torchatlas.views.table.table import Table
    from torchatlas.views.table.text_page import Glyphs, TextPage

# A stretch of text and its rich style, empty for plain.
Segment: TypeAlias = "tuple[str, str]"
Line: TypeAlias = "list[Segment]"

DIM, BOLD, RED, PLAIN = "dim", "bold", "bold red", ""
STYLES = {
    "failed": RED,
    "never ran": DIM,
    "weights used": DIM,
    "inside TorchScript, not seen": DIM,
    "added": "green",
    "removed": "red",
    "changed": "yellow",
    "same": DIM,
}
# Deeper rows show the guides of their last levels only: a line full of guides would leave no room for the name.
GUIDES = 12
# Letters of a name beside its guides: two of its first and its last one tell nothing. Where a page is too narrow for as
# many, guides are cut before names go below the second number.
READABLE_NAME, LEAST_NAME = 16, 10


def plain(table: Table, page: TextPage) -> str:
    """The table as one string without colour; no line ends in blanks."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines(table, page))


def lines(table: Table, page: TextPage) -> Iterator[Line]:
    """The whole table, line by line, none wider than the page unless a single number is."""
    sheet = lay_out(table, page)
    yield from sheet.grid()
    yield from totals(footer.totals(table.facts), page)
    yield from _failure(table, page)
    missing = sheet.missing()
    told = [*footer.notes(table.facts, table.rows), *([missing] if missing else [])]
    yield from wrapped(told, page, "note: ", DIM)


@dataclass(frozen=True, slots=True)
class _Name:
    """The parts of a name cell: tree guides, the name itself, and what makes the row unlike others."""

    guide: str
    label: str
    mark: str

    @property
    def width(self) -> int:
        return len(self.guide) + cell_width(self.label) + len(self.mark)

    @property
    def readable(self) -> int:
        """The width at which the label can be read."""
        return len(self.guide) + min(READABLE_NAME, cell_width(self.label))

    def beside(self, width: int) -> tuple[str, str]:
        """What of guide and mark stands beside the label in a column that wide."""
        guide = self.guide[: max(0, width - len(self.mark) - min(LEAST_NAME, cell_width(self.label)))]
        return guide, self.mark[: max(0, width - len(guide) - 1)]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Cells with the widths they were given on a page. Made by ``lay_out``.

    Attributes:
        labels: the names as they are shown, in what guides and marks leave of their column.
        full: the width at which nothing would be cut or left out.
    """

    table: Table
    page: TextPage
    names: list[_Name]
    labels: list[str]
    cells: list[list[str]]
    widths: list[int]
    full: int

    def grid(self) -> Iterator[Line]:
        """The head, the rows and a rule below them."""
        width = sum(self.widths) + GAP * (sum(map(bool, self.widths)) - 1)
        rule = [(self.page.glyphs.rule * width, DIM)]
        yield self._header()
        yield rule
        for row, name, label, cells in zip(self.table.rows, self.names, self.labels, self.cells, strict=True):
            yield self._line(row, name, label, cells)
        yield rule

    def missing(self) -> str:
        """What a wider page or another depth would show, and which; empty if that is nothing."""
        columns = zip(self.table.columns, self.widths, strict=True)
        out = [column.title for column, width in columns if not width]
        cut = self._cut()
        said = [f"column{'s' if len(out) > 1 else ''} {_listed(out)}"] if out else []
        said += [f"parts of {cut:,} cells" if cut > 1 else "part of 1 cell"] if cut else []
        wider = [f"{_listed(said)} (all with width {self.full})"] if said else []
        return f"Not shown: {'; '.join([*self._deeper(), *wider])}." if wider or self.table.below else ""

    def _deeper(self) -> list[str]:
        below = self.table.below
        if below is None:
            return []
        rows = "1 row" if below.rows == 1 else f"{below.rows:,} rows"
        return [f"{rows} below level {below.depth} (all with depth {below.deepest})"]

    def _cut(self) -> int:
        """Cells that are shown in part."""
        count = 0
        for index, (column, width) in enumerate(zip(self.table.columns, self.widths, strict=True)):
            if width and column.name == "name":
                count += sum(label != name.label for label, name in zip(self.labels, self.names, strict=True))
            elif width:
                count += sum(cell_width(cells[index]) > width for cells in self.cells)
        return count

    def _header(self) -> Line:
        titles = zip(self.table.columns, self.widths, strict=True)
        ellipsis = self.page.glyphs.ellipsis
        return _spaced(
            [
                [(align(printable(column.title, self.page.encoding), width, column.align, ellipsis), BOLD)]
                for column, width in titles
                if width
            ]
        )

    def _line(self, row: Row, name: _Name, label: str, cells: Sequence[str]) -> Line:
        found: list[Line] = []
        for column, cell, width in zip(self.table.columns, cells, self.widths, strict=True):
            if width and column.name == "name":
                found.append(_name_cell(row, name, label, width))
            elif width:
                faint = DIM if cell == "-" or cell.startswith("(") else PLAIN
                found.append([(align(cell, width, column.align, self.page.glyphs.ellipsis), _style(row) or faint)])
        return _spaced(found)


def _name_cell(row: Row, name: _Name, label: str, width: int) -> Line:
    guide, mark = name.beside(width)
    blank = " " * (width - len(guide) - len(mark) - cell_width(label))
    style = _style(row)
    heading = BOLD if row.parent is None else PLAIN
    return [(guide, DIM), (label, style or heading), (mark, style), (blank, PLAIN)]


def _listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), *words[-1:]]) if len(words) > 1 else "".join(words)


def lay_out(table: Table, page: TextPage) -> Sheet:
    """The table with as much of it as the page has room for."""
    prefixes = guides(table.rows, page.glyphs)
    names = [_name(row, guide, table, page) for row, guide in zip(table.rows, prefixes, strict=True)]
    cells = [
        [printable(column.text(table.facts, row), page.encoding) for column in table.columns] for row in table.rows
    ]
    measured = []
    for index, column in enumerate(table.columns):
        inside = (
            [name.width for name in names] if column.name == "name" else [cell_width(line[index]) for line in cells]
        )
        measured.append([cell_width(printable(column.title, page.encoding)), *inside])
    widths = fit(
        table.columns, measured, page.width, chosen=table.chosen, name=max((name.readable for name in names), default=0)
    )
    room = next((width for column, width in zip(table.columns, widths, strict=True) if column.name == "name"), 0)
    labels = _labels(table.rows, names, room, page.glyphs.ellipsis) if room else [name.label for name in names]
    return Sheet(table, page, names, labels, cells, widths, full_width(measured))


def _labels(rows: Sequence[Row], names: Sequence[_Name], width: int, ellipsis: str) -> list[str]:
    """The names as they fit, those of one parent told apart."""
    shown = [name.label for name in names]
    crowded = {row.parent for row, name in zip(rows, names, strict=True) if name.width > width}
    siblings: dict[int | None, list[int]] = {parent: [] for parent in crowded}
    for index, row in enumerate(rows):
        if row.parent in siblings:
            siblings[row.parent].append(index)
    for group in siblings.values():
        rooms = [width - sum(map(len, names[index].beside(width))) for index in group]
        for index, label in zip(group, shorten_apart([shown[index] for index in group], rooms, ellipsis), strict=True):
            shown[index] = label
    return shown


def _name(row: Row, guide: str, table: Table, page: TextPage) -> _Name:
    label = printable(row.label.replace("…", page.glyphs.ellipsis), page.encoding)
    grows = f", {row.grows}" if row.grows else ""
    repeats = "".join(f" {page.glyphs.times}{count}" for count in row.times) + grows
    failed = f" {page.glyphs.failed}" if row.state == "failed" else ""
    mark = table.mark(row)
    after = f"{failed}  {mark}" if mark else failed
    return _Name(guide, label, f"{repeats}{after}") if grows else _Name(guide, f"{label}{repeats}", after)


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


def totals(sums: Sequence[footer.Line], page: TextPage) -> Iterator[Line]:
    """Labels, numbers below each other, and what they are made of."""
    label = max((len(line.label) for line in sums), default=0)
    number = max((len(line.number) for line in sums), default=0)
    for line in sums:
        left = f"{line.label:<{label}}{'':{GAP}}"
        detail = shorten(line.detail, max(1, page.width - label - number - 2 * GAP), page.glyphs.ellipsis)
        yield [(left, PLAIN), (f"{line.number:>{number}}", BOLD), (f"{'':{GAP}}{detail}", DIM)]


def _failure(table: Table, page: TextPage) -> Iterator[Line]:
    failed = footer.failure(table.facts.graph, table.rows)
    for number, line in enumerate(failed.lines() if failed else ()):
        yield from wrapped([line], page, "   " if number else f"{page.glyphs.failed} ", RED)


def wrapped(texts: Iterable[str], page: TextPage, first: str, style: str) -> Iterator[Line]:
    """Each text in lines as wide as the page, the first of which begins so, and the others as far in."""
    for text in texts:
        for number, line in enumerate(wrap(printable(text, page.encoding), max(1, page.width - len(first)))):
            yield [(f"{first if number == 0 else ' ' * len(first)}{line}", style)]


def _spaced(cells: Iterable[Line]) -> Line:
    found: Line = []
    for cell in cells:
        found += [(" " * GAP, PLAIN), *cell] if found else cell
    return found
