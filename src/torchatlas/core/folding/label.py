"""Many module paths are written as one short label: ``layers.0..79``.

>>> path_range(["h.0.mlp", "h.1.mlp", "h.2.mlp"])
'h.0..2.mlp'
>>> path_range([f"blocks.{block}" for block in (0, 2, 4, 6)])
'blocks.0,2..6'
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGITS = re.compile(r"(\d+)")
_LISTED = 3  # numbers without a rule: more do not fit into a cell of the table


def path_range(paths: Sequence[str]) -> str:
    """Name many paths at once; where they differ in numbers, the numbers become ranges.

    ``layers.0``, …, ``layers.79`` give ``layers.0..79``; steps other than one show the second (``0,2..78``); numbers
    without a rule are listed, the middle of many left out. Paths that differ in more than numbers are grouped and
    the groups separated by commas (``norm.0..5, conv.0..5``). Equal paths, as in a loop, give that path.
    """
    groups: dict[tuple[str, ...], list[list[str]]] = {}
    for path in dict.fromkeys(paths):
        parts = _DIGITS.split(path)
        groups.setdefault(tuple(parts[::2]), []).append(parts)
    return ", ".join(_shortened([_group(members) for members in groups.values()]))


def _group(members: list[list[str]]) -> str:
    """Paths that differ in numbers alone: every second part of them is a number."""
    columns = zip(*members, strict=True)
    return "".join(_numbers(column) if position % 2 else column[0] for position, column in enumerate(columns))


def _numbers(column: tuple[str, ...]) -> str:
    texts = list(dict.fromkeys(column))
    if len(texts) == 1:
        return texts[0]
    steps = {int(later) - int(earlier) for earlier, later in pairwise(texts)}
    if steps in ({1}, {-1}):
        return f"{texts[0]}..{texts[-1]}"
    if len(steps) == 1 and len(texts) > _LISTED:
        return f"{texts[0]},{texts[1]}..{texts[-1]}"
    return ",".join(_shortened(texts))


def _shortened(texts: list[str]) -> list[str]:
    return texts if len(texts) <= _LISTED else [*texts[: _LISTED - 1], "…", texts[-1]]
