"""Tandem repeats are found in a sequence of numbers: where ``x[i] == x[i + period]`` holds for a whole period or more.

Three repeats of (1, 2), with other numbers around them. Four positions, 1 to 4, equal the one two later:

>>> list(stretches([9, 1, 2, 1, 2, 1, 2, 7]))
[Stretch(period=2, start=1, stop=5)]

Of repeats that overlap, those are chosen that hide most. Three times two items, shown once, hide four; twice three
items hide three:

>>> choose_disjoint([Repeat(2, 1, 3), Repeat(3, 0, 2)], sizes=[1] * 8, least=2)
[Repeat(period=2, start=1, times=3)]

How: windows of width 1, 2, 4, … get a number each, equal for equal windows (prefix doubling: Karp, Miller and
Rosenberg, Rapid identification of repeated patterns, https://doi.org/10.1145/800152.804905). Each window is compared
with its nearest earlier twin alone, which makes the search n log n. That finds every least period ``p`` that occurs
three times: a word of least period ``p`` holds more than ``p / 2`` different windows of a width in ``(p / 2, p]``
(Morse and Hedlund, Symbolic dynamics, https://doi.org/10.2307/2371264), so one of them stands once in each period, and
its nearest twin is exactly ``p`` back. A `Stretch` is what the literature on strings calls a *run*.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Stretch(NamedTuple):
    """``items[i] == items[i + period]`` for every i in [start, stop), and for neither neighbour of that range."""

    period: int
    start: int
    stop: int


def stretches(items: Sequence[int]) -> Iterator[Stretch]:
    """Every stretch that is at least one period long, so that its first ``2 * period`` items are two repeats.

    Time grows with n log n. A repeat that occurs only twice can be missed if each of its parts also stands nearer.
    """
    window = list(items)
    width = 1
    while 2 * width <= len(items):
        twins = _twins(window, width)
        if not twins:
            # Every window that came before came within its own width: one short period rules, or nothing repeats.
            return
        yield from stretches_at(items, [twin for twin in twins if twin[1] < 2 * width])
        window = _doubled(window, width)
        width *= 2


def stretches_at(items: Sequence[int], twins: Iterable[tuple[int, int]]) -> Iterator[Stretch]:
    """Stretches around given twins (position, lag): ``items[position] == items[position + lag]``, positions rising."""
    looked: dict[int, int] = {}
    for seed, lag in twins:
        if looked.get(lag, -1) >= seed:
            continue
        start = seed
        while start > 0 and items[start - 1] == items[start - 1 + lag]:
            start -= 1
        stop, limit = seed, len(items) - lag
        while stop < limit and items[stop] == items[stop + lag]:
            stop += 1
        looked[lag] = stop
        if stop - start >= lag:
            yield Stretch(lag, start, stop)


def _twins(window: list[int], width: int) -> list[tuple[int, int]]:
    """(position, lag) of each window whose nearest equal window before it begins ``lag >= width`` earlier."""
    last: dict[int, int] = {}
    found = []
    for position, number in enumerate(window):
        before = last.get(number)
        if before is not None and position - before >= width:
            found.append((before, position - before))
        last[number] = position
    return found


def _doubled(window: list[int], width: int) -> list[int]:
    """Numbers of the windows twice as wide."""
    numbers: dict[tuple[int, int], int] = {}
    return [numbers.setdefault(pair, len(numbers)) for pair in zip(window, window[width:], strict=False)]


class Repeat(NamedTuple):
    """``times`` times ``period`` items, from ``start`` on."""

    period: int
    start: int
    times: int


def choose_disjoint(repeats: Iterable[Repeat], sizes: Sequence[int], least: int) -> list[Repeat]:
    """Choose repeats that do not overlap, those first that hide most; in order of their start.

    Args:
        repeats: candidates.
        sizes: for each item, how much is hidden where it is not shown.
        least: repeats that hide less are left out.
    """
    before = [0, *accumulate(sizes)]

    def hidden(repeat: Repeat) -> int:
        period, start, times = repeat
        return before[start + period * times] - before[start + period]

    taken = bytearray(len(sizes))
    chosen: list[Repeat] = []
    for repeat in sorted(repeats, key=lambda repeat: (-hidden(repeat), repeat)):
        if hidden(repeat) < least:
            break
        for part in _free(repeat, taken):
            if hidden(part) >= least:
                chosen.append(part)
                end = part.start + part.period * part.times
                taken[part.start : end] = b"\1" * (end - part.start)
    return sorted(chosen, key=lambda repeat: repeat.start)


def _free(repeat: Repeat, taken: bytearray) -> Iterator[Repeat]:
    """The parts of a repeat, at least two periods long, that nothing chosen before has taken."""
    period, start, times = repeat
    end = start + period * times
    while start < end:
        blocked = taken.find(1, start, end)
        fit = ((end if blocked < 0 else blocked) - start) // period
        if fit > 1:
            yield Repeat(period, start, fit)
        if blocked < 0:
            return
        freed = taken.find(0, blocked, end)
        start += -(-((end if freed < 0 else freed) - start) // period) * period
