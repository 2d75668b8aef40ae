"""Folding finds what repeats among the children of a call, so that every view can show it once, with ``×N``.

The whole of it on one model, three equal blocks and a head:

>>> import torch, torchatlas as ta
>>> from torch.nn import Linear, ReLU, Sequential
>>> model = Sequential(Linear(8, 8), ReLU(), Linear(8, 8), ReLU(), Linear(8, 8), ReLU(), Linear(8, 2))
>>> from torchatlas.core.folding.label import path_range
>>> from torchatlas.core.folding.siblings import MADE, Siblings
>>> graph = ta.capture(model, torch.zeros(1, 8)).graph
>>> children = graph.children[0]
>>> [graph.calls[child].name for child in children]
['Linear', 'ReLU', 'Linear', 'ReLU', 'Linear', 'ReLU', 'Linear']

1. ``call_signature.py`` gives every call of the graph a number, its signature: two calls have the same number exactly
   if they are built alike, with all that is inside them (``signature.py`` compares single values, arguments and
   modules, ``backward_signature.py`` the nodes of a backward pass). The last Linear has another weight shape, so it has
   another number:

   >>> signatures = call_signatures(graph)
   >>> [signatures.number[child] for child in children]
   [5, 3, 5, 3, 5, 3, 1]

2. ``siblings.py`` says how each child is wired to earlier ones, by distance. Child 0 reads the model's input and has
   no link. Every other child reads, as its value 1, the value -2 that the sibling 1 before it made:

   >>> siblings = Siblings(graph, signatures, children)
   >>> siblings.links[0], siblings.links[1] == siblings.links[2] == ((1, MADE, 1, -2),)
   ((), True)

3. ``repeats.py`` looks for tandem repeats in the numbers alone: from position 0 on, four items equal the item two
   later. So period 2 holds for items 0 to 5, which are three repeats:

   >>> list(stretches(siblings.number))
   [Stretch(period=2, start=0, stop=4)]

4. ``chains.py`` cuts such a stretch where the wiring differs. Here it differs in one place: child 0 has no link, and
   child 2, one period later, has one. That is allowed, since a first repeat may read from outside what every later one
   is handed by the repeat before it. Nothing is cut. (``first_repeat.py`` adds first repeats that read one value where
   the later ones read two: ``h = c = zeros``.)

   >>> list(chains(graph, signatures, children))
   [Repeat(period=2, start=0, times=3)]

5. ``growth.py`` adds loops in which no two turns are equal because a size grows steadily, as a cache does.

6. `repeats.choose_disjoint` chooses, of repeats that overlap, those that hide most. This one hides two of its three
   repeats: 2 Linear and 2 ReLU with one function call inside each, 8 calls. Fewer than ``LEAST_CALLS`` stay unfolded.

7. This file makes a `Fold` of it: its kind (``stack``, for each repeat has weights of its own), and how many values
   each repeat hands to the next:

   >>> fold_calls(graph)
   {0: (Fold(parent=0, calls=(1, 3, 5, 7, 9, 11), period=2, count=3, kind='stack', carried=1, growth=None),)}

8. ``label.py`` writes the paths of all repeats as one range:

   >>> path_range([graph.calls[child].path for child in children[:6]])
   '0..5'

Paths of repeats may differ in numbers alone, so that ``query``, ``key`` and ``value``, three equal Linears, are never
folded into one. A model that was not run is folded by its module tree (`fold_modules`): steps 1, 3 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchatlas.core.folding.call_signature import call_signatures
from torchatlas.core.folding.chains import chains
from torchatlas.core.folding.growth import Growing, Growth
from torchatlas.core.folding.repeats import Repeat, choose_disjoint, stretches
from torchatlas.core.folding.signature import module_signatures, without_numbers
from torchatlas.core.gc_paused import collection_paused
from torchatlas.core.paths import nearest_ancestor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.core.folding.call_signature import CallSignatures
    from torchatlas.core.graph import Graph

FoldKind: TypeAlias = Literal["stack", "loop"]

_Described: TypeAlias = "tuple[Repeat, FoldKind, int, Growth | None]"

LEAST_CALLS = 4
"""A fold must hide this many calls, with all inside them: fewer are read faster than ``×N`` is understood.

