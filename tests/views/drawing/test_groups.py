"""Groups in the picture: closed, by their names, until they are opened."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import torchatlas as ta


class Block(nn.Module):
    """A residual block."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(4)

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(out)) + x)


@pytest.fixture(scope="module")
def atlas():
    """Three blocks, folded by the recipe."""
    made = ta.capture(nn.Sequential(*(Block() for _ in range(3)), nn.Flatten()), torch.zeros(1, 4, 8, 8))
    made = made.fold("Conv > BatchNorm > Relu", "ConvBnRelu").fold("Conv > BatchNorm", "ConvBn")
    return made.fold("ConvBnRelu > ConvBn > Add > Relu", "Residual")


def closed(drawing):
    """The names of the calls shown as closed boxes."""
    graph = drawing.graph
    return [
        graph.calls[int(place.key[1:])].label
        for place in drawing.scene.boxes
        if place.key[1:].isdigit() and not place.open
    ]


def test_groups_are_closed(atlas):
    """They repeat as modules do; with the repeats put together there is one box for all."""
    assert closed(atlas.draw()) == ["Residual", "Flatten"]
    assert closed(atlas.fold_repeats().draw(fold=False)) == ["Residual ×3", "Flatten"]


@pytest.mark.parametrize("place", ["Residual", 1])
def test_an_opened_group_shows_what_is_in_it(atlas, place):
    """By name or by id; the one module it consists of opens with it, the groups inside stay closed."""
    shown = set(closed(atlas.draw(expand=place)))
    assert shown == {"ConvBnRelu", "ConvBn", "Tensor.add", "torch.relu", "Flatten"}


def test_levels_that_are_asked_for_open_groups_too(atlas):
    """A depth counts them as it counts modules."""
    assert "Conv2d" in closed(atlas.draw(depth=5))


def test_a_name_of_no_group_is_refused(atlas):
    """As a path of no module is."""
    with pytest.raises(ta.InputError, match="Residuall"):
        atlas.draw(expand="Residuall")


@pytest.mark.parametrize(
    ("name", "options"), [("groups", {}), ("groups-open", {"expand": "Residual"}), ("groups-repeats", {"fold": False})]
)
def test_pictures_of_groups_are_golden(golden, atlas, name, options):
    """The names, the sums of parameters, the counts of repeats."""
    shown = atlas.fold_repeats() if name == "groups-repeats" else atlas
    golden(f"{name}.svg", shown.draw(**options).svg)
