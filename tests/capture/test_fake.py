"""Runs on fake tensors: what stands in for the user's tensors, and that nothing of it is left."""

from __future__ import annotations

import torch
from torch import nn
from torch._subclasses import FakeTensor

import torchatlas as ta


class Cache:
    """An object that a module holds, and writes to."""

    def __init__(self):
        self.keys = torch.zeros(2, 3)
        self.calls = 0


class Holding(nn.Module):
    """Holds tensors that are not registered: alone, in a list beside a parameter, in an object."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.total = torch.zeros(2, 3)
        self.weights = [self.layer.weight, torch.ones(3)]
        self.cache = Cache()
        self.steps = []

    def forward(self, x):
        h = self.layer(x)
        assert self.weights[0] is self.layer.weight
        assert all(isinstance(one, FakeTensor) for one in (h, self.total, self.weights[1], self.cache.keys))
        self.total[:, :2] += h[:, :2]
        self.cache.keys.add_(h)
        self.cache.keys = self.cache.keys + 1
        self.cache.calls += 1
        self.steps.append(h)
        self.new = h
        return self.total + self.cache.keys @ self.weights[0] + self.weights[1]


def test_tensors_that_are_not_registered_are_fake_too():
    """Each by the name of its attribute; a parameter in a list is the parameter."""
    graph = ta.capture(Holding(), torch.ones(2, 3), fake=True).graph
    names = {value.names[0]: value.type for value in graph.values if value.kind == "constant"}
    assert names == dict.fromkeys(["total", "cache.keys", "weights[1]"], "FakeTensor")


def test_a_run_on_fake_tensors_leaves_none_of_them():
    """Attributes, lists and objects are those that were there, with the tensors and the content that they had."""
    model = Holding()
    before = dict(vars(model))
    keys, ones = model.cache.keys, model.weights[1]
    ta.capture(model, torch.ones(2, 3), fake=True)
    assert list(vars(model)) == list(before)
    assert all(vars(model)[name] is thing for name, thing in before.items())
    assert model.cache.keys is keys
    assert model.cache.calls == 0
    assert model.weights[0] is model.layer.weight
    assert model.weights[1] is ones
    assert model.steps == []
    assert not keys.any()
    assert not model.total.any()


def test_what_modules_share_is_shared_on_fake_tensors_too():
    """A list of two layers and of the model: what one layer puts into it, the other reads."""

    class Appends(nn.Module):
        def __init__(self, seen):
            super().__init__()
            self.seen = seen

        def forward(self, x):
            self.seen.append(x)
            return torch.cat(self.seen)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen = [torch.zeros(1, 2)]
            self.a, self.b = Appends(self.seen), Appends(self.seen)

        def forward(self, x):
            self.a(x)
            self.b(x)
            return torch.cat(self.seen)

    model = Net()
    for fake in (False, True):
        graph = ta.capture(model, torch.ones(1, 2), fake=fake).graph
        assert graph.values[graph.calls[0].outputs[0]].shape == (3, 2)
        assert len(model.seen) == 1


def test_a_tensor_of_a_function_is_written_in_no_run_on_fake_tensors():
    """It is real, for a closure cannot be given another, and torch does not write it."""
    total = torch.zeros(2)

    def function(x):
        total.add_(x)
        return total + x

    ta.capture(function, torch.ones(2), fake=True)
    assert not total.any()
