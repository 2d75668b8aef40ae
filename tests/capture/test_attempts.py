"""Runs on inputs made from shapes: a batch that is missing, a dtype that was guessed wrong."""

from __future__ import annotations

from itertools import count

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import torchatlas as ta
from torchatlas.capture.attempts import takes_one_sample


class Digits(nn.Module):
    """Flattens with a view that hides a missing batch."""

    def __init__(self, size=28):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5)
        self.head = nn.Linear(4 * (size - 4) ** 2, 10)

    def forward(self, x):
        x = F.relu(self.conv(x))
        return self.head(x.view(-1, self.head.in_features))


class Scaled(Digits):
    """Does something to the picture before the convolution sees it."""

    def forward(self, x):
        return super().forward((x.float() - 0.5) * 2)


class Norms(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))


class Lazy(nn.Sequential):
    def __init__(self):
        super().__init__(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(2))


class Waves(nn.Module):
    """Makes room for the channels itself."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 3)

    def forward(self, x):
        return self.conv(x.unsqueeze(1))


class Frames(nn.Module):
    """Hands samples of its batch to a convolution, one by one."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return torch.stack([self.conv(one) for one in x])


class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1, :])


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4 + 5, 2)

    def forward(self, image, meta, scale=None):
        scale = 1 if scale is None else scale
        return self.head(torch.cat([self.conv(image).mean((2, 3)), meta], 1)) * scale


