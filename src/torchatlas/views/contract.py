"""What the engine is given and what it gives back, as records: a ``Payload`` goes in, a ``Scene`` comes out.

Python counts, the engine paints. Every number that a picture or the page shows stands in the payload, and every colour
that a file shows stands in the scene. ``schema/payload.json`` and ``schema/scene.json`` are written from these
records, and the types of ``web/src/contract/`` from those, so that neither side can say what the other does not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from torchatlas.core.graph import Graph  # noqa: TC001 - schema/write.py reads annotations

Datum: TypeAlias = "float | str | None"
Label: TypeAlias = Literal["shape", "params", "flops"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A number or a word for every call of the run, also for those that the graph leaves out: labels, colours, columns.

    Attributes:
        name: by which it is asked for.
        title: as people read it.
        unit: `s`, `B`, `%`; empty for a count; anything else is written behind the number.
        aggregate: what repeats shown once say: the `sum` of theirs, the `max`, or the `first`.
        of_weights: of a loop, the numbers of one turn count, for all turns have the same weights.
        linear: never by the logarithm, for what takes the most is looked for.
        overlay: somebody laid it over the graph, so that nothing is a number like others.
        values: of each call, by its id; None where nothing is said.
        at_least: the calls whose value is a lower bound.
    """

    name: str
    title: str
    unit: str
    aggregate: Literal["sum", "max", "first"]
    of_weights: bool
    linear: bool
    overlay: bool
    values: tuple[Datum, ...]
    at_least: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """The calls of one of two compared graphs that differ, what is inside them not counted."""

    added: tuple[int, ...]
    removed: tuple[int, ...]
    changed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What is shown, and how.

    Attributes:
        depth: levels open below the model; None for as many as can be read on one page.
        expand: keys of boxes that are open at any depth: a module's path, or `#12` for call 12.
        collapse: keys of boxes that stay closed.
        fold: show what repeats once, with its count.
        direction: where data flows: to the bottom, or to the right.
        theme: the colours; `paper` is for print, `system` on a page what its reader's system has.
        labels: numbers on wires and boxes.
        constants: show calls that depend on no input and no parameter.
        level: draw functions, or the ATen operators in them too.
        color_by: the measure that colours show.
    """

    depth: int | None
    expand: tuple[str, ...]
    collapse: tuple[str, ...]
    fold: bool
    direction: Literal["TB", "LR"]
    theme: Literal["light", "dark", "paper", "system"]
    labels: tuple[Label, ...]
    constants: bool
    level: Literal["op", "aten"]
    color_by: str | None


@dataclass(frozen=True, slots=True)
class Payload:
    """A graph with all that is said of it, and how it is to be shown.

    Attributes:
        graph: what ran, or the modules of what did not.
        measures: those that the labels and colours of the view show; for a page all that there are.
        elements: for a page, of every value that is a weight its elements as stored, and of others 0; else empty.
        marks: what differs from the graph beside it; None where nothing is compared.
        view: how it is to be shown.
    """

    graph: Graph
    measures: tuple[Measure, ...]
    elements: tuple[int, ...]
    marks: Marks | None
    view: View


@dataclass(frozen=True, slots=True)
class Pair:
    """Two graphs in one picture, side by side.

    Attributes:
        sides: both.
        titles: what stands above each.
        verdict: what stands above both.
    """

    sides: tuple[Payload, Payload]
    titles: tuple[str, str]
    verdict: str


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle, in pixels; colours are `#rrggbb`, or names that the scene's `inks` say as such."""

    kind: Literal["rect"]
    x: float
    y: float
    width: float
    height: float
    radius: float
    fill: str | None
    line: str | None
    line_width: float
    dashed: bool


@dataclass(frozen=True, slots=True)
class Path:
    """Lines and areas: `d` as in SVG, of M, L, Q, A and Z in absolute coordinates."""

    kind: Literal["path"]
    d: str
    fill: str | None
    line: str | None
    line_width: float


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `y` is its baseline, `size` and `width` are in pixels, the width as measured."""

    kind: Literal["text"]
    x: float
    y: float
    text: str
    size: float
    bold: bool
    anchor: Literal["start", "middle", "end"]
    fill: str
    width: float


@dataclass(frozen=True, slots=True)
class Group:
    """Shapes that belong together, in drawing order: a box with its texts, a wire, a tag, a label, a legend.

    Attributes:
        kind: what they are.
        key: of the box, or of the box that makes the value; empty for what is neither.
        value: what a wire, tag or label shows; -1 for all others.
        title: shown when pointed at.
        shapes: in drawing order.
    """

    kind: Literal["frame", "box", "wire", "tag", "label", "sign", "legend", "words"]
    key: str
    value: int
    title: str
    shapes: tuple[Rect | Path | Text, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box stands, in pixels.

    Attributes:
        key: its name in the picture: `#12` for call 12; beside another graph, with `a ` or `b ` before it.
        x, y, width, height: its place.
        open: what is inside it is shown.
        openable: there is something inside it.
        around: the key of the open box around it; empty at the top.
        says: its lines of text.
        fill, line: its colours.
        value: what its colour says; None where it says nothing.
        mark: the sign it bears beside another graph; empty for none.
    """

    key: str
    x: float
    y: float
    width: float
    height: float
    open: bool
    openable: bool
    around: str
    says: tuple[str, ...]
    fill: str
    line: str
    value: Datum
    mark: str


@dataclass(frozen=True, slots=True)
class Wire:
    """A tensor on its way.

    Attributes:
        source: the key of the box that makes it.
        targets: the keys of the boxes that read it.
        says: its shape.
    """

    source: str
    targets: tuple[str, ...]
    says: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A colour of a legend, and what it says."""

    text: str
    fill: str
    line: str


@dataclass(frozen=True, slots=True)
class Legend:
    """What the colours say: words each with its colour, or a scale from the least number to the greatest.

    Attributes:
        title: of the measure.
        note: beside the title; `logarithmic` where the scale is.
        scale: the samples are steps of a scale, of which the first and the last have a text.
        samples: the colours.
    """

    title: str
    note: str
    scale: bool
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture as plain shapes and places.

    Attributes:
        width, height: in pixels.
        inks: the theme: what the names of colours stand for, as (name, `#rrggbb`).
        background: of the whole.
        groups: all that is painted, in order.
        boxes: where boxes stand.
        wires: what they join.
        legend: what the colours say.
        notes: what the picture leaves out, in words.
    """

    width: float
    height: float
    inks: tuple[tuple[str, str], ...]
    background: str
    groups: tuple[Group, ...]
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    legend: Legend | None
    notes: tuple[str, ...]
