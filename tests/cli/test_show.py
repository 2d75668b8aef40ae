"""``torchatlas show``: a page in the browser, or in a file."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from torchatlas.cli import app

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
    def forward(self, x):
        return self.layer(x)

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


def test_a_page_is_written_where_it_is_asked_for(folder, monkeypatch):
    """Nothing is opened then."""
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("opened"))
    result = run("show", "net.py:Net", "-i", "3,4", "-o", "net.html")
    assert result.exit_code == 0, result.output
    assert "<title>Net</title>" in (folder / "net.html").read_text()
    assert result.stderr.startswith("net.html: ")


def test_without_a_file_the_browser_opens(monkeypatch):
    """The page lies in a temporary folder, whose name is printed for where no browser opens."""
    asked = []
    monkeypatch.setattr("webbrowser.open", asked.append)
    result = run("show", "net.py:Net", "-i", "3,4")
    assert result.exit_code == 0, result.output
    assert len(asked) == 1
    assert asked[0].startswith("file://")
    assert "Net.html: " in result.stderr


def test_a_saved_run_is_shown(folder):
    """From the file alone."""
    assert run("save", "net.py:Net", "-i", "3,4", "-o", "net.atlas").exit_code == 0
    assert run("show", "net.atlas", "-o", "net.html").exit_code == 0
    assert (folder / "net.html").exists()


def test_a_forward_that_fails_is_shown_up_to_there(folder):
    """Exit code 1, and the page is there."""
    result = run("show", "net.py:Bad", "-i", "3,4", "-o", "bad.html")
    assert result.exit_code == 1
    assert "the page goes up to the failing call" in result.stderr
    assert (folder / "bad.html").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("net.py:Net", "-i", "3,4", "-o", "net.svg"), "give a name that ends in .html, as net.html"),
        (("net.py:Net", "-i", "3,4", "-o", "missing/net.html"), "there is no folder 'missing'"),
        (("net.py:Net", "-i", "3,4", "-o", "."), "-o .: that is a folder"),
    ],
)
def test_what_cannot_be_done_says_so(args, message):
    """Exit code 2, before or without a page."""
    result = run("show", *args)
    assert result.exit_code == 2
    assert message in result.stderr
