"""What colours say: a number or a word for every closed box, the numbers of `core.measure.cost`."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.errors import InputError
from views.drawing.nets import Loop, stack


class Again(nn.Module):
    """One layer, seven times."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        for _ in range(7):
            x = self.layer(x)
        return x


def said(atlas: ta.Atlas, name: str, overlays=None, **options) -> dict:
    """What is said of the boxes of a drawing, by path where they have one."""
    boxes = atlas.draw(color_by=name, overlays=overlays, **options).scene.boxes
    calls = atlas.graph.calls
    found = {box.key: box.value for box in boxes if box.value is not None}
    return {calls[int(key[1:])].path or calls[int(key[1:])].name: one for key, one in found.items()}


@pytest.fixture(scope="module")
def layers():
    """A layer of 4 x 8 + 8 parameters, an activation, one of 8 x 2 + 2."""
    return ta.capture(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.zeros(3, 4))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"labels": ("shape",)}, []),
        ({"labels": ("shape", "params")}, ["params"]),
        ({"labels": ("flops", "params"), "color_by": "flops"}, ["params", "flops"]),
        ({"labels": (), "color_by": "shape", "overlays": {"shape": {"0": 1}}}, ["shape"]),
        ({"labels": ("shape",), "overlays": {"shape": {"0": 1}}}, []),
    ],
)
def test_a_picture_is_given_what_its_labels_and_colours_show_and_nothing_else(layers, options, names):
    """Each once, also where both show the same."""
    assert [measure["name"] for measure in json.loads(layers.draw(**options)._payload)["measures"]] == names


def test_numbers_are_those_of_the_layers(layers):
    """Worked out by hand: 1 multiply-add is 2 operations, a float takes 4 bytes; what has none is not in it."""
    assert said(layers, "params") == {"0": 40, "2": 18}
    assert said(layers, "flops") == {"0": 3 * 4 * 8 * 2, "2": 3 * 8 * 2 * 2}
    assert said(layers, "activations") == {"0": 3 * 8 * 4, "1": 3 * 8 * 4, "2": 3 * 2 * 4}
    assert said(layers, "dtype") == {"0": "float32", "1": "float32", "2": "float32"}
    assert set(said(layers, "device").values()) == {"cpu"}
    assert said(layers, "time") == {}


def test_a_fold_has_the_sum_of_its_repeats():
    """Six blocks of two layers of 4 x 4 + 4; with repeats shown, each has its own."""
    assert said(stack(), "params", depth=2) == {"blocks.0": 6 * 40}
    alone = said(stack(), "params", depth=2, fold=False)
    assert alone == {f"blocks.{block}": 40 for block in range(6)}


def test_one_repeat_that_is_open_divides_the_sum():
    """Between the repeats before it and those after it."""
    atlas = ta.capture(nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(6))), torch.zeros(1, 4))
    assert said(atlas, "params", depth=1) == {"0": 6 * 20}
    assert said(atlas, "params", depth=1, expand="2") == {"0": 2 * 20, "2.0": 20, "3": 3 * 20}


def test_a_loop_runs_the_same_parameters_again():
    """They are counted once, its operations each time."""
    atlas = ta.capture(Again(), torch.zeros(3, 4))
    assert said(atlas, "params") == {"layer": 20}
    assert said(atlas, "flops") == {"layer": 7 * 3 * 4 * 4 * 2}
    assert said(ta.capture(Loop(), torch.zeros(2, 4, 3)), "params") == {"cell": 3 * 5 * (3 + 5) + 2 * 3 * 5, "head": 12}


def test_an_overlay_is_given_by_module_and_by_call(layers):
    """A module's number is that of every call of it; what is not finite says nothing."""
    call = layers.graph.calls_of["2"][0]
    assert said(layers, "loss", {"loss": {"0": 1.5, call: -2, "1": math.nan}}) == {"0": 1.5, "2": -2}


@pytest.mark.parametrize(
    ("name", "overlays", "words"),
    [
        ("flop", {}, "color_by='flop' is unknown; color_by is one of params, weights, flops, .*Did you mean flops"),
        ("lost", {"loss": {}}, "is one of .*device, loss. Did you mean loss"),
        ("loss", {"loss": {"zzz": 1}}, "overlay 'loss' has a number for 'zzz', which is neither"),
        ("loss", {"loss": {99: 1}}, "overlay 'loss' has a number for 99, .*calls of Sequential"),
    ],
)
def test_what_the_graph_does_not_have_is_refused(layers, name, overlays, words):
    """The message lists what there is."""
    with pytest.raises(InputError, match=words):
        layers.draw(color_by=name, overlays=overlays)


def test_an_overlay_of_the_atlas_colours_without_being_given_again(layers):
    """One given beside it under the same name wins; the legend says the unit; nothing is a number like others."""
    atlas = layers.overlay("latency", {"0": 0.0012, "1": 0.03, "2": 0}, "s")
    assert said(atlas, "latency") == {"0": 0.0012, "1": 0.03, "2": 0}
    assert said(atlas, "latency", {"latency": {"0": 2}}) == {"0": 2}
    svg = atlas.draw(color_by="latency").svg
    assert ">0 s</text>" in svg
    assert ">30.0 ms</text>" in svg


def test_repeats_of_an_overlay_show_the_greatest():
    """Their numbers cannot be added up: they may be means, or peaks."""
    net = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(4)))
    atlas = ta.capture(net, torch.zeros(1, 4)).overlay("peak", {"0": 1, "1": 5, "2": 3})
    assert said(atlas, "peak", depth=1) == {"0": 5}


def test_times_of_repeats_add_up_and_weights_are_bytes():
    """As FLOPs do; a loop holds its weights once."""
    net = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(4)))
    graph = ta.capture(net, torch.zeros(1, 4)).graph
    timed = {"": 9.0} | {str(number): 2.0 for number in range(4)} | {f"{number}.0": 0.5 for number in range(4)}
    atlas = ta.Atlas(replace(graph, calls=tuple(replace(call, seconds=timed.get(call.path)) for call in graph.calls)))
    assert said(atlas, "time", depth=1) == {"0": 8}
    assert said(atlas, "self_time", depth=1) == {"0": 6}
    assert said(atlas, "weights", depth=1) == {"0": 4 * 20 * 4}
    assert "8.00 s</text>" in atlas.draw(depth=1, color_by="time").svg


def test_the_legend_says_where_it_goes_by_the_logarithm(layers):
    """Colours a tenth apart would be read as a tenth of the number."""
    assert "logarithmic</text>" in layers.draw(color_by="x", overlays={"x": {"0": 1, "2": 1000}}).svg
    assert "logarithmic" not in layers.draw(color_by="x", overlays={"x": {"0": 1, "2": 10}}).svg