class Flat(nn.Module):
    """Fails on whatever it is given, after a while."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 5), nn.Linear(4, 2)

    def forward(self, x):
        return self.two(self.one(x))


def inputs(atlas):
    """Shape and dtype of each input."""
    return {value.names[0]: (value.shape, value.dtype) for value in atlas.graph.values if value.kind == "input"}


def said(atlas):
    """What the notes say of a batch or of a dtype."""
    return [note.text for note in atlas.graph.notes if "batch" in note.text or "dtype" in note.text]


BATCHES = {
    "a view that hides it": (Digits, (1, 28, 28), (1, 1, 28, 28)),
    "scaled before": (Scaled, (1, 28, 28), (1, 1, 28, 28)),
    "a norm that refuses": (Norms, (3, 8, 8), (1, 3, 8, 8)),
    "lazy layers": (Lazy, (3, 8, 8), (1, 3, 8, 8)),
    "in a wrapper": (lambda: nn.DataParallel(Digits()), (1, 28, 28), (1, 1, 28, 28)),
    "one dimension": (lambda: nn.Conv1d(2, 3, 3), (2, 9), (1, 2, 9)),
    "three dimensions": (lambda: nn.Conv3d(2, 3, 3), (2, 9, 9, 9), (1, 2, 9, 9, 9)),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 3), (2, 9, 9), (1, 2, 9, 9)),
    "an instance norm": (lambda: nn.InstanceNorm2d(2), (2, 9, 9), (1, 2, 9, 9)),
    "a recurrent net": (Last, (5, 8), (1, 5, 8)),
    "linear after a view": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), (3, 4, 4), (1, 3, 4, 4)),
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("fake", [False, True], ids=["real", "fake"])
def test_a_missing_batch_is_added_and_said(name, fake):
    """Where a convolution takes the shape for one sample in silence, and where the model fails without a batch."""
    build, given, ran = BATCHES[name]
    if fake and build is Lazy:
        pytest.skip("lazy layers take their shapes from a run on real tensors")
    atlas = ta.capture(build(), given, fake=fake)
    (path,) = inputs(atlas)
    assert inputs(atlas)[path][0] == ran
    note = f"A batch of one was added: {path} {list(given)} runs as {list(ran)}."
    assert said(atlas) == [f"{note} To run another batch, give its size too, or give a tensor."]


def test_a_run_that_is_mended_logs_nothing(caplog):
    """As torch does of what fails on fake tensors."""
    ta.capture(Last(), (5, 8), fake=True)
    ta.capture(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), (3, 4, 4), fake=True)
    assert caplog.records == []


def test_the_table_is_that_of_a_whole_batch():
    """Not ``[4, 24, 24]`` for what the convolution returns."""
    with_batch, without = (ta.summary(Digits(), input_size=size) for size in ((1, 1, 28, 28), (1, 28, 28)))
    assert str(without).startswith(str(with_batch).partition("note")[0])
    assert "[-1, 4, 24, 24]" in str(ta.summary(Digits(), (1, 28, 28), style="torchsummary"))


AS_GIVEN = {
    "with its batch": (Digits, (2, 1, 28, 28)),
    "channels made inside": (Waves, (1, 100)),
    "samples taken apart": (Frames, (2, 3, 8, 8)),
    "a linear layer": (lambda: nn.Linear(3, 2), (3,)),
    "an embedding": (lambda: nn.Embedding(4, 2), (16,)),
    "a recurrent layer": (lambda: nn.LSTM(8, 4), (5, 8)),
    "a transformer": (lambda: nn.TransformerEncoderLayer(8, 2), (5, 8)),
    "a norm of rows": (lambda: nn.BatchNorm1d(4), (2, 4)),
    "a function": (lambda: torch.nn.functional.relu, (2, 3)),
}


@pytest.mark.parametrize("name", AS_GIVEN)
def test_a_shape_that_is_right_stays(name):
    """What torch takes without a batch as well as with one, and what is no sample of a convolution."""
    build, given = AS_GIVEN[name]
    atlas = ta.capture(build(), input_size=given)
    assert [shape for shape, _ in inputs(atlas).values()] == [given]
    assert said(atlas) == []


def test_a_tensor_is_never_changed():
    """A convolution takes it as one sample, as torch does."""
    atlas = ta.capture(Digits(), torch.zeros(1, 28, 28))
    assert inputs(atlas) == {"x": ((1, 28, 28), "float32")}
    assert takes_one_sample(atlas.graph)
    with pytest.raises(ValueError, match="expected 4D input"):
        ta.capture(Norms(), torch.zeros(3, 8, 8))


@pytest.mark.parametrize("form", ["list", "dict", "names"])
def test_every_shape_gets_its_batch_but_a_scalar(form):
    """Several inputs, in order, by name, and by name in the place of arguments."""
    sizes = {"image": (3, 8, 8), "meta": (5,), "scale": ()}
    if form == "list":
        atlas = ta.capture(Two(), list(sizes.values()))
    else:
        atlas = ta.capture(Two(), sizes) if form == "names" else ta.capture(Two(), input_size=sizes)
    assert {name: shape for name, (shape, _) in inputs(atlas).items()} == {
        "image": (1, 3, 8, 8),
        "meta": (1, 5),
        "scale": (),
    }
    assert "image [3, 8, 8] runs as [1, 3, 8, 8], meta [5] runs as [1, 5]." in said(atlas)[0]


def test_where_both_ways_fail_the_first_error_stays():
    """The model's own exception, with the atlas of the shape as it was given."""
    with pytest.raises(RuntimeError, match="cannot be multiplied") as caught:
        ta.capture(Flat(), (3, 4))
    assert inputs(caught.value.atlas) == {"x": ((3, 4), "float32")}
    assert not isinstance(caught.value.__context__, RuntimeError)  # torch 2.6 leaves one of its own there
    assert not [note for note in caught.value.__notes__ if "batch" in note]


def test_where_a_convolution_wanted_the_batch_the_error_with_it_stays():
    """It says what is still wrong, and that a batch was added."""
    with pytest.raises(RuntimeError, match="is invalid for input of size 3136") as caught:
        ta.capture(Digits(), (1, 32, 32))
    assert inputs(caught.value.atlas) == {"x": ((1, 1, 32, 32), "float32")}
    assert any("A batch of one was added" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError, TimeoutError, torch.OutOfMemoryError])
