"""Why modules have no call: containers cannot be called, what TorchScript runs is not seen, others never ran."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Module
from torchatlas.core.measure.cost import total
from torchatlas.views.uncalled import uncalled


def scripted(model: nn.Module) -> nn.Module:
    """The model in TorchScript, which torch deprecates and people have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(model)


class Shelf(nn.Module):
    """A container of the user's: it has no forward."""

    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(4, 4)


class Mixed(nn.Module):
    """Scripted layers, every container of torch, one of the user's, and a layer that nobody calls."""

    def __init__(self):
        super().__init__()
        self.scripted = scripted(nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 4))))
        self.scales = nn.ParameterDict({"a": nn.Parameter(torch.ones(4))})
        self.unread = nn.ParameterList([nn.Parameter(torch.ones(4))])
        self.layers = nn.ModuleList([nn.Linear(4, 4)])
        self.by_name = nn.ModuleDict({"a": nn.Linear(4, 4)})
        self.shelf = Shelf()
        self.never = nn.Linear(4, 4)

    def forward(self, x):
        return self.by_name["a"](self.layers[0](self.scripted(x))) * self.scales["a"]


@pytest.fixture(scope="module")
def atlas() -> ta.Atlas:
    """A run of it."""
    return ta.capture(Mixed(), torch.ones(2, 4))


def test_only_layers_that_could_have_run_never_ran(atlas):
    """Not those inside TorchScript, and no container; their parameters count all the same."""
    notes = {row["path"]: row["note"] for row in json.loads(atlas.summary().json())["rows"]}
    assert {path for path, note in notes.items() if note == "never ran"} == {"never", "shelf.spare"}
    unseen = {path for path, note in notes.items() if note == "inside TorchScript, not seen"}
    assert unseen == {"scripted.0", "scripted.1", "scripted.1.0", "scripted.1.1"}
    assert notes["unread"] is None
    assert notes["scales"] == "weights used"
    assert total(atlas.graph).parameters == sum(one.numel() for one in Mixed().parameters())


def test_the_table_and_the_picture_say_so(atlas):
    """In the cell of the output, and on the box."""
    line = next(line for line in str(atlas.summary(depth=2)).splitlines() if "ReLU" in line or "|  |- 0" in line)
    assert "inside TorchScript, not seen" in line
    assert "inside not seen" in atlas.draw().svg


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("scripted.0", "is inside TorchScript, where calls are not seen"),
        ("unread", "is a container, which cannot be called"),
        ("never", "was never called"),
    ],
)
def test_an_option_that_names_such_a_module_says_why_it_has_no_box(atlas, path, reason):
    """The reason is that of the module."""
    with pytest.raises(InputError, match=reason):
        atlas.draw(expand=path)


def test_packed_parameters_cannot_run():
    """What a dynamically quantised layer keeps its weights in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 8)), dtype=torch.qint8)
    assert "never ran" not in str(ta.capture(model, torch.ones(2, 4)).summary())


@pytest.mark.parametrize("name", ["ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "LinearPackedParams"])
def test_containers_of_files_are_known_by_name(name):
    """A file of another program says no more."""
    assert uncalled(Module("x", name)) == "container"
    assert uncalled(Module("x", "Linear")) == "never ran"
    assert uncalled(Module("x", "Linear", opaque=True)) == "inside TorchScript, not seen"
    assert uncalled(Module("x", "Shelf", container=True)) == "container"
