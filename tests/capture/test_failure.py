"""A forward that fails: the user's own exception, and the graph up to the call that failed."""

from __future__ import annotations

from contextlib import suppress

import pytest
import torch
from torch import Tensor, nn

import torchatlas as ta
from torchatlas.core.check import check


class Mismatched(nn.Module):
    """The second layer takes another width than the first gives."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 5)
        self.second = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class Own(Exception):  # noqa: N818 - the user's, named as they like
    """Raised by a model."""


class Raises(nn.Module):
    """Fails in its own Python, outside of any torch function."""

    def __init__(self, error: BaseException):
        super().__init__()
        self.error = error
        self.body = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        self.body(x)
        raise self.error


class Wraps(nn.Module):
    """Translates the exception of a part of it into one of its own."""

    def __init__(self):
        super().__init__()
        self.inner = Mismatched()

    def forward(self, x: Tensor) -> Tensor:
        try:
            return self.inner(x)
        except RuntimeError as error:
            raise Own("the inner model failed") from error


def failing(model, x, **options):
    """The exception of a capture, with its atlas."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the model raises
        ta.capture(model, x, **options)
    check(caught.value.atlas.graph)
    return caught.value


@pytest.mark.parametrize("options", [{}, {"level": "aten"}, {"fake": True}, {"mode": "train"}], ids=str)
def test_the_failing_call_is_marked_with_the_shapes_it_met(options):
    """Someone with a shape error reads what met what, in which module, called from which line."""
    error = failing(Mismatched(), torch.zeros(2, 4), **options)
    graph = error.atlas.graph
    call = graph.calls[graph.error]
    assert (call.kind, call.name) == ("function", "F.linear")
    assert [graph.values[value].shape for value in call.inputs] == [(2, 5), (4, 4), (4,)]
    assert call.outputs == ()
    assert call.error.startswith(f"{type(error).__name__}: ")
    parent = graph.calls[call.parent]
    assert (parent.path, parent.error) == ("second", call.error)
    assert parent.source.file == __file__
    assert [call.error is None for call in graph.calls if call.path == "first"] == [True]


def test_the_exception_is_the_users_own():
    """Same object, same arguments; a note says where the atlas is."""
    given = Own("as raised", 3)
    error = failing(Raises(given), torch.zeros(1))
    assert error is given
    assert error.args == ("as raised", 3)
    assert any(".atlas" in note for note in error.__notes__)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_leaving_in_other_ways_keeps_the_atlas_too(kind):
    """Ctrl-C in a long run shows how far it came."""
    with pytest.raises(kind) as caught:
        ta.capture(Raises(kind()), torch.zeros(1))
    graph = caught.value.atlas.graph
    assert graph.calls[graph.error].path == ""
    assert [call.name for call in graph.calls] == ["Raises", "ReLU", "F.relu"]


def test_an_exception_that_takes_no_attributes_is_raised_all_the_same():
    """A class with slots cannot carry the atlas, and must not be replaced because of that."""

    class Closed(Exception):  # noqa: N818 - as above
        __slots__ = ()

        def __setattr__(self, name, value):
            raise AttributeError(name)

    with pytest.raises(Closed):
        ta.capture(Raises(Closed()), torch.zeros(1))


def test_a_translated_exception_leads_to_where_it_began():
    """``raise … from`` in an outer module: the innermost call is still the one marked."""
    graph = failing(Wraps(), torch.zeros(2, 4)).atlas.graph
    assert graph.calls[graph.error].name == "F.linear"
    assert graph.calls[0].error == "Own: the inner model failed"


def test_an_exception_that_the_model_catches_is_no_failure():
    """The call is marked, the graph is not failed."""

    def forward(x: Tensor) -> Tensor:
        try:
            return x.view(7)
        except RuntimeError:
            return x.view(-1)

    graph = ta.capture(forward, torch.zeros(2, 3)).graph
    assert graph.error is None
    assert [call.error is not None for call in graph.calls] == [False, True, False]


def test_a_later_failure_is_not_mistaken_for_a_caught_one():
    """Only the exception that ended the run counts."""

    def forward(x: Tensor) -> Tensor:
        with suppress(RuntimeError):
            x.view(7)
        return x @ x

    graph = failing(forward, torch.zeros(2, 3)).atlas.graph
    assert graph.calls[graph.error].name == "Tensor.matmul"


def test_a_fake_run_that_needs_content_says_what_to_do():
    """The advice stands in the notes of torch's own exception."""
    error = failing(lambda x: x * x.sum().item(), torch.zeros(2), fake=True)
    assert any("fake=False" in note for note in error.__notes__)
    graph = error.atlas.graph
    assert graph.calls[graph.error].name == "Tensor.item"
    assert graph.calls[graph.error].reads_data
