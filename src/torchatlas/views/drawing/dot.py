"""A drawing as Graphviz text, for whoever wants to lay it out or go on in another tool; Graphviz is not needed here.

It says what the picture says: the boxes, what is inside which, the wires, the colours and what these mean.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.views.contract import Box, Legend, Scene


def dot(scene: Scene, name: str, direction: str, titles: Sequence[str] = ()) -> str:
    """Give a ``digraph`` with a cluster for every open box.

    Args:
        scene: the picture.
        name: of the graph.
        direction: ``TB`` or ``LR``.
        titles: of two pictures in one, each of which gets a cluster; the keys of their boxes begin with ``a `` and
            ``b ``.
    """
    lines = [
        f"digraph {_quoted(name)} {{",
        f"  rankdir={direction}; compound=true;",
        '  node [shape=box, style=rounded, fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9];',
    ]
    for side, title in zip("ab", titles, strict=False):
        held = [box for box in scene.boxes if box.key.startswith(f"{side} ")]
        lines += [f"  subgraph {_quoted(f'cluster {title}')} {{", f"  label={_quoted(title)};"]
        lines += [*_boxes(held, coloured=scene.legend is not None), "  }"]
    if not titles:
        lines += _boxes(scene.boxes, coloured=scene.legend is not None)
    lines += [
        f"  {_quoted(wire.source)} -> {_quoted(target)} [label={_quoted(wire.says)}];"
        for wire in scene.wires
        for target in wire.targets
    ]
    if scene.legend is not None:
        lines += _legend(scene.legend)
    return "\n".join([*lines, "}", ""])


def _boxes(boxes: Sequence[Box], *, coloured: bool) -> Iterator[str]:
    """The boxes, each open one before what is inside it; without recursion, for models nest deeply."""
    inside: defaultdict[str, list[Box]] = defaultdict(list)
    for box in boxes:
        inside[box.around].append(box)
    todo: list[tuple[Box | None, int]] = [(box, 1) for box in reversed(inside[""])]
    while todo:
        at, depth = todo.pop()
        indent = "  " * depth
        if at is None:
            yield f"{indent}}}"
        elif at.open:
            yield f"{indent}subgraph {_quoted(f'cluster {at.key}')} {{"
            yield f"{indent}  label={_quoted(_label(at))}; style=rounded;"
            todo += [(None, depth), *((child, depth + 1) for child in reversed(inside[at.key]))]
        else:
            look = f", {_filled(at.fill, at.line)}" if coloured else ""
            yield f"{indent}{_quoted(at.key)} [label={_quoted(_label(at))}{look}];"


def _label(box: Box) -> str:
    sign = f"{box.mark} " if box.mark else ""
    return sign + "\n".join(box.says)


def _filled(fill: str, line: str) -> str:
    return f'style="rounded,filled", fillcolor={_quoted(fill)}, color={_quoted(line)}'


def _legend(legend: Legend) -> Iterator[str]:
    """What the colours say; of a scale its two ends."""
    samples = legend.samples[:: len(legend.samples) - 1] if legend.scale else legend.samples
    yield '  subgraph "cluster legend" {'
    yield f"    label={_quoted(' '.join(filter(None, (legend.title, legend.note))))};"
    for number, sample in enumerate(samples):
        yield f'    "legend {number}" [label={_quoted(sample.text)}, {_filled(sample.fill, sample.line)}];'
    yield "  }"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\0", "\ufffd")
    return f'"{escaped}"'
