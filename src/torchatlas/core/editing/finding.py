"""The occurrences of a pattern, of calls or of paths, in a graph: the first step of `fold`, `prune` and `rename`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.editing.notes import nothing_found, quoted
from torchatlas.core.editing.renumber import remove
from torchatlas.core.pattern.language import atoms, parse
from torchatlas.core.pattern.match import matches
from torchatlas.core.pattern.paths import PATHS, by_path, path_pattern
from torchatlas.core.pattern.units import units

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchatlas.core.graph import Graph
    from torchatlas.core.pattern.units import Units


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One match.

    Attributes:
        name: what it is to be called.
        chosen: the calls that the pattern names.
        units: the same, and calls between them that return their argument unchanged; in order.
    """

    name: str
    chosen: tuple[int, ...]
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Occurrences:
    """All matches, in order, and what must be said of them."""

    flow: Units
    matches: tuple[Occurrence, ...]
    notes: tuple[str, ...]


def find(graph: Graph, pattern: str, prefix: str, name: str = "") -> Occurrences:
    """Find a pattern.

    Args:
        graph: what ran.
        pattern: of calls (`core.pattern.language`), or ``re:`` and a regular expression of module paths.
        prefix: what is to be done, as ``fold(``: notes begin with it.
        name: for the matches; after ``re:`` it may refer to groups of the expression.

    Raises:
        InputError: the pattern cannot be read.
    """
    if isinstance(pattern, str) and pattern.startswith(PATHS):
        return _find_paths(graph, pattern, prefix, name)
    tree = parse(pattern)
    names = list(dict.fromkeys(atom.name for atom in atoms(tree)))
    flow = units(graph, names)
    found, whole = matches(flow, tree)
    notes = []
    if not found:
        known = [call.name for call in graph.calls[1:]]
        groups = [call.kind == "group" for call in graph.calls]
        opened = units(remove(graph, groups), names) if any(groups) else flow
        notes.append(nothing_found(graph, prefix, pattern, known, flow, names, opened))
    if not whole:
        notes.append(f"{prefix}{quoted(pattern)}) was stopped early: there are too many ways to match it.")
    places = [Occurrence(name, match.units, _with_passing(flow, match.units, match.exits)) for match in found]
    return Occurrences(flow, tuple(places), tuple(notes))


def _find_paths(graph: Graph, pattern: str, prefix: str, name: str) -> Occurrences:
    found = by_path(graph, path_pattern(pattern, name), name)
    known = [module.path for module in graph.modules]
    flow = units(graph, wanted=[call for _, calls in found for call in calls])
    notes = () if found else (nothing_found(graph, prefix, pattern, known, flow),)
    return Occurrences(flow, tuple([Occurrence(title, tuple(calls), tuple(calls)) for title, calls in found]), notes)


def _with_passing(flow: Units, members: Sequence[int], exits: Iterable[int]) -> tuple[int, ...]:
    inner = set(members).difference(exits)
    begin, end = flow.passing_from(members[0]), flow.passing_from(members[-1])
    handing = [call for call in flow.passing[begin:end] if inner.intersection(flow.reads.get(call, ()))]
    return tuple(sorted((*members, *handing)))
