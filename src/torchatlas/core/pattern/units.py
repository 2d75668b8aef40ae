"""A run becomes a flat flow of *units*: the calls that a pattern can name, each with the units that read its results.

>>> import torch, torchatlas as ta
>>> from torch.nn import Dropout, Linear, ReLU, Sequential
>>> model = Sequential(Linear(4, 4), Dropout(), ReLU()).eval()
>>> flow = units(ta.capture(model, torch.zeros(1, 4)).graph)
>>> [flow.graph.calls[unit].name for unit in flow.calls]
['Linear', 'ReLU']

Going down the tree of calls, the first of these is a unit: a group; a function; a call whose name the pattern spells
out; a layer (a module of a family with no other kind of layer inside); a call with nothing inside. A call that returns
its argument unchanged (Identity, Dropout in eval mode) is not a step of the flow, unless the pattern names it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.operators.families import PRINCIPAL, families, family_named, is_family, special

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchatlas.core.graph import Call, Graph


Source: TypeAlias = int
"""Where a tensor came from: the call id of a unit, or, below 0, ``-1 - id`` of a value that no unit made."""

NOWHERE: Source | None = None


@dataclass(frozen=True, slots=True)
class Units:
    """Units by the id of their call.

    Attributes:
        graph: what ran.
        calls: the units in the order they began, without those that return their argument unchanged.
        passing: those that do.
        inside: for every call the unit that it is or is inside of; -1 for what is around units.
        kinds: the families of each unit.
        source: for every value where it came from; None for parameters and buffers.
        reads: for each unit, passing ones too, the sources of what it reads, each once.
        readers: for each source the units that read it, in order.
        returned: sources of what the run returned.
    """

    graph: Graph
    calls: tuple[int, ...]
    passing: tuple[int, ...]
    inside: Sequence[int]
    kinds: dict[int, frozenset[str]]
    source: Sequence[Source | None]
    reads: dict[int, tuple[Source, ...]]
    readers: dict[Source, tuple[int, ...]]
    returned: frozenset[Source | None]

    def is_named(self, unit: int, name: str) -> bool:
        """Whether a pattern's name means this unit."""
        return family_named(name) in self.kinds[unit] or goes_by(self.graph.calls[unit], name)

    def has(self, name: str) -> bool:
        """Whether a pattern's name means any unit."""
        return any(self.is_named(unit, name) for unit in self.calls)

    def passing_from(self, call: int) -> int:
        """Where, among those that only hand on, the first stands that began after this call."""
        return bisect_left(self.passing, call)


def units(graph: Graph, names: Sequence[str] = (), wanted: Iterable[int] = ()) -> Units:
    """The flow of units of a run.

    Args:
        graph: what ran.
        names: spelt out by the pattern. Layers are looked into for the exact name of a function, as ``F.relu``.
        wanted: calls that are units whatever they are, and whatever they are inside of; none inside another.
    """
    kinds: dict[int, frozenset[str]] = {}
    inside = _inside(graph, frozenset(names), frozenset(wanted), kinds)
    named = frozenset(map(family_named, filter(is_family, names)))
    pass_through = _pass_through(graph, inside)
    # What the pattern names is a step of the flow also where it only hands on.
    kept = {
        unit for unit in pass_through if kinds[unit] & named or any(goes_by(graph.calls[unit], name) for name in names)
    }
    pass_through -= kept
    source = _sources(graph, inside, kept)
    reads = _reads(graph, inside, source)
    order = sorted(kinds)
    steps = tuple([unit for unit in order if unit not in pass_through])
    readers: dict[Source, list[int]] = {}
    for unit in steps:
        for read in reads.get(unit, ()):
            readers.setdefault(read, []).append(unit)
    return Units(
        graph=graph,
        calls=steps,
        passing=tuple([unit for unit in order if unit in pass_through]),
        inside=inside,
        kinds=kinds,
        source=source,
        reads=reads,
        readers={read: tuple(found) for read, found in readers.items()},
        returned=frozenset([source[value] for value in graph.calls[0].outputs]) if graph.calls else frozenset(),
    )


def goes_by(call: Call, name: str) -> bool:
    """Whether this is the call's own name; a group of 35 repeats is a ``Residual`` and a ``Residual ×35``."""
    return call.name == name or (call.repeats > 1 and call.label == name)


def leaves(graph: Graph) -> list[bool]:
    """For each call whether it did its work itself: nothing is inside it, or ATen calls alone."""
    leaf = [True] * len(graph.calls)
    for call in graph.calls:
        if call.parent is not None and call.kind != "aten":
            leaf[call.parent] = False
    return leaf


