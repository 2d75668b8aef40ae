"""The engine in Python: its limits, and that the bundled file is the one that web/ gives."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import torch

import torchatlas as ta
from torchatlas.core.errors import DrawingError
from torchatlas.views.drawing.engine import render
from torchatlas.views.drawing.payload import payload
from views.drawing.nets import stack

WEB = Path(__file__).parents[3] / "web"


@pytest.fixture(scope="module")
def given():
    """The payload of a small run."""
    return payload(stack().graph)


def test_a_drawing_that_takes_too_long_is_stopped_and_told(given):
    """The message has the size, and what makes it smaller."""
    with pytest.raises(
        DrawingError, match=r"Stack has 58 calls and \d+ tensors.* more than 1e-06 seconds.*depth="
    ) as told:
        render(given, {}, seconds=1e-6)
    assert "collapse=" in str(told.value)


LITTLE = """
from pathlib import Path
from torchatlas.core.errors import DrawingError
from torchatlas.views.drawing.engine import render
for limit in (2_000_000, 4_000_000, 5_000_000, 6_000_000):
    try:
        render(Path("large.json").read_text(), {"fold": False}, memory=limit)
    except DrawingError as error:
        print(error)
"""


def test_a_drawing_that_takes_too_much_memory_is_stopped_and_told(given, tmp_path):
    """The same, also where no room is left for the engine's own message."""
    with pytest.raises(DrawingError, match=r"more than 0\.0 GB of memory.*depth="):
        render(given, {}, memory=600_000)
    # In a process of its own: at the end of its memory, the library that runs the engine has crashed in an old process.
    large = payload(ta.capture(lambda x: [x.relu() for _ in range(2000)], torch.zeros(1), source=False).graph)
    (tmp_path / "large.json").write_text(large)
    run = subprocess.run([sys.executable, "-c", LITTLE], cwd=tmp_path, capture_output=True, text=True, check=True)
    told = run.stdout.splitlines()
    assert len(told) == 4
    assert all(re.search(r"2,001 calls.* more than 0\.0 GB of memory.*depth=", line) for line in told)


def test_a_defect_of_the_engine_is_told_as_one(given):
    """Nobody looks for the mistake in their model."""
    with pytest.raises(DrawingError, match=r"which is a defect of torchatlas: please report it.*TypeError"):
        render(given, {"level": "op", "expand": 7})


def test_the_bundle_is_what_web_gives(tmp_path):
    """The engine in the package is that of the sources beside it; where Node is at hand, it is built anew."""
    vite = WEB / "node_modules" / "vite" / "bin" / "vite.js"
    node = shutil.which("node")
    if node is None or not vite.exists():
        pytest.skip("no Node, or web/ is not set up: make engine")
    command = [node, str(vite), "build", "--config", "vite.engine.config.ts", "--outDir", str(tmp_path)]
    subprocess.run([*command, "--logLevel", "warn"], cwd=WEB, check=True)
    committed = files("torchatlas.views.drawing").joinpath("engine.js").read_bytes()
    assert (tmp_path / "engine.js").read_bytes() == committed, "engine.js is stale: run `make engine` and commit it"
