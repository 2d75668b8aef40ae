"""The longest common subsequence, beside the table that everybody would write."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchatlas.core.comparing.subsequence import heaviest_pairs, longest_common
from work import lines_run

sequences = st.lists(st.integers(0, 3), max_size=12)


def longest(a, b):
    """Its length, by the table of all beginnings."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@given(sequences, sequences)
def test_it_is_the_longest_that_there_is(a, b):
    """Pairs are of equal items, ascend on both sides, and are as many as the table says."""
    found = longest_common(a, b)
    assert all(a[i] == b[j] for i, j in found)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(found))
    assert len(found) == longest(a, b)


def test_what_is_put_in_between_shifts_what_follows():
    """Of equal neighbours the additional one is the last."""
    assert longest_common([1, 2, 3, 4], [1, 2, 9, 3, 4]) == [(0, 0), (1, 1), (2, 3), (3, 4)]
    assert longest_common([7, 7], [7, 7, 7]) == [(0, 0), (1, 1)]


@pytest.mark.parametrize("count", [20_000])
def test_what_has_nothing_in_order_costs_no_more_than_it_must(count):
    """Beyond many differences a good answer comes at once, instead of the best after minutes."""
    there, back = list(range(count)), list(range(count, 0, -1))
    assert len(longest_common(there, back)) == 1
    assert lines_run(lambda: longest_common(there, back)) < 300 * count
    first, second = [at * 7 % 5 for at in range(count)], [at * 3 % 5 for at in range(count)]
    assert len(longest_common(first, second)) > count // 5
    assert lines_run(lambda: longest_common(first, second)) < 300 * count


@given(st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), max_size=6))
def test_pairs_that_weigh_most_together_are_found(weights):
    """No choice of pairs that ascend on both sides weighs more, and none of them weighs nothing."""
    best = [[0] * 5 for _ in range(len(weights) + 1)]
    for i, row in enumerate(weights):
        for j, weight in enumerate(row):
            best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], best[i][j] + weight)
    found = heaviest_pairs(weights)
    assert all(weights[i][j] > 0 for i, j in found)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(found))
    assert sum(weights[i][j] for i, j in found) == best[-1][-1]
