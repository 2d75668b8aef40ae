"""What a page holds: graphs with all that is said of them, as the engine reads them, and their totals."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

from torchatlas.core.measure.cost import costs
from torchatlas.core.measure.overlay import overlays_by_name
from torchatlas.core.version import __version__
from torchatlas.views.drawing.differing import Half, folds_that_differ_alike, marks_of
from torchatlas.views.drawing.measures import all_measures
from torchatlas.views.drawing.payload import payload
from torchatlas.views.drawing.unrun import shown

if TYPE_CHECKING:
    from torchatlas.core.comparing.compare import Mark
    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.cost import Cost
    from torchatlas.core.measure.overlay import Overlays
    from torchatlas.views.contract import View
    from torchatlas.views.page.beside import Counterpart


def document(graph: Graph, view: View, overlays: Overlays | None = None, beside: Counterpart | None = None) -> str:
    """JSON of two parts: ``payload``, which is base64 of gzip of JSON, and ``about``.

    With a second graph there are two more: ``beside``, which holds the same two parts of that one, and ``pair``. The
    same graphs give the same text.

    Args:
        graph: what is shown.
        view: how it is shown at first.
        overlays: beside those of the graph, numbers by name, then by module path or call id.
        beside: a graph on the same page.

    Raises:
        InputError: an overlay names a module or call that the graph does not have.
    """
    first, second = (None, None) if beside is None or beside.marks is None else map(dict, beside.marks)
    held: dict[str, Any] = _parts(graph, view, overlays, first)
    if beside is not None:
        held["beside"] = _parts(beside.graph, view, None, second)
        held["pair"] = beside.page()
    return json.dumps(held)


def _parts(graph: Graph, view: View, overlays: Overlays | None, marks: dict[int, Mark] | None) -> dict[str, Any]:
    whole = shown(graph)
    counted = costs(whole)
    measures = all_measures(counted, overlays_by_name(whole, overlays))
    folds = None
    if marks is not None:
        known: dict[int, Mark] = {**dict.fromkeys(range(len(whole.calls)), "same"), **marks}
        folds = folds_that_differ_alike(Half(graph, known, known))
    differing = None if marks is None else marks_of(marks)
    text = payload(graph, view, measures, differing, details=True, folds=folds)
    return {"payload": _pack(text), "about": _about(counted.total)}


def _pack(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _about(total: Cost) -> dict[str, Any]:
    totals = {
        "parameters": total.parameters,
        "trainable": total.trainable,
        "parameter_bytes": total.parameter_bytes,
        "flops": total.flops,
        "activation_bytes": total.activation_bytes,
        "exact": total.exact,
    }
    return {"totals": totals, "version": __version__}
