"""The options of a drawing and of a page: which there are, how they are checked, and as the engine takes them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from torchatlas.core.errors import InputError
from torchatlas.core.options import Option
from torchatlas.views.choices import check_choice
from torchatlas.views.contract import View
from torchatlas.views.uncalled import uncalled

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.overlay import Overlays

Direction: TypeAlias = Literal["TB", "LR"]
Theme: TypeAlias = Literal["light", "dark", "paper"]
PageTheme: TypeAlias = Literal["system", "light", "dark"]
Level: TypeAlias = Literal["op", "aten"]
BoxSelection: TypeAlias = "str | int | Collection[str | int]"

DIRECTIONS = ("TB", "LR")
THEMES = ("light", "dark", "paper")
PAGE_THEMES = ("system", "light", "dark")
LABELS = ("shape", "params", "flops")
LEVELS = ("op", "aten")
SHOWN = 8


class OpenOptions(TypedDict, total=False):
    """Which boxes are open."""

    depth: int | None
    expand: BoxSelection
    collapse: BoxSelection


class LookOptions(TypedDict, total=False):
    """How graphs look, whatever shows them."""

    direction: Direction
    labels: Sequence[str]
    constants: bool
    level: Level | None


class BesideOptions(LookOptions, total=False):
    """How two graphs are drawn side by side."""

    theme: Theme


class DrawOptions(BesideOptions, total=False):
    """How a graph is drawn, beside `OpenOptions`."""

    fold: bool
    color_by: str | None
    overlays: Overlays | None


class PageOptions(LookOptions, total=False):
    """How a page shows a graph at first, beside `OpenOptions`."""

    theme: PageTheme
    fold: bool
    color_by: str | None
    overlays: Overlays | None
    height: int


_LOOK = {
    "direction": Option("TB", "``TB``: data flows to the bottom; ``LR``: to the right"),
    "theme": Option("light", "``light``, ``dark``, or ``paper`` for print"),
    "labels": Option(("shape", "params"), "of ``shape`` (on the wires), ``params`` and ``flops`` (on the boxes)"),
    "constants": Option(default=False, text="show calls that depend on no input and no parameter"),
    "level": Option(None, "``op`` draws functions; ``aten`` also the ATen operators in them, where they were captured"),
}
_COLOURS = (
    "``params``, ``weights`` (bytes), ``flops``, ``activations`` (bytes), ``time`` and ``self_time`` (where measured),"
    " ``dtype``, ``device``, or an overlay"
)

DRAW: Mapping[str, Option] = {
    "depth": Option(None, "levels of boxes open below the model; by default as many as can be read on one page"),
    "expand": Option((), "module paths, or call ids, to open although ``depth`` would leave them closed"),
    "collapse": Option((), "module paths, or call ids, to leave closed"),
    "fold": Option(default=True, text="show what repeats once, with its count"),
    **_LOOK,
    "color_by": Option(None, f"what the boxes' colours show: {_COLOURS}; a legend says how"),
    "overlays": Option(None, "beside those of the atlas, numbers for module paths or call ids, by name"),
}

PAGE: Mapping[str, Option] = {
    **DRAW,
    "depth": Option(None, "levels of boxes open at first; by default as many as can be read at once"),
    "theme": Option("system", "``light``, ``dark``, or as the reader's ``system`` says"),
    "color_by": Option(
        None, f"what the boxes' colours show at first: {_COLOURS}; None colours by the kind of operation"
    ),
    "overlays": Option(
        None, "beside those of the atlas, numbers for module paths or call ids, by name: more colours and columns"
    ),
    "height": Option(640, "of the frame in a notebook, in pixels"),
}

BESIDE: Mapping[str, Option] = {
    "depth": Option(
        None, "levels of boxes open below the models; by default what differs is open, and the rest closed"
    ),
    **_LOOK,
}


def read_options(graph: Graph, options: Mapping[str, Any], themes: Sequence[str] = THEMES) -> View:
    """Check options of a drawing against the graph; not `color_by`, which is that of a measure already.

    Args:
        graph: what is drawn.
        options: some of those of `PAGE`; the others are as `DRAW` has them.
        themes: those that there are.

    Raises:
        InputError: an option is none of those that there are; the message lists them.
    """
    given = {name: options.get(name, option.default) for name, option in DRAW.items()}
    depth, labels = given["depth"], given["labels"]
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 1):
        raise InputError(f"depth={depth!r}; depth is a whole number from 1, or None for as much as fits one page.")
    check_choice("direction", given["direction"], DIRECTIONS)
    check_choice("theme", given["theme"], themes)
    if isinstance(labels, str):
        raise InputError(f"labels={labels!r}; labels is a sequence of names, as ({labels!r},)")
    for label in labels:
        check_choice("labels", label, LABELS)
    return View(
        depth=depth,
        expand=_keys(graph, "expand", given["expand"]),
        collapse=_keys(graph, "collapse", given["collapse"]),
        fold=bool(given["fold"]),
        direction=given["direction"],
        theme=given["theme"],
        labels=tuple(labels),
        constants=bool(given["constants"]),
        level=_level(graph, given["level"]),
        color_by=given["color_by"],
    )


def _level(graph: Graph, level: Level | None) -> Level:
    if level is None:
        return "op"
    check_choice("level", level, LEVELS)
    if level == "aten" and graph.provenance.level != "aten":
        raise InputError(
            "level='aten': this run was recorded without its ATen operators. Capture it with level='aten'."
        )
    return level


def _keys(graph: Graph, option: str, places: BoxSelection) -> tuple[str, ...]:
    """Module paths and call ids as the engine's keys."""
    each = [places] if isinstance(places, (str, int)) else places
    return tuple(_key(graph, option, place) for place in each)


def _key(graph: Graph, option: str, place: object) -> str:
    if isinstance(place, int) and not isinstance(place, bool):
        if 0 <= place < len(graph.calls):
            return f"#{place}"
        raise InputError(f"{option}={place!r}: the graph has {len(graph.calls)} calls, numbered from 0.")
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