@pytest.mark.parametrize("run", [0, 1], ids=["the first", "the second"])
def test_what_is_stopped_is_not_tried_again(error, run):
    """By the user, a clock or a lack of memory, in whichever run: that is what is raised, and the end of it."""
    tried = count()  # a capture puts back what a list would hold

    def model(x):
        raise (RuntimeError, error)[next(tried) + 1 - run]

    with pytest.raises(error):
        ta.capture(model, input_size=(3, 4))
    assert next(tried) == run + 1


def test_what_is_stopped_with_the_other_dtype_is_not_taken_back():
    """The error before it is not the one that is raised."""

    def model(x):
        raise KeyboardInterrupt if x.dtype is torch.int64 else RuntimeError("of a wrong dtype")

    with pytest.raises(KeyboardInterrupt):
        ta.capture(model, input_size=(3, 4))


def test_a_run_that_was_mended_by_a_batch_is_not_left_for_one_that_was_stopped():
    """The convolution ran without a batch; while it runs with one, the user stops it."""

    class Stopped(nn.Conv2d):
        def forward(self, x):
            if x.dim() == 4:
                raise KeyboardInterrupt
            return super().forward(x)

    with pytest.raises(KeyboardInterrupt):
        ta.capture(Stopped(1, 2, 3), (1, 8, 8))


def test_an_exception_that_takes_no_note_is_raised_all_the_same():
    """It is the model's own."""

    class ClosedError(RuntimeError):
        def __setattr__(self, name, value):
            raise AttributeError(name)

        def add_note(self, text):
            raise AttributeError(text)

    def model(x):
        raise ClosedError

    with pytest.raises(ClosedError):
        ta.capture(model, input_size=(3, 4))


class Words(nn.Module):
    """An embedding that neither is the first layer nor has a name that says so."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Linear(3, 1)
        self.embed = nn.Embedding(9, 4)

    def forward(self, x, weight):
        return self.embed(x) * self.scale(weight)


class Late(Words):
    """Reads its words through another call."""

    def forward(self, x, weight):
        return super().forward(x * 2, weight)


class Relisted(nn.Module):
    """Reads a tensor whose way from the input goes through Python."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 4)

    def forward(self, features):
        return self.embed(torch.tensor(features.tolist()))


class Rows(nn.Module):
    """Reads no whole numbers, whatever the name of its input says."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, tokens, table=None):
        return self.head(tokens)


class Picks(nn.Module):
    """Two that are wrong, one after the other: an index, then another."""

    def forward(self, x, rows, columns):
        return x[rows].gather(1, columns)


@pytest.mark.parametrize("fake", [False, True], ids=["real", "fake"])
def test_the_other_dtype_is_tried_and_said(fake):
    """Of the tensor that the failing call read, and of no other."""
    atlas = ta.capture(Words(), [(2, 5), (2, 5, 3)], fake=fake)
    assert {name: dtype for name, (_, dtype) in inputs(atlas).items()} == {"x": "int64", "weight": "float32"}
    assert said(atlas) == [
        'The dtype of x was guessed: int64, after the first guess failed. To choose it, write dtypes={"x": "int64"}.'
    ]


def test_whole_numbers_are_no_less_a_guess():
    """A name that speaks of tokens, and a layer that wants floating point numbers."""
    atlas = ta.capture(Rows(), (2, 4))
    assert inputs(atlas) == {"tokens": ((2, 4), "float32")}
    assert said(atlas)[0].startswith("The dtype of tokens was guessed: float32, after")


def test_the_tensor_is_looked_for_behind_the_failing_call():
    """What the call read was made of it; where no way leads to any, it is the only one that was guessed."""
    assert [dtype for _, dtype in inputs(ta.capture(Late(), [(2, 5), (2, 5, 3)])).values()] == ["int64", "float32"]
    assert inputs(ta.capture(Relisted(), (2, 3))) == {"features": ((2, 3), "int64")}


def test_two_that_are_wrong_in_one_call_are_changed_together():
    """Neither alone lets the run go further."""

    def model(left, right):
        return left & right

    atlas = ta.capture(model, input_size=[(2, 3), (2, 3)])
    assert [dtype for _, dtype in inputs(atlas).values()] == ["int64", "int64"]


def test_of_two_that_would_do_the_last_is_changed():
    """An index stands behind what it is an index of."""

    def model(x, at):
        if x.dtype == at.dtype:
            raise TypeError("one of them is to be of an integer dtype")
        return x + at

    atlas = ta.capture(model, input_size=[(2, 3), (2, 3)])
    assert inputs(atlas) == {"x": ((2, 3), "float32"), "at": ((2, 3), "int64")}


def test_several_dtypes_are_found_one_after_the_other():
    """Each where its call fails."""
    atlas = ta.capture(Picks(), [(3, 4), (2,), (2, 1)])
    assert [dtype for _, dtype in inputs(atlas).values()] == ["float32", "int64", "int64"]
    assert [note.split()[3] for note in said(atlas)] == ["columns", "rows"]


def test_a_dtype_that_was_chosen_stays():
    """The model's own error, as it was raised."""
    with pytest.raises(RuntimeError, match="scalar types"):
        ta.capture(Words(), [(2, 5), (2, 5, 3)], dtypes="float32")


