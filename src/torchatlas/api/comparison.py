"""The face of comparison: `compare` holds two models, atlases or files against each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from torchatlas.api.atlas import PAGES, Atlas
from torchatlas.api.capture import captured
from torchatlas.api.verdict import Opened, graph_of, opened, verdict
from torchatlas.capture.inputs.caller import Caller
from torchatlas.capture.options import RUN as ALONE
from torchatlas.capture.options import CompareOptions
from torchatlas.core.comparing import compare as changes_of
from torchatlas.core.comparing.fit import loading
from torchatlas.core.comparing.likeness import is_inferred
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Graph
from torchatlas.core.options import takes, with_defaults
from torchatlas.files import atomic
from torchatlas.files.filename import filename
from torchatlas.views.drawing.options import BESIDE, PAGE, BesideOptions, PageOptions
from torchatlas.views.table.text_page import ASCII, UNICODE, WITHOUT_TERMINAL, TextPage, page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    import pandas as pd
    import torch
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text
    from typing_extensions import Unpack

    from torchatlas.core.comparing.compare import Changes, Item
    from torchatlas.core.comparing.fit import Loading
    from torchatlas.views.drawing.beside import Beside
    from torchatlas.views.drawing.options import BoxSelection
    from torchatlas.views.page.page import Page
    from torchatlas.views.table.comparison import Differences

RUN = {name: option for name, option in ALONE.items() if name != "device"} | {
    "fake": ALONE["fake"]._replace(default=True)
}
"""Both are run, by default on fake tensors, which need no device."""

Comparable: TypeAlias = "Atlas | Graph | Opened | torch.nn.Module | Mapping[str, Any] | str | os.PathLike[str]"

CALLER = Caller("ta.compare", "a, b")
TABLES = (".csv", ".json", ".txt")
PICTURES = (".svg", ".png", ".pdf", ".dot")
WANTED = "an Atlas, an nn.Module, a dictionary of weights, or the path of a file"


@takes(RUN, CompareOptions)
def compare(
    a: Comparable,
    b: Comparable,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    titles: tuple[str, str] | None = None,
    **options: Unpack[CompareOptions],
) -> Comparison:
    """Compare two models, atlases or files; or a model with a file of weights.

    Modules are matched by path, then by structure and order, so renamed and shifted ones are found. Whether a model
    accepts weights is decided by its own ``load_state_dict``, called on a copy without memory.

    >>> ta.compare(torch.nn.Linear(4, 3), torch.nn.Linear(4, 5)).verdict
    'same structure; 1 module differs in out_features, weight, bias; 15 -> 25 parameters'

    Args:
        a: an `Atlas`, an ``nn.Module``, a ``state_dict``, or the path of a file that `torchatlas.open` reads.
        b: the same; it need not be of the same kind.
        args: positional arguments with which modules given as ``a`` or ``b`` are run, or shapes, as `capture` takes
            them; without any input, their structure alone is compared.
        kwargs: keyword arguments of these runs.
        {options}
        titles: what the two are called; by default their names, or the files'.

    Returns:
        The comparison: print it, or leave it as the last line of a notebook cell.

    Raises:
        InputError: ``a`` or ``b`` cannot be compared, or ``titles`` are not two names.
        FileError: a file cannot be read.
    """
    every = with_defaults("ta.compare", options, RUN)
    both = [opened(one) if isinstance(one, (str, os.PathLike)) else one for one in (a, b)]
    run = partial(captured, CALLER, args=args, kwargs=kwargs, options=every)
    graphs = [_graph(name, one, run) for name, one in zip("ab", both, strict=True)]
    named = (_title(a, graphs[0]), _title(b, graphs[1])) if titles is None else _checked(titles)
    fit = None
    if is_inferred(graphs[0]) != is_inferred(graphs[1]):
        model, weights = (1, 0) if is_inferred(graphs[0]) else (0, 1)
        fit = verdict(both[model], graphs[model], both[weights], graphs[weights])
    return Comparison(graphs[0], graphs[1], named, fit)


def _graph(name: str, one: Any, run: Callable[[Any], Atlas]) -> Graph:
    if isinstance(one, Graph):
        return one
    if isinstance(one, (Atlas, Opened)):
        return one.graph
    if isinstance(one, Mapping):
        return graph_of(one)
    if not callable(one):
        raise InputError(f"{name} is {type(one).__name__}, which cannot be compared. Wanted {WANTED}.")
    return run(one).graph


def _title(one: Comparable, graph: Graph) -> str:
    return Path(one).name if isinstance(one, (str, os.PathLike)) else graph.name


def _checked(titles: tuple[str, str]) -> tuple[str, str]:
    if not isinstance(titles, (tuple, list)) or [type(title) for title in titles] != [str, str]:
        raise InputError(f"titles={titles!r:.200}; wanted: two names, of a and of b")
    return titles[0], titles[1]


class Comparison:
    """What changed from a to b. ``print`` it, show it in a notebook, `draw` it, `save` it, or take its numbers.

    >>> found = ta.compare(torch.nn.Linear(4, 3), torch.nn.Linear(4, 3), (1, 4))
    >>> found.same, found.verdict
    (True, 'same architecture and shapes')

    Attributes:
        a: the first graph.
        b: the second.
        changes: every module of both, with what differs (`torchatlas.core.comparing.compare.Changes`).
    """

    def __init__(
        self,
        a: Graph,
        b: Graph,
        titles: tuple[str, str] = ("a", "b"),
        fit: Loading | None = None,
    ) -> None:
        self.a = a
        self.b = b
        self.titles = titles
        self._fit = fit
        self.changes: Changes = changes_of.compare(a, b)

    @property
    def verdict(self) -> str:
        """What differs, in one line."""
        return self._table.verdict

    @property
    def same(self) -> bool:
        """Whether nothing is added, removed or changed; for a model and weights, whether they load.

        A module that was only renamed does not count as a change.
        """
        return self._table.same

    @property
    def matched(self) -> tuple[Item, ...]:
        """What both have, changed or not: `Item.a` and `Item.b` are the paths, or the ids of calls."""
        return tuple(item for item in self.changes.items if item.a is not None and item.b is not None)

    @property
    def added(self) -> tuple[Item, ...]:
        """What b alone has."""
        return self.changes.of("added")

    @property
    def removed(self) -> tuple[Item, ...]:
        """What a alone has."""
        return self.changes.of("removed")

    @property
    def changed(self) -> tuple[Item, ...]:
        """What differs, each with its `Item.differences`.

        >>> item = ta.compare(torch.nn.Linear(4, 3), torch.nn.Linear(4, 5)).changed[0]
        >>> [difference.what for difference in item.differences]
        ['out_features', 'weight', 'bias']
        """
        return self.changes.of("changed")

    @cached_property
    def loading(self) -> Loading:
        """What ``load_state_dict`` says of weights and model, and the renaming of keys that mends most.

        The weights are a, where only a was read from weights alone; else b. `Loading.taken` is the model's own answer;
        it is None where the model could not be asked, and `Loading.unasked` says why.

        >>> ta.compare(torch.nn.Linear(4, 3), torch.nn.Linear(4, 3).state_dict()).loading.taken
        True
        """
        if self._fit is not None:
            return self._fit
        if is_inferred(self.a) and not is_inferred(self.b):
            return loading(self.b, self.a)
        return loading(self.a, self.b)

    @cached_property
    def _table(self) -> Differences:
        return self._at(None)

    def _at(self, depth: int | None) -> Differences:
        from torchatlas.views.table.comparison import Differences  # noqa: PLC0415  # loaded when asked for

        weights = is_inferred(self.a) != is_inferred(self.b)
        return Differences(self.changes, self.titles, depth, self.loading if weights else None)

    def text(self, width: int | None = None, depth: int | None = None) -> str:
        """The table in plain ASCII signs.

        Args:
            width: terminal cells; 120 by default.
            depth: levels of modules; by default what a screen or two hold.
        """
        return self._at(depth).text(TextPage(width or WITHOUT_TERMINAL))

    def html(self) -> str:
        """One ``<div>`` with its style, to be put into any page."""
        return self._table.html()

    def csv(self) -> str:
        """A row for every module of both, in exact numbers."""
        return self._table.csv()

    def json(self) -> str:
        """Verdict, a row for every module of both with all differences, totals, and how weights fit."""
        return self._table.json()

    def frame(self) -> pd.DataFrame:
        """A row for every module of both, in exact numbers.

        Raises:
            MissingError: pandas is not installed.
        """
        return self._table.frame()

    @takes(BESIDE, BesideOptions)
    def draw(self, depth: int | None = None, **options: Unpack[BesideOptions]) -> Beside:
        """Both models side by side; what was added, removed and changed in colours and signs.

        >>> ta.compare(torch.nn.Linear(4, 3), torch.nn.Linear(4, 5), (1, 4)).draw().save("both.svg").name
        'both.svg'

        Args:
            {options}

        Raises:
            InputError: an option is not one of those.
            DrawingError: it takes too long, or too much memory.
        """
        from torchatlas.views.drawing.beside import beside  # noqa: PLC0415  # the engine is loaded when asked for

        return beside(self.changes, self.titles, self.verdict, depth, **options)

    @takes(PAGE, PageOptions)
    def show(
        self,
        depth: int | None = None,
        expand: BoxSelection = (),
        collapse: BoxSelection = (),
        **options: Unpack[PageOptions],
    ) -> Page:
        """Both runs as one page with two halves that move in step; a script opens it in the browser.

        Args:
            {options}

        Returns:
            The page, one file that works offline: ``save`` it, or ``open`` it again.
        """
        from torchatlas.views.page.notebook import in_notebook  # noqa: PLC0415  # the page is loaded when asked for

        made = self._page(depth=depth, expand=expand, collapse=collapse, **options)
        if not in_notebook():
            made.open()
        return made

    def _page(self, **options: Any) -> Page:
        from torchatlas.core.comparing.marks import own_marks, pairs  # noqa: PLC0415  # the page is loaded when asked for
        from torchatlas.views.page.page import page  # noqa: PLC0415  # as above

        both: dict[str, Any] = {
            "beside": self.b,
            "pairs": pairs(self.changes),
            "marks": own_marks(self.changes),
            "titles": self.titles,
        }
        return page(self.a, **both, **options)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write a picture (.svg, .png, .pdf, .dot), the page (.html), or the table (.txt, .csv, .json).

        >>> ta.compare(torch.nn.Linear(4, 3), torch.nn.Linear(4, 5)).save("both.csv").name
        'both.csv'

        Args:
            path: its suffix says what.
            options: of `draw`, for a picture; of `show`, for the page.

        Returns:
            The path.

        Raises:
            InputError: another suffix, or the path is none.
            FileError: the file cannot be written; an old file is left unchanged.
        """
        target = Path(filename(path))
        suffix = target.suffix.lower()
        if suffix in PICTURES:
            return self.draw(**options).save(target)
        if suffix in PAGES:
            return self._page(**options).save(target)
        if suffix not in TABLES:
            known = ", ".join((*PICTURES, *PAGES, *TABLES))
            raise InputError(f"{target}: a comparison is written as {known}. End the name with one of these.")
        text = self.text() + "\n" if suffix == ".txt" else getattr(self, suffix[1:])()
        return atomic.write(target, text.encode(errors="backslashreplace"))

    def print(self, file: TextIO | None = None, *, width: int | None = None, depth: int | None = None) -> None:
        """Write the table to ``file``, standard output by default; in colour where that is a terminal that can.

        Args:
            file: where to write.
            width: terminal cells; by default the terminal's.
            depth: levels of modules; by default what a screen or two hold.
        """
        out = sys.stdout if file is None else file
        page = page_of(out, width)
        table = self._at(depth)
        if not page.colour:
            out.write(table.text(page) + "\n")
            return
        from rich.console import Console  # noqa: PLC0415 - start-up time, which plain text need not pay

        Console(file=out, width=page.width, highlight=False).print(*_styled(table, page), sep="\n")

    def __str__(self) -> str:
        return self._table.text(page_of(sys.stdout, None))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        page = TextPage(options.max_width, ASCII if options.ascii_only else UNICODE, options.encoding)
        yield from _styled(self._table, page)


def _styled(table: Differences, page: TextPage) -> Iterator[Text]:
    """The lines of a table, as rich prints them."""
    from rich.text import Text  # noqa: PLC0415 - start-up time, which plain text need not pay

    for line in table.lines(page):
        yield Text.assemble(*line, no_wrap=True, overflow="crop")
