"""What the drawing engine and the page are given, as JSON: a graph with all that is said of it, and how it is shown.

The shapes are those of ``schema/payload.json``. The same graph and view always give the same text.
"""

from __future__ import annotations

import json
import math
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

from torchatlas.core.folding.fold import fold_calls
from torchatlas.core.graph import Node, Slot, Text
from torchatlas.core.measure.weights import elements_of
from torchatlas.files.graph_json import form
from torchatlas.views.drawing import unrun
from torchatlas.views.drawing.shortened import shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from torchatlas.core.folding.fold import Fold
    from torchatlas.core.graph import Graph, Tree
    from torchatlas.views.contract import Marks, Measure, View

SAFE = 1 << 53
"""Whole numbers beyond are not exact in JavaScript."""

DEEPEST = 100
"""Containers inside containers that are written; what is deeper stands there as ``…``."""


def payload(
    graph: Graph,
    view: View,
    measures: Iterable[Measure] = (),
    marks: Marks | None = None,
    *,
    details: bool = False,
    folds: Iterable[Fold] | None = None,
    shorten: bool = False,
) -> str:
    """A ``contract.Payload`` in JSON, of ASCII alone; a model that was not run has a call for every module.

    Args:
        graph: what is to be drawn.
        view: what is shown of it, and how.
        measures: what its labels and colours can show.
        marks: what differs from a graph beside it.
        details: with the arguments, results and source line of every call and the elements of every weight, which a
            page shows and a picture does not; without, those of the run alone.
        folds: what is shown once; None for all that `folds_of` finds.
        shorten: leave out turns of long loops that are not seen while all folds are closed and nothing in them is
            opened by its path or id (``views.drawing.shortened``).
    """
    shown = unrun.shown(graph)
    chosen: Sequence[Fold] = list(folds_of(graph) if folds is None else folds)
    if shorten:
        shown, chosen = shortened(shown, chosen)
    held = {
        "graph": form(shown, chosen, _plain, lambda call: details or call.id == 0),
        "measures": list(map(_fields, measures)),
        "elements": [elements_of(value) if value.is_weight else 0 for value in graph.values] if details else [],
        "marks": None if marks is None else _fields(marks),
        "view": _fields(view),
    }
    return json.dumps(held, separators=(",", ":"), allow_nan=False)


def _fields(record: Measure | Marks | View) -> dict[str, Any]:
    """A record as it is, without a copy of its columns."""
    return {name: getattr(record, name) for name in record.__slots__}


def pair(sides: tuple[str, str], titles: tuple[str, str], verdict: str) -> str:
    """A ``contract.Pair`` in JSON, of two payloads."""
    words = json.dumps({"titles": titles, "verdict": verdict}, separators=(",", ":"))
    return f'{{"sides":[{sides[0]},{sides[1]}],{words[1:]}'


def folds_of(graph: Graph) -> Iterable[Fold]:
    """What repeats, in calls; of a model that was not run, in the boxes of its modules."""
    return chain.from_iterable(fold_calls(graph).values()) if graph.calls else unrun.folds(graph)


ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}(?:(?<=ud[89ab]..)\\ud[c-f][0-9a-f]{2})?|.)")
"""One escaped character of a JSON text; what lies beyond the first 65,536 is a pair."""


def with_escapes(payload: str, characters: Collection[str]) -> str:
    r"""The same payload, with each of these characters written as ``\u{4E2D}``, for where no font has it."""

    def written(match: re.Match[str]) -> str:
        sign = json.loads(f'"{match[0]}"')
        return rf"\\u{{{ord(sign):04X}}}" if sign in characters else match[0]

    return ESCAPE.sub(written, payload)


def _plain(tree: Tree, depth: int = 0) -> Any:
    """A Tree as JSON. What JSON or JavaScript cannot say exactly is said in words, which is what it is for."""
    if isinstance(tree, Slot):
        return {"slot": tree.index}
    if isinstance(tree, Text):
        return {"text": tree.text}
    if isinstance(tree, Node):
        if depth >= DEEPEST:
            return {"text": "…"}
        return {"type": tree.type, "keys": tree.keys, "items": [_plain(item, depth + 1) for item in tree.items]}
    exact = not isinstance(tree, (int, float)) or (math.isfinite(tree) and abs(tree) <= SAFE)
    return tree if exact else {"text": repr(tree)}
