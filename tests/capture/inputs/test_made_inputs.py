"""Tensors made from shapes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from torchatlas.capture.inputs.arguments import Given, inputs_of
from torchatlas.core.errors import InputError


def bind(model, *given, **options):
    """The positional and the keyword arguments of the call; None if it is not to be run."""
    inputs = inputs_of(model, Given(*given, **options))
    return None if inputs is None else (inputs.args, inputs.kwargs)


class Language(nn.Module):
    def __init__(self, dtype=None):
        super().__init__()
        self.embed = nn.Embedding(1, 4, dtype=dtype)
        self.head = nn.Linear(4, 4, dtype=dtype)

    def forward(self, x, context=None):
        return self.head(self.embed(x))


class Named(nn.Module):
    def forward(self, input_ids, attention_mask=None, pixels=None, kind: torch.LongTensor = None):
        return input_ids


class Pair(nn.Module):
    def forward(self, x, y):
        return x


@given(st.lists(st.integers(0, 4), max_size=4))
@settings(deadline=None)
def test_the_shape_is_the_one_given(shape):
    """Any number of dimensions, empty ones too, as tuple, list or torch.Size."""
    for given_shape in (tuple(shape), list(shape), torch.Size(shape)):
        (x,), kwargs = bind(nn.ReLU(), input_size=given_shape)
        assert (tuple(x.shape), x.dtype, kwargs) == (tuple(shape), torch.float32, {})


def test_several_shapes_are_positional_and_a_dict_is_by_name():
    """In the order given, under the names given."""
    args, kwargs = bind(Pair(), input_size=[(1, 2), (3,)])
    assert ([tuple(x.shape) for x in args], kwargs) == ([(1, 2), (3,)], {})
    args, kwargs = bind(Pair(), input_size={"y": (3,), "x": (1, 2)})
    assert (args, {name: tuple(x.shape) for name, x in kwargs.items()}) == ((), {"y": (3,), "x": (1, 2)})


def test_structures_of_shapes_make_structures_of_tensors():
    """A dict where a shape may stand makes a dict that answers by attribute too, a list a list, at any depth."""
    size = {"x": {"image": (1, 3), "more": [(2,), {"edge_index": (2, 4)}]}, "y": [(1,), ()]}
    _, kwargs = bind(Pair(), input_size=size)
    x, y = kwargs["x"], kwargs["y"]
    assert x.image is x["image"]
    assert (tuple(x.image.shape), [tuple(one.shape) for one in y]) == ((1, 3), [(1,), ()])
    assert tuple(x.more[0].shape) == (2,)
    assert (tuple(x.more[1].edge_index.shape), x.more[1].edge_index.dtype) == ((2, 4), torch.int64)
    (first, second), _ = bind(Pair(), input_size=[{"a": (1,)}, [(2,), (3,)]])
    assert (tuple(first.a.shape), [tuple(one.shape) for one in second]) == ((1,), [(2,), (3,)])


def test_types_are_chosen_inside_structures():
    """By name and place, as the sizes are; one for a whole structure; those that are not chosen are guessed."""
    size = {"x": {"a": (1,), "b": [(1,), (1,)]}, "y": {"c": (1,), "d": (1,)}}
    _, kwargs = bind(Pair(), input_size=size, dtypes={"x": {"b": [None, "bool"]}, "y": "int8"})
    x, y = kwargs["x"], kwargs["y"]
    assert [x.a.dtype, x.b[0].dtype, x.b[1].dtype] == [torch.float32, torch.float32, torch.bool]
    assert y.c.dtype is y.d.dtype is torch.int8


@pytest.mark.parametrize(
    ("size", "dtypes", "message"),
    [
        ({"x": {"a": (1,)}}, {"x": {"b": "int8"}}, "dtypes names 'b' in x"),
        ({"x": {"a": (1,)}}, {"x": ["int8"]}, "x is a dict of shapes"),
        ({"x": [(1,), (2,)]}, {"x": ["int8"]}, "x is a list of 2"),
        ({"x": (1,)}, {"x": {"a": "int8"}}, "for x, which is one tensor"),
        ({"x": {1: (1,)}}, None, "the key 1; keys must be names"),
        ({"x": {"a": 3}}, None, "3 is not a shape; give one such"),
        ({"x": [(1,), 3]}, None, "3 is not a shape; give one such"),
    ],
)
def test_structures_that_do_not_fit_are_refused(size, dtypes, message):
    """Names and lengths of types that the sizes do not have, and what is no shape."""
    with pytest.raises(InputError, match=message):
        bind(Pair(), input_size=size, dtypes=dtypes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_follow_the_parameters(dtype):
    """A model in half precision gets inputs in half precision."""
    (x,), _ = bind(nn.Linear(3, 3, dtype=dtype), input_size=(1, 3))
    assert x.dtype is dtype


def test_floats_are_standard_normal_and_always_the_same():
    """Not zeros, not constant."""
    (x,), _ = bind(nn.ReLU(), input_size=(1000,))
    (y,), _ = bind(nn.ReLU(), input_size=(1000,))
    assert torch.equal(x, y)
    assert abs(x.mean()) < 0.1
    assert abs(x.std() - 1) < 0.1


def test_the_random_state_is_left_alone():
    """Inputs are drawn from a generator of their own."""
    before = torch.get_rng_state()
    bind(nn.ReLU(), input_size=(3,))
    assert torch.equal(torch.get_rng_state(), before)


def test_whole_numbers_are_guessed_from_names_and_annotations():
    """Ids are zeros, which every embedding has; an attention mask lets everything through."""
    _, made = bind(
        Named(), input_size={"input_ids": (1, 4), "attention_mask": (1, 4), "pixels": (1, 3, 8, 8), "kind": (2,)}
    )
    assert {name: x.dtype for name, x in made.items()} == {
        "input_ids": torch.int64,
        "attention_mask": torch.int64,
        "pixels": torch.float32,
        "kind": torch.int64,
    }
    assert made["input_ids"].sum() == 0
    assert made["attention_mask"].sum() == 4


@pytest.mark.parametrize(
    "name",
    [
        "inputs_embeds",
        "token_embeddings",
        "index_embedding",
        "input_features",
        "hidden_states",
        "token_hidden",
        "id_states",
    ],
)
def test_what_is_called_an_embedding_is_none_of_whole_numbers(name):
    """The end of a name says what a tensor is, the words before it whose; also of a model that embeds first."""
    namespace = {"Language": Language}
    exec(f"class Model(Language):\n    def forward(self, {name}): ...", namespace)  # noqa: S102 - a name as a parameter
    model = namespace["Model"]()
    for size in ((2, 4), {name: (2, 4)}):
        args, kwargs = bind(model, input_size=size)
        assert next(iter((*args, *kwargs.values()))).dtype is torch.float32


def test_a_model_that_embeds_first_reads_whole_numbers():
    """Its first argument, if it is a batch of sequences; floats for the others, and for pictures."""
    args, _ = bind(Language(torch.bfloat16), input_size=[(1, 4), (1, 4)])
    assert [x.dtype for x in args] == [torch.int64, torch.bfloat16]
    (x,), _ = bind(Language(), input_size=(1, 3, 8, 8))
    assert x.dtype is torch.float32


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ("int64", [torch.int64, torch.int64]),
        (torch.bool, [torch.bool, torch.bool]),
        (["long", "torch.float64"], [torch.int64, torch.float64]),
        ([None, "half"], [torch.float32, torch.float16]),
        ({"y": "complex64"}, [torch.float32, torch.complex64]),
        ("float8_e4m3fn", [torch.float8_e4m3fn] * 2),
    ],
)
def test_dtypes_are_taken_as_given(dtypes, expected):
    """One, several, or by name; as torch's object or by its name."""
    args, _ = bind(Pair(), input_size=[(1, 2), (3,)], dtypes=dtypes)
    assert [x.dtype for x in args] == expected


