"""What was given by position is shapes or numbers, by what the model declares and by what stands beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.capture.inputs.arguments import Given, inputs_of
from torchatlas.capture.inputs.shapes import numbers_beside_tensors, shapes_in


class Open(nn.Module):
    """Says nothing of what it takes."""

    def forward(self, x, y=None): ...


class Either(nn.Module):
    """Takes tensors, and numbers in their place."""

    def forward(self, x: torch.Tensor | float, y: torch.Tensor | float): ...


class Numbers(nn.Module):
    """Takes numbers."""

    def forward(self, height: int, width: int): ...


class Resized(nn.Module):
    """Takes a shape, as its default says."""

    def forward(self, size=(2, 2)): ...


def one(x):
    """A function of one argument."""


def two(x, y):
    """A function of two."""


@pytest.mark.parametrize(
    ("model", "args", "shapes"),
    [
        (Open(), (1, 3), (1, 3)),
        (Open(), [(1, 3), (1, 8)], [(1, 3), (1, 8)]),
        (Open(), {"x": (1, 3)}, {"x": (1, 3)}),
        (Open(), {"a": (1, 3)}, [{"a": (1, 3)}]),
        (Open(), [], None),
        (Open(), [(), []], None),
        (Open(), (True, False), None),
        (Open(), (torch.zeros(1), (1, 3)), None),
        (Either(), (1, 3), (1, 3)),
        (Numbers(), (1, 3), None),
        (Numbers(), (1, 3, 4), (1, 3, 4)),
        (Resized(), ((3, 4),), None),
        (one, (1, 3), (1, 3)),
        (one, [1, 3], None),
        (two, (1, 3), None),
        (two, torch.Size([1, 3]), (1, 3)),
        (one, [(1, 3)], None),
        (Open().forward, [(1, 3)], [(1, 3)]),
    ],
)
def test_shapes_are_told_from_numbers(model, args, shapes):
    """A module takes tensors unless it declares numbers; a function may take as many numbers as it has arguments."""
    assert shapes_in(model, args) == shapes


def test_a_shape_beside_a_tensor_is_an_argument():
    """Shapes alone are none, in whatever number."""
    assert numbers_beside_tensors((torch.zeros(1), (1, 3))) == (1, 3)
    assert numbers_beside_tensors(((1, 3), (1, 8))) is None
    assert numbers_beside_tensors([torch.zeros(1), (1, 3)]) is None


def test_numbers_that_were_handed_on_are_said_where_they_may_be_at_fault():
    """Those of another class are not: they may do anything when they are printed."""
    advice = inputs_of(Open(), Given((torch.zeros(1), (1, 3)))).advice
    assert advice == "(1, 3) was passed on unchanged; for a tensor of that shape, give torch.rand(1, 3)."
    assert not inputs_of(Open(), Given((torch.zeros(1), (np.int64(1), 3)))).advice
