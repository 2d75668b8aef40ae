"""Formulas from sizes, against sums written out as loops."""

from __future__ import annotations

from itertools import product as every

import pytest

from torchatlas.core.operators import flops


def test_a_product_is_a_multiplication_and_an_addition_for_every_pair():
    """(2, 3) times (3, 5)."""
    assert flops.product(2 * 5, 3) == 2 * sum(1 for _ in every(range(2), range(5), range(3)))


def test_a_convolution_sums_over_the_channels_of_its_group_and_the_kernel():
    """8 channels out of 6 in 2 groups, 5 by 4 places, a kernel of 3 by 2."""
    loops = sum(1 for _ in every(range(8), range(5), range(4), range(6 // 2), range(3), range(2)))
    assert flops.convolution(8 * 5 * 4, (8, 6 // 2, 3, 2)) == 2 * loops


def test_a_transposed_convolution_spreads_every_element_that_it_reads():
    """6 channels in, 8 out in 2 groups, 5 by 4 places, a kernel of 3 by 2."""
    loops = sum(1 for _ in every(range(6), range(5), range(4), range(8 // 2), range(3), range(2)))
    assert flops.transposed_convolution(6 * 5 * 4, (6, 8 // 2, 3, 2)) == 2 * loops


def test_attention_is_two_products():
    """Two heads of three queries of width 4 with five keys, whose values are 6 wide."""
    scores, sums = flops.product(2 * 3 * 5, 4), flops.product(2 * 3 * 6, 5)
    assert flops.attention(2 * 3, 5, 4, 6) == scores + sums


def test_every_step_meets_every_element_of_the_matrices():
    """Two sequences of five steps, an LSTM cell of 3 to 4: one matrix by input, one by state."""
    assert flops.recurrent(2 * 5, 16 * 3 + 16 * 4) == flops.product(2 * 5 * 16, 3) + flops.product(2 * 5 * 16, 4)


@pytest.mark.parametrize(("first", "second"), [(3, 4), (1, 1)])
def test_a_bilinear_layer_is_a_product_with_one_input_and_then_the_other(first, second):
    """For every element of the result a matrix of the weights."""
    assert flops.bilinear(7, first, second) == flops.product(7 * second, first) + flops.product(7, second)
