"""A model that nests as deep as Python lets it is captured, and one that recurses without end ends as it would."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import torch
from torch import nn

import torchatlas as ta

X = torch.ones(1, 2)


class Around(nn.Module):
    """A module around another."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def nested(depth: int) -> nn.Module:
    """A layer inside so many modules."""
    model: nn.Module = nn.Linear(2, 2)
    for _ in range(depth):
        model = Around(model)
    return model.eval()


def fits(depth: int) -> bool:
    """Whether plain torch runs it."""
    try:
        nested(depth)(X)
    except RecursionError:
        return False
    return True


def deepest() -> int:
    """How many modules plain torch nests here, found by trying."""
    low, high = 1, sys.getrecursionlimit()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


OPTIONS = ({}, {"level": "aten"}, {"fake": True}, {"replay": True}, {"mode": "train"}, {"grad": True})


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_just_runs_is_captured(options):
    """Every level of it, at a depth at which one more module would be too many without a capture."""
    depth, before = deepest(), sys.getrecursionlimit()
    assert depth > 100
    atlas = ta.capture(nested(depth), X, **options)
    modules = [call for call in atlas.graph.calls if call.kind == "module"]
    assert len(modules) == depth + 1
    assert modules[-1].name == "Linear"
    assert sys.getrecursionlimit() == before


def test_what_just_runs_is_measured_replayed_and_taken_backwards():
    """Runs that are not recorded have room too, and what comes of them is read without recursion."""
    model = nested(deepest())
    assert ta.capture(model, X, replay=True).replay().equal
    atlas = ta.capture(model, X, grad=True)
    assert ta.backward(atlas.outputs.sum(), atlas=atlas).graph.calls
    assert ta.profile(model, X, repeats=1, warmup=0).graph.overlays


def frames_between(run) -> int:
    """How many Python frames stand from one module to the next inside it."""
    seen = []

    def look(*_):
        frame, count = sys._getframe(), 0
        while frame is not None:
            frame, count = frame.f_back, count + 1
        seen.append(count)

    first, second = nested(1), nested(1)
    first.inner, second.inner = second, nn.Identity()
    for module in (first, second):
        module.register_forward_pre_hook(look)
    run(first.eval())
    return seen[1] - seen[0]


def test_a_capture_at_most_doubles_the_stack():
    """Between one module and the next."""
    plain = frames_between(lambda model: model(X))
    for options in OPTIONS:
        assert frames_between(lambda model: ta.capture(model, X, **options)) <= 2 * plain  # noqa: B023  # called at once


class Endless(nn.Module):
    """Calls itself."""

    def forward(self, x):
        return self(x + 1)


def test_a_limit_of_the_models_own_stays():
    """Set within the forward, it is as it would be without a capture."""
    before = sys.getrecursionlimit()

    class Sets(nn.Linear):
        def forward(self, x):
            sys.setrecursionlimit(before + 77)
            return super().forward(x)

    try:
        ta.capture(Sets(2, 2), X)
        assert sys.getrecursionlimit() == before + 77
    finally:
        sys.setrecursionlimit(before)


def test_captures_in_several_threads_put_the_limit_back_once():
    """The last that ends does, whichever began first."""
    before, inside, ended, seen = sys.getrecursionlimit(), threading.Barrier(2), threading.Event(), []

    class Waits(nn.Linear):
        def forward(self, x):
            inside.wait(10)
            if self.out_features == 3:  # it ends last
                ended.wait(10)
                seen.append(sys.getrecursionlimit())
            return super().forward(x)

    first, last = (threading.Thread(target=ta.capture, args=(Waits(2, size), X)) for size in (2, 3))
    last.start()
    first.start()
    first.join()
    ended.set()
    last.join()
    assert seen[0] > before
    assert sys.getrecursionlimit() == before


def test_endless_recursion_is_an_error_of_the_models():
    """With the calls up to there, and the limit as it was."""
    before = sys.getrecursionlimit()
    with pytest.raises(RecursionError) as caught:
        ta.capture(Endless(), X)
    assert len(caught.value.atlas.graph.calls) > 100
    assert sys.getrecursionlimit() == before


ENDLESS = """
import sys, threading, torch
from torch import nn
import torchatlas as ta

def again(x): return list(map(again, [x]))
class Calls(nn.Module):
    def forward(self, x): return {call}
def run():
    try: ta.capture(Calls(), torch.ones(1, 2), level={level!r})
    except RecursionError: print("ended")
sys.setrecursionlimit({limit})
thread = threading.Thread(target=run)
run() if {limit} % 2 else (thread.start(), thread.join())
"""


@pytest.mark.parametrize("limit", [1000, 10_001])
@pytest.mark.parametrize("call", ["self(x)", "again(x)"])
def test_endless_recursion_does_not_end_the_process(call, limit):
    """Neither by modules nor through C, in the main thread (an odd limit) and in another."""
    code = ENDLESS.format(call=call, limit=limit, level="aten" if limit == 1000 else "op")  # one of them
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
