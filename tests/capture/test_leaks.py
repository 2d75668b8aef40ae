"""A capture keeps nothing once its atlas is gone: neither in caches, nor as garbage that waits for the collector.

What the allocator and the interpreter keep for reuse is theirs; so objects are counted here, not the process.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

import torchatlas as ta

if TYPE_CHECKING:
    from collections.abc import Callable

X = torch.zeros(2, 4)
RUNS: dict[str, Callable[[nn.Module], Any]] = {
    "op": lambda model: ta.capture(model, X),
    "aten": lambda model: ta.capture(model, X, level="aten"),
    "train": lambda model: ta.capture(model, X, mode="train"),
    "grad": lambda model: ta.capture(model, X, grad=True),
    "replay": lambda model: ta.capture(model, X, replay=True).replay(),
    "summary": lambda model: str(ta.summary(model, X)),
    "draw": lambda model: ta.draw(model, X).svg,
    "backward": lambda model: ta.backward(model(X).sum(), model, saved=True),
}


def garbage(what: str) -> int:
    """Objects that five runs leave to the collector."""
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    for _ in range(2):
        RUNS[what](model)
    gc.collect()
    gc.disable()
    for _ in range(5):
        RUNS[what](model)
    return gc.collect()


@pytest.mark.parametrize("what", RUNS)
def test_no_garbage_is_made(what):
    """All is freed as it is let go of: what holds itself would wait for a collection of all that torch has loaded.

    In a process of its own: what other tests of this folder leave, such as exceptions at any line, may hold frames.
    """
    done = subprocess.run([sys.executable, __file__, what], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_a_class_that_was_made_for_one_model_is_freed_with_it():
    """With its code, and what its functions hold: no cache of a capture keeps them."""

    class Held:
        pass

    def made() -> tuple[nn.Module, Held]:
        held, space = Held(), {"nn": nn}
        exec("class Net(nn.Module):\n  def forward(self, x):\n    return (x * 2).relu()", space)  # noqa: S102 - code of its own
        space["Net"].forward.held = held
        return space["Net"](), held

    model, held = made()
    watched = [weakref.ref(thing) for thing in (held, type(model), type(model).forward, type(model).forward.__code__)]
    atlas = ta.capture(model, X)
    assert atlas.graph.calls[1].source is not None
    str(atlas.summary())
    del model, held
    gc.collect()
    assert [reference() for reference in watched] == [None] * 4


COUNTED = """
import gc, tracemalloc, torch
from torch import nn
import torchatlas as ta

def net():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)
        def forward(self, x):
            return self.layer(x).relu()
    return Net()

def some(count):
    for _ in range(count):
        str(ta.summary(net(), torch.zeros(2, 4)))
    gc.collect()

some(50)
tracemalloc.start()
some(50)
before = tracemalloc.take_snapshot()
some(300)
after = tracemalloc.take_snapshot()
for line in after.compare_to(before, "lineno"):
    if line.count_diff >= 300:
        print(line)
"""


def test_no_line_of_code_keeps_an_object_of_every_capture():
    """Summaries of models, each of a class of its own; what any line had allocated is counted before and after 300."""
    done = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True)
    assert done.stdout == ""


if __name__ == "__main__":
    print(garbage(sys.argv[1]))  # noqa: T201 - what the test above reads
