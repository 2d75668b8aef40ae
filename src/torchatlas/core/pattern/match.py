"""A pattern is searched for in a run: greedily, from the first call on, no call in two matches.

>>> import torch, torchatlas as ta
>>> from torch.nn import Linear, ReLU, Sequential
>>> from torchatlas.core.pattern.language import parse
>>> from torchatlas.core.pattern.units import units
>>> graph = ta.capture(Sequential(Linear(4, 4), ReLU(), Linear(4, 4)), torch.zeros(1, 4)).graph
>>> flow = units(graph)
>>> [(unit, graph.calls[unit].name) for unit in flow.calls]
[(1, 'Linear'), (3, 'ReLU'), (5, 'Linear')]
>>> [match.units for match in matches(flow, parse("Linear > Relu?")).found]
[(1, 3), (5,)]

In ``A > B`` B reads what A made and nothing outside the match does, so a match has one exit, that of its last call, and
no path leads out of it and back in. The search goes from a call to its readers through the states of the pattern
(``automaton.py``). It remembers for each state and position whether an end can be reached from there, as packrat
parsers do (B. Ford, https://doi.org/10.1145/581478.581483), so its time grows with the number of calls.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from torchatlas.core.pattern.automaton import ACCEPT, JOIN, Choice, Fork, Step, automaton
from torchatlas.core.pattern.condition import holds

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from torchatlas.core.pattern.language import Atom, Pattern
    from torchatlas.core.pattern.units import Source, Units

Frontier: TypeAlias = "tuple[Source, ...]"
"""What the next call must read, all of it; empty at the very beginning."""


class Branching(NamedTuple):
    """A fork on its way: where it began, which of its branches is gone through, where those before it ended.

    ``taken`` are the calls with which the branches began and ended: no other branch takes them once more. Both are in
    running order, so that it does not matter which branch took what.
    """

    fork: int
    begin: Frontier
    start: int
    branch: int
    ends: Frontier
    taken: tuple[int, ...]
    around: Branching | None


class Goal(NamedTuple):
    """From this state, having met what leads to the frontier; ``start`` is the call to begin with, or -1."""

    state: int
    frontier: Frontier
    start: int
    around: Branching | None


class Partial(NamedTuple):
    """A match from some call on, as a linked list, with the exits of the whole; ``ordered`` if in running order."""

    unit: int
    rest: Partial | None
    exits: Frontier
    ordered: bool


class Match(NamedTuple):
    """Calls that were found together, in running order, and those of them whose results are for others to read."""

    units: tuple[int, ...]
    exits: tuple[int, ...]


class Matches(NamedTuple):
    """What was found, and whether the search was ended before its time because branches were too many to try."""

    found: tuple[Match, ...]
    whole: bool


Solving: TypeAlias = "Generator[Goal, Partial | None, Partial | None]"

AHEAD = 1000
"""A result may be read at most this many calls further on in its match: bounds the time of every check."""

FAN = 16
"""Readers of one tensor among which a branch begins; at least four times as many as there are branches."""

PATIENCE, FOR_EACH_CALL, FOR_EACH_FOUND = 300_000, 15, 30
"""Steps after which the search gives up: so many, and more for each call of the run and for each call in a match.

