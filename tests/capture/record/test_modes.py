"""Modes that an interrupt leaves behind."""

from __future__ import annotations

import pytest
import torch
from torch import overrides
from torch.utils import _python_dispatch as dispatch

import torchatlas as ta


@pytest.mark.parametrize("level", ["op", "aten"])
def test_a_mode_that_comes_back_after_its_capture_hands_everything_on(level):
    """As when torch's own generator, which an interrupt left open, puts it back as it is collected."""

    class Looks:
        modes = ()

        def __call__(self, x):
            functions, operations = (
                overrides._get_current_function_mode_stack,
                dispatch._get_current_dispatch_mode_stack,
            )
            Looks.modes = Looks.modes or (*functions(), *operations())
            return x + 1

    forward = Looks()

    graph = ta.capture(forward, torch.ones(2), level=level).graph
    assert len(Looks.modes) == (1 if level == "op" else 2)
    for mode in Looks.modes:
        with mode:
            assert torch.equal(torch.ones(2) * 2, torch.full((2,), 2.0))
            assert ta.capture(forward, torch.ones(2), level=level).graph.calls == graph.calls
