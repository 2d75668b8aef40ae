"""The engine's picture as records."""

from __future__ import annotations

import json
from typing import Any

from torchatlas.views.contract import Box, Group, Legend, Path, Rect, Sample, Scene, Text, Wire

SHAPES: dict[str, type[Rect | Path | Text]] = {"rect": Rect, "path": Path, "text": Text}


def read_scene(text: str) -> Scene:
    """A ``contract.Scene`` from JSON."""
    given: dict[str, Any] = json.loads(text)
    return Scene(
        **{
            **given,
            "groups": tuple(map(_group, given["groups"])),
            "boxes": tuple(Box(**{**box, "says": tuple(box["says"])}) for box in given["boxes"]),
            "wires": tuple(Wire(**{**wire, "targets": tuple(wire["targets"])}) for wire in given["wires"]),
            "legend": _legend(given["legend"]),
            "notes": tuple(given["notes"]),
        }
    )


def letters_of(scene: Scene) -> frozenset[str]:
    """The characters that are painted."""
    shapes = (shape for group in scene.groups for shape in group.shapes)
    return frozenset().union(*(shape.text for shape in shapes if isinstance(shape, Text)))


def _group(given: dict[str, Any]) -> Group:
    return Group(**{**given, "shapes": tuple(SHAPES[shape["kind"]](**shape) for shape in given["shapes"])})


def _legend(given: dict[str, Any] | None) -> Legend | None:
    return (
        None
        if given is None
        else Legend(**{**given, "samples": tuple(Sample(**sample) for sample in given["samples"])})
    )
