"""What a page holds of a run: the graph as the drawing engine reads it, numbers of every call, overlays."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

from torchatlas.core.measure.cost import costs
from torchatlas.core.measure.overlay import all_of, by_call
from torchatlas.core.measure.timing import is_timed, own_seconds
from torchatlas.core.version import __version__
from torchatlas.views.drawing.differing import Half, folds_that_differ_alike
from torchatlas.views.drawing.payload import payload
from torchatlas.views.drawing.structure import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torchatlas.core.comparing.compare import Mark
    from torchatlas.core.folding.fold import Fold
    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.overlay import Overlays
    from torchatlas.views.page.beside import Beside


def document(
    graph: Graph,
    overlays: Overlays | None = None,
    view: Mapping[str, Any] | None = None,
    beside: Beside | None = None,
) -> str:
    """JSON of two parts, each base64 of gzip of JSON: ``graph`` and ``extras``. The same graph gives the same text.

    With a second graph there are two more: ``beside``, which holds the same two parts of that one, and ``pair``.

    Args:
        graph: what is shown.
        overlays: beside those of the graph, numbers by name, then by module path or call id.
        view: how it is shown at first, as the engine's options.
        beside: a graph on the same page.

    Raises:
        InputError: an overlay names a module or call that the graph does not have.
    """
    first, second = (None, None) if beside is None or beside.marks is None else beside.marks
    held: dict[str, Any] = _packed(graph, overlays, view, first)
    if beside is not None:
        held["beside"] = _packed(beside.graph, None, None, second)
        held["pair"] = _pack(json.dumps(beside.page()))
    return json.dumps(held)


def _packed(
    graph: Graph, overlays: Overlays | None, view: Mapping[str, Any] | None, marks: Iterable[tuple[int, Mark]] | None
) -> dict[str, str]:
    extras = {**_extras(shown(graph), overlays), "view": view}
    folds = None if marks is None else _folds_that_differ_alike(graph, marks)
    held = {"graph": payload(graph, details=True, folds=folds), "extras": json.dumps(extras, allow_nan=False)}
    return {part: _pack(text) for part, text in held.items()}


def _folds_that_differ_alike(graph: Graph, marks: Iterable[tuple[int, Mark]]) -> list[Fold]:
    known: dict[int, Mark] = {**dict.fromkeys(range(len(shown(graph).calls)), "same"), **dict(marks)}
    return folds_that_differ_alike(Half(graph, known, known))


def _pack(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _extras(graph: Graph, overlays: Overlays | None) -> dict[str, Any]:
    known = costs(graph)
    calls = [known.call(call.id) for call in graph.calls]
    total = known.total
    numbers = {
        "parameters": [cost.parameters + cost.unregistered for cost in calls],
        "weight_bytes": [cost.weight_bytes for cost in calls],
        "flops": [cost.flops for cost in calls],
        "activation_bytes": [cost.activation_bytes for cost in calls],
        "at_least": [call for call, cost in enumerate(calls) if not cost.exact],
        "own_seconds": own_seconds(graph) if is_timed(graph) else [],
    }
    totals = {
        "parameters": total.parameters,
        "trainable": total.trainable,
        "parameter_bytes": total.parameter_bytes,
        "flops": total.flops,
        "activation_bytes": total.activation_bytes,
        "exact": total.exact,
    }
    given = [
        {"name": name, "unit": held.unit, "numbers": sorted(by_call(graph, held).items())}
        for name, held in all_of(graph, overlays).items()
    ]
    return {"numbers": numbers, "totals": totals, "overlays": given, "version": __version__}
