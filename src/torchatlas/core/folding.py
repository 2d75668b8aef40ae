"""Parts of a run put together under one name, by pattern, by path, or because they repeat; and taken apart again.

What is put together stands inside a call of the kind ``group``. Nothing else is changed: totals stay, ids move along,
and `unfold` gives back what was.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.coverage import Cover, coverage
from torchatlas.core.errors import InputError
from torchatlas.core.fold import fold_calls
from torchatlas.core.graph import Note
from torchatlas.core.group import grouping
from torchatlas.core.match import matches
from torchatlas.core.near import nothing_found
from torchatlas.core.paths import PATHS, by_path, path_pattern
from torchatlas.core.pattern import atoms, parse
from torchatlas.core.renumber import insert, remove
from torchatlas.core.units import REPEATED, units

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchatlas.core.graph import Call, Graph
    from torchatlas.core.units import Units

TOLD = "fold("
SHOWN = 3


def fold(graph: Graph, pattern: str, name: str) -> Graph:
    """Put every match of a pattern into a group of that name.

    Args:
        graph: what ran.
        pattern: as ``Conv > BatchNorm > Relu`` (`core.pattern`), or ``re:`` and a regular expression: modules whose
            whole path it matches are put together, neighbours of one expanded name in one group.
        name: of the groups; after ``re:`` it may refer to groups of the expression, as ``Stage \\1``.

    Returns:
        The graph with the groups; with a note, where nothing was found or something could not be put together.

    Raises:
        InputError: the pattern cannot be read; the message points at the place.
    """
    named(name)
    if not isinstance(pattern, str) or not pattern.startswith(PATHS):
        return _fold_matches(graph, pattern, name)
    wanted = path_pattern(pattern, name)
    runs = by_path(graph, wanted, name)
    if not runs:
        return told(graph, nothing_found(graph, TOLD, pattern, [module.path for module in graph.modules]))
    weighed = coverage(units(graph))
    covers = [(title, weighed.cover(calls)) for title, calls in runs]
    return _grouped(graph, [(title, cover.calls) for title, cover in covers])


def _fold_matches(graph: Graph, pattern: str, name: str) -> Graph:
    tree = parse(pattern)
    names = list(dict.fromkeys(atom.name for atom in atoms(tree)))
    flow = units(graph, names)
    found, whole = matches(flow, tree)
    if not found:
        return told(graph, nothing_found(graph, TOLD, pattern, [call.name for call in graph.calls[1:]], flow, names))
    weighed = coverage(flow)
    covers = [weighed.cover(with_passing(flow, match.units, match.exits)) for match in found]
    made = _grouped(graph, [(name, cover.calls) for cover in covers if cover.cut is None])
    cut = [cover for cover in covers if cover.cut is not None]
    if cut:
        made = told(made, _cut(graph, pattern, cut, len(covers)))
    if not whole:
        made = told(made, f"{TOLD}{pattern!r}): so many branches can be combined that the search was ended early")
    return made


def fold_repeats(graph: Graph) -> Graph:
    """Put what repeats side by side, as the views fold it, into groups named like ``Residual ×35``."""
    groups = [
        (f"{_title([graph.calls[call] for call in fold.calls[: fold.period]])}{REPEATED}{fold.count}", fold.calls)
        for folds in fold_calls(graph).values()
        for fold in folds
    ]
    return _grouped(graph, sorted(groups, key=lambda group: group[1][0]))


def unfold(graph: Graph) -> Graph:
    """Take all groups apart, and leave out what was noted when they were made."""
    gone = [call.kind == "group" and call.id > 0 for call in graph.calls]
    plain = remove(graph, gone) if any(gone) else graph
    notes = tuple([note for note in plain.notes if not note.text.startswith(TOLD)])
    return plain if notes == plain.notes else replace(plain, notes=notes)


def named(name: str) -> None:
    """Raise ``InputError`` unless this can be the name of a call."""
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"name={name!r}; what is put together needs a name, as 'ConvBnRelu'")


def told(graph: Graph, text: str) -> Graph:
    """The graph with one more note."""
    return replace(graph, notes=(*graph.notes, Note(text)))


def with_passing(flow: Units, members: Sequence[int], exits: Iterable[int]) -> list[int]:
    """A match, and what hands on, inside it, from one of its calls to the next."""
    inner = set(members).difference(exits)
    first, last = members[0], members[-1]
    begin, end = flow.passing_from(first), flow.passing_from(last)
    handing = [call for call in flow.passing[begin:end] if inner.intersection(flow.reads.get(call, ()))]
    return sorted((*members, *handing))


def _grouped(graph: Graph, groups: Sequence[tuple[str, Sequence[int]]]) -> Graph:
    if not groups:
        return graph
    index = grouping(graph)
    return insert(graph, [(index.group(name, calls), calls) for name, calls in groups])


def _title(calls: Sequence[Call]) -> str:
    return ", ".join(call.name for call in calls)


def _cut(graph: Graph, pattern: str, cut: Sequence[Cover], count: int) -> str:
    held = Counter(graph.calls[cover.cut].path or graph.calls[cover.cut].name for cover in cut if cover.cut is not None)
    shown = ", ".join(list(held)[:SHOWN]) + (", …" if len(held) > SHOWN else "")
    return (
        f"{TOLD}{pattern!r}): {len(cut)} of {count} matches were left as they are: they take a part of {shown}, and a"
        " box holds a module whole or not at all"
    )
