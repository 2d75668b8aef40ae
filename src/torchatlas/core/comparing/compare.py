"""Comparing finds what changed from one graph to another: modules added, removed, changed and the same.

The whole of it on one model, into which a layer is put:

>>> import torch, torchatlas as ta
>>> from torch.nn import Linear, ReLU, Sequential
>>> from torchatlas.core.comparing.alignment import align
>>> from torchatlas.core.comparing.likeness import module_trees
>>> from torchatlas.core.comparing.marks import deep_marks
>>> from torchatlas.core.comparing.verdict import verdict
>>> x = torch.zeros(1, 4)
>>> a = ta.capture(Sequential(Linear(4, 8), ReLU(), Linear(8, 2)), x).graph
>>> b = ta.capture(Sequential(Linear(4, 8), ReLU(), Linear(8, 8), ReLU(), Linear(8, 2)), x).graph

1. ``likeness.py`` makes of each graph a tree of module names (``tree.py``), and gives every module four numbers, from
   alike in everything to of one class. Both trees share the numbers. Linear(8, 2) is number 0 in everything, in a as
   module 2 and in b as module 4; Linear(8, 8) is another one, and the same (3) in class alone:

   >>> one, other = module_trees(a, b)
   >>> one.kinds[3], other.kinds[3], other.kinds[5]
   ((0, 1, 2, 3), (16, 17, 2, 3), (0, 1, 2, 3))

2. ``alignment.py`` says which node of one tree is which of the other. Here the names are numbers, positions in a list,
   so the two lists are aligned as sequences (``subsequence.py``) and node 3 is node 5. (Names would decide first, with
   the synonyms of ``vocabulary.py``.) ``matching.py`` turns nodes into paths, and aligns the calls in between:

   >>> align(one, other).pairs == {0: 0, 1: 1, 2: 2, 3: 5}
   True
   >>> modules = match_modules(a, b)
   >>> modules
   {'': '', '0': '0', '1': '1', '2': '4'}
   >>> match_calls(a, b, modules)
   {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 9, 6: 10}

3. ``difference.py`` says what differs in each pair of modules and of calls. Here nothing does.

4. This file lists all modules of both graphs, each once, with a mark:

   >>> changes = compare(a, b)
   >>> [(item.mark, item.a, item.b) for item in changes.items][3:]
   [('added', None, '2'), ('added', None, '3'), ('same', '2', '4')]

5. ``verdict.py`` puts that in one line, and ``marks.py`` gives each box of a picture its colour. What has a difference
   inside is changed itself, as the model (box 0) is:

   >>> verdict(changes)
   'added 2..3; 1 moved; 58 -> 130 parameters; 96 -> 224 FLOPs'
   >>> deep_marks(changes)[1][0]
   'changed'

Weights and a model are compared by ``fit.py`` (which keys fit), ``tied_keys.py`` (which lack only a second name)
and ``renaming.py`` (which renaming makes more of them fit). ``load_result.py`` and ``state.py`` are the records that
pass between these and ``load_state_dict``.

Two graphs of functions, without modules, are compared call by call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchatlas.core.comparing.difference import Difference, call_differences, module_differences, order_difference
from torchatlas.core.comparing.likeness import is_inferred, reader_of
from torchatlas.core.comparing.matching import match_calls, match_modules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchatlas.core.graph import Call, Graph

GIVEN = ("output", "output dtype")
"""Differences of a function that follow from its inputs; they are reported for the module around it."""

UNEXPLAINED = ("class", *GIVEN)
"""Differences of a module that do not explain why it calls other functions; those are then listed too."""

Mark: TypeAlias = Literal["added", "removed", "changed", "same"]
Location: TypeAlias = "str | int"
"""A module's path, or a call's id where calls are compared."""


@dataclass(frozen=True, slots=True)
class Item:
    """One module, or call, of the two graphs together.

    Attributes:
        mark: ``added`` is in b alone, ``removed`` in a alone.
        a: where it is in a; None if it is not.
        b: where it is in b; None if it is not.
        differences: what differs about it, what is inside it not counted; of one that changed.
    """

    mark: Mark
    a: Location | None
    b: Location | None
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Changes:
    """What changed from a to b.

    Attributes:
        a: the first graph.
        b: the second.
        items: every module of both, each once: those of b in its order, and those of a alone after what they follow.
        calls: (id in a, id in b) of calls that are the same thing, by ids of a.
        by_call: the items are calls, for one of the graphs has no modules.
    """

    a: Graph
    b: Graph
    items: tuple[Item, ...]
    calls: tuple[tuple[int, int], ...]
    by_call: bool = False

    def of(self, mark: Mark) -> tuple[Item, ...]:
        """The items with that mark."""
        return tuple(item for item in self.items if item.mark == mark)

    @cached_property
    def same(self) -> bool:
        """Whether nothing is added, removed or changed; another name or place of the same is no change."""
        return all(item.mark == "same" for item in self.items)

    @cached_property
    def renamed(self) -> tuple[Item, ...]:
        """What both have, under another name or in another place."""
        return (
            ()
            if self.by_call
            else tuple(item for item in self.items if item.a is not None and item.b is not None and item.a != item.b)
        )


def compare(a: Graph, b: Graph) -> Changes:
    """Compare two graphs; near-linear in their size."""
    if not a.modules or not b.modules:
        return _by_call(a, b)
    modules = match_modules(a, b)
    calls = match_calls(a, b, modules)
    return Changes(a, b, tuple(_items(a, b, modules, calls)), tuple(calls.items()))


def _items(a: Graph, b: Graph, modules: Mapping[str, str], calls: Mapping[int, int]) -> Iterator[Item]:
    back = {other: one for one, other in modules.items()}
    lone = _lone_functions(a, b, calls) if reader_of(a) == reader_of(b) else {}
    after = _removed(a, modules)
    unsaid = _without_tensors(a) if is_inferred(b) else frozenset()
    unsaid_b = _without_tensors(b) if is_inferred(a) else frozenset()
    for path in after.get(None, ()):
        yield Item("same" if path in unsaid else "removed", path, None)
    for module in b.modules:
        one = back.get(module.path)
        if one is None:
            yield Item("same" if module.path in unsaid_b else "added", None, module.path)
            continue
        differences = [*module_differences(a.module_at[one], module, a, b)]
        if all(each.what in UNEXPLAINED for each in differences):
            differences += lone.get(one, [])
        found = tuple(differences)
        yield Item("changed" if found else "same", one, module.path, found)
        for path in after.get(one, ()):
            yield Item("same" if path in unsaid else "removed", path, None)


def _removed(a: Graph, modules: Mapping[str, str]) -> dict[str | None, list[str]]:
    """Modules of a alone, by the module of both that they follow."""
    found: dict[str | None, list[str]] = {}
    last: str | None = None
    for module in a.modules:
        if module.path in modules:
            last = module.path
        else:
            found.setdefault(last, []).append(module.path)
    return found


def _without_tensors(graph: Graph) -> frozenset[str]:
    """Modules of which no file of weights can tell: neither they nor what is in them hold a tensor."""
    holding: set[str] = set()
    for module in graph.modules:
        path = module.path if module.parameters or module.buffers else None
        while path is not None and path not in holding:
            holding.add(path)
            path = path.rpartition(".")[0] if path else None
    return frozenset(module.path for module in graph.modules if module.path not in holding)


def _lone_functions(a: Graph, b: Graph, calls: Mapping[int, int]) -> dict[str, list[Difference]]:
    """By path in a: what differs in the functions that a module of both calls itself."""
    back = {other: one for one, other in calls.items()}
    lone: dict[str, tuple[list[str], list[str]]] = {}
    found: dict[str, list[Difference]] = {}
    for call in _functions(a):
        path = _caller(a, call)
        if path is None:
            continue
        if call.id not in calls:
            lone.setdefault(path, ([], []))[0].append(call.name)
        else:
            changed = call_differences(call, b.calls[calls[call.id]], a, b)
            found.setdefault(path, []).extend(
                Difference(f"{call.name} {each.what}", each.a, each.b) for each in changed if each.what not in GIVEN
            )
    for call in _functions(b):
        holder = back.get(call.parent) if call.parent is not None else None
        if call.id not in back and holder is not None and a.calls[holder].path is not None:
            lone.setdefault(a.calls[holder].path or "", ([], []))[1].append(call.name)
    for path, (one, other) in lone.items():
        difference = order_difference(one, other)
        if difference is not None and a.calls[a.calls_of[path][0]].id in calls:
            found.setdefault(path, []).append(difference)
    return found


def _functions(graph: Graph) -> Iterator[Call]:
    return (call for call in graph.calls if call.kind not in {"module", "aten"})


def _caller(graph: Graph, call: Call) -> str | None:
    return None if call.parent is None else graph.calls[call.parent].path


def _by_call(a: Graph, b: Graph) -> Changes:
    """Items are calls, ATen operators inside functions not counted."""
    calls = match_calls(a, b, {})
    back = {other: one for one, other in calls.items()}
    after: dict[int | None, list[int]] = {}
    last: int | None = None
    for call in a.calls:
        if call.id in calls:
            last = call.id
        elif call.kind != "aten":
            after.setdefault(last, []).append(call.id)
    items = [Item("removed", one, None) for one in after.get(None, ())]
    for call in b.calls:
        one = back.get(call.id)
        if call.kind == "aten":
            continue
        if one is None:
            items.append(Item("added", None, call.id))
            continue
        found = tuple(call_differences(a.calls[one], call, a, b)) if call.id else ()
        items.append(Item("changed" if found else "same", one, call.id, found))
        items += [Item("removed", each, None) for each in after.get(one, ())]
    return Changes(a, b, tuple(items), tuple(calls.items()), by_call=True)
