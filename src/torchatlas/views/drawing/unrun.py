"""The modules of a model that was not run, as what a picture shows: boxes inside boxes, between which nothing flows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.folding.fold import Fold, fold_modules
from torchatlas.core.graph import Call
from torchatlas.core.paths import nearest_ancestor
from torchatlas.views.certainty import guessed

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph


def shown(graph: Graph) -> Graph:
    """The graph itself; without calls, one with a box for every module, in the place of a call that reads nothing."""
    if graph.calls:
        return graph
    numbers: dict[str, int] = {}
    boxes: list[Call] = []
    for module in graph.modules:
        around = _around(module.path, numbers)
        numbers[module.path] = len(boxes)
        name = guessed(module.name, module) if module.path else graph.name
        boxes.append(Call(len(boxes), "module", name, path=module.path, parent=around))
    return replace(graph, calls=tuple(boxes))


def folds(graph: Graph) -> tuple[Fold, ...]:
    """The folds of a graph without calls, by the numbers of its boxes."""
    numbers = {module.path: number for number, module in enumerate(graph.modules)}
    return tuple(
        Fold(numbers[parent], tuple(numbers[path] for path in fold.paths), fold.period, fold.count, "stack", 0)
        for parent, found in fold_modules(graph).items()
        for fold in found
    )


def _around(path: str, numbers: dict[str, int]) -> int | None:
    """The number of the nearest module above."""
    above = nearest_ancestor(path, numbers)
    return None if above is None else numbers[above]
