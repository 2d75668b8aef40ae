"""Looking things up in a graph, for tests that say what must stand in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torchatlas as ta
from models import MODELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.core.graph import Call, Graph


def graph_of(name: str, **options: Any) -> Graph:
    """The graph of a model of the zoo."""
    case = MODELS[name]
    with case.ready() as built:
        return ta.capture(built.model, built.args, dict(built.kwargs), mode=case.mode, **options).graph


def calls(graph: Graph, name: str) -> list[Call]:
    """All calls of that name."""
    return [call for call in graph.calls if call.name == name]


def only(graph: Graph, name: str) -> Call:
    """The one call of that name."""
    (call,) = calls(graph, name)
    return call


def argument(call: Call, key: str) -> Any:
    """One argument, by name."""
    return call.arguments.items[call.arguments.keys.index(key)]


def names(graph: Graph, kind: str) -> set[str]:
    """Names of all values of a kind."""
    return {name for value in graph.values if value.kind == kind for name in value.names}


def capture(function: Callable[..., Any], *args: Any, **options: Any) -> Graph:
    """The graph of a function as it is."""
    return ta.capture(function, args, mode="same", **options).graph