A chain takes a few steps for each call. Only branches that can be combined in very many ways run out of them.
"""

IN_BRANCHES = 3
"""A step inside branches counts for so many: it costs more, and there are far more of them."""


def matches(flow: Units, pattern: Pattern) -> Matches:
    """Find a pattern in the flow of a run."""
    search = _Search(flow, pattern)
    found = []
    for unit in flow.calls:
        if unit not in search.used and search.patience > 0:
            match = search.at(unit)
            if match is not None:
                found.append(match)
    return Matches(tuple(found), search.patience > 0)


class _Search:
    """The search, with what is known so far. Failures stay true as calls are used; successes are cleared each time."""

    def __init__(self, flow: Units, pattern: Pattern) -> None:
        self.flow = flow
        self.automaton = automaton(pattern)
        self.used: set[int] = set()
        self.patience = PATIENCE + FOR_EACH_CALL * len(flow.calls)
        self.failed: set[Goal] = set()
        self.solved: dict[Goal, Partial] = {}
        self.tested: dict[tuple[Atom, str, str, frozenset[str]], bool] = {}
        self.read: dict[int, frozenset[Source]] = {}

    def at(self, unit: int) -> Match | None:
        """The match that begins with this unit."""
        found = self.solve(Goal(self.automaton.start, (), unit, None))
        if found is None:
            return None
        members = list(_units(found))
        exits = tuple(sorted(set(found.exits) & set(members)))
        if len(exits) > 1 and not self._is_convex(members, exits[0]):
            return None
        self.used.update(members)
        self.solved.clear()
        self.patience += FOR_EACH_FOUND * len(members)
        return Match(tuple(sorted(members)), exits)

    def solve(self, goal: Goal) -> Partial | None:
        """Reach an end from here; one stack stands in for recursion, which a long chain would exhaust."""
        goals, solving = [goal], [self._solving(goal)]
        answer: Partial | None = None
        while solving:
            try:
                ask = solving[-1].send(answer)
            except StopIteration as end:
                answer = end.value
                solving.pop()
                self._learn(goals.pop(), answer)
                continue
            answer = self.solved.get(ask)
            if answer is None and ask not in self.failed:
                goals.append(ask)
                solving.append(self._solving(ask))
        return answer

    def _learn(self, goal: Goal, answer: Partial | None) -> None:
        if answer is None:
            self.failed.add(goal)
        else:
            self.solved[goal] = answer

    def _solving(self, goal: Goal) -> Solving:
        state = self.automaton.states[goal.state]
        self.patience -= IN_BRANCHES if goal.around else 1
        if self.patience <= 0:
            return None
        if isinstance(state, Choice):
            _, frontier, start, around = goal
            found = yield Goal(state.first, frontier, start, around)
            return found or (yield Goal(state.second, frontier, start, around))
        if isinstance(state, Step):
            return (yield from self._step(state, goal))
        if isinstance(state, Fork):
            return (yield from self._fork(state, goal))
        if goal.state == ACCEPT:
            return Partial(-1, None, goal.frontier, ordered=True)
        return (yield from self._join(goal))

    def _step(self, step: Step, goal: Goal) -> Solving:
        for unit in self._candidates(goal):
            if unit in self.used or not self._is(unit, step.atom):
                continue
            around = goal.around
            if around is not None:
                if unit in around.taken:
                    continue
                if goal.frontier == around.begin:
                    around = around._replace(taken=_joined(around.taken, (unit,)))
            found = yield Goal(step.after, (unit,), -1, around)
            if found is not None and not self._is_closed(unit, found) and step.after in self.automaton.final:
                # What could come next cannot be had, but it may also end here.
                found = yield Goal(JOIN if around else ACCEPT, (unit,), -1, around)
            if found is not None and self._is_closed(unit, found):
                return Partial(unit, found, found.exits, found.ordered and (found.unit < 0 or unit < found.unit))
        return None

    def _candidates(self, goal: Goal) -> Iterable[int]:
        flow = self.flow
        if not goal.frontier:
            return (goal.start,)
        if len(goal.frontier) == 1 and goal.around is None:
            return flow.readers.get(goal.frontier[0], ())
        nearest = min((flow.readers.get(source, ()) for source in goal.frontier), key=len)
        if goal.around is not None and len(nearest) > FAN:
            begin = bisect_left(nearest, goal.start) if goal.start >= 0 else 0
            nearest = nearest[begin : begin + max(FAN, 4 * self._branches(goal.around))]
        if len(goal.frontier) == 1:
            return nearest
        return [unit for unit in nearest if self._reads(unit).issuperset(goal.frontier)]

    def _reads(self, unit: int) -> frozenset[Source]:
        """What a unit reads: asked of one that joins very many as often as there are ways to it."""
        known = self.read.get(unit)
        if known is None:
            known = self.read[unit] = frozenset(self.flow.reads[unit])
        return known

    def _branches(self, around: Branching) -> int:
        state = self.automaton.states[around.fork]
        return len(state.branches) if isinstance(state, Fork) else 0

    def _fork(self, fork: Fork, goal: Goal) -> Solving:
        if goal.frontier:
            taken = goal.around.taken if goal.around else ()
            around = Branching(goal.state, goal.frontier, goal.start, 0, (), taken, goal.around)
            return (yield Goal(fork.branches[0], goal.frontier, goal.start, around))
        # At the beginning of a pattern: the branches start from something that the first call reads.
        for source in self.flow.reads.get(goal.start, ()):
            found = yield goal._replace(frontier=(source,))
            if found is not None and goal.start in _units(found):
                return found
        return None

    def _join(self, goal: Goal) -> Solving:
        """A branch is at its end: the next one, or what comes after all of them."""
        fork, begin, start, branch, ends, taken, around = goal.around or _NO_FORK
        state = self.automaton.states[fork]
        if not isinstance(state, Fork):
            return None
        ends = _joined(ends, goal.frontier)
        if branch and state.after not in self.automaton.final and not self._meet(ends):
            return None
        if branch + 1 < len(state.branches):
            further = Branching(fork, begin, start, branch + 1, ends, _joined(taken, goal.frontier), around)
            return (yield Goal(state.branches[branch + 1], begin, start, further))
        if set(ends) <= set(begin):
            return None
        if around is not None:
            around = around._replace(taken=_joined(taken, goal.frontier))
        return (yield Goal(state.after, ends, -1, around))

    def _meet(self, ends: Frontier) -> bool:
        """Whether anything reads all of these, as what comes after the fork must."""
        readers = [self.flow.readers.get(end, ()) for end in ends]
        nearest = min(readers, key=len)
        return any(self._reads(unit).issuperset(ends) for unit in nearest)

    def _is(self, unit: int, atom: Atom) -> bool:
        call = self.flow.graph.calls[unit]
        key = (atom, call.kind, call.name, self.flow.kinds[unit])
        known = self.tested.get(key)
        if known is None:
            known = self.tested[key] = self.flow.is_named(unit, atom.name)
        return known and all(holds(self.flow.graph, call, condition) for condition in atom.conditions)

    def _is_closed(self, unit: int, found: Partial) -> bool:
        """Whether a unit that comes before ``found`` is not in it, and, unless an exit, is read inside it alone."""
        readers = self.flow.readers.get(unit, ())
        wanted = {reader for reader in readers if reader != found.unit}
        if unit in found.exits:
            wanted = set()
        elif unit in self.flow.returned or not readers:
            return False
        is_first = found.ordered and unit < found.unit
        if not wanted:
            return is_first or unit not in _units(found)
        near = islice(_units(found), AHEAD)
        if is_first:
            last = max(wanted)
            return wanted <= set(takewhile(lambda other: other <= last, near))
        members = set(near)
        return unit not in members and wanted <= members

    def _is_convex(self, members: list[int], first: int) -> bool:
        """Whether nothing that ran after the first exit comes in from outside."""
        inside = set(members)
        return all(read < first or read in inside for unit in members for read in self.flow.reads[unit])


_NO_FORK = Branching(ACCEPT, (), -1, 0, (), (), None)


def _joined(some: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    """Both, each once, in running order."""
    return tuple(sorted({*some, *more}))


def _units(found: Partial) -> Iterator[int]:
    """The calls of a match, in its own order."""
    at: Partial | None = found
    while at is not None and at.unit >= 0:
        yield at.unit
        at = at.rest
