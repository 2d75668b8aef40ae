"""Overlays: numbers laid over a graph for module paths or call ids, to be seen as colour and as a column.

They are records of the graph (`core.graph.Overlay`), kept with it, or given to a view for once; a view takes both as
one mapping from names to records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias

from torchatlas.core.errors import InputError
from torchatlas.core.graph import Note, Overlay

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph

Numbers: TypeAlias = Mapping[str | int, float]
Overlays: TypeAlias = Mapping[str, Numbers | Overlay]

MEASURES = ("params", "weights", "flops", "activations", "time", "self_time", "dtype", "device")
"""What can be asked of every graph by name, without an overlay."""

_COLUMNS = """
name path type details sure input output kernel params counted share flops mult_adds activation weights counted_weights
time self_time time_share dtype stored device trainable calls source depth repeats note
"""
COLUMNS = frozenset(_COLUMNS.split())
"""The columns of the table; with ``MEASURES``, the names that no overlay can have."""

PROFILE = ("time spread", "peak memory", "mean", "std", "min", "max", "zeros", "nan", "inf")
"""The overlays of a profile, beside the time of each call."""


_LONG = 60  # characters of what was given that a message repeats


def overlay_of(graph: Graph, name: str, numbers: Numbers, unit: str = "") -> tuple[Overlay, tuple[str | int, ...]]:
    """Make the record of an overlay; also give the places whose numbers are not finite, which it leaves out.

    Args:
        graph: what the numbers are for.
        name: none that stands for something else already.
        numbers: by module path (each path of a module will do) or call id; whatever ``float`` takes but text.
        unit: ``s`` and ``B`` are shown with prefixes (``ms``, ``kB``), anything else as it is.

    Raises:
        InputError: the name is taken, the graph has no such place, or what stands there is no number.
    """
    _check_name(name, unit)
    if not isinstance(numbers, Mapping):
        raise InputError(
            f"overlay {name!r} is a {type(numbers).__name__}; give numbers by module path or call id, such as"
            " {'layer1': 0.5, 12: 3}."
        )
    calls: dict[int, float] = {}
    paths: dict[str, float] = {}
    skipped: list[str | int] = []
    for place, given in numbers.items():
        where = _place(graph, name, place)
        number = _number(name, place, given)
        if not math.isfinite(number):
            skipped.append(where)
        elif isinstance(where, str):
            paths[where] = number
        else:
            calls[where] = number
    return Overlay(name, unit, tuple(sorted(calls.items())), tuple(paths.items())), tuple(skipped)


def add_overlay(graph: Graph, name: str, numbers: Numbers, unit: str = "") -> Graph:
    """The graph with this overlay added, or replaced if it has one of that name.

    Raises:
        InputError: as `overlay_of`.
    """
    overlay, skipped = overlay_of(graph, name, numbers, unit)
    notes = [note for note in graph.notes if (note.code, note.about) != ("overlay", name)]
    if skipped:
        more = f" and {len(skipped) - 1:,} more" if len(skipped) > 1 else ""
        call = skipped[0] if isinstance(skipped[0], int) else None
        text = f"overlay {name!r}: the number for {skipped[0]!r}{more} is not finite and was left out."
        notes.append(Note(text, call, "overlay", name))
    return replace(with_overlay(graph, overlay), notes=tuple(notes))


def with_overlay(graph: Graph, overlay: Overlay) -> Graph:
    """The graph with that record, in the place of one of the same name."""
    others = [one for one in graph.overlays if one.name != overlay.name]
    return replace(graph, overlays=(*others, overlay))


def overlays_by_name(graph: Graph, given: Overlays | None = None) -> dict[str, Overlay]:
    """The overlays of a graph and those given beside it, by name; a given one replaces the graph's.

    Raises:
        InputError: as `overlay_of`, or what was given is no mapping.
    """
    if given is not None and not isinstance(given, Mapping):
        raise InputError(
            f"overlays={type(given).__name__}(…): give numbers by name, such as {{'energy': {{'layer1': 0.5, 12: 3}}}}."
        )
    found = {overlay.name: overlay for overlay in graph.overlays}
    for name, numbers in (given or {}).items():
        if isinstance(numbers, Overlay):
            found[name] = overlay_of(graph, name, {**dict(numbers.calls), **dict(numbers.paths)}, numbers.unit)[0]
        else:
            found[name] = overlay_of(graph, name, numbers)[0]
    return found


def by_call(graph: Graph, overlay: Overlay) -> dict[int, float]:
    """Each number by the call it belongs to; that of a module by every call of it, unless the call has its own."""
    found: dict[int, float] = {}
    for path, number in overlay.paths:
        module = graph.module_at.get(path)
        found |= dict.fromkeys(graph.calls_of.get(module.path if module else path, ()), number)
    return found | dict(overlay.calls)


def _check_name(name: Any, unit: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"an overlay named {name!r}: give a name, such as 'energy'.")
    if not isinstance(unit, str):
        raise InputError(f"overlay {name!r} in the unit {unit!r}: give text, such as 's', 'B' or 'mJ'.")
    if name in COLUMNS or name in MEASURES:
        raise InputError(
            f"an overlay cannot be named {name!r}, because torchatlas has a column of that name. Take another, such"
            f" as {f'my {name}'!r}."
        )


def _place(graph: Graph, name: str, place: Any) -> str | int:
    """The call's id, or the module's first path."""
    if isinstance(place, str):
        module = graph.module_at.get(place)
        if module is not None or place in graph.calls_of:
            return module.path if module is not None else place
    elif not isinstance(place, bool) and hasattr(place, "__index__"):
        call = place.__index__()
        if 0 <= call < len(graph.calls):
            return int(call)
    near = get_close_matches(place, graph.module_at, n=3, cutoff=0.5) if isinstance(place, str) else []
    hint = f" Near: {', '.join(map(repr, near))}." if near else ""
    raise InputError(
        f"overlay {name!r} has a number for {place!r}, which is neither a module's path nor the id of one of"
        f" the {len(graph.calls):,} calls of {graph.name}.{hint}"
    )


def _number(name: str, place: str | int, given: Any) -> float:
    """A tensor or an array of one element counts as a number; text does not, whatever it says."""
    try:
        one = given.item() if hasattr(given, "item") else given
        number = None if isinstance(one, (str, bytes, bytearray)) else float(one)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        number = None
    if number is None:
        text = repr(given)
        said = text if len(text) <= _LONG and "\n" not in text else f"a {type(given).__name__}"
        raise InputError(f"overlay {name!r} has {said} for {place!r}: give one number.")
    return number
