"""Which calls ran inside which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.measure.subtree_sums import sum_up, zeros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.core.graph import Call


@dataclass(frozen=True, slots=True)
class Nesting:
    """The tree of calls: who holds whom (-1 for nobody), and the half-open interval of each in depth-first order.

    Ids alone are not depth-first where several threads ran.
    """

    parents: list[int]
    begin: list[int]
    end: list[int]


def nest(calls: Sequence[Call]) -> Nesting:
    """Read the tree off the calls' parents."""
    parents = [-1 if call.parent is None else call.parent for call in calls]
    (size,) = zeros(1, len(calls))
    sum_up((size,), parents, own=1)
    begin, next_child = [0] * len(calls), [0] * (len(calls) + 1)
    for call, parent in enumerate(parents):
        begin[call] = next_child[parent]
        next_child[parent] += size[call]
        next_child[call] = begin[call] + 1
    return Nesting(parents, begin, [start + size[call] for call, start in enumerate(begin)])


def common_ancestor(one: int, two: int, parents: list[int]) -> int:
    """The innermost call that holds both, or is one of them."""
    while one != two:
        if one > two:
            one = parents[one]
        else:
            two = parents[two]
    return one