Two equal blocks of Linear and ReLU hide four (two modules, two functions) and fold; two equal functions do not.
"""

LEAST_MODULES = 2
"""The same for modules, of which a tree shows no functions: three equal layers hide two."""

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
    """Find the folds of a run, by the id of the parent call, in order; parents without a fold are absent.

    ATen calls are never folded. A graph is searched once: its table, picture and page share the result.
    """
    cached = vars(graph)  # where the graph's own cached properties are
    if _CACHED not in cached:
        with collection_paused():
            cached[_CACHED] = _fold_calls(graph)
    folds: Mapping[int, tuple[Fold, ...]] = cached[_CACHED]
    return folds


def _fold_calls(graph: Graph) -> dict[int, tuple[Fold, ...]]:
    signatures = call_signatures(graph)
    growing = Growing(graph, signatures)
    described: dict[int, list[_Described]] = {}
    folds = {}
    for call in graph.calls:
        body = signatures.body[call.id]
        if len(body) < 2:  # noqa: PLR2004 - what repeats stands there twice
            continue
        number = signatures.number[call.id]
        if number not in described:
            described[number] = _described_repeats(graph, signatures, growing, body)
        found = [
            Fold(call.id, tuple(body[start : start + period * count]), period, count, kind, carried, growth)
            for (period, start, count), kind, carried, growth in described[number]
        ]
        if found:
            folds[call.id] = tuple(found)
    return folds


def fold_modules(graph: Graph) -> Mapping[str, tuple[ModuleFold, ...]]:
    """Find the folds of the module tree, by the parent's first path, in order: for models that were not run.

    Repeats have equal classes, settings, ``extra_repr``, weight shapes and submodules, recursively.
    """
    signatures = module_signatures(graph)
    children: dict[str, list[str]] = {module.path: [] for module in graph.modules}
    size = dict.fromkeys(children, 1)
    for module in reversed(graph.modules):
        above = nearest_ancestor(module.path, children)
        if above is not None:
            children[above].append(module.path)
            size[above] += size[module.path]
    folds = {}
    for parent, reverse in children.items():
        paths = reverse[::-1]
        kinds: dict[tuple[int, str], int] = {}
        below = len(parent)
        numbers = [kinds.setdefault((signatures[path], without_numbers(path[below:])), len(kinds)) for path in paths]
        every = [Repeat(period, start, (stop - start) // period + 1) for period, start, stop in stretches(numbers)]
        found = [
            ModuleFold(parent, tuple(paths[start : start + period * count]), period, count)
            for period, start, count in choose_disjoint(every, [size[path] for path in paths], LEAST_MODULES)
        ]
        if found:
            folds[parent] = tuple(found)
    return folds


def _described_repeats(
    graph: Graph, signatures: CallSignatures, growing: Growing, body: Sequence[int]
) -> list[_Described]:
    grown = dict(growing.repeats(body))
    if len({signatures.number[call] for call in body}) == len(body) and not grown:
        return []
    found = choose_disjoint(
        [*chains(graph, signatures, body), *grown], [signatures.size[call] for call in body], LEAST_CALLS
    )
    described = []
    for repeat in found:
        first = body[repeat.start : repeat.start + repeat.period]
        second = body[repeat.start + repeat.period : repeat.start + 2 * repeat.period]
        growth = growing.part(body, repeat, grown)
        described.append((repeat, _kind(graph, first, second), _values_carried(signatures, first, second), growth))
    return described


def _kind(graph: Graph, first: Sequence[int], second: Sequence[int]) -> FoldKind:
    one, other = _without_groups(graph, first), _without_groups(graph, second)
    same = len(one) == len(other) and all(map(_same_weights, [graph] * len(one), one, other))
    return "loop" if same else "stack"


def _without_groups(graph: Graph, calls: Sequence[int]) -> list[int]:
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


def _values_carried(signatures: CallSignatures, first: Sequence[int], second: Sequence[int]) -> int:
    made = {value for call in first for value, name, _ in signatures.touches[call] if name < 0}
    read = {value for call in second for value, name, _ in signatures.touches[call] if name > 0}
    return len(made & read)
