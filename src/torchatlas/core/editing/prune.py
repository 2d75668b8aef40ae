"""Calls are pruned: those that a pattern matches and, for a branch, those that served nothing else.

A reader of a pruned result then reads what the pruned part itself had read: ``b = dropout(a)``, ``c = fc(b)`` without
dropout is ``c = fc(a)``. That needs one such tensor, or one of the result's shape. Otherwise the result stays, as a
tensor without a producer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchatlas.core.editing.drop_returns import drop_returns
from torchatlas.core.editing.finding import find
from torchatlas.core.editing.notes import quoted, with_notes
from torchatlas.core.editing.renumber import keep_values, remove
from torchatlas.core.gc_paused import collection_paused
from torchatlas.core.pattern.units import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchatlas.core.editing.finding import Occurrences
    from torchatlas.core.graph import Call, Graph, Module, Value
    from torchatlas.core.pattern.units import Units

SHOWN = 4


@collection_paused()
def prune(graph: Graph, pattern: str, *, upstream: bool = False) -> Graph:
    """Leave out what matches a pattern.

    Args:
        graph: what ran.
        pattern: as `core.editing.folding.fold` takes it.
        upstream: also what is before it and served nothing else; results of it that the run returned are returned no
            longer.

    Returns:
        The graph without these calls, without modules of which no call is left, and without tensors that nobody
        has any more, with a note of what was left out.

    Raises:
        InputError: the pattern cannot be read.
    """
    prefix = "prune_branch(" if upstream else "prune("
    found = find(graph, pattern, prefix)
    if not found.matches:
        return with_notes(graph, "prune", *found.notes)
    parts = _parts(found, upstream=upstream)
    gone = _gone(graph, found.flow, {unit for part in parts for unit in part})
    instead = _instead(graph, found.flow, parts, gone)
    cut = drop_returns(graph, {value.id for value in graph.values if _is_made(value, gone)} if upstream else set())
    left = _reconnected(cut, gone, instead)
    passing = frozenset(found.flow.passing)
    lost = [graph.calls[unit] for part in parts for unit in part if unit not in passing]
    note = (
        f"{prefix}{quoted(pattern)}) removed {_listed(lost)}; totals do not include"
        f" {'it' if len(lost) == 1 else 'them'}."
    )
    return with_notes(_without(left, gone), "prune", note, *found.notes)


def _listed(calls: Sequence[Call]) -> str:
    often = Counter(call.name for call in calls).most_common()
    shown = ", ".join(f"{name} ×{count}" for name, count in often[:SHOWN]) + (", …" if len(often) > SHOWN else "")
    return f"{len(calls)} call{'s' if len(calls) > 1 else ''} ({shown})"


def _parts(found: Occurrences, *, upstream: bool) -> list[tuple[int, ...]]:
    """Units that go together: each match, and each call that served nothing but what goes."""
    flow = found.flow
    parts = [match.units for match in found.matches]
    if upstream:
        gone = {unit for part in parts for unit in part}
        for unit in reversed(flow.calls):
            readers = flow.readers.get(unit, ())
            if unit not in gone and readers and unit not in flow.returned and gone.issuperset(readers):
                gone.add(unit)
                parts.append((unit,))
    return parts


def _gone(graph: Graph, flow: Units, units: set[int]) -> list[bool]:
    """Calls that go: those units with all inside them, and what is around them if nothing else was done there."""
    gone = [False] * len(graph.calls)
    for call in graph.calls:
        gone[call.id] = call.id in units or (call.parent is not None and gone[call.parent])
    passing = set(flow.passing)
    around = {graph.calls[unit].parent for unit in units} - {None, 0}
    waiting = sorted((call for call in around if call is not None), reverse=True)
    for holder in waiting:
        if not gone[holder] and all(gone[child] or child in passing for child in graph.children[holder]):
            gone[holder] = True
            for below in _below(graph, holder):
                gone[below] = True
            parent = graph.calls[holder].parent
            if parent:
                waiting.append(parent)
    return gone


def _below(graph: Graph, call: int) -> Iterator[int]:
    waiting = list(graph.children[call])
    while waiting:
        inner = waiting.pop()
        yield inner
        waiting += graph.children[inner]


def _is_made(value: Value, gone: Sequence[bool]) -> bool:
    """Whether a call that goes made it."""
    return value.producer is not None and gone[value.producer]


@dataclass(frozen=True, slots=True)
class _Given:
    """What a part read from outside."""

    values: tuple[int, ...]

    def for_result(self, graph: Graph, result: Value) -> int | None:
        """The one value, or the one of the result's shape."""
        if len(self.values) == 1:
            return self.values[0]
        alike = [value for value in self.values if graph.values[value].shape == result.shape]
        return alike[0] if len(alike) == 1 else None


