"""Tandem repeats against a search that tries everything."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from torchatlas.core.folding.repeats import Repeat, Stretch, choose_disjoint, stretches

WORDS = st.lists(st.integers(0, 2), max_size=40)


def tried(items: list[int]) -> set[Stretch]:
    """Find every maximal stretch of every period by comparing all."""
    found = set()
    for period in range(1, len(items) // 2 + 1):
        equal = [a == b for a, b in zip(items, items[period:], strict=False)]
        start = 0
        for place, same in enumerate([*equal, False]):
            if not same:
                if place - start >= period:
                    found.add(Stretch(period, start, place))
                start = place + 1
    return found


@given(WORDS)
@settings(max_examples=500)
def test_three_repeats_of_a_least_period_are_found(items: list[int]) -> None:
    """Nothing is found that is not there; of what is, all that repeats three times by its least period."""
    there, found = tried(items), set(stretches(items))
    assert found <= there
    for stretch in there - found:
        period, start, stop = stretch
        word = items[start : start + period]
        least = min(p for p in range(1, period + 1) if period % p == 0 and word == word[:p] * (period // p))
        assert least < period or stop - start < 2 * period


def test_two_repeats_of_a_plain_block_are_found() -> None:
    """A block whose items differ needs to occur only twice."""
    assert set(stretches([9, 1, 2, 3, 1, 2, 3, 8])) == {Stretch(3, 1, 4)}


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 29), st.integers(2, 6)), max_size=12),
    st.integers(1, 12),
)
def test_chosen_repeats_lie_apart_and_hide_enough(
    sizes: list[int], candidates: list[tuple[int, int, int]], least: int
) -> None:
    """Each is part of a candidate in step with it; what hides most is always taken whole."""
    repeats = [Repeat(*item) for item in candidates if item[1] + item[0] * item[2] <= len(sizes)]

    def hidden(repeat: Repeat) -> int:
        period, start, count = repeat
        return sum(sizes[start + period : start + period * count])

    chosen = choose_disjoint(repeats, sizes, least)
    ends = [0, *(start + period * count for period, start, count in chosen)]
    for repeat, free in zip(chosen, ends, strict=False):
        assert repeat.start >= free
        assert repeat.times > 1
        assert hidden(repeat) >= least
        assert any(
            repeat.period == other.period
            and (repeat.start - other.start) % other.period == 0
            and other.start <= repeat.start
            and repeat.start + repeat.period * repeat.times <= other.start + other.period * other.times
            for other in repeats
        )
    most = max(map(hidden, repeats), default=0)
    assert most < least or most == max(map(hidden, chosen))


def test_the_parts_beside_a_chosen_repeat_stay_in_step() -> None:
    """What remains of repeats that overlap a better one is cut at their own block borders."""
    sizes = [1] * 4 + [100] * 5 + [1] * 11
    candidates = [Repeat(2, 0, 3), Repeat(1, 4, 5), Repeat(3, 7, 4)]
    assert choose_disjoint(candidates, sizes, 2) == [Repeat(2, 0, 2), Repeat(1, 4, 5), Repeat(3, 10, 3)]
    assert choose_disjoint(candidates, sizes, 3) == [Repeat(1, 4, 5), Repeat(3, 10, 3)]


def test_words_of_every_kind_end() -> None:
    """Small words, all of them, are searched to the end."""
    assert all(set(stretches(word)) <= tried(list(word)) for word in product(range(2), repeat=9))
