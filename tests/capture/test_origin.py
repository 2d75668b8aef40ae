"""What an atlas keeps of its model: the model's results by name, and nothing alive."""

from __future__ import annotations

import gc
import weakref
from collections import namedtuple

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.errors import InputError

Pair = namedtuple("Pair", ["first", "second"])  # noqa: PYI024 - users' code has the untyped kind too
ONE, TWO = torch.zeros(1), torch.zeros(2)


class Cache:
    """An object of the user's that holds tensors, itself, and much more."""

    def __init__(self, count):
        self.layers = [torch.zeros(1) for _ in range(count)]
        self.again = self
        self.model = nn.Linear(1, 1)


class Returns(nn.Module):
    def __init__(self, result):
        super().__init__()
        self.result = result

    def forward(self, x):
        return self.result


@pytest.mark.parametrize(
    ("result", "names"),
    [
        (ONE, ["output"]),
        ((ONE, [TWO, None]), ["output.0", "output.1.0"]),
        ({"logits": ONE, 7: {"x": TWO}}, ["logits", "output.7.x"]),
        (Pair(ONE, "text"), ["first"]),
        (None, []),
        (Cache(100), [f"layers.{at}" for at in range(100)]),
    ],
    ids=["tensor", "tuple", "dictionary", "namedtuple", "nothing", "object"],
)
def test_results_of_any_structure_are_flat_and_named(result, names):
    """Every tensor once per place, in order; other programs know of no structure."""
    model = Returns(result)
    origin = ta.capture(model, torch.zeros(1)).origin
    with origin.ready() as ready:
        found = ready.model(*ready.args, **ready.kwargs)
        assert ready.names == names
    assert isinstance(found, tuple)
    assert len(found) == len(names)
    assert model(torch.zeros(1)) is result


def test_arguments_are_made_anew_with_shape_type_and_device():
    """Their numbers are not kept."""
    model = nn.Linear(2, 2)
    origin = ta.capture(model, (torch.ones(3, 2, dtype=torch.float32),)).origin
    with origin.ready() as ready:
        (made,) = ready.args
        assert (tuple(made.shape), made.dtype, made.sum().item()) == ((3, 2), torch.float32, 0)


def test_a_model_that_is_held_stays():
    """The command line holds what nobody else does; an atlas alone does not."""
    for hold in (True, False):
        model = nn.Linear(2, 2)
        alive = weakref.ref(model)
        origin = ta.capture(model, torch.zeros(1, 2)).origin
        if hold:
            origin.hold()
        del model
        gc.collect()
        assert (alive() is not None) is hold
    with pytest.raises(InputError, match="the captured model no longer exists"), origin.ready():
        pass
