"""Fitting a table into a width: which columns stay, and how wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.views.table.columns import Column

GAP = 2
NARROW = 10
# Names read well with a few letters fewer; shapes do not.
GIVES_WAY = {"name": 0.85, "type": 0.8}
# Of the columns nobody asked for, what goes first where there is no room.
SPARE = ("share", "input", "trainable", "type")


def fit(columns: Sequence[Column], natural: Sequence[int], room: int, *, chosen: bool) -> list[int]:
    """Widths of the columns; 0 for one that is left out.

    Names and types give way a little before a column is left out, numbers never: half a number is a wrong number.
    Columns that the reader named are shortened as far as they can be before the last ones are left out.

    Args:
        columns: the row's own name first, if it is there.
        natural: width of the widest cell of each, in terminal cells.
        room: what there is, in terminal cells.
        chosen: the reader named these columns.
    """
    names = [column.name for column in columns]
    least = [
        width if column.align == "right" else min(width, NARROW) for column, width in zip(columns, natural, strict=True)
    ]
    easy = [
        max(min(width, NARROW), int(width * GIVES_WAY.get(name, 1))) for name, width in zip(names, natural, strict=True)
    ]
    spare = [] if chosen else [names.index(name) for name in SPARE if name in names]
    kept = list(range(len(columns)))
    floor = least if chosen else easy
    while len(kept) > 1 and _total(floor, kept) > room:
        if spare:
            kept.remove(spare.pop(0))
        elif floor is easy:
            floor = least
        else:
            kept.pop()
    return _shrunk(natural, floor, kept, room)


def _total(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[index] for index in kept) + GAP * (len(kept) - 1)


def _shrunk(natural: Sequence[int], floor: Sequence[int], kept: Sequence[int], room: int) -> list[int]:
    """Take from the widest column until all fit, as long as any can give."""
    widths = [0] * len(natural)
    for index in kept:
        widths[index] = min(natural[index], max(room, floor[index]))
    excess = _total(widths, kept) - room
    while excess > 0:
        widest = max(kept, key=lambda index: widths[index] - floor[index])
        if widths[widest] <= floor[widest]:
            break
        widths[widest] -= 1
        excess -= 1
    return widths
