"""``torchatlas profile``: the table with times, and a file that keeps them."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

import torchatlas as ta
from torchatlas.cli import app

NET = """
import time
import torch
from torch import nn

class Slow(nn.Module):
    def forward(self, x):
        time.sleep(0.003)
        return x

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.slow = Slow()
    def forward(self, x):
        print("printed by the model")
        return self.slow(self.layer(x))

class Bad(Net):
    def forward(self, x):
        return self.layer(self.layer(x))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a model in it."""
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args):
    """What the command does."""
    return CliRunner().invoke(app, args)


def test_the_table_has_times_and_the_file_keeps_them(folder):
    """What the model prints is no part of it; a drawing of the file is coloured by time."""
    done = run("profile", "net.py:Net", "-i", "1,4", "--repeats", "2", "--warmup", "0", "-o", "net.atlas")
    assert done.exit_code == 0, done.output
    assert "printed" not in done.stdout
    assert "of time" in done.stdout.splitlines()[0]
    graph = ta.load("net.atlas").graph
    assert graph.calls[graph.calls_of["slow"][0]].seconds >= 0.003
    assert "mean" in {overlay.name for overlay in graph.overlays}
    assert run("draw", "net.atlas", "--color-by", "time", "-o", "net.svg").exit_code == 0
    assert " ms</text>" in (folder / "net.svg").read_text()
    assert run("draw", "net.atlas", "--color-by", "peak memory", "-o", "net.html").exit_code == 0


def test_columns_rows_and_what_is_measured_can_be_chosen():
    """Times alone, by function."""
    options = ("--no-memory", "--no-statistics", "--ops", "--columns", "name, time,self_time", "--repeats", "1")
    done = run("profile", "net.py:Net", "-i", "1,4", *options)
    assert done.stdout.splitlines()[0].split() == ["name", "time", "self", "time"]
    assert "F.linear" in done.stdout
    assert "peak memory" not in done.output


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("net.py:Net", "-i", "1,4", "-o", "net.svg"), 2, "give a name that ends in .atlas, as net.atlas"),
        (("net.py:Net", "-i", "1,4", "-o", "."), 2, "-o .: that is a folder"),
        (("net.atlas",), 2, "net.atlas does not exist"),
        (("weights.pth",), 2, "weights.pth is a file and is not run, so there is no time to measure"),
        (("net.py:Net",), 2, "There is nothing to measure. The model was not run, because no input was given"),
        (("net.py:Bad", "-i", "1,4", "--repeats", "1"), 1, "The model failed; the table goes up to the failing call"),
        (("net.py:Net", "-i", "1,4", "--repeats", "0"), 2, "--repeats"),
    ],
)
def test_what_cannot_be_done_is_said(args, code, words):
    """In one line, with the exit code of the other commands."""
    torch.save({}, "weights.pth")
    done = run("profile", *args)
    assert (done.exit_code, words in " ".join(done.output.split())) == (code, True), done.output
