"""Floating point operations of contractions, from sizes alone; 1 multiply-add is 2 of them.

Captures (`capture.flops`) and the readers of files bind them to the arguments of the operators that they meet: here
stands what is counted, there which argument is which. A bias is not counted, and a mask takes nothing off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

Shape: TypeAlias = Sequence[int]


def product(results: int, summed: int) -> int:
    """A product of matrices or vectors: every element of the result sums over ``summed`` pairs.

    >>> product(2 * 5, 3)  # (2, 3) times (3, 5)
    60
    """
    return 2 * results * summed


def bilinear(results: int, first: int, second: int) -> int:
    """Contracted with the first input, of that many features, then with the second, for every element of the result."""
    return 2 * results * second * (first + 1)


def convolution(results: int, weight: Shape) -> int:
    """Each element of the result sums over the channels of its group and the kernel: all axes of the weight but one.

    >>> convolution(8 * 10 * 10, (8, 3, 3, 3))
    43200
    """
    return 2 * results * math.prod(weight[1:])


def transposed_convolution(read: int, weight: Shape) -> int:
    """Each element that is read meets the output channels of its group and the kernel."""
    return 2 * read * math.prod(weight[1:])


def attention(rows: int, keys: int, width: int, value_width: int) -> int:
    """Scores of every row of the queries with every key, and their sums of the values.

    Args:
        rows: of all queries, heads and batches.
        keys: how many each of them meets.
        width: of a query and of a key.
        value_width: of a value, and so of a row of the result.
    """
    return 2 * rows * keys * (width + value_width)


def recurrent(steps: int, weights: int) -> int:
    """Every step of all sequences meets every element of the matrices once."""
    return 2 * steps * weights
