"""What may be asked of a drawing, and what is said to whoever asks for something else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.errors import InputError
from views.drawing.nets import stack


class Tied(nn.Module):
    """One layer under two names, and one that never runs."""

    def __init__(self):
        super().__init__()
        self.first = self.second = nn.Linear(2, 2)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        return self.second(x)


@pytest.fixture(scope="module")
def stacked():
    """Six blocks and two results."""
    return stack()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"depth": 0}, "depth=0; depth is a whole number from 1, or None for as much as fits one page."),
        ({"depth": True}, "depth=True; depth is a whole number"),
        ({"depth": 1.5}, "depth=1.5; depth is a whole number"),
        ({"direction": "RL"}, "direction='RL' is unknown; direction is one of TB, LR."),
        ({"theme": "drak"}, "theme='drak' is unknown; theme is one of light, dark, paper. Did you mean dark?"),
        ({"labels": "shape"}, "labels='shape'; labels is a sequence of names, as ('shape',)"),
        ({"labels": ("shapes",)}, "labels='shapes' is unknown; labels is one of shape, params, flops. Did you mean"),
        ({"level": "op2"}, "level='op2' is unknown; level is one of op, aten."),
        ({"level": "aten"}, "level='aten': this run was recorded without its ATen operators. Capture it with"),
        ({"expand": "block"}, "expand='block': no module of Stack has that path. Near: 'blocks'"),
        ({"collapse": ["zzz"]}, "collapse='zzz': no module of Stack has that path. Modules that ran: 'blocks', "),
        ({"expand": [999]}, "expand=999: the graph has 58 calls, numbered from 0."),
        ({"expand": [None]}, "expand=None; expand takes module paths, as 'layer1.0', and call ids"),
    ],
)
def test_an_unknown_option_is_refused_with_what_there_is(stacked, options, words):
    """The message repeats what was given and says what to give instead."""
    with pytest.raises(InputError) as caught:
        stacked.draw(**options)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("place", "words"),
    [("unused", "expand='unused': that module was never called"), ("second", "that module ran as 'first'")],
)
def test_a_module_without_a_box_is_refused_with_the_reason(place, words):
    """A path of the model that is none of the picture is no spelling mistake."""
    with pytest.raises(InputError, match=words):
        ta.capture(Tied(), torch.zeros(1, 2)).draw(expand=place)


def test_a_later_repeat_opens_by_itself():
    """Those before and after it stay folded, and closed."""
    model = nn.Sequential(*(nn.Sequential(nn.Linear(2, 2), nn.ReLU()) for _ in range(8)))
    svg = ta.capture(model, torch.zeros(1, 2)).draw(depth=1, expand="3").svg
    assert [svg.count(badge) for badge in (">×3<", ">×4<", ">×8<", ">Linear<")] == [1, 1, 0, 1]


def test_a_model_that_was_not_run_opens_by_path():
    """Its modules have boxes, though no call."""
    inner = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
    drawing = ta.capture(nn.Sequential(inner, nn.ReLU())).draw(depth=1, expand="0")
    assert "2 → 3" in drawing.svg
    assert "2 → 3" not in ta.capture(nn.Sequential(inner, nn.ReLU())).draw(depth=1).svg


def test_what_only_a_run_has_colours_no_structure():
    """Without a run there is nothing to colour by."""
    with pytest.raises(InputError, match=r"Linear was not run\. Capture it with inputs"):
        ta.capture(nn.Linear(2, 2)).draw(color_by="flops")