def _instead(graph: Graph, flow: Units, parts: Iterable[Sequence[int]], gone: Sequence[bool]) -> dict[int, int]:
    """For each value that goes, an earlier one that is read instead; absent where nothing can be.

    A later one, which the part read after it had made this one, may have been made of this one.
    """
    part_of = {unit: at for at, part in enumerate(parts) for unit in part}
    read: dict[int, dict[int | None, int]] = {}
    leaf = leaves(graph)
    for call in graph.calls:
        unit = flow.inside[call.id]
        part = part_of.get(unit)
        if part is not None and leaf[call.id]:
            for value in call.inputs:
                source = flow.source[value]
                if source is not None and part_of.get(source) != part and _varies(graph, flow, source):
                    read.setdefault(part, {}).setdefault(_first(graph, value), value)
    given = {part: _Given(tuple(values.values())) for part, values in read.items()}
    instead: dict[int, int] = {}
    for made in graph.values:
        if made.producer is not None and gone[made.producer]:
            part = part_of.get(flow.inside[made.producer])
            other = made.alias_of if part is None else given[part].for_result(graph, made) if part in given else None
            if other is not None and other < made.id:
                instead[made.id] = instead.get(other, other)
    return instead


def _varies(graph: Graph, flow: Units, source: int) -> bool:
    """Whether it depends on what the run was given, as far as one can tell from the one call that made it."""
    return bool(flow.reads.get(source)) if source >= 0 else graph.values[-1 - source].kind != "constant"


def _first(graph: Graph, value: int) -> int:
    """The value that was handed on unchanged."""
    earlier = graph.values[value].alias_of
    while earlier is not None:
        value, earlier = earlier, graph.values[earlier].alias_of
    return value


def _reconnected(graph: Graph, gone: Sequence[bool], instead: dict[int, int]) -> Graph:
    """The same calls, those that stay with other inputs, and values whose maker goes made by nobody."""

    def other(value: int | None) -> int | None:
        return None if value is None else instead.get(value, value)

    def others(values: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([instead.get(value, value) for value in values])

    calls = [
        call
        if gone[call.id]
        else replace(
            call,
            inputs=others(call.inputs),
            outputs=others(call.outputs),
            repeats=_repeats_left(graph, call, gone) if call.repeats > 1 else 1,
        )
        for call in graph.calls
    ]
    returned = set(calls[0].outputs)
    values = []
    for value in graph.values:
        known = replace(
            value, previous=other(value.previous), alias_of=other(value.alias_of), view_of=other(value.view_of)
        )
        if _is_made(value, gone):
            known = replace(known, producer=None, slot=None, previous=None, alias_of=None, view_of=None)
        if value.id in returned and value.kind == "activation":
            known = replace(known, kind="output")
        values.append(known)
    return replace(graph, calls=tuple(calls), values=tuple(values))


def _repeats_left(graph: Graph, group: Call, gone: Sequence[bool]) -> int:
    """How many repeats of a group have something left."""
    inside = graph.children[group.id]
    period = max(1, len(inside) // group.repeats)
    return max(1, len({at // period for at, child in enumerate(inside) if not gone[child]}))


def _without(graph: Graph, gone: Sequence[bool]) -> Graph:
    """Drop calls that go, modules of which none is left, and values that nobody has any more."""
    modules = _modules_left(graph, gone)
    had = {value for call in graph.calls if gone[call.id] for value in (*call.inputs, *call.outputs, *call.writes)}
    had.update(value for module in set(graph.modules) - set(modules) for value in _owned(module))
    for value in graph.values:
        if value.producer is None and value.kind in {"activation", "output"}:
            had.add(value.id)
    kept = {value for module in modules for value in _owned(module)}
    for call in graph.calls:
        if not gone[call.id]:
            kept.update((*call.inputs, *call.outputs, *call.writes))
    paths = {module.path for module in graph.modules} - {module.path for module in modules}
    overlays = [
        replace(overlay, paths=tuple([pair for pair in overlay.paths if pair[0] not in paths]))
        for overlay in graph.overlays
    ]
    left = remove(replace(graph, modules=tuple(modules), overlays=tuple(overlays)), gone)
    return keep_values(left, [value.id in kept or value.id not in had for value in graph.values])


def _owned(module: Module) -> list[int]:
    return [value for _, value in (*module.parameters, *module.buffers)]


def _modules_left(graph: Graph, gone: Sequence[bool]) -> list[Module]:
    """Modules without those of which every call goes, and those below them or around them that nothing else calls."""
    lost: set[str] = set()
    for path, calls in graph.calls_of.items():
        if all(gone[call] for call in calls) and path in graph.module_at:
            lost.add(graph.module_at[path].path)
    inside: Counter[str] = Counter()
    for module in graph.modules:
        above = module.path.rpartition(".")[0]
        if module.path and module.path not in graph.calls_of and above in lost:
            lost.add(module.path)
    for module in reversed(graph.modules):
        above = module.path.rpartition(".")[0]
        never = module.path not in graph.calls_of
        if module.path and never and inside[module.path] < 0 and inside[f"{module.path}."] == 0:
            lost.add(module.path)
        inside[above if module.path in lost else f"{above}."] += -1 if module.path in lost else 1
    return [module for module in graph.modules if module.path not in lost]
