"""From what the user gave to the arguments of the call."""

from __future__ import annotations

from collections import UserDict
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from torchatlas.capture.inputs.arguments import bind
from torchatlas.core.errors import InputError

X = torch.zeros(1, 3)


class One(nn.Module):
    def forward(self, x):
        return x


class Two(nn.Module):
    def forward(self, x, mask=None, *, scale=1.0):
        return x


class Strict(nn.Module):
    def forward(self, x, y, *, scale):
        return x


class Optional(nn.Module):
    def forward(self, input_ids=None, attention_mask=None, **rest):
        return input_ids


class Any(nn.Module):
    def forward(self, *xs):
        return xs


class Numbers(nn.Module):
    def forward(self, height: int, width: int, depth: int = 1):
        return torch.zeros(height, width, depth)


class Grid(nn.Module):
    def forward(self, hw_shape):
        return torch.zeros(hw_shape)


class Sample(nn.Module):
    def forward(self, n=4):
        return torch.zeros(n)


@dataclass
class Batch:
    x: torch.Tensor


PACKED = pack_padded_sequence(torch.zeros(3, 2, 4), torch.tensor([3, 2]))
SINGLE = [X, [X, X], {"a": X}, "text", 5, 0.5, Batch(X), PACKED, UserDict(a=X)]


@pytest.mark.parametrize("thing", SINGLE, ids=lambda thing: type(thing).__name__)
def test_anything_but_a_tuple_is_one_argument(thing):
    """Also what is a tuple by inheritance."""
    (argument,), kwargs = bind(One(), thing)
    assert argument is thing
    assert kwargs == {}


def test_none_alone_is_an_argument_and_beside_others_nothing():
    """``capture(model, None)`` calls ``model(None)``."""
    assert bind(One(), None) == ((None,), {})
    assert bind(One(), None, {"x": 1}) == ((), {"x": 1})
    assert len(bind(One(), None, input_size=(1,))[0]) == 1


def test_a_tuple_holds_the_arguments_and_kwargs_any_mapping():
    """As in ``torch.export.export``."""
    assert bind(Two(), (1, 2), {"scale": 3}) == ((1, 2), {"scale": 3})
    assert bind(Optional(), kwargs=UserDict(input_ids=1, other=2)) == ((), {"input_ids": 1, "other": 2})


def test_sizes_and_other_arguments_go_together():
    """Flags in kwargs beside inputs that are made."""
    (x,), kwargs = bind(Two(), kwargs={"scale": 2}, input_size=(1, 3))
    assert (tuple(x.shape), kwargs) == ((1, 3), {"scale": 2})


@pytest.mark.parametrize(
    "model", [One(), Two(), Optional(), Any(), nn.ModuleList(), torch.relu, nn.DataParallel(One())], ids=repr
)
def test_without_input_a_model_that_needs_one_is_not_run(model):
    """Nor is one whose arguments default to None, or are any number."""
    assert bind(model) is None


@pytest.mark.parametrize("model", [Sample(), lambda: X], ids=["defaults", "none"])
def test_without_input_a_model_that_needs_none_is_run(model):
    """Every argument has a value."""
    assert bind(model) == ((), {})


def test_empty_kwargs_run_a_model_with_nothing():
    """The way to run a forward whose arguments all default to None."""
    assert bind(Optional(), kwargs={}) == ((), {})


@pytest.mark.parametrize(
    ("model", "args"),
    [
        (Numbers(), (2, 3)),
        (Numbers(), (2, 3, 4)),
        (Grid(), ((14, 14),)),
        (lambda a, b, c: X, (1, 2, 3)),
        (One(), 5),
    ],
)
def test_numbers_that_forward_takes_pass(model, args):
    """Declared as numbers, fewer than three, or given to a function."""
    assert bind(model, args) is not None


def test_numbers_given_by_name_pass():
    """The way round the check for shapes."""
    assert bind(Grid(), kwargs={"hw_shape": (1, 2, 3)}) == ((), {"hw_shape": (1, 2, 3)})


def test_a_callable_without_signature_is_not_checked():
    """The call itself will tell."""
    assert bind(torch.add, (X, X, X)) == ((X, X, X), {})


