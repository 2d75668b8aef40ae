"""Overlays: a number or a word for every box, which its colour shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from torchatlas.core.errors import InputError
from torchatlas.core.folding.fold import fold_calls
from torchatlas.core.measure.cost import costs
from torchatlas.core.measure.numbers import quantity, short
from torchatlas.core.measure.overlay import MEASURES, all_of, by_call
from torchatlas.core.measure.timing import own_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from torchatlas.core.graph import Graph, Overlay
    from torchatlas.core.measure.overlay import Overlays

Said: TypeAlias = "float | str | None"

SUMS = ("params", "weights", "flops", "activations", "time", "self_time")
"""Measures of which a fold has those of all its repeats; of an overlay it has the greatest."""

UNITS = {"weights": "B", "activations": "B", "time": "s", "self_time": "s"}
PLAIN = ("params", "flops")
TIMES = ("time", "self_time")
HELD = ("params", "weights")
WIDE = 100
"""Numbers that differ by a larger factor are told apart by their logarithms."""


@dataclass(frozen=True)
class Colouring:
    """What the colours of a picture say.

    Attributes:
        name: of the measure or overlay.
        said: by the key of a closed box; boxes of which nothing is said are absent.
        unit: of the numbers.
        hues: colours of words that have one of their own, as ``#rrggbb``.
    """

    name: str
    said: Mapping[str, float | str]
    unit: str = ""
    hues: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words that occur, in order; empty where numbers are shown."""
        return tuple(sorted({one for one in self.said.values() if isinstance(one, str)}))

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """The numbers that occur."""
        return tuple(one for one in self.said.values() if not isinstance(one, str))

    @cached_property
    def logarithmic(self) -> bool:
        """Whether the numbers are so far apart that they are told apart by their logarithms; zeros count as the least.

        Times never are: who looks at them looks for what takes the most.
        """
        above = [number for number in self.numbers if number > 0]
        apart = bool(above) and max(above) / min(above) > WIDE
        return apart and min(self.numbers) >= 0 and self.name not in TIMES

    @cached_property
    def range(self) -> tuple[float, float]:
        """The least and the greatest number; the least above zero where they are told apart by their logarithms."""
        low = min(number for number in self.numbers if number > 0) if self.logarithmic else min(self.numbers)
        return low, max(self.numbers)

    @cached_property
    def ends(self) -> tuple[str, str]:
        """Both, as people read them."""
        low, high = (short(end) if self.name in PLAIN else quantity(end, self.unit) for end in self.range)
        return low, high

    def share(self, number: float) -> float:
        """Where a number lies between the least and the greatest, from 0 to 1."""
        low, high = self.range
        if high <= low:
            return 1.0
        if self.logarithmic:
            number, low, high = math.log(max(number, low)), math.log(low), math.log(high)
        elif math.isinf(high - low):
            number, low, high = number / 2, low / 2, high / 2
        return (number - low) / (high - low)


def colouring(graph: Graph, places: list[dict[str, Any]], name: str, overlays: Overlays) -> Colouring:
    """What a measure, or an overlay, says of the boxes of a picture.

    Args:
        graph: what is drawn.
        places: of the engine's scene.
        name: one of ``MEASURES`` or of ``overlays``.
        overlays: beside those of the graph, numbers for module paths or call ids, by name.

    Raises:
        InputError: the name is none of those, or an overlay names what the graph does not have.
    """
    laid = all_of(graph, overlays)
    of = _measure(graph, name, laid)
    shown = {place["key"] for place in places}
    repeats = _repeats(graph, name, shown) if name not in {"dtype", "device"} else {}
    together = _most if name in laid else _sum
    said = {}
    for place in places:
        key = place["key"]
        if not place["open"] and key[1:].isdigit():
            one = together([of(call) for call in repeats.get(key, (int(key[1:]),))])
            if one is not None and (one != 0 or name in laid):
                said[key] = one
    return Colouring(name, said, laid[name].unit if name in laid else UNITS.get(name, ""))


def _repeats(graph: Graph, name: str, shown: Collection[str]) -> dict[str, list[int]]:
    """By the key of a box, the calls that it stands for: itself, and the repeats after it that have no box."""
    found: dict[str, list[int]] = {}
    for fold in (fold for folds in fold_calls(graph).values() for fold in folds):
        if fold.period > 1 or (name in HELD and fold.kind == "loop"):  # which runs the same parameters again
            continue
        key = ""
        for call in fold.calls:
            key = f"#{call}" if f"#{call}" in shown else key
            found.setdefault(key, []).append(call)
    return found


def _sum(each: list[Said]) -> Said:
    numbers = [one for one in each if isinstance(one, (int, float))]
    return sum(numbers) if numbers else each[0]


def _most(each: list[Said]) -> Said:
    return max((one for one in each if isinstance(one, (int, float))), default=None)


def _measure(graph: Graph, name: str, overlays: Mapping[str, Overlay]) -> Callable[[int], Said]:
    if name in overlays:
        return by_call(graph, overlays[name]).get
    if name not in MEASURES:
        known = (*MEASURES, *overlays)
        near = get_close_matches(str(name), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(f"color_by={name!r} is unknown; color_by is one of {', '.join(known)}.{hint}")
    if name == "time":
        return lambda call: graph.calls[call].seconds
    if name == "self_time":
        return own_seconds(graph).__getitem__
    if name in {"dtype", "device"}:
        return lambda call: next((getattr(graph.values[value], name) for value in graph.calls[call].outputs), None)
    fields = {"params": ("parameters", "unregistered"), "weights": ("weight_bytes",), "flops": ("flops",)}.get(
        name, ("activation_bytes",)
    )
    known_costs = costs(graph)
    return lambda call: sum(getattr(known_costs.call(call), field) for field in fields)
