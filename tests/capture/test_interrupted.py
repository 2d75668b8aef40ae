"""An exception may come at any moment of a capture: from a signal's handler, or from another thread.

Whatever the moment, nothing is left: neither in the model, nor in torch, nor in Python; and the next capture is as any.
"""

from __future__ import annotations

import ctypes
import gc
import linecache
import random
import signal
import sys
import threading
import time
import timeit
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.optim import optimizer
from torch.utils import _python_dispatch as dispatch

import torchatlas as ta
from state import differences, fingerprint
from torchatlas.capture import recursion, run, undo, unrecorded
from torchatlas.capture.record import modes, torch_modes
from torchatlas.capture.restore import no_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

# One that comes within a callback of the collector or of a weak reference is swallowed there, and pytest warns of it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

MOMENTS = 170  # for each of the six below: 1,020
RUNS: dict[str, Callable[[nn.Module, torch.Tensor], Any]] = {
    "op": lambda model, x: ta.capture(model, x).graph,
    "aten": lambda model, x: ta.capture(model, x, level="aten", mode="train").graph,
    "summary": lambda model, x: str(ta.summary(model, x)),
}


class Timeout(BaseException):
    """What a test runner raises."""


def model_and_input() -> tuple[nn.Module, torch.Tensor]:
    """A model with flags, statistics, random numbers and a gradient, all of which a run changes or sets aside."""
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 2))
    model[1].eval()
    model[0].weight.grad = torch.ones(8, 4)
    return model, torch.linspace(-1, 1, 12).reshape(3, 4)


def everything(*things: Any) -> dict[str, Any]:
    """All that a capture changes and must put back."""
    process = {
        "collector": (gc.isenabled(), gc.get_freeze_count()),
        "recursion limit": sys.getrecursionlimit(),
        "functions heard": torch._C._is_torch_function_enabled(),
        "import system": list(sys.meta_path),
        "backward": torch.autograd.backward,
        "hooks of optimizers": list(optimizer._global_optimizer_pre_hooks.values()),
        "in a dispatch mode": dispatch._is_in_torch_dispatch_mode,
        "handlers": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)],
    }
    return {**fingerprint(*things), **process}


def by_signal(moment: float, act: Callable[[], Any]) -> bool:
    """Whether a handler raised in the act, after so many seconds."""
    try:
        signal.setitimer(signal.ITIMER_REAL, moment)
        act()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Timeout:
        return True
    return False


def by_thread(moment: float, act: Callable[[], Any]) -> bool:
    """The same, another thread having it raised."""
    here = ctypes.c_ulong(threading.get_ident())

    def strike() -> None:
        time.sleep(moment)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(here, ctypes.py_object(Timeout))

    thread = threading.Thread(target=strike)
    ended = came = False
    try:
        thread.start()
        act()
        ended = True
        while thread.is_alive():
            time.sleep(0)
        for _ in range(100):  # where it is raised at the latest
            pass
    except Timeout:
        came = not ended
    thread.join()
    return came


@pytest.fixture
def alarmed():
    """SIGALRM raises, and threads take turns often."""
    interval, handler = sys.getswitchinterval(), signal.getsignal(signal.SIGALRM)

    def raise_timeout(number: int, frame: FrameType | None) -> None:
        raise Timeout

    signal.signal(signal.SIGALRM, raise_timeout)
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)
    signal.signal(signal.SIGALRM, handler)


@pytest.mark.parametrize("what", RUNS)
@pytest.mark.parametrize("how", [by_signal, by_thread])
@pytest.mark.usefixtures("alarmed")
def test_an_exception_at_a_random_moment_leaves_nothing(how, what):
    """Neither patches, modes, flags and hooks, nor anything in the model; the next capture is as the first."""
    model, x = model_and_input()
    with torch.no_grad():
        outputs = model.eval()(x)
    model.train()
    model[1].eval()

    def act() -> Any:
        return RUNS[what](model, x)

    wanted = act()
    whole = min(timeit.repeat(act, number=1, repeat=5))
    before = everything(model, x)
    moments = random.Random(f"{how.__name__} {what}")  # noqa: S311 - the same ones each time
    came = 0
    for number in range(MOMENTS):
        came += how(max(moments.uniform(0, whole), 1e-6), act)
        assert not differences(before, everything(model, x)), f"after moment {number}"
        assert act() == wanted, f"after moment {number}"
        assert not differences(before, everything(model, x)), f"after the capture that followed moment {number}"
    assert came > MOMENTS / 10
    gc.collect()
    assert not differences(before, everything(model, x)), "after all that is left of the exceptions was collected"
    with torch.no_grad():
        assert torch.equal(model.eval()(x), outputs)


# Not at a random moment: where torch asks a fake tensor for its device, any exception ends the process.
FAKE = {"fake": lambda model, x: ta.capture(model, x, fake=True).graph}
SET_UP_AND_PUT_BACK = {module.__file__ for module in (run, undo, unrecorded, modes, torch_modes, recursion, no_trace)}


def before_line(wanted: int, act: Callable[[], Any]) -> int:
    """Have the act interrupted before the so-many-th line of the code that sets up and puts back; returns how many."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        name = frame.f_code.co_filename
        ours = name in SET_UP_AND_PUT_BACK
        if not ours and not name.endswith(("contextlib.py", "torch/overrides.py", "torch/utils/_python_dispatch.py")):
            return None
        # Where a `with` is left, Python looks for nothing that came; a trace function is called there all the same.
        if event == "line" and not linecache.getline(name, frame.f_lineno).lstrip().startswith("with "):
            count += 1
            if count == wanted:
                raise Timeout
        return trace

    known = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except Timeout:
        pass
    finally:
        sys.settrace(known)
    return count


@pytest.mark.parametrize("what", [*RUNS, *FAKE])
def test_an_exception_before_a_line_of_what_sets_up_and_puts_back_leaves_nothing(what):
    """The moments that a clock seldom meets, some 140 of them."""
    model, x = model_and_input()

    def act() -> Any:
        return {**RUNS, **FAKE}[what](model, x)

    wanted = act()
    before = everything(model, x)
    lines = before_line(0, act)
    assert lines > 300
    for line in range(1 + len(what), lines, lines // 140):
        before_line(line, act)
        assert not differences(before, everything(model, x)), f"before line {line}"
    gc.collect()
    assert not differences(before, everything(model, x)), "after all that is left of the exceptions was collected"
    assert act() == wanted
