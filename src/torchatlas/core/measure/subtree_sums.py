"""Numbers of calls and modules, summed from below: those of a subtree are its own and those of all that is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable


Columns: TypeAlias = "tuple[list[int], ...]"
"""One list per quantity, one entry per call or module and a last entry, reached as -1, for everything together."""


def zeros(width: int, height: int) -> Columns:
    """So many columns of so many entries, and the last entry."""
    return tuple([0] * (height + 1) for _ in range(width))


def row(columns: Columns, index: int) -> list[int]:
    """The entry of each column."""
    return [column[index] for column in columns]


def add_row(columns: Columns, index: int, numbers: Iterable[int], sign: int = 1) -> None:
    """Add a number to the entry of each column, or take it off."""
    for column, number in zip(columns, numbers, strict=True):
        if number:  # half of them are 0
            column[index] += sign * number


def sum_up(columns: Columns, parents: list[int], own: int = 0) -> None:
    """Add each entry, and ``own``, to its parent's, last entries first: a parent's id is lower than its children's."""
    for column in columns:
        for index in range(len(parents) - 1, -1, -1):
            column[index] += own
            if column[index]:
                column[parents[index]] += column[index]