def test_the_device_is_that_of_the_model_or_the_one_given():
    """Of its first parameter, else of its first buffer."""
    norm = nn.BatchNorm1d(3, affine=False, device="meta")
    for model, device, expected in (
        (nn.Linear(3, 3, device="meta"), None, "meta"),
        (norm, None, "meta"),
        (nn.Linear(3, 3), "meta", "meta"),
        (nn.ReLU(), None, "cpu"),
    ):
        (x,), _ = bind(model, input_size=(1, 3), device=device)
        assert x.device.type == expected


ERRORS = {
    "unknown dtype": (
        {"input_size": [(1, 3), (1,)], "dtypes": "flaot64"},
        """'flaot64' is not a dtype of torch; float64 is one.
  given:   ta.capture(model, input_size=[(1, 3), (1,)], dtypes='flaot64')
  wanted:  forward(x, y)
  example: ta.capture(model, input_size={"x": (1, 10), "y": (1, 10)}, dtypes="float64")""",
    ),
    "a dtype like no other": ({"input_size": [(1,), (1,)], "dtypes": 7}, "7 is not a dtype of torch; float32 is one."),
    "negative size": (
        {"input_size": (1, -3)},
        """-3 is not a size; sizes are whole numbers from 0 up.
  given:   ta.capture(model, input_size=(1, -3))
  wanted:  forward(x, y)
  example: ta.capture(model, input_size={"x": (1, 10), "y": (1, 10)})""",
    ),
    "fraction": ({"input_size": (1, 2.5)}, "2.5 is not a size; sizes are whole numbers."),
    "bool": ({"input_size": (1, True)}, "True is not a size; sizes are whole numbers from 0 up."),
    "number": ({"input_size": 10}, "input_size is 10; give a shape, several shapes or a dict of shapes."),
    "mixture": ({"input_size": [(1, 3), 4]}, "4 is not a shape; give one such as (1, 3, 224, 224)."),
    "too many dtypes": (
        {"input_size": [(1,), (1,)], "dtypes": ["bool"]},
        "input_size makes 2 inputs, dtypes has 1.",
    ),
    "dtype of nothing": (
        {"input_size": [(1,), (1,)], "dtypes": {"z": "bool"}},
        "dtypes names 'z', which input_size does not make.",
    ),
    "device that is not there": (
        {"input_size": (1,), "device": "xpu:7"},
        "Device 'xpu:7' cannot be used here: ",
    ),
    "no device": ({"input_size": (1,), "device": "gpu"}, "Device 'gpu' cannot be used here: Expected one of cpu, "),
    "no such argument": (
        {"input_size": {"x": (1,), "z": (1,)}},
        """"z" is not an argument.
  given:   ta.capture(model, input_size={'x': (1,), 'z': (1,)})
  wanted:  forward(x, y)
  example: ta.capture(model, (x, y))""",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_made_is_said(name):
    """What was given, what is wanted, and a call that would do."""
    options, text = ERRORS[name]
    with pytest.raises(InputError) as caught:
        bind(Pair(), **options)
    assert str(caught.value).startswith(text)
