"""Calls are grouped under one name, by pattern, by path, or because they repeat; and ungrouped again.

>>> import torch, torchatlas as ta
>>> from torch.nn import Linear, ReLU, Sequential
>>> graph = ta.capture(Sequential(Linear(4, 4), ReLU(), Linear(4, 2)), torch.zeros(1, 4)).graph
>>> grouped = fold(graph, "Linear > Relu", "Layer")
>>> [call.name for call in grouped.calls if call.parent == 0]
['Layer', 'Linear']
>>> unfold(grouped) == graph
True

A group is a call of the kind ``group`` around its members. Nothing else changes: totals stay the same, ids move along
(``renumber.py``). In this order: ``finding.py`` finds the matches, ``core/pattern/coverage.py`` widens them to whole
modules, ``group.py`` makes the call around them, ``renumber.py`` puts it in.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.editing.finding import find
from torchatlas.core.editing.group import grouping
from torchatlas.core.editing.notes import quoted, with_notes
from torchatlas.core.editing.renumber import insert, remove
from torchatlas.core.errors import InputError
from torchatlas.core.folding.fold import fold_calls
from torchatlas.core.gc_paused import collection_paused
from torchatlas.core.pattern.coverage import coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.core.graph import Call, Graph
    from torchatlas.core.pattern.coverage import Cover

PREFIX = "fold("
SHOWN = 3


@collection_paused()
def fold(graph: Graph, pattern: str, name: str) -> Graph:
    r"""Put every match of a pattern into a group of that name.

    Args:
        graph: what ran.
        pattern: as ``Conv > BatchNorm > Relu`` (`core.pattern.language`), or ``re:`` and a regular expression: modules
            whose whole path it matches are put together, neighbours of one expanded name in one group.
        name: of the groups; after ``re:`` it may refer to groups of the expression, as ``Stage \1``.

    Returns:
        The graph with the groups; with a note, where nothing was found or something could not be put together.

    Raises:
        InputError: the pattern cannot be read; the message points at the place.
    """
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"name={name!r}; give the group a name, such as 'ConvBnRelu'.")
    found = find(graph, pattern, PREFIX, name)
    weighed = coverage(found.flow)
    covers = [weighed.cover(match.units) for match in found.matches]
    pairs = zip(found.matches, covers, strict=True)
    whole = [(match.name, cover.calls, 1) for match, cover in pairs if cover.cut is None]
    made = _grouped(graph, whole)
    cut = [cover for cover in covers if cover.cut is not None]
    notes = [*found.notes, *([_cut(graph, pattern, cut, len(covers))] if cut else [])]
    return with_notes(made, "fold", *notes)


@collection_paused()
def fold_repeats(graph: Graph) -> Graph:
    """Put what repeats side by side, as the views fold it, into groups that know how often: ``Residual ×35``."""
    folds = [fold for found in fold_calls(graph).values() for fold in found]
    return _grouped(
        graph,
        [
            (_title([graph.calls[call] for call in fold.calls[: fold.period]]), fold.calls, fold.count)
            for fold in sorted(folds, key=lambda fold: fold.calls[0])
        ],
    )


@collection_paused()
def unfold(graph: Graph) -> Graph:
    """Take all groups apart, and leave out what was noted when they were made."""
    gone = [call.kind == "group" and call.id > 0 for call in graph.calls]
    plain = remove(graph, gone) if any(gone) else graph
    notes = tuple([note for note in plain.notes if note.code != "fold"])
    return plain if notes == plain.notes else replace(plain, notes=notes)


def _grouped(graph: Graph, groups: Sequence[tuple[str, Sequence[int], int]]) -> Graph:
    """With a call around each of these: its name, the calls that it holds, and how many repeats these are."""
    if not groups:
        return graph
    index = grouping(graph)
    return insert(graph, [(index.group(name, calls, repeats), calls) for name, calls, repeats in groups])


def _title(calls: Sequence[Call]) -> str:
    return ", ".join(call.label for call in calls)


def _cut(graph: Graph, pattern: str, cut: Sequence[Cover], count: int) -> str:
    held = Counter(graph.calls[cover.cut].path or graph.calls[cover.cut].name for cover in cut if cover.cut is not None)
    shown = ", ".join(list(held)[:SHOWN]) + (", …" if len(held) > SHOWN else "")
    return (
        f"{PREFIX}{quoted(pattern)}): {len(cut)} of {count} matches were not grouped. They cut through {shown};"
        " a group must contain whole modules."
    )
