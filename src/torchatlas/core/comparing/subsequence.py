"""Two sequences are aligned, item by item: by equal items, or by how much any two items are alike.

`longest_common` gives the longest common subsequence, as pairs of positions. Here 1, 3 and 4 are in both:

>>> longest_common([1, 2, 3, 4], [1, 3, 9, 4])
[(0, 0), (2, 1), (3, 3)]

Its time grows with the number of differences: E. W. Myers, An O(ND) difference algorithm and its variations,
https://doi.org/10.1007/BF01840446. Beyond ``PATIENCE`` differences, equal items are paired by how often they have
occurred, and the longest ascending part of these pairs is kept (patience sorting: Aldous and Diaconis,
https://doi.org/10.1090/S0273-0979-99-00796-X).

`heaviest_pairs` gives the pairs, in order, whose weights have the greatest sum. Here row 0 with column 1 (2.0) is worth
more than row 0 with column 0 and row 1 with column 1 (0.1 + 0.1), or row 1 with column 0 (1.5):

>>> heaviest_pairs([[0.1, 2.0], [1.5, 0.1]])
[(0, 1)]

That is global alignment without a penalty for gaps: Needleman and Wunsch,
https://doi.org/10.1016/0022-2836(70)90057-4.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 600
"""Differences up to which the longest subsequence is found: its time and memory grow with their square."""


def longest_common(a: Sequence[int], b: Sequence[int]) -> list[tuple[int, int]]:
    """Positions (in a, in b) of equal items, both ascending: as many as there can be.

    Equal beginnings and ends count first, so that of equal neighbours the additional ones are the last.
    """
    start, stop = 0, min(len(a), len(b))
    while start < stop and a[start] == b[start]:
        start += 1
    end = 0
    while end < stop - start and a[-1 - end] == b[-1 - end]:
        end += 1
    known_a, known_b = set(a[start : len(a) - end]), set(b[start : len(b) - end])
    # What the other does not have can match nothing, and would only be in the way.
    left = [at for at in range(start, len(a) - end) if a[at] in known_b]
    right = [at for at in range(start, len(b) - end) if b[at] in known_a]
    inner = _shortest([a[at] for at in left], [b[at] for at in right])
    found = [(at, at) for at in range(start)]
    found += [(left[i], right[j]) for i, j in inner]
    found += [(len(a) - at, len(b) - at) for at in range(end, 0, -1)]
    return found


def _shortest(a: list[int], b: list[int]) -> list[tuple[int, int]]:
    """Myers' greedy search for the shortest edit script, forwards, with what was reached after each edit kept."""
    reached = {1: 0}
    history: list[dict[int, int]] = []
    for edits in range(len(a) + len(b) + 1):
        if edits > PATIENCE:
            return _by_occurrence(a, b)
        history.append({})
        for diagonal in range(-edits, edits + 1, 2):
            down = diagonal == -edits or (diagonal != edits and reached[diagonal - 1] < reached[diagonal + 1])
            x = reached[diagonal + 1] if down else reached[diagonal - 1] + 1
            while x < len(a) and x - diagonal < len(b) and a[x] == b[x - diagonal]:
                x += 1
            reached[diagonal] = history[-1][diagonal] = x
            if x >= len(a) and x - diagonal >= len(b):
                return _back(history, a, b)
    return []


def _back(history: list[dict[int, int]], a: list[int], b: list[int]) -> list[tuple[int, int]]:
    """The equal items along the way that reached the end."""
    x, y = len(a), len(b)
    found: list[tuple[int, int]] = []
    for edits in range(len(history) - 1, -1, -1):
        before = history[edits - 1] if edits else {}
        diagonal = x - y
        down = diagonal == -edits or (diagonal != edits and before.get(diagonal - 1, -1) < before.get(diagonal + 1, -1))
        left = before.get(diagonal + 1 if down else diagonal - 1, 0) if edits else 0
        top = left - (diagonal + 1 if down else diagonal - 1) if edits else 0
        while x > left and y > top and x > 0 and y > 0 and a[x - 1] == b[y - 1]:
            x, y = x - 1, y - 1
            found.append((x, y))
        x, y = left, top
    return found[::-1]


def _by_occurrence(a: list[int], b: list[int]) -> list[tuple[int, int]]:
    """Each item with the one of the other that is as often preceded by its equals, as far as these ascend."""
    places: dict[int, list[int]] = {}
    for at, item in enumerate(b):
        places.setdefault(item, []).append(at)
    seen: dict[int, int] = {}
    offered: list[tuple[int, int]] = []
    for at, item in enumerate(a):
        count = seen[item] = seen.get(item, 0) + 1
        if count <= len(places.get(item, ())):
            offered.append((at, places[item][count - 1]))
    return _ascending(offered)


def _ascending(offered: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part whose second positions ascend too, by patience sorting."""
    tails: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(offered):
        pile = bisect_left(tails, place)
        before.append(last[pile - 1] if pile else -1)
        if pile == len(tails):
            tails.append(place)
            last.append(index)
        else:
            tails[pile], last[pile] = place, index
    found: list[tuple[int, int]] = []
    at = last[-1] if last else -1
    while at >= 0:
        found.append(offered[at])
        at = before[at]
    return found[::-1]


def heaviest_pairs(weights: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Rows with columns, both ascending, of which the weights sum to the most; what weighs nothing is no pair.

    Of several such choices the one that begins first. In time that grows with rows times columns.
    """
    rows, columns = len(weights), len(weights[0]) if weights else 0
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], weights[i][j] + best[i + 1][j + 1])
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < rows and j < columns:
        if weights[i][j] > 0 and best[i][j] == weights[i][j] + best[i + 1][j + 1]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            i += 1
    return found
