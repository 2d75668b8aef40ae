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

    from torchatlas.capture.backward.forward_link import ForwardLink
    from torchatlas.capture.origin import Origin
    from torchatlas.capture.record.replay import Replay, Tape
    from torchatlas.core.graph import Call, Graph, Module
    from torchatlas.core.measure.overlay import Numbers
    from torchatlas.core.measure.totals import Totals
    from torchatlas.views.drawing.drawing import Drawing
    from torchatlas.views.drawing.options import BoxSelection
    from torchatlas.views.page.page import Page
    from torchatlas.views.table.summary import Summary

PAGES = (".html", ".htm")


class Atlas:
    """One captured run.

    >>> atlas = ta.capture(torch.nn.Linear(4, 3), (1, 4))
    >>> atlas
    Atlas(Linear, 2 calls, 1 modules)

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
        kept: ForwardLink | None = None,
        opened: tuple[Path, str | None] | None = None,
    ) -> None:
        self.graph = graph
        self.origin = origin
        self.opened = opened
        self._tape = tape
        self._kept = kept

    @cached_property
    def totals(self) -> Totals:
        """Parameters, FLOPs and bytes of the whole model: the numbers under the table.

        >>> ta.capture(torch.nn.Linear(4, 3), (1, 4)).totals.parameters
        15
        """
        return totals_of(self.graph)

    @property
    def modules(self) -> tuple[Module, ...]:
        """Every module of the model, called or not, in the order of ``named_modules``: ``graph.modules``.

        >>> [module.name for module in ta.capture(torch.nn.Sequential(torch.nn.Linear(4, 3))).modules]
        ['Sequential', 'Linear']
        """
        return self.graph.modules

    @property
    def calls(self) -> tuple[Call, ...]:
        """Everything that ran, in the order it began, the model itself first: ``graph.calls``.

        >>> [call.name for call in ta.capture(torch.nn.Linear(4, 3), (1, 4)).calls]
        ['Linear', 'F.linear']
        """
        return self.graph.calls

    @property
    def kept(self) -> ForwardLink:
        """What links a backward pass to this run: see `torchatlas.backward`.

        >>> type(ta.capture(torch.nn.Linear(4, 3), (1, 4), grad=True).kept).__name__
        'ForwardLink'

        Raises:
            InputError: captured without ``grad=True``, or read from a file.
        """
        if self._kept is None:
            raise InputError(
                "This atlas keeps no autograd graph. Capture with grad=True and use that atlas in the same process,"
                " as it was captured: files do not hold the graph, nor does an atlas that was folded, pruned or"
                " renamed."
            )
        return self._kept

    @property
    def outputs(self) -> Any:
        """What the model returned, with its autograd graph, if captured with ``grad=True``.

        >>> ta.capture(torch.nn.Linear(4, 3), (1, 4), grad=True).outputs.shape
        torch.Size([1, 3])

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
        expand: BoxSelection = (),
        collapse: BoxSelection = (),
        **options: Unpack[DrawOptions],
    ) -> Drawing:
        """Draw the run: modules as boxes inside boxes, and the tensors that flow between them.

        >>> ta.capture(torch.nn.Linear(4, 3), (1, 4)).draw(direction="LR").save("net.svg").name
        'net.svg'

        Args:
            {options}

        Returns:
            The drawing: leave it as the last line of a notebook cell, or ``save`` it as SVG, PNG, PDF or DOT.

        Raises:
            InputError: an option is unknown, or needs a run and the model was not run; the message says which.
            DrawingError: drawing takes too much time or memory.
        """
        from torchatlas.views.drawing.drawing import draw  # noqa: PLC0415  # the engine is loaded when asked for

        return draw(self.graph, depth, expand, collapse, **options)

    @takes(PAGE, PageOptions)
    def show(
        self,
        depth: int | None = None,
        expand: BoxSelection = (),
        collapse: BoxSelection = (),
        **options: Unpack[PageOptions],
    ) -> Page:
        """Show the run as a page: open and close modules, search, follow tensors, colour by numbers.

        A script opens it in the browser; in a notebook, leave it as the last line of a cell.

        >>> ta.capture(torch.nn.Linear(4, 3), (1, 4)).show().save("net.html").name
        'net.html'

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
        """Add numbers to the run: a column of the table, and a colour of the drawing and the page.

        >>> atlas = ta.capture(torch.nn.Sequential(torch.nn.Linear(4, 3)), (1, 4))
        >>> atlas.overlay("energy", {"0": 0.5}, "mJ").graph.overlays[0].paths
        (('0', 0.5),)

        Args:
            name: the name of the column and the colour; an overlay of that name is replaced.
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
        r"""Group what matches a pattern under one name: ``fold("Conv > BatchNorm > Relu", "ConvBnRelu")``.

        ``A > B``: B reads the result of A, and nothing else reads it. ``(A | B) > C``: both start from one tensor, and
        C reads both; in any order. ``A?``, ``A*``, ``A+``, ``A{2}``, ``A{2,5}``, also of what is in parentheses. A name
        is a family, whatever the spelling (``Conv`` is every ``nn.Conv2d``, ``F.conv2d`` and ``aten.convolution``), or
        the exact name of a call, or what was folded before. ``Conv[3x3, stride=2]`` asks for a kernel size, and for
        settings of the module or arguments of the call. All of it: `torchatlas.core.pattern.language`.

        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
        >>> folded = ta.capture(model, (1, 4)).fold("Linear > Relu", "Dense")
        >>> [call.label for call in folded.calls if call.kind == "group"]
        ['Dense']

        Args:
            pattern: as above, or ``re:`` and a regular expression of module paths: ``re:layer(\d)\..*``.
            name: what the folded parts are called; after ``re:`` it may refer to the expression's groups: ``Stage \1``.

        Returns:
            A new atlas, which every view shows with these groups closed. Its totals are the same. If nothing was found,
            or a match could not be grouped, a note says so.

        Raises:
            InputError: the pattern cannot be read; the message points at the place.
        """
        from torchatlas.core.editing.folding import fold  # noqa: PLC0415  # half as long again to import as the rest

        return Atlas(fold(self.graph, pattern, name))

    def fold_repeats(self) -> Atlas:
        """Group equal neighbours under labels such as ``Residual ×35``; returns a new atlas.

        >>> layers = [torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()) for _ in range(3)]
        >>> folded = ta.capture(torch.nn.Sequential(*layers), (1, 4)).fold_repeats()
        >>> [call.label for call in folded.calls if call.kind == "group"]
        ['Sequential ×3']
        """
        from torchatlas.core.editing.folding import fold_repeats  # noqa: PLC0415  # as above

        return Atlas(fold_repeats(self.graph))

    def unfold(self) -> Atlas:
        """Remove all groups made by `fold` and `fold_repeats`; returns a new atlas.

        >>> atlas = ta.capture(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()), (1, 4))
        >>> atlas.fold("Linear > Relu", "Dense").unfold().graph == atlas.graph
        True
        """
        from torchatlas.core.editing.folding import unfold  # noqa: PLC0415  # as above

        return Atlas(unfold(self.graph))

    def prune(self, pattern: str) -> Atlas:
        """Remove what matches a pattern; what read its result now reads its input.

        >>> atlas = ta.capture(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()), (1, 4)).prune("Relu")
        >>> [call.name for call in atlas.calls]
        ['Sequential', 'Linear', 'F.linear']

        Args:
            pattern: as `fold` takes it.

        Returns:
            A new atlas, with a note of what was removed. Its totals do not include that.

        Raises:
            InputError: the pattern cannot be read; the message points at the place.
        """
        from torchatlas.core.editing.prune import prune  # noqa: PLC0415  # as above

        return Atlas(prune(self.graph, pattern))

    def prune_branch(self, pattern: str) -> Atlas:
        """Remove what matches a pattern, and everything before it that served nothing else.

        >>> atlas = ta.capture(lambda x: x + torch.sigmoid(x * 2), torch.ones(3)).prune_branch("Sigmoid")
        >>> [call.name for call in atlas.calls]
        ['<lambda>', 'Tensor.add']

        Args:
            pattern: as `fold` takes it.

        Returns:
            A new atlas, with a note of what was removed. Its totals do not include that.

        Raises:
            InputError: the pattern cannot be read; the message points at the place.
        """
        from torchatlas.core.editing.prune import prune  # noqa: PLC0415  # as above

        return Atlas(prune(self.graph, pattern, upstream=True))

    def rename(self, pattern: str, name: str) -> Atlas:
        r"""Give what matches a pattern another name, or, after ``re:``, give modules other paths.

        >>> atlas = ta.capture(torch.nn.Sequential(torch.nn.Linear(4, 3))).rename(r"re:(\d)", r"layer\1")
        >>> [module.path for module in atlas.modules]
        ['', 'layer0']

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
        """Write a file; an old file of that name is replaced only after everything is written.

        The end of the name says what is written:

        - ``.atlas``: the record, which `load` reads without torch.
        - ``.json``: the record as JSON, of the form of ``schema/graph.json``; it is read back equal.
        - ``.html``: the page, which a browser shows. ``.svg``, ``.png``, ``.pdf``, ``.dot``: the drawing. Both as they
          are by default; `show` and `draw` have options.
        - ``.onnx``: the model itself, through ``torch.onnx.export``, while it is still there (``torchatlas[onnx]``).
        - ``.model-explorer.json``: what Model Explorer opens, modules as layers.
        - a name with ``tfevents``: a TensorBoard event file, modules as scopes (``torchatlas[tensorboard]``).

        >>> ta.capture(torch.nn.Linear(4, 3), (1, 4)).save("linear.atlas").name
        'linear.atlas'

        Args:
            path: where to write.
            format: ``atlas``, ``json``, ``html``, ``svg``, ``png``, ``pdf``, ``dot``, ``onnx``, ``model-explorer``, or
                ``tensorboard``, for which the path is a folder of logs; by default what the name says. The name ends as
                files of that format do (``model-explorer`` takes any ``.json``).

        Returns:
            The file that was written.

        Raises:
            InputError: there is no such format, or this atlas cannot be written in it; the message says why.
            FileError: the path cannot be written, or holds a model or another kind of file, which is left unchanged.
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
        reason = "holds only the record: it was read from a file, made from another atlas, or built by hand"
        if self.graph.forward is not None or any(call.kind == "backward" for call in self.graph.calls):
            reason = "is of a backward pass"
        elif not self.graph.calls:
            reason = "is of a model that was not run"
        elif self.graph.error is not None:
            reason = f"is of a run that failed at {self.graph.calls[self.graph.error].name}"
        raise InputError(
            f"An ONNX file holds the model itself, but this atlas {reason}. Capture the model with inputs that it"
            " accepts, and save that: capture(model, x).save('model.onnx')."
        )

    def replay(self) -> Replay:
        """Run the recorded calls again, from the same start, and compare the results bit for bit.

        >>> ta.capture(torch.nn.Linear(4, 3), (1, 4), replay=True).replay().equal
        True

        Raises:
            ReplayError: the run was captured without ``replay=True``, failed, or did something that cannot be replayed.
        """
        if self._tape is None:
            raise ReplayError("This atlas holds no tensors to run again. Capture with replay=True, on real tensors.")
        return self._tape.replay()

    def __repr__(self) -> str:
        graph = self.graph
        run = f"{len(graph.calls)} calls" if graph.calls else "not run"
        failed = f", failed at {graph.calls[graph.error].name}" if graph.error is not None else ""
        return f"Atlas({graph.name}, {run}, {len(graph.modules)} modules{failed})"
