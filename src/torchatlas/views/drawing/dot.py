"""A drawing as Graphviz text, for whoever wants to lay it out or go on in another tool; Graphviz is not needed here.

It says what the picture says: the boxes, what is inside which, and the wires, each from the box whose name it bears to
the boxes that its arrows point at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torchatlas.core.graph import Graph

Place = dict[str, Any]

TIP = re.compile(r"M([-\d.]+),([-\d.]+)")
ROUNDED = 0.01
"""Pixels by which a path, which is written in hundredths, may miss."""

CALL = re.compile(r"#(\d+)")


def dot(
    graph: Graph,
    scene: dict[str, Any],
    direction: str,
    looks: Mapping[str, str] | None = None,
    legend: tuple[str, Mapping[str, str]] | None = None,
) -> str:
    """Give a ``digraph`` with a cluster for every open box.

    Args:
        graph: what is drawn.
        scene: the picture, as the engine gives it.
        direction: ``TB`` or ``LR``.
        looks: attributes of boxes, by key.
        legend: what these say: a title, and attributes by words.
    """
    explained = _legend(*legend) if legend is not None else ()
    return "\n".join([*head(graph.name, direction), *body(graph, scene, looks=looks), *explained, "}", ""])


def head(name: str, direction: str) -> list[str]:
    """The lines before the boxes."""
    return [
        f"digraph {_quoted(name)} {{",
        f"  rankdir={direction}; compound=true;",
        '  node [shape=box, style=rounded, fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9];',
    ]


def body(graph: Graph, scene: dict[str, Any], side: str = "", looks: Mapping[str, str] | None = None) -> Iterator[str]:
    """The lines of the boxes and wires.

    Args:
        graph: what is drawn.
        scene: the picture, as the engine gives it.
        side: what names begin with, where another graph is in the same text.
        looks: attributes of boxes, by key.
    """
    places = {place["key"]: place for place in scene["places"]}
    labels = {group["key"]: _label(group) for group in scene["groups"] if group["kind"] in {"box", "frame"}}
    yield from _boxes(_inside(graph, places), places, labels, side, looks or {})
    for source, target, shape in _edges(graph, scene):
        yield f"  {_quoted(side + source)} -> {_quoted(side + target)} [label={_quoted(shape)}];"


def outlined(colour: str) -> str:
    """Attributes of a box with a thick line of that colour."""
    return f"color={_quoted(colour)}, penwidth=2"


def filled(tint: tuple[str, str, str]) -> str:
    """Attributes of a box of these colours: fill, outline and bar, which last Graphviz has not."""
    fill, line, _ = tint
    return f'style="rounded,filled", fillcolor={_quoted(fill)}, color={_quoted(line)}'


def pair(name: str, direction: str, halves: Mapping[str, Iterable[str]]) -> str:
    """Two graphs in one text, each in a cluster with its title."""
    lines = head(name, direction)
    for title, held in halves.items():
        lines += [f"  subgraph {_quoted(f'cluster {title}')} {{", f"  label={_quoted(title)};", *held, "  }"]
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\0", "\ufffd")
    return f'"{escaped}"'


def _label(group: dict[str, Any]) -> str:
    """The texts of a box, those of one line side by side."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for shape in group["shapes"]:
        if shape["kind"] == "text":
            rows.setdefault(shape["y"], []).append((shape["x"], shape["text"]))
    return "\n".join("  ".join(text for _, text in sorted(rows[y])) for y in sorted(rows))


def _inside(graph: Graph, places: dict[str, Place]) -> dict[str, list[str]]:
    """For each open box, and for the picture as ``""``, what is directly inside it."""
    shared: dict[int | None, list[Place]] = {}
    for key, place in places.items():
        if key.startswith("#") and place["open"] and not key[1:].isdigit():
            shared.setdefault(_parent(graph, key), []).append(place)
    found: dict[str, list[str]] = {}
    for key, place in places.items():
        found.setdefault(_around(graph, place, places, shared), []).append(key)
    return found


def _parent(graph: Graph, key: str) -> int | None:
    call = CALL.match(key)
    return graph.calls[int(call[1])].parent if call else None


def _around(graph: Graph, place: Place, places: dict[str, Place], shared: dict[int | None, list[Place]]) -> str:
    """The key of the open box around a place: of a repeat or a range among its siblings, else of the call around it."""
    if not place["key"].startswith("#"):
        return ""
    parent = _parent(graph, place["key"])
    around = [other for other in shared.get(parent, ()) if other is not place and _holds(other, place)]
    if around:
        key: str = min(around, key=lambda other: other["width"] * other["height"])["key"]
        return key
    return f"#{parent}" if f"#{parent}" in places else ""


def _holds(outer: Place, inner: Place) -> bool:
    return all(
        outer[start] <= inner[start] and inner[start] + inner[size] <= outer[start] + outer[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


def _boxes(
    inside: dict[str, list[str]],
    places: dict[str, Place],
    labels: dict[str, str],
    side: str,
    looks: Mapping[str, str],
) -> Iterator[str]:
    """The boxes, each open one before what is inside it; without recursion, for models nest deeply."""
    todo = [(key, 1) for key in reversed(inside.get("", ()))]
    while todo:
        key, depth = todo.pop()
        indent = "  " * depth
        if key == "}":
            yield f"{indent}}}"
        elif places[key]["open"]:
            yield f"{indent}subgraph {_quoted(f'cluster {side}{key}')} {{"
            yield f"{indent}  label={_quoted(labels[key])}; style=rounded;"
            todo += [("}", depth), *((child, depth + 1) for child in reversed(inside.get(key, ())))]
        else:
            look = f", {looks[key]}" if key in looks else ""
            yield f"{indent}{_quoted(side + key)} [label={_quoted(labels[key])}{look}];"


def _legend(title: str, samples: Mapping[str, str]) -> Iterator[str]:
    yield '  subgraph "cluster legend" {'
    yield f"    label={_quoted(title)};"
    for number, (word, look) in enumerate(samples.items()):
        yield f'    "legend {number}" [label={_quoted(word)}, {look}];'
    yield "  }"


def _edges(graph: Graph, scene: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Source, target and shape of what each arrow of a wire or a tunnel says."""
    tops: dict[float, list[Place]] = {}
    sides: dict[float, list[Place]] = {}
    for place in scene["places"]:
        if not place["open"]:
            tops.setdefault(round(place["y"], 2), []).append(place)
            sides.setdefault(round(place["x"], 2), []).append(place)
    for group in scene["groups"]:
        if group["kind"] not in {"wire", "tag"}:
            continue
        heads = "".join(shape["d"] for shape in group["shapes"] if shape["kind"] == "path" and shape["fill"])
        sizes = graph.values[group["value"]].shape if group["value"] >= 0 else ()
        for x, y in ((float(x), float(y)) for x, y in TIP.findall(heads)):
            near = [*tops.get(round(y, 2), ()), *sides.get(round(x, 2), ())]
            target = next((place for place in near if _touches(place, x, y)), None)
            if target is not None:
                yield group["key"], target["key"], "×".join(map(str, sizes))


def _touches(place: Place, x: float, y: float) -> bool:
    left, top, width, height = (float(place[part]) for part in ("x", "y", "width", "height"))
    return -ROUNDED <= x - left <= width + ROUNDED and -ROUNDED <= y - top <= height + ROUNDED
