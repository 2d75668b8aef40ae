"""A pattern becomes an automaton: a state for every choice and every call to be met, as in Thompson's construction.

``Linear > Relu?`` starts in state 4: meet a Linear, then choose (3) between meeting a Relu (2) and the end (1):

>>> from torchatlas.core.pattern.language import parse
>>> found = automaton(parse("Linear > Relu?"))
>>> found.start, found.states[4].atom.name, found.states[4].after
(4, 'Linear', 3)
>>> found.states[3], found.states[2].atom.name
(Choice(first=2, second=1), 'Relu')

Quantifiers become choices, the greedy one first. What a quantifier repeats never matches nothing at all, so no state
leads back to itself without a call in between. ``A | B`` becomes a `Fork`, which plain regular expressions have not:
all branches must be met, not one.

Source: K. Thompson, Regular expression search algorithm, https://doi.org/10.1145/363347.363387
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.pattern.language import Atom, Parallel, Repeat, Serial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.core.pattern.language import Pattern

State: TypeAlias = "Step | Choice | Fork | None"
"""None is an end: of a branch, or of the whole."""

JOIN, ACCEPT = 0, 1


@dataclass(frozen=True, slots=True)
class Step:
    """Meet a call of this atom, then go on."""

    atom: Atom
    after: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Go on with the first, else with the second."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Fork:
    """Go through every branch, up to its `JOIN`, then go on from all their ends."""

    branches: tuple[int, ...]
    after: int


@dataclass(frozen=True, slots=True)
class Automaton:
    """States by number.

    Attributes:
        states: what is to be done in each.
        start: where a search begins.
        final: states from which an end may be reached at once.
    """

    states: tuple[State, ...]
    start: int
    final: frozenset[int]


def automaton(pattern: Pattern) -> Automaton:
    """The states of a pattern; it matches one call at least."""
    builder = _Builder()
    start = builder.some(pattern, ACCEPT)
    final = {JOIN, ACCEPT}
    waiting = [ACCEPT, JOIN]
    before: dict[int, list[int]] = {}
    for number, state in enumerate(builder.states):
        for after in (state.first, state.second) if isinstance(state, Choice) else ():
            before.setdefault(after, []).append(number)
    while waiting:
        fresh = [number for number in before.get(waiting.pop(), ()) if number not in final]
        final.update(fresh)
        waiting += fresh
    return Automaton(tuple(builder.states), start, frozenset(final))


def is_optional(pattern: Pattern) -> bool:
    """Whether a pattern may match nothing."""
    if isinstance(pattern, Serial):
        return all(map(is_optional, pattern.parts))
    return isinstance(pattern, Repeat) and (pattern.least == 0 or is_optional(pattern.part))


def _flat(part: Pattern) -> Pattern:
    """What any number of ``A+`` or ``A*`` repeats is ``A``."""
    while isinstance(part, Repeat) and part.most is None and part.least <= 1:
        part = part.part
    return part


class _Builder:
    """States from the end to the start: each part is given the state that comes after it."""

    def __init__(self) -> None:
        self.states: list[State] = [None, None]

    def any(self, part: Pattern, after: int) -> int:
        """The state that begins a part."""
        if isinstance(part, Serial):
            return self.chain(part.parts, after)[0]
        if isinstance(part, Repeat):
            return self.repeat(part, after, 0 if is_optional(part.part) else part.least)
        return self.one(part, after)

    def some(self, part: Pattern, after: int) -> int:
        """The same for a part that must not match nothing."""
        if not is_optional(part):
            return self.any(part, after)
        if isinstance(part, Repeat):
            return self.repeat(part, after, 1)
        if not isinstance(part, Serial):
            return self.one(part, after)
        rests = self.chain(part.parts, after)[1:]
        begins = [self.some(each, rest) for each, rest in zip(part.parts, rests, strict=True)]
        start = begins.pop()
        for begin in reversed(begins):
            start = self.add(Choice(begin, start))
        return start

    def chain(self, parts: Sequence[Pattern], after: int) -> list[int]:
        """The state before each of the parts, and last the one after all."""
        states = [after]
        for part in reversed(parts):
            states.append(self.any(part, states[-1]))
        return states[::-1]

    def repeat(self, part: Repeat, after: int, least: int) -> int:
        """At most as often as it may be, at least as often as it must be."""
        if part.most is None:
            state = len(self.states)
            self.states.append(None)
            once = self.some(_flat(part.part), state)
            self.states[state] = Choice(once, after)
            if least:
                state, least = once, least - 1
        else:
            state = after
            for _ in range(part.most - least):
                state = self.add(Choice(self.some(part.part, state), after))
        for _ in range(least):
            state = self.some(part.part, state)
        return state

    def one(self, part: Atom | Parallel, after: int) -> int:
        if isinstance(part, Atom):
            return self.add(Step(part, after))
        return self.add(Fork(tuple([self.any(branch, JOIN) for branch in part.branches]), after))

    def add(self, state: State) -> int:
        self.states.append(state)
        return len(self.states) - 1
