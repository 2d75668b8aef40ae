"""The totals of a graph as plain numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.measure.totals import Totals


class Tied(nn.Module):
    """Two layers that share a weight, one that is frozen, and a norm with buffers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.second.bias.requires_grad = False
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        return torch.relu(self.norm(self.second(self.first(x))))


def test_the_numbers_are_those_worked_out_by_hand():
    """Weights: 16 shared, biases 4 + 4 (frozen), norm 4 + 4; buffers 4 + 4 and a counter of 8 bytes.

    Two products of 10 x 4 by 4 x 4 are 2 * 160 multiply-adds; norm and relu make 40 elements each.
    """
    atlas = ta.capture(Tied(), torch.zeros(10, 4))
    assert atlas.totals == Totals(
        parameters=32,
        trainable=28,
        frozen=4,
        buffers=9,
        flops=640,
        mult_adds=320,
        elementwise=80,
        bytes=32 * 4 + 8 * 4 + 8,
        exact=True,
    )


def test_without_a_run_there_is_no_arithmetic():
    """None is not zero: nothing was counted."""
    found = ta.capture(Tied()).totals
    assert (found.parameters, found.exact) == (32, True)
    assert (found.flops, found.mult_adds, found.elementwise) == (None, None, None)


class Inverse(nn.Module):
    """Arithmetic that has no formula."""

    def forward(self, x):
        return torch.linalg.inv(x) @ x


def test_what_is_a_lower_bound_is_not_exact():
    """Arithmetic that was not seen, and a weight that has no size yet."""
    found = ta.capture(Inverse(), torch.eye(3)).totals
    assert (found.flops, found.exact) == (54, False)
    assert not ta.capture(nn.LazyLinear(2)).totals.exact
    assert ta.capture(nn.LazyLinear(2), torch.zeros(1, 3)).totals.exact


def test_they_are_plain_and_frozen():
    """Nobody changes a record."""
    found = ta.capture(nn.ReLU(), torch.zeros(1)).totals
    assert isinstance(found, ta.Totals)
    with pytest.raises(AttributeError):
        found.flops = 1


def test_an_atlas_hands_out_what_people_loop_over():
    """The same objects as the graph's."""
    atlas = ta.capture(Tied(), torch.zeros(10, 4))
    assert (atlas.modules, atlas.calls) == (atlas.graph.modules, atlas.graph.calls)
    assert isinstance(atlas.graph, ta.Graph)
    assert all(isinstance(module, ta.Module) for module in atlas.modules)
    assert all(isinstance(call, ta.Call) for call in atlas.calls)
    assert all(isinstance(value, ta.Value) for value in atlas.graph.values)
    assert [module.path for module in atlas.modules] == ["", "first", "second", "norm"]
