"""The drawing engine: TypeScript of ``web/``, bundled into ``engine.js``, run here by QuickJS.

The same file draws in the browser, so that the picture in a file is the picture on the screen.
"""

from __future__ import annotations

import json
import re
import threading
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import quickjs

from torchatlas.core.errors import DrawingError
from torchatlas.core.measure.numbers import size

SECONDS = 60.0
"""Processor time of one drawing at most; a graph of 100,000 calls, fully open, takes a tenth of it."""

MEMORY = 4 << 30
"""Bytes that one drawing may take at most."""

CLOSE = "Draw less of it: a smaller depth=, collapse= with the paths of what is large, or fold=True."


class Drawn(NamedTuple):
    """A picture: as SVG, and as a ``contract.Scene`` in JSON."""

    svg: str
    scene: str


def render(payload: str, *, seconds: float = SECONDS, memory: int = MEMORY) -> Drawn:
    """Draw.

    Args:
        payload: a ``contract.Payload`` or a ``contract.Pair`` in JSON.
        seconds: processor time allowed.
        memory: bytes allowed.

    Raises:
        DrawingError: it takes longer, or more, than allowed; the message names the size and says what to do.
    """
    context = _context()
    context.set_memory_limit(memory)
    context.set_time_limit(seconds)
    try:
        drawn = str(context.eval("torchatlas.render")(payload))
    except quickjs.JSException as error:
        del _THREAD.context  # nobody knows in which state it was left
        raise DrawingError(_explain(str(error), payload, seconds, memory)) from error
    svg, end, scene = drawn.partition("</svg>\n")
    return Drawn(svg + end, scene)


_THREAD = threading.local()


def _context() -> quickjs.Context:
    """The engine, read once in each thread, for a context belongs to the thread that made it.

    It has no limits while it is read: it is of one size, and where memory ends while QuickJS reads source text, it may
    crash (quickjs-ng 0.17, at 1 in some 3,000 limits); while code runs it raises.
    """
    if not hasattr(_THREAD, "context"):
        context = quickjs.Context()
        context.eval(_source())
        _THREAD.context = context
    return _THREAD.context


@cache
def _source() -> str:
    return files(__package__).joinpath("engine.js").read_text(encoding="utf-8")


_A_MESSAGE = re.compile(r"\w+: (?!Invalid error message)\S")
"""How an error that says something begins; where memory ends, no room may be left to say it."""


def _explain(reason: str, payload: str, seconds: float, memory: int) -> str:
    given = json.loads(payload)
    graphs = [side["graph"] for side in given.get("sides", [given])]
    calls, tensors = (
        sum(max((one["id"] + 1 for one in graph[kind]), default=0) for graph in graphs) for kind in ("calls", "values")
    )
    names = " and ".join(dict.fromkeys(graph["name"] for graph in graphs))
    said = f"{names} has {calls:,} calls and {tensors:,} tensors, and drawing it"
    if "interrupted" in reason:
        return f"{said} took more than {seconds:g} seconds. {CLOSE}"
    if "out of memory" in reason or not _A_MESSAGE.match(reason):
        return f"{said} took more than {size(memory)} of memory. {CLOSE}"
    return f"{said} failed, which is a defect of torchatlas: please report it with the model's code. {reason.strip()}"
