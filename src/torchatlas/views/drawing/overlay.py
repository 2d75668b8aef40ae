"""Overlays: a number or a word for every box, which its colour shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias

from torchatlas.core.cost import costs
from torchatlas.core.errors import InputError
from torchatlas.core.fold import fold_calls
from torchatlas.core.overlay import by_call
from torchatlas.views.table.units import human

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from torchatlas.core.graph import Graph
    from torchatlas.core.overlay import Overlays

Said: TypeAlias = "float | str | None"

SUMS = ("params", "flops", "activations", "time")
"""Measures of which a fold has those of all its repeats."""

MEASURES = (*SUMS, "dtype", "device")
WIDE = 100
"""Numbers that differ by a larger factor are told apart by their logarithms."""


@dataclass(frozen=True, slots=True)
class Colouring:
    """What the colours of a picture say.

    Attributes:
        name: of the measure or overlay.
        said: by the key of a closed box; boxes of which nothing is said are absent.
    """

    name: str
    said: Mapping[str, float | str]

    @property
    def words(self) -> tuple[str, ...]:
        """The words that occur, in order; empty where numbers are shown."""
        return tuple(sorted({one for one in self.said.values() if isinstance(one, str)}))

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers that occur."""
        return tuple(one for one in self.said.values() if not isinstance(one, str))

    @property
    def ends(self) -> tuple[str, str]:
        """The least and the greatest number, as people read them."""
        return human(min(self.numbers)), human(max(self.numbers))

    def share(self, number: float) -> float:
        """Where a number lies between the least and the greatest, from 0 to 1."""
        low, high = min(self.numbers), max(self.numbers)
        if high <= low:
            return 1.0
        if low > 0 and high / low > WIDE:
            return math.log(number / low) / math.log(high / low)
        return (number - low) / (high - low)


def colouring(graph: Graph, places: list[dict[str, Any]], name: str, overlays: Overlays) -> Colouring:
    """What a measure, or an overlay, says of the boxes of a picture.

    Args:
        graph: what is drawn.
        places: of the engine's scene.
        name: one of ``MEASURES`` or of ``overlays``.
        overlays: a number for module paths or call ids, by name.

    Raises:
        InputError: the name is none of those, or an overlay names what the graph does not have.
    """
    of = _measure(graph, name, overlays)
    shown = {place["key"] for place in places}
    repeats = _repeats(graph, name, shown) if name in SUMS else {}
    said = {}
    for place in places:
        key = place["key"]
        if not place["open"] and key[1:].isdigit():
            one = _together([of(call) for call in repeats.get(key, (int(key[1:]),))])
            if one is not None and one != 0:
                said[key] = one
    return Colouring(name, said)


def _repeats(graph: Graph, name: str, shown: Collection[str]) -> dict[str, list[int]]:
    """By the key of a box, the calls that it stands for: itself, and the repeats after it that have no box."""
    found: dict[str, list[int]] = {}
    for fold in (fold for folds in fold_calls(graph).values() for fold in folds):
        if fold.period > 1 or (name == "params" and fold.kind == "loop"):  # which runs the same parameters again
            continue
        key = ""
        for call in fold.calls:
            key = f"#{call}" if f"#{call}" in shown else key
            found.setdefault(key, []).append(call)
    return found


def _together(each: list[Said]) -> Said:
    numbers = [one for one in each if isinstance(one, (int, float))]
    return sum(numbers) if numbers else each[0]


def _measure(graph: Graph, name: str, overlays: Overlays) -> Callable[[int], Said]:
    if name in overlays:
        return by_call(graph, name, overlays[name]).get
    if name not in MEASURES:
        known = (*MEASURES, *overlays)
        near = get_close_matches(str(name), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(f"color_by={name!r} is unknown; color_by is one of {', '.join(known)}.{hint}")
    if name == "time":
        return lambda call: graph.calls[call].seconds
    if name in {"dtype", "device"}:
        return lambda call: next((getattr(graph.values[value], name) for value in graph.calls[call].outputs), None)
    field = {"params": "parameters", "activations": "activation_bytes"}.get(name, name)
    known_costs = costs(graph)
    return lambda call: getattr(known_costs.call(call), field)