def _inside(graph: Graph, names: frozenset[str], wanted: frozenset[int], kinds: dict[int, frozenset[str]]) -> list[int]:
    """Find the units, with their families, and for each call the unit around it."""
    leaf = leaves(graph)
    below = _below(graph)
    attention = "attention" in map(family_named, names)
    opened = _opened(graph, frozenset(name for name in names if "." in name), wanted)
    inside = [-1] * len(graph.calls)
    for call in graph.calls:
        if call.parent is None:
            # A run that is one single call, as of a function, is that unit.
            if graph.children[0]:
                continue
        elif inside[call.parent] >= 0:
            inside[call.id] = inside[call.parent]
            continue
        own = families(call.kind, call.name)
        is_unit = call.id in wanted or any(goes_by(call, name) for name in names)
        if not is_unit and not opened[call.id]:
            empty = not graph.children[call.id]
            is_unit = _is_layer(call, own, below[call.id], empty=empty, leaf=leaf[call.id], attention=attention)
        if is_unit:
            inside[call.id] = call.id
            kinds[call.id] = own | special(own, below[call.id])
    return inside


def _opened(graph: Graph, names: frozenset[str], wanted: frozenset[int]) -> list[bool]:
    """For each call whether something that was asked for is inside; into groups nobody looks for a name."""
    opened = [False] * len(graph.calls)
    for call in reversed(graph.calls) if names or wanted else ():
        if call.parent is not None:
            named = call.name in names or call.label in names or (opened[call.id] and call.kind != "group")
            opened[call.parent] |= named or call.id in wanted or (opened[call.id] and bool(wanted))
    return opened


def _is_layer(
    call: Call, own: frozenset[str], below: frozenset[str], *, empty: bool, leaf: bool, attention: bool
) -> bool:
    """Whether a call is one step of the flow: a layer by its class, with nothing inside that says otherwise."""
    if call.kind == "group" or empty:
        return True
    if call.kind != "module":
        return leaf or bool(own)
    if "attention" in own and attention:
        # `BertAttention` has the attention itself and a norm beside it; a norm of queries and keys is part of one.
        return not {"norm", "attention module"} <= below
    # A class that is called after several layers, as `Conv2dNormActivation`, is a block of them.
    principal = own & PRINCIPAL
    return bool(own) and len(principal) <= 1 and (below & PRINCIPAL) <= principal


def _below(graph: Graph) -> list[frozenset[str]]:
    """For each call the families of what ran inside it."""
    found: list[frozenset[str]] = [frozenset()] * len(graph.calls)
    known: dict[tuple[frozenset[str], frozenset[str]], frozenset[str]] = {}
    for call in reversed(graph.calls):
        if call.parent is None:
            continue
        own = families(call.kind, call.name)
        if call.kind == "module" and "attention" in own:
            own |= {"attention module"}
        for more in (own, found[call.id]):
            if not more <= found[call.parent]:
                # Joined sets are few, and shared.
                pair = (found[call.parent], more)
                found[call.parent] = known.get(pair) or known.setdefault(pair, pair[0] | more)
    return found


def _pass_through(graph: Graph, inside: Sequence[int]) -> set[int]:
    """Units that make nothing themselves: all they return is what they were given."""
    pass_through = {unit for unit in inside if unit >= 0}
    for value in graph.values:
        if value.producer is not None and value.alias_of is None:
            pass_through.discard(inside[value.producer])
    return pass_through


def _sources(graph: Graph, inside: Sequence[int], kept: set[int]) -> list[Source | None]:
    sources: list[Source | None] = []
    for value in graph.values:
        unit = -1 if value.producer is None else inside[value.producer]
        earlier = value.alias_of if value.alias_of is not None else value.previous
        earlier = earlier if earlier is not None else value.view_of
        if value.is_weight and value.producer is None:
            source = NOWHERE
        elif unit >= 0 and (value.alias_of is None or unit in kept):
            source = unit
        elif earlier is not None and value.kind != "input":
            source = sources[earlier]
        else:
            source = -1 - value.id
        sources.append(source)
    return sources


def _reads(graph: Graph, inside: Sequence[int], source: Sequence[Source | None]) -> dict[int, tuple[Source, ...]]:
    """What calls that work themselves read; for a unit without such reads, what it was handed."""
    leaf = leaves(graph)
    found: dict[int, dict[Source, None]] = {}
    for call in graph.calls:
        unit = inside[call.id]
        if unit >= 0 and leaf[call.id]:
            known = found.setdefault(unit, {})
            for value in call.inputs:
                read = source[value]
                if read is not None and read != unit:
                    known[read] = None
    for unit in {unit for unit in inside if unit >= 0} - {unit for unit, known in found.items() if known}:
        handed = (source[value] for value in graph.calls[unit].inputs)
        found[unit] = {read: None for read in handed if read is not None and read != unit}
    return {unit: tuple(known) for unit, known in found.items()}
