"""``Page``: a run as one HTML file that needs nothing else, made by filling the page that ``web/`` builds."""

from __future__ import annotations

import tempfile
import webbrowser
from functools import cache, cached_property
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError
from torchatlas.core.measure.overlay import overlays_by_name
from torchatlas.core.options import takes, with_defaults
from torchatlas.files import atomic
from torchatlas.files.filename import filename
from torchatlas.views.drawing.differing import DIFFERENCE
from torchatlas.views.drawing.measures import check_color_by
from torchatlas.views.drawing.options import PAGE, PAGE_THEMES, PageOptions, read_options
from torchatlas.views.drawing.unrun import shown
from torchatlas.views.page.beside import read_beside
from torchatlas.views.page.document import document

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.overlay import Overlays
    from torchatlas.views.contract import View
    from torchatlas.views.drawing.options import BoxSelection
    from torchatlas.views.page.beside import Counterpart, Marks

SUFFIXES = (".html", ".htm")

# Scripts and downloads, and nothing of the notebook around it.
FRAME = (
    '<iframe title="{title}" sandbox="allow-scripts allow-downloads" allow="clipboard-write" loading="lazy" '
    'style="width:100%;height:{height}px;border:1px solid #8884;border-radius:8px" srcdoc="{page}"></iframe>'
)


@takes(PAGE, PageOptions)
def page(
    graph: Graph,
    depth: int | None = None,
    expand: BoxSelection = (),
    collapse: BoxSelection = (),
    *,
    beside: Graph | None = None,
    pairs: Sequence[tuple[int, int]] = (),
    marks: Marks | None = None,
    titles: tuple[str, str] = ("", ""),
    **options: Unpack[PageOptions],
) -> Page:
    """The page of a graph; the options say what is seen at first, and all of them can be changed in the page.

    Of a model that was not run it shows the modules. With a second graph it shows the two side by side, in step: what
    is selected or opened in one is in the other. A backward pass has its forward run beside it, unless another graph is
    given.

    Args:
        graph: what ran.
        {options}
        beside: a graph to be shown on the right.
        pairs: calls that belong together, as (call of ``graph``, call of ``beside``); a call may have several. Of a
            model that was not run, the ids are those of the boxes that `drawing.unrun.shown` gives.
        marks: for each of the two graphs, ``added``, ``removed``, ``changed`` or ``same`` by call: the colours are
            theirs, unless ``color_by`` is another than ``difference``.
        titles: what the two sides are called: by default ``a`` and ``b``, or ``backward`` and ``forward``.

    Raises:
        InputError: an option is none of those that there are, or pairs and marks tell of calls that are not there; the
            message says which.
    """
    every = with_defaults("show", {"depth": depth, "expand": expand, "collapse": collapse, **options}, PAGE)
    other = read_beside(graph, beside, pairs, marks, titles)
    overlays: Overlays | None = every["overlays"]
    marked = other is not None and other.marks is not None
    if marked:
        every["color_by"] = every["color_by"] or DIFFERENCE
    if every["color_by"] is not None:
        check_color_by(every["color_by"], overlays_by_name(graph, overlays), [DIFFERENCE] if marked else [])
    view = read_options(shown(graph), every, PAGE_THEMES)
    return Page(graph, view, overlays, height=every["height"], beside=other)


class Page:
    """A run as a page: leave it as the last line of a notebook cell, `save` it, or `open` it in the browser.

    >>> ta.show(torch.nn.Linear(4, 3), (1, 4)).save("net.html").name
    'net.html'

    Attributes:
        graph: what is shown.
        html: the whole page; the same graph and overlays always give the same.
    """

    def __init__(
        self,
        graph: Graph,
        view: View,
        overlays: Overlays | None = None,
        *,
        height: int = 640,
        beside: Counterpart | None = None,
    ) -> None:
        """Make the page.

        Args:
            graph: what is shown.
            view: what is seen at first.
            overlays: beside those of the graph, numbers for module paths or call ids, by name: more colours and
                columns.
            height: of the frame in a notebook, in pixels.
            beside: a second graph, shown on the right; None shows one.

        Raises:
            InputError: an overlay names a module or call that the graph does not have.
        """
        self.graph = graph
        self._height = height
        self._names = [graph.name] if beside is None else [graph.name, beside.graph.name]
        self._document = document(graph, view, overlays, beside)

    @cached_property
    def html(self) -> str:
        """The whole page."""
        before_title, _, rest = _template().partition("%TITLE%")
        between, _, after = rest.partition("%ATLAS%")
        title = escape(self._title)
        return f"{before_title}{title}{between}{self._document}{after}"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page; what stood there is replaced only when all is written.

        Raises:
            InputError: the name does not end in ``.html``.
            FileError: it cannot be written; what stood there still does.
        """
        if not filename(path).lower().endswith(SUFFIXES):
            raise InputError(f"{filename(path)}: a page is written as .html; end the name so.")
        return atomic.write(path, self.html.encode())

    def open(self) -> Path:
        """Open the page in the browser, from a temporary file of its own.

        Returns:
            The file, for where no browser opens. It stays until the system clears its temporary folder.
        """
        name = "".join(sign if sign.isalnum() else "_" for sign in self.graph.name[:60]) or "network"
        target = self.save(Path(tempfile.mkdtemp(prefix="torchatlas-")) / f"{name}.html")
        webbrowser.open(target.as_uri())
        return target

    @property
    def _title(self) -> str:
        return " and ".join(name[:200].encode(errors="replace").decode() for name in dict.fromkeys(self._names))

    def _repr_html_(self) -> str:
        return FRAME.format(title=escape(self._title), height=self._height, page=escape(self.html))

    def __repr__(self) -> str:
        return f"Page({self._title}, {len(self.html):,} characters)"


@cache
def _template() -> str:
    return files(__package__).joinpath("page.html").read_text(encoding="utf-8")
