"""``Summary``: the table of a model, which knows how to show itself in a terminal, a notebook, a file, a program."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torchatlas.core.options import takes, with_defaults
from torchatlas.views.table import export, html, text
from torchatlas.views.table.columns import EVERYTHING, choose, default_columns
from torchatlas.views.table.facts import Facts
from torchatlas.views.table.options import SUMMARY, SummaryOptions, check_options
from torchatlas.views.table.rows import cut, fitting_depth, rows_of
from torchatlas.views.table.table import Table, below_default
from torchatlas.views.table.text_page import ASCII, UNICODE, WITHOUT_TERMINAL, TextPage, can_write, page_of
from torchatlas.views.table.torchinfo import TITLES, torchinfo
from torchatlas.views.table.torchsummary import torchsummary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult
    from typing_extensions import Unpack

    from torchatlas.core.graph import Graph
    from torchatlas.views.table.options import Style
    from torchatlas.views.table.row import Row
    from torchatlas.views.table.rows import Mode

# A notebook holds this many rows without effort; beyond, the deepest levels are left out, then the last rows.
ROWS_IN_HTML = 5000


@takes(SUMMARY, SummaryOptions)
def summarize(graph: Graph, **options: Unpack[SummaryOptions]) -> Summary:
    """The table of a graph.

    Args:
        graph: what ran, or the structure of a model that was not run.
        {options}

    Raises:
        InputError: an option is not one of those; the message lists them.
    """
    every = with_defaults("summary", options, SUMMARY)
    check_options(every, tuple(TITLES))
    return Summary(Facts(graph, every["overlays"]), every)


class Summary:
    """The table of a model. ``print`` it, show it in a notebook, or take its numbers.

    Made by ``summarize``.

    >>> table = ta.summary(torch.nn.Linear(4, 3), (1, 4))
    >>> [row.type for row in table.rows]
    ['Linear']
    """

    def __init__(self, facts: Facts, options: Mapping[str, Any]) -> None:
        self._facts = facts
        self._mode: Mode = options["rows"]
        self._fold: bool = options["fold"]
        self._depth: int | None = options["depth"]
        self._width: int | None = options["width"]
        self._style: Style | None = options["style"]
        self._named: Sequence[str] | None = options["columns"]
        self._chosen = self._named is not None
        self._columns = choose(default_columns(facts) if self._named is None else self._named, facts)

    @cached_property
    def _every(self) -> tuple[Row, ...]:
        return rows_of(self._facts.graph, mode=self._mode, fold=self._fold, known=self._facts.costs)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows the table shows, parents before children."""
        return cut(self._every, self._depth)

    def text(self, width: int | None = None) -> str:
        """The table in plain ASCII signs, at most ``width`` terminal cells wide."""
        return self._text(TextPage(width or self._width or WITHOUT_TERMINAL))

    def html(self) -> str:
        """One ``<div>`` with its style, to be put into any page; levels open and close."""
        if self._style is not None:
            return html.preformatted(self.text())
        rows = cut(self._every, fitting_depth(self._every, ROWS_IN_HTML)) if self._depth is None else self.rows
        shown = rows[:ROWS_IN_HTML]
        return html.fragment(Table(self._facts, shown, self._columns), len(rows) - len(shown))

    def csv(self) -> str:
        """Every row and column, or those chosen, in exact numbers.

        >>> ta.summary(torch.nn.Linear(4, 3), (1, 4), columns=["name", "params"]).csv().splitlines()
        ['name,params', 'Linear,15']
        """
        return export.to_csv(self._data())

    def json(self) -> str:
        """Every row and column, or those chosen, in exact numbers, with totals and notes.

        >>> import json
        >>> json.loads(ta.summary(torch.nn.Linear(4, 3), (1, 4)).json())["totals"]["parameters"]
        15
        """
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
        page = TextPage(width, ASCII if options.ascii_only else UNICODE, options.encoding)
        if self._style is not None:
            yield Text(self._text(page), no_wrap=True, overflow="ignore")
            return
        for line in text.lines(self._table(), page):
            yield Text.assemble(*line, no_wrap=True, overflow="crop")

    def _text(self, page: TextPage) -> str:
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
