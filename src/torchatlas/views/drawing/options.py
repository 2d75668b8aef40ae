"""The options of a drawing: read, checked, and as the engine takes them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from torchatlas.core.errors import InputError
from torchatlas.views.contract import View
from torchatlas.views.uncalled import uncalled

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torchatlas.core.graph import Graph
    from torchatlas.views.contract import Label

Direction: TypeAlias = Literal["TB", "LR"]
Theme: TypeAlias = Literal["light", "dark", "paper"]
Level: TypeAlias = Literal["op", "aten"]
Places: TypeAlias = "str | int | Collection[str | int]"

DIRECTIONS = ("TB", "LR")
THEMES = ("light", "dark", "paper")
LABELS = ("shape", "params", "flops")
LEVELS = ("op", "aten")
SHOWN = 8


def read_options(
    graph: Graph,
    *,
    depth: int | None,
    expand: Places,
    collapse: Places,
    fold: bool,
    direction: Direction,
    theme: Theme | Literal["system"],
    labels: Sequence[str],
    constants: bool,
    level: Level | None,
    color_by: str | None = None,
    themes: Sequence[str] = THEMES,
) -> View:
    """Check what was given against the graph; not `color_by`, which is that of a measure already.

    Raises:
        InputError: an option is none of those that there are; the message lists them.
    """
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 1):
        raise InputError(f"depth={depth!r}; depth is a whole number from 1, or None for what one page holds")
    _need("direction", direction, DIRECTIONS)
    _need("theme", theme, themes)
    if isinstance(labels, str):
        raise InputError(f"labels={labels!r}; labels is a sequence of names, as ({labels!r},)")
    for label in labels:
        _need("labels", label, LABELS)
    return View(
        depth=depth,
        expand=_keys(graph, "expand", expand),
        collapse=_keys(graph, "collapse", collapse),
        fold=bool(fold),
        direction=direction,
        theme=theme,
        labels=tuple(cast("Sequence[Label]", labels)),
        constants=bool(constants),
        level=_level(graph, level),
        color_by=color_by,
    )


def _need(option: str, given: object, known: Sequence[str]) -> None:
    if given not in known:
        near = get_close_matches(str(given), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(f"{option}={given!r} is unknown; {option} is one of {', '.join(known)}.{hint}")


def _level(graph: Graph, level: Level | None) -> Level:
    if level is None:
        return "op"
    _need("level", level, LEVELS)
    if level == "aten" and graph.provenance.level != "aten":
        raise InputError("level='aten': this run was recorded without its ATen operators; capture with level='aten'")
    return level


def _keys(graph: Graph, option: str, places: Places) -> tuple[str, ...]:
    """Module paths and call ids as the engine's keys."""
    each = [places] if isinstance(places, (str, int)) else places
    return tuple(_key(graph, option, place) for place in each)


def _key(graph: Graph, option: str, place: object) -> str:
    if isinstance(place, int) and not isinstance(place, bool):
        if 0 <= place < len(graph.calls):
            return f"#{place}"
        raise InputError(f"{option}={place!r}: the graph has {len(graph.calls)} calls, numbered from 0")
    if not isinstance(place, str):
        raise InputError(f"{option}={place!r}; {option} takes module paths, as 'layer1.0', and call ids")
    if place in graph.calls_of or any(
        call.kind == "group" and place in (call.name, call.label) for call in graph.calls
    ):
        return place
    known = graph.module_at.get(place)
    if known is not None:
        said = f"ran as {known.path!r}" if known.path in graph.calls_of else _UNCALLED[uncalled(known)]
        raise InputError(f"{option}={place!r}: that module {said}, so it has no box. {_offered(graph, place)}")
    raise InputError(f"{option}={place!r}: no module of {graph.name} has that path. {_offered(graph, place)}")


_UNCALLED = {
    "container": "is a container, which cannot be called",
    "inside TorchScript, not seen": "is inside TorchScript, where calls are not seen",
    "never ran": "was never called",
}


def _offered(graph: Graph, place: str) -> str:
    paths = [path for path in graph.calls_of if path]
    near = get_close_matches(place, paths, n=3)
    if near:
        return f"Near: {', '.join(map(repr, near))}."
    if not paths:
        return "No module of it ran."
    more = f", and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return f"Modules that ran: {', '.join(map(repr, paths[:SHOWN]))}{more}."