ERRORS = {
    "too many": (
        Two(),
        ((X, X, X),),
        """3 arguments were given by position, at most 2 wanted.
  given:   ta.capture(model, (float32[1, 3], float32[1, 3], float32[1, 3]))
  wanted:  forward(x, mask=None, *, scale=1.0)
  example: ta.capture(model, x)""",
    ),
    "missing": (
        Strict(),
        (X,),
        """"y", "scale" is missing.
  given:   ta.capture(model, float32[1, 3])
  wanted:  forward(x, y, *, scale)
  example: ta.capture(model, (x, y), kwargs={"scale": scale})""",
    ),
    "a list for a tuple": (
        Strict(),
        ([X, X], {"scale": 1}),
        """"y" is missing. A list is one argument; a tuple holds several.
  given:   ta.capture(model, [float32[1, 3], float32[1, 3]], kwargs={'scale': 1})
  wanted:  forward(x, y, *, scale)
  example: ta.capture(model, (x, y), kwargs={"scale": scale})""",
    ),
    "unknown name": (
        One(),
        (X, {"maks": None}),
        """"maks" is not an argument.
  given:   ta.capture(model, float32[1, 3], kwargs={'maks': None})
  wanted:  forward(x)
  example: ta.capture(model, x)""",
    ),
    "twice": (
        One(),
        (X, {"x": X}),
        """"x" was given by position and by name.
  given:   ta.capture(model, float32[1, 3], kwargs={'x': float32[1, 3]})
  wanted:  forward(x)
  example: ta.capture(model, x)""",
    ),
    "a shape": (
        One(),
        ((1, 3, 224, 224),),
        """A shape was given where a tensor is wanted; input_size makes tensors of a shape. \
(Numbers that forward does take can be given by name, in kwargs.)
  given:   ta.capture(model, (1, 3, 224, 224))
  wanted:  forward(x)
  example: ta.capture(model, input_size=(1, 3, 224, 224))""",
    ),
    "a short shape": (
        One(),
        ((1, 10),),
        """2 arguments were given by position, at most 1 wanted. Is it a shape? \
Then input_size=(1, 10) makes the input.
  given:   ta.capture(model, (1, 10))
  wanted:  forward(x)
  example: ta.capture(model, x)""",
    ),
    "names in args": (
        Optional(),
        ({"input_ids": X, "attention_mask": X},),
        """The keys of this dict are names of arguments: give it as kwargs (or, as one argument, in a tuple).
  given:   ta.capture(model, {'input_ids': float32[1, 3], 'attention_mask': float32[1, 3]})
  wanted:  forward(input_ids=None, attention_mask=None, **rest)
  example: ta.capture(model, kwargs={'input_ids': float32[1, 3], 'attention_mask': float32[1, 3]})""",
    ),
    "kwargs of another kind": (
        One(),
        ((), [X]),
        """kwargs is a list; a dict by argument name is wanted.
  given:   ta.capture(model, kwargs=[float32[1, 3]])
  wanted:  forward(x)
  example: ta.capture(model, x)""",
    ),
    "kwargs without names": (
        One(),
        ((), {0: X}),
        """kwargs has the key 0; argument names are wanted.
  given:   ta.capture(model, kwargs={0: float32[1, 3]})
  wanted:  forward(x)
  example: ta.capture(model, x)""",
    ),
    "a parallel wrapper": (
        nn.DataParallel(One()),
        ((X, X),),
        """2 arguments were given by position, at most 1 wanted.
  given:   ta.capture(model, (float32[1, 3], float32[1, 3]))
  wanted:  forward(x)
  example: ta.capture(model, x)""",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_does_not_fit_is_said_in_full(name):
    """What was given, what forward wants, and a call it would accept."""
    model, given, text = ERRORS[name]
    with pytest.raises(InputError) as caught:
        bind(model, *given)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("args", "example"),
    [
        (torch.Size([1, 3]), "ta.capture(model, input_size=(1, 3))"),
        ([1, 3, 8, 8], "ta.capture(model, input_size=(1, 3, 8, 8))"),
        (((1, 3, 8, 8),), "ta.capture(model, input_size=(1, 3, 8, 8))"),
        (((1, 3, 8), (1, 2, 3)), "ta.capture(model, input_size=((1, 3, 8), (1, 2, 3)))"),
    ],
)
def test_a_shape_in_any_wrapping_is_recognized(args, example):
    """The example is the call that was meant."""
    with pytest.raises(InputError, match="A shape was given") as caught:
        bind(Two(), args)
    assert str(caught.value).endswith(f"example: {example}")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"args": X, "input_size": (1, 3)}, "Both args and input_size were given"),
        ({"kwargs": {"x": X}, "input_size": {"x": (1, 3)}}, '"x" was given in kwargs and in input_size.'),
        ({"args": X, "dtypes": "int64"}, "dtypes and device are for the inputs that input_size makes."),
        ({"args": X, "device": "cpu"}, "dtypes and device are for the inputs that input_size makes."),
    ],
)
def test_options_that_exclude_each_other_are_said(options, text):
    """Neither wins silently."""
    with pytest.raises(InputError) as caught:
        bind(One(), **options)
    assert str(caught.value).startswith(text)


def test_what_is_given_is_described_not_dumped():
    """A long or many-line argument is named by its type."""
    with pytest.raises(InputError) as caught:
        bind(One(), ("x" * 100, Batch(X)))
    assert "given:   ta.capture(model, (str, Batch" in str(caught.value)
