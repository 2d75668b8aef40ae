"""What a model says it wants to be called with."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor, nn

from torchatlas.capture.inputs.forward import example, render, signature, sized_example, unwrapped


class Two(nn.Module):
    def forward(self, x: Tensor, mask: Tensor | None = None, *, scale: float) -> Tensor:
        return x


class Optional(nn.Module):
    def forward(self, input_ids=None, attention_mask=None, **rest):
        return input_ids


class Anything(nn.Module):
    def forward(self, *xs, **options):
        return xs


class Pair(nn.Module):
    def forward(self, x, y):
        return x


class Alone(nn.Module):
    def forward(self):
        return torch.ones(1)


def loss(prediction, target, weight=None):
    """A callable that is no module."""
    return prediction


TEXTS = {
    "positional, optional and by name": (
        Two(),
        "forward(x, mask=None, *, scale)",
        'ta.capture(model, x, kwargs={"scale": scale})',
    ),
    "all optional": (
        Optional(),
        "forward(input_ids=None, attention_mask=None, **rest)",
        'ta.capture(model, kwargs={"input_ids": input_ids})',
    ),
    "any number": (Anything(), "forward(*xs, **options)", "ta.capture(model, x)"),
    "two": (Pair(), "forward(x, y)", "ta.capture(model, (x, y))"),
    "none": (Alone(), "forward()", "ta.capture(model)"),
    "function": (loss, "loss(prediction, target, weight=None)", "ta.capture(model, (prediction, target))"),
    "partial": (functools.partial(loss, weight=1), "loss(prediction, target, *, weight=1)", None),
    "C function": (torch.relu, "relu(...)", "ta.capture(model, x)"),
    "parallel wrapper": (nn.DataParallel(Pair()), "forward(x, y)", "ta.capture(model, (x, y))"),
    "averaging wrapper": (torch.optim.swa_utils.AveragedModel(Pair()), "forward(x, y)", None),
    "method": (Pair().forward, "forward(x, y)", "ta.capture(model, (x, y))"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_signature_and_example_in_words(name):
    """Types are left out, defaults stay; the example gives what is required."""
    model, rendered, call = TEXTS[name]
    assert render(model) == rendered
    assert call is None or example(model) == call


def test_a_compiled_module_has_the_signature_of_its_original():
    """The wrapper itself takes anything."""
    assert render(torch.compile(Pair(), backend="eager")) == "forward(x, y)"


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
@pytest.mark.filterwarnings("ignore:`torch.jit.trace")
def test_scripted_and_traced_modules_have_their_schema():
    """Python keeps no signature of them."""
    scripted = torch.jit.script(nn.Linear(3, 3))
    assert render(scripted) == "forward(input)"
    assert example(torch.jit.trace(nn.ReLU(), torch.ones(1))) == "ta.capture(model, input)"


def test_a_wrapper_with_its_own_forward_is_not_unwrapped():
    """An attribute called ``module`` is no proof that the arguments are handed on."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = Pair()

        def forward(self, z):
            return self.module(z, z)

    model = Own()
    assert unwrapped(model) is model
    assert render(model) == "forward(z)"


def test_no_signature_is_none():
    """Functions written in C have none that Python could read."""
    assert signature(torch.relu) is None


@pytest.mark.parametrize(
    ("model", "call"),
    [
        (nn.ReLU(), "ta.capture(model, input_size=(1, 3, 224, 224))"),
        (Pair(), 'ta.capture(model, input_size={"x": (1, 10), "y": (1, 10)})'),
        (torch.relu, "ta.capture(model, input_size=(1, 3, 224, 224))"),
    ],
)
def test_an_example_with_sizes(model, call):
    """One shape for one argument, shapes by name for several."""
    assert sized_example(model) == call
