"""Fitting a table into a width: which columns stay, and how wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.views.table.columns import Column

GAP = 2
NARROW = 10
# Half a shape is a wrong shape: these columns are left out before one of their cells is cut.
SHAPES = frozenset({"input", "output", "kernel"})
# Columns of words give way before a column is left out: to this width, or to what three of four of their cells need.
READABLE = {"type": 14}
READABLE_WORDS = 24
# What is said beside the class gives way before what every row is asked for.
BESIDE = {"details": 28}
# Where every cell is that wide, a few letters fewer still read well.
TOLERABLE = 0.8
# Of the columns nobody asked for, what goes first where there is no room.
SPARE = ("share", "input", "trainable", "details", "type")


def fit(
    columns: Sequence[Column], cells: Sequence[Sequence[int]], room: int, *, chosen: bool, name: int = 0
) -> list[int]:
    """Widths of the columns; 0 for one that is left out.

    Words are cut before a column is left out, so that one long name costs no other row its columns; numbers and
    shapes never are: half a number is a wrong number. Columns that the reader named are shortened as far as they can
    be before the last ones are left out.

    Args:
        columns: the row's own name first, if it is there.
        cells: for each column the width of each of its cells, the title included, in terminal cells.
        room: what there is, in terminal cells.
        chosen: the reader named these columns.
        name: what the row's own name needs at least to be read, as long as that is no more than half of the room.
    """
    names = [column.name for column in columns]
    natural = [max(widths) for widths in cells]
    name = name if name <= room // 2 else 0
    least, narrow, easy = zip(
        *[_floors(column, widths, name) for column, widths in zip(columns, cells, strict=True)], strict=True
    )
    floors = [least, narrow] if chosen else [least, narrow, easy]
    spare = [] if chosen else [names.index(column) for column in SPARE if column in names]
    kept = list(range(len(columns)))
    while len(kept) > 1 and _total(floors[-1], kept) > room:
        if spare:
            kept.remove(spare.pop(0))
        elif len(floors) > 1:
            floors.pop()
        else:
            kept.pop()
    return _shrunk(natural, floors[-1], kept, room)


def _floors(column: Column, widths: Sequence[int], name: int) -> tuple[int, int, int]:
    """To which width a column may be cut where nothing else helps, where names are to be read, and where all is."""
    width = max(widths)
    if column.align == "right":
        return width, width, width
    wanted = name if column.name == "name" else 0
    narrow = min(width, max(NARROW, wanted))
    return min(width, NARROW), narrow, width if column.name in SHAPES else max(narrow, _readable(column.name, widths))


def _readable(column: str, widths: Sequence[int]) -> int:
    """The width at which most cells of a column of words still say what they have to say.

    Of cells 12, 14, 15, 17, 80 letters wide the fifth is cut at 24; of cells all 40 wide each loses eight letters.
    """
    if column in BESIDE:
        return min(max(widths), BESIDE[column])
    usual = sorted(widths)[3 * (len(widths) - 1) // 4]
    width = max(widths)
    return min(width, max(READABLE.get(column, READABLE_WORDS), min(usual, int(width * TOLERABLE))))


def full_width(cells: Sequence[Sequence[int]]) -> int:
    """The width at which every column is shown and no cell is cut."""
    return _total([max(widths) for widths in cells], range(len(cells)))


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
