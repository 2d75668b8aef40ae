"""``torchatlas compare``: two models on the command line, with the exit codes of diff."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

from torchatlas.cli import app
from torchatlas.readers import open as reading

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, size=4):
        super().__init__()
        self.layer = nn.Linear(4, size)
    def forward(self, x):
        return self.layer(x)

class Wide(Net):
    def __init__(self):
        super().__init__(8)

class Bad(Net):
    def forward(self, x):
        return self.layer(self.layer(x).T)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with models in it."""
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args):
    """What the command does."""
    return CliRunner().invoke(app, ["compare", *args])


def test_the_same_ends_with_0():
    """As diff does."""
    result = run("net.py:Net", "net.py:Net", "-i", "3,4")
    assert result.exit_code == 0, result.output
    assert "same architecture and shapes" in result.stdout


def test_a_file_is_read_once(folder, monkeypatch):
    """Also where the model is asked whether it takes the weights: a large file is slow to read."""
    save_file(nn.ModuleDict({"layer": nn.Linear(4, 4)}).state_dict(), folder / "weights.safetensors")
    read = []
    monkeypatch.setattr(
        reading, "opened", lambda path, key=None, original=reading.opened: read.append(path) or original(path, key)
    )
    result = run("net.py:Net", "weights.safetensors")
    assert result.exit_code == 0, result.output
    assert [str(path) for path in read] == ["weights.safetensors"]


def test_what_differs_ends_with_1():
    """The table says what."""
    result = run("net.py:Net", "net.py:Wide", "-i", "3,4")
    assert result.exit_code == 1
    assert "out_features 4 -> 8" in result.stdout
    assert "20 -> 40 parameters" in result.stdout


def test_trouble_ends_with_2():
    """A target that is not there, a model that fails, a file that has no format."""
    assert run("net.py:Net", "net.py:None_", "-i", "3,4").exit_code == 2
    failing = run("net.py:Net", "net.py:Bad", "-i", "3,4")
    assert failing.exit_code == 2
    assert "The model failed" in failing.stderr
    refused = run("net.py:Net", "net.py:Wide", "-o", "net.gif")
    assert refused.exit_code == 2
    assert "give a name that ends in .txt" in refused.stderr
    assert run("net.py:Net", "net.py:Wide", "-o", "net.svg", "--format", "csv").exit_code == 2


def test_forms(folder):
    """Printed, or written by the name of a file, with the verdict beside it."""
    assert json.loads(run("net.py:Net", "net.py:Wide", "--format", "json").stdout)["same"] is False
    assert run("net.py:Net", "net.py:Wide", "--format", "csv").stdout.startswith("mark,a,b,")
    result = run("net.py:Net", "net.py:Wide", "-i", "3,4", "-o", "net.svg")
    assert result.exit_code == 1
    assert (folder / "net.svg").read_text().startswith("<svg ")
    assert "same structure" in result.stderr
    narrow = run("net.py:Net", "net.py:Wide", "--width", "70", "--depth", "0")
    assert max(map(len, narrow.stdout.splitlines())) <= 70


def test_a_saved_run_is_compared_with_a_model():
    """Inputs are for the model alone."""
    assert CliRunner().invoke(app, ["save", "net.py:Net", "-i", "3,4", "-o", "net.atlas"]).exit_code == 0
    result = run("net.atlas", "net.py:Wide", "-i", "3,4")
    assert result.exit_code == 1, result.output
    assert result.stdout.startswith("a: net.atlas\nb: net.py:Wide\n")
    assert run("net.atlas", "net.atlas").exit_code == 0
    refused = run("net.atlas", "net.atlas", "-i", "3,4")
    assert refused.exit_code == 2
    assert "both are files" in refused.stderr


def test_a_folder_of_weights_is_compared_with_a_model(folder):
    """It is a file like others: inputs are for the model."""
    (folder / "weights").mkdir()
    save_file(nn.ModuleDict({"layer": nn.Linear(4, 4)}).state_dict(), folder / "weights" / "model.safetensors")
    result = run("./weights", "net.py:Net", "-i", "3,4")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("a: weights\nb: net.py:Net\n")
