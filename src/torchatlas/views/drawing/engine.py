"""The drawing engine: TypeScript of ``web/``, bundled into ``engine.js``, run here by QuickJS.

The same file draws in the browser, so that the picture in a file is the picture on the screen.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import quickjs

from torchatlas.core.errors import DrawingError
from torchatlas.core.measure.numbers import size

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = 60.0
"""Processor time of one drawing at most; a graph of 100,000 calls, fully open, takes a tenth of it."""

MEMORY = 4 << 30
"""Bytes that one drawing may take at most."""

CLOSE = "Draw less of it: a smaller depth=, collapse= with the paths of what is large, or fold=True."


def render(payload: str, options: Mapping[str, Any], *, seconds: float = SECONDS, memory: int = MEMORY) -> str:
    """Draw; each call has a context of its own, for one belongs to the thread that made it.

    Args:
        payload: the graph, as ``payload.payload`` writes it.
        options: as the engine's ``DrawOptions``.
        seconds: processor time allowed.
        memory: bytes allowed.

    Returns:
        SVG, or the scene as JSON where ``options["format"]`` is ``scene``.

    Raises:
        DrawingError: it takes longer, or more, than allowed; the message names the size and says what to do.
    """
    context = quickjs.Context()
    # The limits are for the drawing. The engine itself is of one size, and where memory ends while QuickJS reads
    # source text, it may crash (quickjs-ng 0.17, at 1 in some 3,000 limits); while code runs it raises.
    context.eval(_source())
    context.set_memory_limit(memory)
    context.set_time_limit(seconds)
    try:
        drawn = context.eval("torchatlas.render")(payload, json.dumps(options))
    except quickjs.JSException as error:
        raise DrawingError(_explain(str(error), payload, seconds, memory)) from error
    return str(drawn)


@cache
def _source() -> str:
    return files(__package__).joinpath("engine.js").read_text(encoding="utf-8")


def _explain(reason: str, payload: str, seconds: float, memory: int) -> str:
    graph = json.loads(payload)
    calls, tensors = (max((one["id"] + 1 for one in graph[kind]), default=0) for kind in ("calls", "values"))
    said = f"{graph['name']} has {calls:,} calls and {tensors:,} tensors, and drawing it"
    if "interrupted" in reason:
        return f"{said} took more than {seconds:g} seconds. {CLOSE}"
    told = reason.partition("\n")[0].strip()
    if "out of memory" in reason or told in {"null", "InternalError"}:  # no room was left for the message itself
        return f"{said} took more than {size(memory)} of memory. {CLOSE}"
    return f"{said} failed, which is a defect of torchatlas: please report it with the model's code. {reason.strip()}"
