"""Whether a Graph is well formed: what `core.graph` promises and every view relies on.

Each rule is one pass over the records, which takes 100,000 calls in a fraction of the time that reading them takes.
"""

from __future__ import annotations

import math
from itertools import chain, islice
from operator import attrgetter
from reprlib import repr as shorten
from types import NoneType
from typing import TYPE_CHECKING, NamedTuple, TypeGuard, get_args

from torchatlas.core.errors import InputError
from torchatlas.core.graph import Arithmetic, Call, CallKind, Level, Mode, Node, NoteCode, Slot, Text, ValueKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.core.graph import Graph, Module, Provenance, Source, Tree, Value

DEEPEST = 100
"""How many Nodes may stand one inside another: Python itself compares, hashes and prints them by recursion."""

LARGEST = 50_000_000
"""How many items all trees may have, counted wherever they are met: a few shared Nodes can stand for billions."""

MOST = 2**64
"""What a line or a storage stays below, as an address does."""

SHOWN = 3
"""How many problems an error names."""


def check(graph: Graph) -> None:
    """Raise ``InputError`` naming the first places where a graph is not well formed."""
    found = list(islice(problems(graph), SHOWN + 1))
    if found:
        more = "; and more" if len(found) > SHOWN else ""
        raise InputError(
            f"the graph of {shorten(graph.name)} is not well formed: {'; '.join(found[:SHOWN])}{more}."
            " The fields are described in torchatlas.core.graph. If torchatlas made this graph, please report it."
        )


def problems(graph: Graph) -> Iterator[str]:
    """Give, one sentence each, every place where a graph is not well formed."""
    yield from _calls(graph)
    yield from _repeats(graph)
    yield from _wiring(graph)
    yield from _values(graph)
    yield from _origins(graph)
    yield from _modules(graph)
    yield from _notes_and_error(graph)
    yield from _overlays(graph)
    yield from _provenance(graph.provenance)
    yield from _forward(graph)
    yield from _trees(graph)


def _of(call: Call) -> str:
    return f"call {call.id} ({call.name})"


def _calls(graph: Graph) -> Iterator[str]:
    kinds, arithmetic = frozenset(get_args(CallKind)), frozenset(get_args(Arithmetic))
    for call in [call for position, call in enumerate(graph.calls) if call.id != position]:
        yield f"{_of(call)} does not stand at its id"
    for call in [call for call in graph.calls if call.kind not in kinds]:
        yield f"{_of(call)} is of the unknown kind {call.kind!r}"
    for call in [call for call in graph.calls if (call.kind == "module") != (call.path is not None)]:
        yield f"{_of(call)} is a {call.kind} with the path {call.path!r}"
    for call in [call for call in graph.calls if (call.parent is None) != (call.id == 0)]:
        yield f"{_of(call)} has the parent {call.parent}; the first call, and no other, has none"
    for call in [call for call in graph.calls if call.parent is not None and not 0 <= call.parent < call.id]:
        yield f"{_of(call)} ran inside call {call.parent}, which did not begin before it"
    for call in [call for call in graph.calls if call.arithmetic not in arithmetic]:
        yield f"{_of(call)} has arithmetic of the unknown kind {call.arithmetic!r}"
    for call in [call for call in graph.calls if call.flops < 0 or call.thread < 0]:
        yield f"{_of(call)} has {call.flops} FLOPs and ran in thread {call.thread}"
    for call in [call for call in graph.calls if call.seconds is not None and not 0 <= call.seconds < math.inf]:
        yield f"{_of(call)} took {call.seconds} seconds"
    for call in [call for call in graph.calls if call.source is not None and not _placed(call.source)]:
        yield f"{_of(call)} comes from {shorten(call.source)}; lines count from 1 and stay below 2**64"


def _repeats(graph: Graph) -> Iterator[str]:
    for call in [call for call in graph.calls if call.repeats != 1 and (call.repeats < 1 or call.kind != "group")]:
        yield f"{_of(call)} is a {call.kind} of {call.repeats} repeats; a group has 1 or more, any other call 1"


def _placed(source: Source) -> bool:
    return 0 < source.line < MOST and (source.end_line is None or 0 < source.end_line < MOST)


def _wiring(graph: Graph) -> Iterator[str]:
    there = range(len(graph.values))
    for word in ("inputs", "outputs", "writes"):
        named = list(chain.from_iterable(map(attrgetter(word), graph.calls)))
        if named and (min(named) < 0 or max(named) >= len(there)):
            for call in graph.calls:
                absent = [value for value in getattr(call, word) if value not in there]
                if absent:
                    yield f"{_of(call)} has as {word} the values {shorten(absent)}, which are not there"


