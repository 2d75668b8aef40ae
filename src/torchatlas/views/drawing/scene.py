"""The engine's picture as records."""

from __future__ import annotations

import json
from typing import Any

from torchatlas.views.contract import Box, Group, Legend, Path, Rect, Sample, Scene, Text, Wire

SHAPES: dict[str, type[Rect | Path | Text]] = {"rect": Rect, "path": Path, "text": Text}


def read_scene(text: str) -> Scene:
    """A ``contract.Scene`` from JSON, with every colour as ``#rrggbb``."""
    given: dict[str, Any] = json.loads(text)
    inks = dict(given["inks"])
    return Scene(
        **{
            **given,
            "inks": tuple(inks.items()),
            "background": inks[given["background"]],
            "groups": tuple(_group(group, inks) for group in given["groups"]),
            "boxes": tuple(Box(**{**_inked(box, inks), "says": tuple(box["says"])}) for box in given["boxes"]),
            "wires": tuple(Wire(**{**wire, "targets": tuple(wire["targets"])}) for wire in given["wires"]),
            "legend": _legend(given["legend"]),
            "notes": tuple(given["notes"]),
        }
    )


def letters_of(scene: Scene) -> frozenset[str]:
    """The characters that are painted."""
    shapes = (shape for group in scene.groups for shape in group.shapes)
    return frozenset().union(*(shape.text for shape in shapes if isinstance(shape, Text)))


def _group(given: dict[str, Any], inks: dict[str, str]) -> Group:
    shapes = (SHAPES[shape["kind"]](**_inked(shape, inks)) for shape in given["shapes"])
    return Group(**{**given, "shapes": tuple(shapes)})


def _inked(given: dict[str, Any], inks: dict[str, str]) -> dict[str, Any]:
    """A shape or a box with the colours that its names stand for."""
    return given | {part: inks.get(given[part], given[part]) for part in ("fill", "line") if part in given}


def _legend(given: dict[str, Any] | None) -> Legend | None:
    return (
        None
        if given is None
        else Legend(**{**given, "samples": tuple(Sample(**sample) for sample in given["samples"])})
    )
