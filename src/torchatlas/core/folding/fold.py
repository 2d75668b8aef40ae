"""Folds: blocks and loops that repeat among the children of one call or of one module.

Repeats are equal in structure (``call_signature``, ``signature``) and wired alike: each reads what the one before it
read, or what stands equally far before it. Only the first may read elsewhere what every later one is handed by the
repeat before it. Module paths differ in numbers alone, so ``query``, ``key`` and ``value`` stay apart. The turns of a
loop may differ in sizes that grow steadily (``growth``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchatlas.core.folding.call_signature import call_classes
from torchatlas.core.folding.chains import chains
from torchatlas.core.folding.growth import Growing, Growth
from torchatlas.core.folding.repeats import Repeat, best, stretches
from torchatlas.core.folding.signature import module_classes, without_numbers
from torchatlas.core.gc_paused import collection_paused
from torchatlas.core.paths import holder_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.core.folding.call_signature import CallClasses
    from torchatlas.core.graph import Graph

FoldKind: TypeAlias = Literal["stack", "loop"]

_Described: TypeAlias = "tuple[Repeat, FoldKind, int, Growth | None]"

LEAST_CALLS = 4  # hidden with all that is inside them; fewer are read faster than a fold is understood
LEAST_MODULES = 2
_CACHED = "fold_calls"


@dataclass(frozen=True, slots=True)
class Fold:
    """Repeats among the children of a call.

    Attributes:
        parent: the call whose children repeat.
        calls: ``count * period`` of its children, neighbours in order (ATen calls between them not counted).
        period: children per repeat.
        count: repeats, at least 2.
        kind: ``stack`` if the repeats have weights or modules of their own, ``loop`` if the same runs again.
        carried: number of values that one repeat hands to the next.
        growth: what grows from one turn of a loop to the next; None where all turns have the same sizes.
    """

    parent: int
    calls: tuple[int, ...]
    period: int
    count: int
    kind: FoldKind
    carried: int
    growth: Growth | None = None


@dataclass(frozen=True, slots=True)
class ModuleFold:
    """Repeats among the submodules of a module: ``count * period`` first paths, in order."""

    parent: str
    paths: tuple[str, ...]
    period: int
    count: int


def fold_calls(graph: Graph) -> Mapping[int, tuple[Fold, ...]]:
    """Folds by the id of the parent call, in order; parents without a fold are absent. ATen calls are never folded.

    They are found once: the table, the picture and the page of a graph share them.
    """
    cached = vars(graph)  # where the graph's own cached properties are
    if _CACHED not in cached:
        with collection_paused():
            cached[_CACHED] = _fold_calls(graph)
    folds: Mapping[int, tuple[Fold, ...]] = cached[_CACHED]
    return folds


def _fold_calls(graph: Graph) -> dict[int, tuple[Fold, ...]]:
    classes = call_classes(graph)
    growing = Growing(graph, classes)
    known: dict[int, list[_Described]] = {}
    folds = {}
    for call in graph.calls:
        body = classes.body[call.id]
        if len(body) < 2:  # noqa: PLR2004 - what repeats stands there twice
            continue
        number = classes.number[call.id]
        if number not in known:
            known[number] = _repeats(graph, classes, growing, body)
        found = [
            Fold(call.id, tuple(body[start : start + period * count]), period, count, kind, carried, growth)
            for (period, start, count), kind, carried, growth in known[number]
        ]
        if found:
            folds[call.id] = tuple(found)
    return folds


def fold_modules(graph: Graph) -> Mapping[str, tuple[ModuleFold, ...]]:
    """Folds of the module tree by the parent's first path, in order, for modules that did not run.

    Repeats have equal classes, settings, printed details, weights and submodules, recursively.
    """
    classes = module_classes(graph)
    children: dict[str, list[str]] = {module.path: [] for module in graph.modules}
    size = dict.fromkeys(children, 1)
    for module in reversed(graph.modules):
        above = holder_of(module.path, children)
        if above is not None:
            children[above].append(module.path)
            size[above] += size[module.path]
    folds = {}
    for parent, reverse in children.items():
        paths = reverse[::-1]
        kinds: dict[tuple[int, str], int] = {}
        below = len(parent)
        numbers = [kinds.setdefault((classes[path], without_numbers(path[below:])), len(kinds)) for path in paths]
        every = [Repeat(period, start, (stop - start) // period + 1) for period, start, stop in stretches(numbers)]
        found = [
            ModuleFold(parent, tuple(paths[start : start + period * count]), period, count)
            for period, start, count in best(every, [size[path] for path in paths], LEAST_MODULES)
        ]
        if found:
            folds[parent] = tuple(found)
    return folds


def _repeats(graph: Graph, classes: CallClasses, growing: Growing, body: Sequence[int]) -> list[_Described]:
    grown = dict(growing.repeats(body))
    if len({classes.number[call] for call in body}) == len(body) and not grown:
        return []
    found = best([*chains(graph, classes, body), *grown], [classes.size[call] for call in body], LEAST_CALLS)
    described = []
    for repeat in found:
        first = body[repeat.start : repeat.start + repeat.period]
        second = body[repeat.start + repeat.period : repeat.start + 2 * repeat.period]
        growth = growing.part(body, repeat, grown)
        described.append((repeat, _kind(graph, first, second), _carried(classes, first, second), growth))
    return described


def _kind(graph: Graph, first: Sequence[int], second: Sequence[int]) -> FoldKind:
    one, other = _opened(graph, first), _opened(graph, second)
    same = len(one) == len(other) and all(map(_same_weights, [graph] * len(one), one, other))
    return "loop" if same else "stack"


def _opened(graph: Graph, calls: Sequence[int]) -> list[int]:
    """The calls, and instead of groups what is in them."""
    waiting, found = list(reversed(calls)), []
    while waiting:
        call = waiting.pop()
        if graph.calls[call].kind == "group":
            waiting += reversed(graph.children[call])
        else:
            found.append(call)
    return found


def _same_weights(graph: Graph, one: int, other: int) -> bool:
    first, second = graph.calls[one], graph.calls[other]
    if first.kind == "module":
        return first.path == second.path
    weights = {value for value in first.inputs if graph.values[value].kind == "parameter"}
    return all(value in weights for value in second.inputs if graph.values[value].kind == "parameter")


def _carried(classes: CallClasses, first: Sequence[int], second: Sequence[int]) -> int:
    made = {value for call in first for value, name, _ in classes.touches[call] if name < 0}
    read = {value for call in second for value, name, _ in classes.touches[call] if name > 0}
    return len(made & read)