def _values(graph: Graph) -> Iterator[str]:
    kinds, times = frozenset(get_args(ValueKind)), range(len(graph.calls) + 1)
    for value in [value for position, value in enumerate(graph.values) if value.id != position]:
        yield f"value {value.id} does not stand at its id"
    for value in [value for value in graph.values if value.kind not in kinds]:
        yield f"value {value.id} is of the unknown kind {value.kind!r}"
    for value in [value for value in graph.values if value.shape and min(value.shape) < -1]:
        yield f"value {value.id} has the shape {shorten(value.shape)}"
    for value in [value for value in graph.values if value.nbytes is not None and value.nbytes < 0]:
        yield f"value {value.id} takes {value.nbytes} bytes"
    for value in [value for value in graph.values if not _is_stored(value)]:
        yield f"value {value.id} is stored as {shorten(value.inner)} of {shorten(value.original)}, mesh {value.mesh}"
    for value in [value for value in graph.values if value.freed is not None and value.freed not in times]:
        yield f"value {value.id} was freed after {value.freed} of {len(graph.calls)} calls"
    for value in [value for value in graph.values if value.storage is not None and not 0 <= value.storage < MOST]:
        yield f"value {value.id} has the storage {value.storage}, which is not below 2**64 or is negative"
    for word in ("previous", "alias_of", "view_of"):
        others = zip(graph.values, map(attrgetter(word), graph.values), strict=True)
        for value, other in [
            (value, other) for value, other in others if other is not None and not 0 <= other < value.id
        ]:
            yield f"value {value.id} has as {word} the value {other}, which is not before it"


def _is_stored(value: Value) -> bool:
    sizes = [*value.mesh, *(value.original or ()), *(size for inner in value.inner for size in inner.shape)]
    return min(sizes, default=0) >= 0 and all((inner.nbytes or 0) >= 0 for inner in value.inner)


def _origins(graph: Graph) -> Iterator[str]:
    written = {(call.id, value) for call in graph.calls for value in call.writes}
    there = range(len(graph.calls))
    for value in graph.values:
        if value.producer is None:
            if value.slot is not None:
                yield f"value {value.id} comes from slot {value.slot} of no call"
        elif value.producer not in there:
            yield f"value {value.id} comes from call {value.producer}, which is not there"
        elif value.slot is None:
            # A tensor made out of sight over known memory comes from the call that made the memory.
            if (value.producer, value.id) not in written and value.view_of is None:
                yield f"value {value.id} comes from call {value.producer}, which neither returns nor writes it"
        elif not _holds(graph.calls[value.producer], value.slot, value):
            outputs = shorten(graph.calls[value.producer].outputs)
            yield f"value {value.id} comes from slot {value.slot} of call {value.producer}, whose outputs are {outputs}"


def _holds(call: Call, slot: int, value: Value) -> bool:
    return 0 <= slot < len(call.outputs) and call.outputs[slot] == value.id


def _modules(graph: Graph) -> Iterator[str]:
    there = range(len(graph.values))
    for module in graph.modules:
        for name, value in (*module.parameters, *module.buffers):
            if value not in there:
                yield f"module {module.path!r} owns as {name!r} the value {value}, which is not there"
        if module.confidence is not None and not 0 < module.confidence <= 1:
            yield f"module {module.path!r} was inferred with a certainty of {module.confidence}, which is not in (0, 1]"


def _notes_and_error(graph: Graph) -> Iterator[str]:
    there = range(len(graph.calls))
    codes = frozenset(get_args(NoteCode))
    for note in [note for note in graph.notes if note.code not in codes]:
        yield f"the note {shorten(note.text)} is of the unknown kind {note.code!r}"
    for note in graph.notes:
        if note.call is not None and note.call not in there:
            yield f"the note {shorten(note.text)} is about call {note.call}, which is not there"
    if graph.error is not None and graph.error not in there:
        yield f"the error is in call {graph.error}, which is not there"


def _overlays(graph: Graph) -> Iterator[str]:
    there = range(len(graph.calls))
    names = [overlay.name for overlay in graph.overlays]
    for overlay in [overlay for at, overlay in enumerate(graph.overlays) if overlay.name in names[:at]]:
        yield f"two overlays have the name {shorten(overlay.name)}"
    for overlay in graph.overlays:
        for call in [call for call, _ in overlay.calls if call not in there][:1]:
            yield f"the overlay {shorten(overlay.name)} has a number for call {call}, which is not there"
        for place, number in [pair for pair in (*overlay.calls, *overlay.paths) if not math.isfinite(pair[1])][:1]:
            yield f"the overlay {shorten(overlay.name)} says {number} of {shorten(place)}; its numbers are finite"


def _provenance(known: Provenance) -> Iterator[str]:
    if known.mode not in (None, *get_args(Mode)) or known.level not in (None, *get_args(Level)):
        yield f"its provenance has the unknown mode {known.mode!r} or level {known.level!r}"
    numbers = (known.timed_runs, known.plain_seconds, known.plain_spread, known.marked_ratio)
    if not all(0 <= number < math.inf for number in numbers if number is not None):
        yield f"its provenance has times of {shorten(numbers)}, which are finite and not negative"


