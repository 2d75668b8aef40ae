"""``Atlas``: a graph with its views as methods."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import InputError, ReplayError
from torchatlas.core.measure.overlay import add_overlay
from torchatlas.core.measure.totals import totals_of
from torchatlas.core.options import takes
from torchatlas.files import codec, graph_json
from torchatlas.views.drawing.options import DRAW, PAGE, DrawOptions, PageOptions
from torchatlas.views.table.options import SUMMARY, SummaryOptions

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from typing_extensions import Unpack

    from torchatlas.capture.backward.forward_link import Kept
    from torchatlas.capture.origin import Origin
    from torchatlas.capture.record.replay import Replay, Tape
    from torchatlas.core.graph import Call, Graph, Module
    from torchatlas.core.measure.overlay import Numbers
    from torchatlas.core.measure.totals import Totals
    from torchatlas.views.drawing.drawing import Drawing
    from torchatlas.views.drawing.options import Places
    from torchatlas.views.page.page import Page
    from torchatlas.views.table.summary import Summary

PAGES = (".html", ".htm")


class Atlas:
    """One captured run.

    Attributes:
        graph: the record, plain data: a `torchatlas.Graph`, with its calls, values, modules and notes.
        origin: the model, as long as it lives elsewhere, and the arguments that it ran with; None for a run that failed
            and for what was not captured here. ``.onnx`` files need it, and so does `torchatlas.compare` with weights.
        opened: the path and the key with which `torchatlas.open` read it; None for all else.
    """

    def __init__(
        self,
        graph: Graph,
        tape: Tape | None = None,
        origin: Origin | None = None,
        kept: Kept | None = None,
        opened: tuple[Path, str | None] | None = None,
    ) -> None:
        self.graph = graph
        self.origin = origin
        self.opened = opened
        self._tape = tape
        self._kept = kept

    @cached_property
    def totals(self) -> Totals:
        """Parameters, FLOPs and bytes of the whole model: the numbers under the table."""
        return totals_of(self.graph)

    @property
    def modules(self) -> tuple[Module, ...]:
        """Every module of the model, called or not, in the order of ``named_modules``: ``graph.modules``."""
        return self.graph.modules

    @property
    def calls(self) -> tuple[Call, ...]:
        """Everything that ran, in the order it began, the model itself first: ``graph.calls``."""
        return self.graph.calls

    @property
    def kept(self) -> Kept:
        """What ties a backward pass to this run: see `torchatlas.backward`.

        Raises:
            InputError: captured without ``grad=True``, or read from a file.
        """
        if self._kept is None:
            raise InputError(
                "this atlas keeps no autograd graph: capture with grad=True, in this process, and take the atlas as it"
                " was captured (a file holds none, nor does an atlas that was folded, pruned or renamed)."
            )
        return self._kept

    @property
    def outputs(self) -> Any:
        """What the model returned, with the autograd graph behind it, where captured with ``grad=True``.

        Raises:
            InputError: captured without ``grad=True``, or read from a file.
        """
        return self.kept.outputs

    @takes(SUMMARY, SummaryOptions)
    def summary(self, **options: Unpack[SummaryOptions]) -> Summary:
        """The table of the run.

        Args:
            {options}

        Raises:
            InputError: an option is not one of those; the message lists them.
        """
        from torchatlas.views.table.summary import summarize  # noqa: PLC0415  # the table is loaded when asked for

        return summarize(self.graph, **options)

    @takes(DRAW, DrawOptions)
    def draw(
        self,
        depth: int | None = None,
        expand: Places = (),
        collapse: Places = (),
        **options: Unpack[DrawOptions],
    ) -> Drawing:
        """The picture of the run: modules as boxes inside boxes, and the tensors that flow between them.

        Args:
            {options}

        Returns:
            The drawing: leave it as the last line of a notebook cell, or ``save`` it as SVG, PNG, PDF or DOT.

        Raises:
            InputError: an option is not one of those, or needs a run that there was not; the message says which.
            DrawingError: it takes too long, or too much memory.
        """
        from torchatlas.views.drawing.drawing import draw  # noqa: PLC0415  # the engine is loaded when asked for

        return draw(self.graph, depth, expand, collapse, **options)

    @takes(PAGE, PageOptions)
    def show(
        self,
        depth: int | None = None,
        expand: Places = (),
        collapse: Places = (),
        **options: Unpack[PageOptions],
    ) -> Page:
        """The run as a page to look around in: open and close modules, search, follow tensors, colour by numbers.

        A script opens it in the browser; in a notebook, leave it as the last line of a cell.

        Args:
            {options}

        Returns:
            The page, one file that works offline: ``save`` it, or ``open`` it again.

        Raises:
            InputError: an option is not one of those; the message says which.
        """
        from torchatlas.views.page.notebook import in_notebook  # noqa: PLC0415  # the page is loaded when asked for
        from torchatlas.views.page.page import page  # noqa: PLC0415  # as above

        made = page(self.graph, depth, expand, collapse, **options)
        if not in_notebook():
            made.open()
        return made

    def overlay(self, name: str, numbers: Numbers, unit: str = "") -> Atlas:
        """Lay numbers over the run: a column of the table, a colour of the drawing and of the page.

        Args:
            name: what it is asked for by; an overlay of that name is replaced.
            numbers: by module path (for every call of it) or by call id; tensors and arrays of one element are
                numbers too. NaN and infinity are left out, with a note.
            unit: ``s`` and ``B`` are shown with prefixes (``ms``, ``kB``), anything else as it is.

        Returns:
            A new atlas, which `save` writes with its overlays; this one stays as it is.

        Raises:
            InputError: no such module or call, not a number, or a name that stands for something else already.
        """
        return Atlas(add_overlay(self.graph, name, numbers, unit), self._tape, self.origin, self._kept)

    def fold(self, pattern: str, name: str) -> Atlas:
        r"""Put what matches a pattern together, under one name: ``fold("Conv > BatchNorm > Relu", "ConvBnRelu")``.

        ``A > B``: B reads what A made, and nothing else does. ``(A | B) > C``: both start from one tensor, and C reads
        both; in any order. ``A?``, ``A*``, ``A+``, ``A{2}``, ``A{2,5}``, also of what is in parentheses. A name is a
        family, whatever the spelling (``Conv`` is every ``nn.Conv2d``, ``F.conv2d`` and ``aten.convolution``), or the
        exact name of a call, or what was folded before. ``Conv[3x3, stride=2]`` asks for a kernel size, and for
        settings of the module or arguments of the call. All of it: `torchatlas.core.pattern.language`.

        Args:
            pattern: as above, or ``re:`` and a regular expression of module paths: ``re:layer(\d)\..*``.
            name: what the folded parts are called; after ``re:`` it may refer to the expression's groups: ``Stage \1``.

        Returns:
            A new atlas, which every view shows with these parts closed. Its totals are the same. Where nothing was
            found, or something could not be put together, a note says so.

        Raises:
            InputError: the pattern cannot be read; the message points at the place.
        """
        from torchatlas.core.editing.folding import fold  # noqa: PLC0415  # half as long again to import as the rest

        return Atlas(fold(self.graph, pattern, name))

    def fold_repeats(self) -> Atlas:
        """Put neighbours that are alike together, under names such as ``Residual ×35``; returns a new atlas."""
        from torchatlas.core.editing.folding import fold_repeats  # noqa: PLC0415  # as above

        return Atlas(fold_repeats(self.graph))

    def unfold(self) -> Atlas:
        """Take apart all that was put together by `fold` and `fold_repeats`; returns a new atlas."""
        from torchatlas.core.editing.folding import unfold  # noqa: PLC0415  # as above

        return Atlas(unfold(self.graph))

    def prune(self, pattern: str) -> Atlas:
        """Leave out what matches a pattern; what read its result reads what it read.

        Args:
            pattern: as `fold` takes it.

        Returns:
            A new atlas, with a note of what was left out. Its totals are without that.

        Raises:
            InputError: the pattern cannot be read; the message points at the place.
        """
        from torchatlas.core.editing.prune import prune  # noqa: PLC0415  # as above

        return Atlas(prune(self.graph, pattern))

    def prune_branch(self, pattern: str) -> Atlas:
        """Leave out what matches a pattern, and everything before it that served nothing else.

        Args:
            pattern: as `fold` takes it.

        Returns:
            A new atlas, with a note of what was left out. Its totals are without that.

        Raises:
            InputError: the pattern cannot be read; the message points at the place.
        """
        from torchatlas.core.editing.prune import prune  # noqa: PLC0415  # as above

        return Atlas(prune(self.graph, pattern, upstream=True))

    def rename(self, pattern: str, name: str) -> Atlas:
        r"""Call what matches a pattern by another name, or, after ``re:``, modules by other paths.

        Args:
            pattern: as `fold` takes it; ``re:layer(\d)`` renames these modules, all below them, and their tensors.
            name: the new one; after ``re:`` it may refer to the expression's groups: ``stage\1``.

        Returns:
            A new atlas.

        Raises:
            InputError: the pattern cannot be read, or two modules would have one path.
        """
        from torchatlas.core.editing.rename import rename  # noqa: PLC0415  # as above

        return Atlas(rename(self.graph, pattern, name))

    def save(self, path: str | os.PathLike[str], *, format: str | None = None) -> Path:  # noqa: A002 - the field's word
        """Write a file; what stood there before is replaced only when all is written.

        The end of the name says what is written:

        - ``.atlas``: the record, which `load` reads without torch.
        - ``.json``: the record as JSON, of the form of ``schema/graph.json``; it is read back equal.
        - ``.html``: the page, which a browser shows. ``.svg``, ``.png``, ``.pdf``, ``.dot``: the drawing. Both as they
          are by default; `show` and `draw` have options.
        - ``.onnx``: the model itself, through ``torch.onnx.export``, while it is still there (``torchatlas[onnx]``).
        - ``.model-explorer.json``: what Model Explorer opens, modules as layers.
        - a name with ``tfevents``: a TensorBoard event file, modules as scopes (``torchatlas[tensorboard]``).

        Args:
            path: where to write.
            format: ``atlas``, ``json``, ``html``, ``svg``, ``png``, ``pdf``, ``dot``, ``onnx``, ``model-explorer``, or
                ``tensorboard``, for which the path is a folder of logs; by default what the name says. The name ends as
                files of that format do (``model-explorer`` takes any ``.json``).

        Returns:
            The file that was written.

        Raises:
            InputError: there is no such format, or this atlas cannot be written in it; the message says why.
            FileError: the path cannot be written, or a model or another kind of file stands there; it still does.
            MissingError: the format needs an optional package; the message names it.
        """
        from torchatlas.writers.formats import format_of  # noqa: PLC0415  # writers are loaded when asked for

        form = format_of(path, format)
        if form == "atlas":
            return codec.write(self.graph, path)
        if form == "json":
            return graph_json.write(self.graph, path)
        if form == "html":
            from torchatlas.views.page.page import page  # noqa: PLC0415  # as above

            return page(self.graph).save(path)
        if form in {"onnx", "model-explorer", "tensorboard"}:
            return self._export(path, form)
        return self.draw().save(path)

    def _export(self, path: str | os.PathLike[str], form: str) -> Path:
        """Write what other programs read."""
        if form == "onnx":
            from torchatlas.writers import onnx  # noqa: PLC0415  # each is loaded when asked for

            return onnx.write(self._origin(), path)
        if form == "tensorboard":
            from torchatlas.writers import tensorboard  # noqa: PLC0415  # as above

            return tensorboard.write(self.graph, path)
        from torchatlas.writers import model_explorer  # noqa: PLC0415  # as above

        return model_explorer.write(self.graph, path)

    def _origin(self) -> Origin:
        if self.origin is not None and self.origin.ran:
            return self.origin
        reason = "holds the record alone: it was read from a file, made from another atlas, or built by hand"
        if self.graph.forward is not None or any(call.kind == "backward" for call in self.graph.calls):
            reason = "is of a backward pass"
        elif not self.graph.calls:
            reason = "is of a model that was not run"
        elif self.graph.error is not None:
            reason = f"is of a run that failed at {self.graph.calls[self.graph.error].name}"
        raise InputError(
            f"an ONNX file is the model itself, and this atlas {reason}. Capture the model with inputs that it runs"
            " with, and save that: capture(model, x).save('model.onnx')."
        )

    def replay(self) -> Replay:
        """Run the recorded calls alone, from what the run started with, and compare the results bit for bit.

        Raises:
            ReplayError: captured without ``replay=True``, failed, or went through something that cannot be run alone.
        """
        if self._tape is None:
            raise ReplayError(
                "this atlas holds no tensors to run again: capture with replay=True (real tensors, not fake)."
            )
        return self._tape.replay()

    def __repr__(self) -> str:
        graph = self.graph
        run = f"{len(graph.calls)} calls" if graph.calls else "not run"
        failed = f", failed at {graph.calls[graph.error].name}" if graph.error is not None else ""
        return f"Atlas({graph.name}, {run}, {len(graph.modules)} modules{failed})"
