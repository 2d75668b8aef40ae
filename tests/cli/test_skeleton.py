"""``torchatlas skeleton`` as it is typed."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

from torchatlas.cli import app


@pytest.fixture
def weights(tmp_path):
    """A file of weights."""
    path = tmp_path / "small.pth"
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()).state_dict(), path)
    return path


def test_it_prints_the_code(weights):
    """To be read, or sent on into a file."""
    done = CliRunner().invoke(app, ["skeleton", str(weights)])
    assert done.exit_code == 0
    compile(done.stdout, "skeleton", "exec")
    assert "class Model(nn.Module):" in done.stdout


def test_it_writes_the_code(weights, tmp_path):
    """The file loads the weights that it was made of."""
    output = tmp_path / "model.py"
    done = CliRunner().invoke(app, ["skeleton", str(weights), "-o", str(output)])
    assert done.exit_code == 0
    space = {}
    exec(output.read_text(), space)  # noqa: S102 - it is what is tested
    space["Model"]().load_state_dict(torch.load(weights), strict=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent.pth"], "does not exist"),
        (["{weights}", "-o", "nowhere/model.py"], "there is no folder"),
        ([__file__], "looks like text"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, said, weights):
    """One line, and exit code 2."""
    done = CliRunner().invoke(app, ["skeleton", *(each.format(weights=weights) for each in arguments)])
    assert done.exit_code == 2
    assert said in done.stderr