def test_a_batch_and_a_dtype_can_both_be_wrong():
    """One is found after the other, and both are said."""

    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Embedding(9, 4), nn.Linear(4, 2)

        def forward(self, features):
            return self.head(self.embed(features).mean(1))

    atlas = ta.capture(Mean(), (16,))
    assert inputs(atlas) == {"features": ((1, 16), "int64")}
    assert len(said(atlas)) == 2


def test_numbers_taken_for_a_shape_are_said_in_the_error():
    """How they are given instead."""

    class Zeros(nn.Module):
        def forward(self, size):
            return torch.zeros(size)

    with pytest.raises(TypeError, match="must be tuple of ints") as caught:
        ta.summary(Zeros(), (4, 3))
    assert 'use names: kwargs={"size": …}.' in caught.value.__notes__[0]
    assert inputs(ta.capture(Zeros(), size=(4, 3))) == {}
    assert ta.capture(Zeros(), size=(4, 3)).graph.values[0].shape == (4, 3)


FACE = {"summary": ta.summary, "capture": ta.capture, "draw": ta.draw, "show": ta.show, "profile": ta.profile}


@pytest.mark.parametrize("name", FACE)
def test_messages_name_the_function_that_was_called(name):
    """What was given, what to do instead, and what a class is not."""
    with pytest.raises(ta.InputError, match=rf"given:   ta\.{name}\(model, \(1, 2.5\)\)") as caught:
        FACE[name](nn.ReLU(), (1, 2.5))
    assert f"example: ta.{name}(model, input)" in str(caught.value)
    with pytest.raises(ta.InputError, match=rf"ReLU is a class, but ta\.{name} needs a model"):
        FACE[name](nn.ReLU)
    with pytest.raises(TypeError, match=rf"ta\.{name} has no option 'flod'.* Did you mean fold\?"):
        FACE[name](nn.ReLU(), torch.zeros(1), flod=False)


def test_notes_and_errors_of_a_comparison_name_it():
    """``ta.compare(a, b, …)``."""
    assert "Give one, as in ta.compare(a, b, input_size=" in str(ta.compare(nn.ReLU(), nn.GELU()))
    with pytest.raises(ta.InputError, match=r"given:   ta\.compare\(a, b, \(1, 2.5\)\)"):
        ta.compare(nn.ReLU(), nn.GELU(), (1, 2.5))
    assert ta.compare(Digits(), Digits(), (1, 28, 28)).same


def test_profile_measures_the_run_with_the_batch():
    """Not the one before."""
    atlas = ta.profile(Digits(), (1, 28, 28), repeats=1, warmup=0)
    assert inputs(atlas) == {"x": ((1, 1, 28, 28), "float32")}
    assert atlas.graph.calls[0].seconds > 0
