"""A second graph on the same page, and what its calls have to do with those of the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from torchatlas.core.comparing.compare import Mark
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Graph
from torchatlas.views.drawing.unrun import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Marks: TypeAlias = "tuple[Mapping[int, Mark], Mapping[int, Mark]]"

MARKS: tuple[Mark, ...] = get_args(Mark)


@dataclass(frozen=True, slots=True)
class Counterpart:
    """The graph on the right, and how the two belong together.

    Attributes:
        graph: what stands beside the first graph.
        pairs: calls that belong together, as (call of the first graph, call of this one); a call may have several.
        marks: what became of calls, of the first graph and of this one; None where the two are not compared.
        titles: what the two sides are called, told apart.
        compared: the two are versions of one thing, so that what differs is worth a look; not so for a backward pass
            and the run that it belongs to.
    """

    graph: Graph
    pairs: tuple[tuple[int, int], ...]
    marks: tuple[tuple[tuple[int, Mark], ...], tuple[tuple[int, Mark], ...]] | None
    titles: tuple[str, str]
    compared: bool

    def page(self) -> dict[str, Any]:
        """What the page reads of it, besides the graph and its marks."""
        return {"pairs": self.pairs, "titles": self.titles, "compared": self.compared}


def read_beside(
    graph: Graph,
    beside: Graph | None,
    pairs: Sequence[tuple[int, int]],
    marks: Marks | None,
    titles: tuple[str, str],
) -> Counterpart | None:
    """Check what was given; a backward pass has the run that it belongs to beside it, unless something else is given.

    Returns:
        None where the graph stands alone.

    Raises:
        InputError: pairs or marks are without a graph beside, or tell of calls that a graph does not have.
    """
    if beside is None and graph.forward is None:
        if pairs or marks is not None or tuple(titles) != ("", ""):
            raise InputError(
                "pairs, marks and titles describe two graphs. Give the second one too: beside=other.graph."
            )
        return None
    other = graph.forward if beside is None else beside
    if not isinstance(other, Graph):
        raise InputError(f"beside is a {type(other).__name__}; give a Graph, such as atlas.graph.")
    compared = other is not graph.forward
    if not compared and not pairs:
        pairs = [(call.id, call.forward) for call in graph.calls if call.forward is not None]
    counts = (len(shown(graph).calls), len(shown(other).calls))
    return Counterpart(
        graph=other,
        pairs=tuple(dict.fromkeys(_pair(pair, counts) for pair in pairs)),
        marks=None if marks is None else _marks(marks, counts),
        titles=_titles(titles, compared=compared),
        compared=compared,
    )


def _pair(pair: object, counts: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(pair, (tuple, list)) or len(pair) != len(counts):
        raise InputError(f"pairs holds {pair!r}; wanted: (call of the graph, call of the one beside it)")
    return _call("pairs", pair[0], counts, 0), _call("pairs", pair[1], counts, 1)


def _call(name: str, call: object, counts: tuple[int, int], side: int) -> int:
    if isinstance(call, int) and not isinstance(call, bool) and 0 <= call < counts[side]:
        return call
    which = ("the graph", "the graph beside it")[side]
    raise InputError(f"{name} holds the call {call!r}; {which} has {counts[side]:,} calls, numbered from 0.")


def _marks(marks: object, counts: tuple[int, int]) -> tuple[tuple[tuple[int, Mark], ...], tuple[tuple[int, Mark], ...]]:
    sides = marks if isinstance(marks, (tuple, list)) else ()
    if len(sides) != len(counts) or not all(isinstance(side, Mapping) for side in sides):
        raise InputError(f"marks={marks!r:.200}; wanted: two mappings, one for each graph, from call id to mark")
    first, second = (tuple(sorted(_marked(side, counts, at))) for at, side in enumerate(sides))
    return first, second


def _marked(side: Mapping[Any, Any], counts: tuple[int, int], at: int) -> Iterator[tuple[int, Mark]]:
    for call, mark in side.items():
        if mark not in MARKS:
            raise InputError(f"marks says {mark!r} of call {call!r}; a mark is one of {', '.join(MARKS)}")
        yield _call("marks", call, counts, at), mark


def _titles(titles: object, *, compared: bool) -> tuple[str, str]:
    if (
        not isinstance(titles, (tuple, list))
        or len(titles) != len(("one", "other"))
        or not all(isinstance(title, str) for title in titles)
    ):
        raise InputError(f"titles={titles!r:.200}; wanted: two names, one for each graph")
    one, other = ("a", "b") if compared else ("backward", "forward")
    if titles[0] == titles[1] != "":
        return f"{titles[0]} ({one})", f"{titles[1]} ({other})"
    return titles[0] or one, titles[1] or other
