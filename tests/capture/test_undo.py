"""The way back is gone to its end, whatever comes meanwhile."""

from __future__ import annotations

import gc
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

import torchatlas as ta
from state import differences, fingerprint
from torchatlas.capture.record.modes import record
from torchatlas.capture.record.recorder import Recorder
from torchatlas.capture.restore.no_trace import Guard
from torchatlas.capture.undo import Shared, Undo, undoing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


def test_changes_are_put_back_last_first():
    """As nested blocks would."""
    gone: list[int] = []
    with undoing() as undo:
        for number in range(3):
            undo.add(gone.append, number)
    assert gone == [2, 1, 0]


def test_a_step_that_was_cut_short_is_gone_again_and_the_exception_is_raised_at_the_end():
    """It comes from elsewhere: the second time there is none."""
    gone: list[str] = []
    exceptions = [KeyboardInterrupt("first"), KeyboardInterrupt("second")]

    def cut() -> None:
        gone.append("begun")
        if exceptions:
            raise exceptions.pop(0)
        gone.append("ended")

    undo = Undo()
    undo.add(gone.append, "last")
    undo.add(cut)
    with pytest.raises(KeyboardInterrupt, match="first"):
        undo.close()
    assert gone == ["begun", "begun", "begun", "ended", "last"]


def test_a_step_that_fails_by_itself_does_not_keep_the_others():
    """It is given up after some tries, and what it raised is raised."""
    gone: list[str] = []
    undo = Undo()
    undo.add(gone.append, "the other")
    undo.add(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        undo.close()
    assert gone == ["the other"]


def test_what_is_running_is_left_alone():
    """By another inside, also where it is a generator's, or one in a generator."""
    gone: list[str] = []
    with undoing() as undo:
        undo.add(gone.append, "outer")
        with undoing() as inner:
            inner.add(gone.append, "inner")
            Undo().close()
            assert gone == []
        assert gone == ["inner"]
    assert gone == ["inner", "outer"]


def test_a_shared_change_is_made_once_and_taken_back_after_the_last():
    """Whatever the order in which those that want it end."""
    log: list[str] = []
    shared = Shared(lambda: log.append("make"), lambda: log.append("back"))
    one, other = Undo(), Undo()
    shared.want(one)
    shared.want(other)
    one.close()
    assert "back" not in log
    other.close()
    assert log == ["make", "make", "back"]


def test_a_thread_that_was_killed_wants_nothing_any_more():
    """Its changes to what all threads share are taken back by the next that wanted the same."""
    log: list[str] = []
    shared = Shared(lambda: log.append("make"), lambda: log.append("back"))
    thread = threading.Thread(target=lambda: shared.want(Undo()))
    thread.start()
    thread.join()
    gc.collect()
    with undoing() as undo:
        shared.want(undo)
    assert log[-1] == "back"


def test_a_generator_that_was_kept_from_ending_ends_before_the_rest_is_put_back():
    """It takes a mode away for a moment, and would put it back when the exception that holds it is collected."""
    log: list[str] = []

    @contextmanager
    def taken_away() -> Iterator[None]:
        try:
            yield
        finally:
            log.append("generator")

    def cut(frame: FrameType, event: str, _: object) -> None:
        if frame.f_code.co_name == "__exit__":
            sys.settrace(None)
            raise KeyboardInterrupt

    def change() -> None:
        with undoing() as undo:
            undo.add(log.append, "step")
            with taken_away():
                sys.settrace(cut)

    trace = sys.gettrace()
    with pytest.raises(KeyboardInterrupt) as caught:
        change()
    sys.settrace(trace)
    assert caught.value.__traceback__ is not None
    assert log == ["generator", "step"]


def test_what_was_cut_off_before_it_began_is_done_once_more():
    """The exception comes as `close` is called; its steps are gone all the same, and it is raised."""
    gone: list[str] = []

    def cut(frame: FrameType, event: str, _: object) -> None:
        if frame.f_code is Undo.close.__code__:
            sys.settrace(None)
            raise KeyboardInterrupt

    def change() -> None:
        with undoing() as undo:
            undo.add(gone.append, "step")
            sys.settrace(cut)

    trace = sys.gettrace()
    with pytest.raises(KeyboardInterrupt) as caught:
        change()
    sys.settrace(trace)
    assert gone == ["step"]
    assert caught.value.__traceback__ is not None  # what it holds was not collected, which would have ended it too


@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize("then", ["call", "capture"])
def test_what_was_left_all_the_same_is_put_right_by_what_comes_next(level, then):
    """A capture that was cut off again and again while it put things back has left its patches, modes and flags."""
    model, x = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).eval(), torch.ones(1, 2)
    wanted, outputs = ta.capture(model, x, level=level).graph, model(x)
    before = fingerprint(model, x)

    def cut_off() -> None:
        undo = Undo()
        undo.add(torch.set_grad_enabled, torch.is_grad_enabled())
        torch.set_grad_enabled(mode=False)
        record(Recorder(Guard(), None, aten=level == "aten", source=True), undo)

    cut_off()
    assert differences(before, fingerprint(model, x))
    if then == "call":
        assert torch.equal(model(x), outputs)
    else:
        assert ta.capture(model, x, level=level).graph.values == wanted.values
    assert not differences(before, fingerprint(model, x))
