"""The table of two graphs beside each other, in many renderings."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

from torchatlas.core.comparing.likeness import is_foreign, reader_of
from torchatlas.core.comparing.verdict import Sizes, verdict
from torchatlas.core.measure.numbers import exact, short
from torchatlas.views.table import export, html, text
from torchatlas.views.table.diff_columns import DiffFacts, columns, marks
from torchatlas.views.table.diff_rows import cut_changes, rows_of_changes
from torchatlas.views.table.facts import Facts
from torchatlas.views.table.fit import headline, lines_of
from torchatlas.views.table.footer import Line as Total
from torchatlas.views.table.summary import ROWS_IN_HTML
from torchatlas.views.table.table import Table, below_default
from torchatlas.views.table.text_width import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from torchatlas.core.comparing.compare import Changes
    from torchatlas.core.comparing.fit import Loading
    from torchatlas.views.table.text import Line
    from torchatlas.views.table.text_page import TextPage


class Differences:
    """What changed from one graph to another, as a table.

    Attributes:
        changes: what changed.
        titles: what the two are called.
        depth: levels of modules that are shown; None for what a screen or two hold.
        loading: how weights fit, where one of the two is nothing but weights.
    """

    def __init__(
        self, changes: Changes, titles: tuple[str, str], depth: int | None = None, loading: Loading | None = None
    ) -> None:
        self.changes = changes
        self.titles = titles
        self.depth = depth
        self.loading = loading

    @cached_property
    def _sides(self) -> DiffFacts:
        return DiffFacts(self.changes)

    @cached_property
    def _facts(self) -> Facts:
        return Facts(self.changes.b, {})

    @cached_property
    def verdict(self) -> str:
        """The whole in one line; of weights, whether they can be loaded."""
        if self.loading is not None:
            return headline(self.loading)
        one, other = (known.total for known in self._sides.costs)
        ran = (bool(self.changes.a.calls), bool(self.changes.b.calls))
        known = Sizes(
            (one.parameters, other.parameters),
            (one.flops if ran[0] else None, other.flops if ran[1] else None),
            (one.exact, other.exact),
        )
        return verdict(self.changes, known)

    @property
    def same(self) -> bool:
        """Whether nothing differs; of weights, whether they load as they are."""
        return self.changes.same if self.loading is None else self.loading.passes

    def lines(self, page: TextPage) -> Iterator[Line]:
        """Line by line, none wider than the page."""
        for letter, title in zip("ab", self.titles, strict=True):
            yield from text.wrapped([title], page, f"{letter}: ", text.PLAIN)
        yield from text.wrapped([self.verdict], page, "", text.BOLD)
        yield [("", text.PLAIN)]
        sheet = text.lay_out(self._table(), page)
        yield from sheet.grid()
        yield from text.totals(list(self._totals()), page)
        for told, style in lines_of(self.loading):
            yield from text.wrapped([told], page, "", style) if style != text.PLAIN else iter([[(told, style)]])
        missing = sheet.missing()
        yield from text.wrapped([*self._notes(), *([missing] if missing else [])], page, "note: ", text.DIM)

    def text(self, page: TextPage) -> str:
        """The table as one string without colour."""
        return "\n".join("".join(told for told, _ in line).rstrip() for line in self.lines(page))

    def html(self) -> str:
        """One ``<div>`` with its style."""
        rows = cut_changes(rows_of_changes(self.changes), self.depth)
        table = Table(self._facts, rows[:ROWS_IN_HTML], columns(self._sides))
        told = "".join(
            f'<p class="ta-dim">{letter}: {escape(printable(title))}</p>'
            for letter, title in zip("ab", self.titles, strict=True)
        )
        totals = "".join(
            f'<tr><td>{escape(total.label)}</td><td class="ta-number">{escape(total.number)}</td>'
            f'<td class="ta-dim">{escape(total.detail)}</td></tr>'
            for total in self._totals()
        )
        loading = "\n".join(line for line, _ in lines_of(self.loading))
        foot = (
            f'<div class="ta-foot"><p><b>{escape(printable(self.verdict))}</b></p>{told}<table>{totals}</table>'
            + (f"<pre>{escape(loading)}</pre>" if loading else "")
            + "".join(f'<p class="ta-dim">note: {escape(printable(note))}</p>' for note in self._notes())
            + "</div>"
        )
        return html.framed(table, foot)

    def csv(self) -> str:
        """A row for every module of both, exact numbers."""
        return export.to_csv(self._data())

    def frame(self) -> pd.DataFrame:
        """A row for every module of both, exact numbers.

        Raises:
            MissingError: pandas is not installed.
        """
        return export.to_frame(self._data())

    def json(self) -> str:
        """A document: ``a``, ``b``, ``verdict``, ``same``, ``counts``, ``rows``, ``totals``, ``loading``."""
        rows = export.records(self._data())
        for row, item in zip(rows, self.changes.items, strict=True):
            row["differences"] = tuple((each.what, each.a, each.b) for each in item.differences)
        one, other = self._sides.costs
        document = {
            "a": self.titles[0],
            "b": self.titles[1],
            "verdict": self.verdict,
            "same": self.same,
            "counts": marks(self.changes.items),
            "rows": rows,
            "totals": {"a": asdict(one.total), "b": asdict(other.total)},
            "loading": None if self.loading is None else {**asdict(self.loading), "code": self.loading.text},
        }
        return json.dumps(document, indent=1)

    def _table(self) -> Table:
        every = rows_of_changes(self.changes)
        rows = cut_changes(every, self.depth)
        below = below_default(every, rows) if self.depth is None else None
        return Table(self._facts, rows, columns(self._sides), below=below)

    def _data(self) -> Table:
        """Every item once, in the order of the items."""
        rows = sorted(rows_of_changes(self.changes, fold=False), key=lambda row: row.items)
        return Table(self._facts, tuple(rows), columns(self._sides, everything=True))

    def _totals(self) -> Iterator[Total]:
        counts = marks(self.changes.items)
        units = "calls" if self.changes.by_call else "modules"
        listed = ", ".join(f"{counts[mark]:,} {mark}" for mark in ("added", "removed", "changed", "same"))
        yield Total(units, exact(len(self.changes.items)), listed)
        one, other = (known.total for known in self._sides.costs)
        yield Total("parameters", exact(other.parameters), f"a has {exact(one.parameters)}")
        if self.changes.a.calls and self.changes.b.calls:
            bounds = ["" if each.exact else ">=" for each in (one, other)]
            yield Total("FLOPs", f"{bounds[1]}{short(other.flops)}", f"a has {bounds[0]}{short(one.flops)}")

    def _notes(self) -> Iterator[str]:
        for letter, graph in (("a", self.changes.a), ("b", self.changes.b)):
            if not graph.calls and (self.changes.a.calls or self.changes.b.calls):
                yield f"{letter} was not run, so outputs and FLOPs are not compared."
            if any(module.confidence is not None for module in graph.modules):
                yield f"The classes of {letter} are inferred from weights, so classes are not compared."
            if is_foreign(graph):
                yield f"{letter} was read from a file; settings that are not in the file are not compared."
        if self.changes.a.calls and self.changes.b.calls and reader_of(self.changes.a) != reader_of(self.changes.b):
            yield "a and b name functions differently, so only modules are compared."
        told = [dict.fromkeys(note.text for note in graph.notes) for graph in (self.changes.a, self.changes.b)]
        for note in told[0] | told[1]:
            yield f"{' and '.join(letter for letter, notes in zip('ab', told, strict=True) if note in notes)}: {note}"
