"""``Summary``: the table of a model, which knows how to show itself in a terminal, a notebook, a file, a program."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchatlas.core.errors import InputError
from torchatlas.views.table import export, html, text
from torchatlas.views.table.columns import EVERYTHING, choose, default_columns
from torchatlas.views.table.facts import Facts
from torchatlas.views.table.page import ASCII, UNICODE, WITHOUT_TERMINAL, Page, can_write, page_of
from torchatlas.views.table.rows import cut, fitting_depth, rows_of
from torchatlas.views.table.table import Table, below_default
from torchatlas.views.table.torchinfo import TITLES, torchinfo
from torchatlas.views.table.torchsummary import torchsummary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.overlay import Overlays
    from torchatlas.views.table.row import Row
    from torchatlas.views.table.rows import Mode

Style: TypeAlias = Literal["torchinfo", "torchsummary"]

STYLES = ("torchinfo", "torchsummary")
MODES = ("modules", "ops")
# A notebook holds this many rows without effort; beyond, the deepest levels are left out, then the last rows.
ROWS_IN_HTML = 5000


def summarize(
    graph: Graph,
    depth: int | None = None,
    columns: Sequence[str] | None = None,
    rows: Mode = "modules",
    *,
    fold: bool = True,
    width: int | None = None,
    style: Style | None = None,
    overlays: Overlays | None = None,
) -> Summary:
    """The table of a graph.

    Args:
        graph: what ran, or the structure of a model that was not run.
        depth: levels below the model; None shows as many as stay within 60 rows, at least one.
        columns: names from ``columns.COLUMNS`` and of overlays, in order; None takes what fits graph and width.
        rows: ``ops`` adds a row for every function called.
        fold: show what repeats once, with the sum of its repeats.
        width: terminal cells; None takes the terminal's, or 120.
        style: ``torchinfo`` or ``torchsummary`` print the tables of these tools.
        overlays: by name, a number for module paths or call ids: one more column each.

    Raises:
        InputError: an option is not one of those; the message lists them.
    """
    _check("rows", rows, MODES)
    if style is not None:
        _check("style", style, STYLES)
        _check_style(style, depth, columns)
    for name, number, least in (("depth", depth, 0), ("width", width, 1)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
            raise InputError(f"{name}={number!r}; {name} is a whole number from {least}, or None")
    facts = Facts(graph, overlays)
    return Summary(facts, depth=depth, columns=columns, rows=rows, fold=fold, width=width, style=style)


def _check(option: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        near = get_close_matches(str(given), known, n=1, cutoff=0.0)
        raise InputError(
            f"{option}={given!r} is unknown; {option} is one of {', '.join(known)}. Did you mean {near[0]!r}?"
        )


def _check_style(style: Style, depth: int | None, columns: Sequence[str] | None) -> None:
    if style == "torchsummary" and (depth is not None or columns is not None):
        raise InputError("style='torchsummary' has the columns and the depth it has; leave depth and columns out")
    unknown = [name for name in columns or () if name not in TITLES]
    if unknown:
        raise InputError(f"style='torchinfo' has no column {unknown[0]!r}; it has {', '.join(TITLES)}")


class Summary:
    """The table of a model. ``print`` it, show it in a notebook, or take its numbers.

    Made by ``summarize``.
    """

    def __init__(
        self,
        facts: Facts,
        *,
        depth: int | None = None,
        columns: Sequence[str] | None = None,
        rows: Mode = "modules",
        fold: bool = True,
        width: int | None = None,
        style: Style | None = None,
    ) -> None:
        self._facts = facts
        self._mode: Mode = rows
        self._fold = fold
        self._depth = depth
        self._width = width
        self._style = style
        self._named = columns
        self._chosen = columns is not None
        self._columns = choose(default_columns(facts) if columns is None else columns, facts)

    @cached_property
    def _every(self) -> tuple[Row, ...]:
        return rows_of(self._facts.graph, mode=self._mode, fold=self._fold, known=self._facts.costs)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows the table shows, parents before children."""
        return cut(self._every, self._depth)

    def text(self, width: int | None = None) -> str:
        """The table in plain ASCII signs, at most ``width`` terminal cells wide."""
        return self._text(Page(width or self._width or WITHOUT_TERMINAL))

    def html(self) -> str:
        """One ``<div>`` with its style, to be put into any page; levels open and close."""
        if self._style is not None:
            return html.preformatted(self.text())
        rows = cut(self._every, fitting_depth(self._every, ROWS_IN_HTML)) if self._depth is None else self.rows
        shown = rows[:ROWS_IN_HTML]
        return html.fragment(Table(self._facts, shown, self._columns), len(rows) - len(shown))

    def csv(self) -> str:
        """Every row and column, or those chosen, in exact numbers."""
        return export.to_csv(self._data())

    def json(self) -> str:
        """Every row and column, or those chosen, in exact numbers, with totals and notes."""
        return export.to_json(self._data())

    def frame(self) -> pd.DataFrame:
        """Every row and column, or those chosen, in exact numbers.

        Raises:
            MissingError: pandas is not installed.
        """
        return export.to_frame(self._data())

    def print(self, file: TextIO | None = None) -> None:
        """Write the table to ``file``, standard output by default; in colour where that is a terminal that can."""
        out = sys.stdout if file is None else file
        page = page_of(out, self._width)
        if not page.colour:
            out.write(self._text(page) + "\n")
            return
        from rich.console import Console  # noqa: PLC0415 - start-up time, which plain text need not pay

        Console(file=out, width=page.width, highlight=False).print(self)

    def __str__(self) -> str:
        return self._text(page_of(sys.stdout, self._width))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text  # noqa: PLC0415 - start-up time, which plain text need not pay

        width = min(self._width or options.max_width, options.max_width)
        page = Page(width, ASCII if options.ascii_only else UNICODE, options.encoding)
        if self._style is not None:
            yield Text(self._text(page), no_wrap=True, overflow="ignore")
            return
        for line in text.lines(self._table(), page):
            yield Text.assemble(*line, no_wrap=True, overflow="crop")

    def _text(self, page: Page) -> str:
        if self._style == "torchinfo":
            return torchinfo(self._facts, self._depth, self._named, ascii_only=not can_write(page.encoding))
        if self._style == "torchsummary":
            return torchsummary(self._facts)
        return text.plain(self._table(), page)

    def _table(self) -> Table:
        below = below_default(self._every, self.rows) if self._depth is None else None
        return Table(self._facts, self.rows, self._columns, chosen=self._chosen, below=below)

    def _data(self) -> Table:
        """For programs, all rows and columns unless the reader chose: they can leave out what they do not need."""
        columns = self._columns if self._chosen else choose((*EVERYTHING, *self._facts.overlays), self._facts)
        return Table(self._facts, self._every if self._depth is None else self.rows, columns)