def _forward(graph: Graph) -> Iterator[str]:
    there = range(0 if graph.forward is None else len(graph.forward.calls))
    for call in [call for call in graph.calls if call.forward is not None and call.forward not in there]:
        yield f"{_of(call)} belongs to call {call.forward} of the forward run, which has {len(there)}"
    if graph.forward is not None:
        if graph.forward.forward is not None:
            yield "the forward run is the backward pass of yet another run"
        else:
            yield from (f"in the forward run, {problem}" for problem in problems(graph.forward))


def _trees(graph: Graph) -> Iterator[str]:
    extents: dict[int, Extent] = {}
    sizes: dict[tuple[int, int], int] = {}  # of trees that were looked at: many calls share one
    items = 0
    for where, word, tree, slots in _rooted(graph):
        size = sizes.get((id(tree), slots))
        if size is None and _flat(tree, slots):
            size = 1 + len(tree.items)
        elif size is None:
            extent = _extent(tree, extents)
            size = extent.items
            if extent.lowest < 0 or extent.highest >= slots or extent.depth > DEEPEST or extent.fault:
                yield f"{_of(where) if isinstance(where, Call) else repr(where.path)} has {word} {extent.say(slots)}"
        sizes[id(tree), slots] = size
        items += size
        if items > LARGEST:
            yield f"its trees have more than {LARGEST} items"
            return


def _rooted(graph: Graph) -> Iterator[tuple[Call | Module, str, Tree, int]]:
    for call in graph.calls:
        yield call, "arguments", call.arguments, len(call.inputs)
        yield call, "returns", call.returns, len(call.outputs)
    for module in graph.modules:
        for name, setting in module.settings:
            yield module, f"a setting {name!r}", setting, 0


def _flat(tree: Tree, slots: int) -> TypeGuard[Node]:
    """Whether it is a well-formed Node without Nodes in it, as most are: asking this first halves the time."""
    return (
        isinstance(tree, Node)
        and LEAVES.issuperset(map(type, tree.items))
        and len(tree.keys) in (0, len(tree.items))
        and all(0 <= item.index < slots for item in tree.items if isinstance(item, Slot))
    )


class Extent(NamedTuple):
    """How far a tree reaches, and what is wrong in it."""

    depth: int = 0
    items: int = 1
    lowest: int = 0
    highest: int = -1
    fault: str = ""

    def say(self, slots: int) -> str:
        """Say what is wrong where ``slots`` tensors stand."""
        if self.fault:
            return self.fault
        if self.depth > DEEPEST:
            return f"nested deeper than {DEEPEST}"
        return f"that name slot {self.lowest if self.lowest < 0 else self.highest}, of {slots}"


def _extent(root: Tree, extents: dict[int, Extent]) -> Extent:
    """Measure a tree without recursion; ``extents`` remembers Nodes by identity, so shared ones are measured once."""
    if not isinstance(root, Node):
        return _leaf(root)
    pending = [] if id(root) in extents else [root]
    while pending:
        node = pending[-1]
        inner = [item for item in node.items if isinstance(item, Node)]
        new = [item for item in inner if id(item) not in extents]
        if new:
            pending += new
            continue
        pending.pop()
        extents[id(node)] = _join(node, [extents[id(item)] for item in inner])
    return extents[id(root)]


def _leaf(leaf: Tree) -> Extent:
    if isinstance(leaf, Slot):
        return Extent(lowest=min(leaf.index, 0), highest=leaf.index)
    if leaf is None or isinstance(leaf, (str, int, float, Text)):
        return PLAIN
    return Extent(fault=f"that hold a {type(leaf).__name__}, which is no tree")


def _join(node: Node, inner: list[Extent]) -> Extent:
    slots = [item.index for item in node.items if isinstance(item, Slot)]
    fault = ""
    if node.keys and len(node.keys) != len(node.items):
        fault = f"with {len(node.keys)} keys for the {len(node.items)} items of a {node.type}"
    if not LEAVES.issuperset(map(type, node.items)):
        fault = next(filter(None, [_leaf(item).fault for item in node.items if not isinstance(item, Node)]), fault)
    if not inner:
        return Extent(1, 1 + len(node.items), min(slots, default=0), max(slots, default=-1), fault)
    return Extent(
        depth=1 + max(extent.depth for extent in inner),
        items=min(1 + len(node.items) + sum(extent.items for extent in inner), LARGEST + 1),
        lowest=min(0, *slots, *(extent.lowest for extent in inner)),
        highest=max(-1, *slots, *(extent.highest for extent in inner)),
        fault=next(filter(None, (extent.fault for extent in inner)), fault),
    )


PLAIN = Extent()
LEAVES = frozenset((NoneType, bool, int, float, str, Slot, Text))
