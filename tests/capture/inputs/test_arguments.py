"""From what the user gave to the arguments of the call."""

from __future__ import annotations

from collections import UserDict
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from torchatlas.capture.inputs.arguments import Given, inputs_of, with_named
from torchatlas.capture.inputs.caller import Caller
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


class Sizes(nn.Module):
    def forward(self, size: tuple[int, int], kernel: list[int] = (3,)):
        return torch.zeros(size)


class Sample(nn.Module):
    def forward(self, n=4):
        return torch.zeros(n)


def bind(model, *given, **options):
    """The positional and the keyword arguments of the call; None if it is not to be run."""
    inputs = inputs_of(model, Given(*given, **options))
    return None if inputs is None else (inputs.args, inputs.kwargs)


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
    assert bind(Two(), (X, 2), {"scale": 3}) == ((X, 2), {"scale": 3})
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
        (Sizes(), ((14, 14), [1])),
        (Sample(), (5,)),
        (Two(), (X, (1, 2))),
        (Two(), ((1, 2), None)),
        (One(), ([1, 2.5],)),
        (One(), ([True, False],)),
        (lambda a, b, c: X, (1, 2, 3)),
        (lambda a: X, ([1, 2],)),
        (lambda a: X, [(1, 2)]),
    ],
)
def test_numbers_that_are_arguments_stay_so(model, args):
    """Declared as numbers by annotation or default, beside anything that is no shape, or given to a function."""
    inputs = inputs_of(model, Given(args))
    assert inputs.made is None
    assert inputs.args == (args if type(args) is tuple else (args,))


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
    "shapes one after the other": (
        Strict(),
        ((1, 3), (1, 8)),
        """kwargs is a tuple; give a dict of arguments by name. Give several shapes as a list: [(1, 3), (1, 8)].
  given:   ta.capture(model, (1, 3), kwargs=(1, 8))
  wanted:  forward(x, y, *, scale)
  example: ta.capture(model, (x, y), kwargs={"scale": scale})""",
    ),
    "tensors one after the other": (
        Two(),
        (X, X),
        """kwargs is a Tensor; give a dict of arguments by name. Give several arguments as a tuple: (x, y).
  given:   ta.capture(model, float32[1, 3], kwargs=float32[1, 3])
  wanted:  forward(x, mask=None, *, scale=1.0)
  example: ta.capture(model, x)""",
    ),
    "more shapes than arguments": (
        One(),
        ([(1, 3), (1, 8)],),
        """2 arguments were given by position, at most 1 wanted. \
A list of shapes holds one for each argument; a list in a tuple is one argument, a list of tensors.
  given:   ta.capture(model, [(1, 3), (1, 8)])
  wanted:  forward(x)
  example: ta.capture(model, x)""",
    ),
    "a shape of no size": (
        One(),
        ((-1, 3, 224, 224),),
        """-1 is not a size; sizes are whole numbers from 0 up.
  given:   ta.capture(model, (-1, 3, 224, 224))
  wanted:  forward(x)
  example: ta.capture(model, input_size=(1, 3, 224, 224))""",
    ),
    "names in args": (
        Optional(),
        ({"input_ids": X, "attention_mask": X},),
        """The keys of this dict are names of arguments; give it as kwargs (or, as one argument, in a tuple).
  given:   ta.capture(model, {'input_ids': float32[1, 3], 'attention_mask': float32[1, 3]})
  wanted:  forward(input_ids=None, attention_mask=None, **rest)
  example: ta.capture(model, kwargs={'input_ids': float32[1, 3], 'attention_mask': float32[1, 3]})""",
    ),
    "kwargs of another kind": (
        One(),
        ((), [X]),
        """kwargs is a list; give a dict of arguments by name.
  given:   ta.capture(model, kwargs=[float32[1, 3]])
  wanted:  forward(x)
  example: ta.capture(model, x)""",
    ),
    "kwargs without names": (
        One(),
        ((), {0: X}),
        """kwargs has the key 0; its keys must be names of arguments.
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
    ("args", "shapes"),
    [
        ((1, 3, 224, 224), [(1, 3, 224, 224)]),
        ([1, 3, 8, 8], [(1, 3, 8, 8)]),
        ((5,), [(5,)]),
        (torch.Size([1, 3]), [(1, 3)]),
        ((np.int64(2), 3), [(2, 3)]),
        (((1, 3, 8, 8),), [(1, 3, 8, 8)]),
        (((1, 3, 8), (1, 2)), [(1, 3, 8), (1, 2)]),
        ([(1, 3), [1, 8]], [(1, 3), (1, 8)]),
        ([torch.Size([1, 3]), ()], [(1, 3), ()]),
    ],
)
@pytest.mark.parametrize("wrapped", [lambda model: model, nn.DataParallel, lambda model: model.forward], ids="123")
def test_shapes_by_position_are_shapes(args, shapes, wrapped):
    """In any wrapping, for a module, one inside another, and a module's method: tensors of these sizes."""
    made, kwargs = bind(wrapped(Two()), args)
    assert ([tuple(x.shape) for x in made], kwargs) == (shapes, {})


def test_a_dict_of_shapes_by_position_is_by_name_or_one_argument():
    """By name where its keys are names of arguments, else a dict of tensors."""
    args, kwargs = bind(Two(), {"mask": (1, 8), "x": (1, 3)})
    assert (args, {name: tuple(x.shape) for name, x in kwargs.items()}) == ((), {"mask": (1, 8), "x": (1, 3)})
    (batch,), kwargs = bind(Two(), {"a": (1, 3), "b": {"c": [(2,), (3,)]}})
    assert (tuple(batch.a.shape), [tuple(x.shape) for x in batch.b.c], kwargs) == ((1, 3), [(2,), (3,)], {})


def test_a_list_of_shapes_in_a_tuple_is_one_argument():
    """A model that takes a list of tensors."""
    ((first, second),), _ = bind(One(), ([(1, 3), (1, 8)],))
    assert (tuple(first.shape), tuple(second.shape)) == ((1, 3), (1, 8))


def test_shapes_by_position_go_with_types_and_with_keywords():
    """As ``input_size`` does."""
    (x,), kwargs = bind(Two(), (1, 3), {"scale": 2}, dtypes="float64", device="meta")
    assert (tuple(x.shape), x.dtype, x.device.type, kwargs) == ((1, 3), torch.float64, "meta", {"scale": 2})


@pytest.mark.parametrize("model", [lambda x: x, torch.nn.functional.relu, One().forward])
def test_more_numbers_than_a_function_takes_are_a_shape(model):
    """They cannot be its arguments."""
    (x,), _ = bind(model, (1, 3, 8))
    assert tuple(x.shape) == (1, 3, 8)


@pytest.mark.parametrize(
    ("model", "args", "advice"),
    [
        (
            Grid(),
            (14, 14),
            '(14, 14) was taken for a shape; to give numbers to forward, use names: kwargs={"hw_',
        ),
        (Grid(), ((14, 14),), "((14, 14),) was taken for shapes; to give numbers to forward, use names: "),
        (Two(), (X, (1, 8)), "(1, 8) was passed on unchanged; for a tensor of that shape, give torch.rand(1, 8)."),
        (Two(), X, ""),
    ],
)
def test_what_was_assumed_of_numbers_is_kept_for_an_error(model, args, advice):
    """It is said where the model raises a TypeError."""
    assert inputs_of(model, Given(args)).advice.startswith(advice)


def test_arguments_among_the_options_are_those_that_forward_names():
    """Any other name is a typing error, and the message says what was likely meant."""
    assert with_named(Two(), {"scale": 2}, {"mask": 3}, "ta.summary", ()) == {"scale": 2, "mask": 3}
    assert with_named(Two(), None, {"mask": 3}, "ta.summary", ()) == {"mask": 3}
    with pytest.raises(TypeError, match=r"ta.summary has no option 'depht', and forward\(x\) no .* mean depth\?"):
        with_named(One(), None, {"depht": 3}, "ta.summary", ("depth", "width"))
    with pytest.raises(TypeError, match=r"no option 'labels'.* is given so: kwargs=\{\"labels\": …\}\."):
        with_named(Optional(), None, {"labels": 3}, "ta.summary", ())
    with pytest.raises(InputError, match=r"'x' was given to .* by name and in kwargs"):
        with_named(One(), {"x": 1}, {"x": 2}, "ta.summary", ())


@pytest.mark.parametrize(
    ("caller", "given", "example"),
    [
        (Caller("ta.draw"), "ta.draw(model, (1, 2.5))", "ta.draw(model, (x, y), kwargs={"),
        (Caller("ta.compare", "a, b"), "ta.compare(a, b, (1, 2.5))", "ta.compare(a, b, (x, y)"),
        (Caller("torchatlas", "n.py:N", "n.py:N --kwargs '{}'"), "n.py:N --kwargs '{}'", "--input x=1,10 "),
    ],
)
def test_messages_name_what_was_called(caller, given, example):
    """The function, or the command line, in what was given and in the example."""
    with pytest.raises(InputError) as caught:
        inputs_of(Strict(), Given((1, 2.5), caller=caller))
    assert f"given:   {given}\n" in str(caught.value)
    assert f"example: {example}" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"args": X, "input_size": (1, 3)}, "Both args and input_size were given"),
        ({"kwargs": {"x": X}, "input_size": {"x": (1, 3)}}, '"x" was given in kwargs and in input_size.'),
        (
            {"args": X, "dtypes": "int64"},
            "dtypes and device apply only to inputs that are made from shapes. Give input_size, or leave them out.",
        ),
        (
            {"args": X, "device": "cpu"},
            "dtypes and device apply only to inputs that are made from shapes. Give input_size, or leave them out.",
        ),
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
