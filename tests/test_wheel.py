"""The wheel holds all that the package needs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

import torchatlas as ta

ROOT = Path(__file__).parent.parent
DRAW = """
import sys
from pathlib import Path
import torchatlas as ta
assert Path(ta.__file__).is_relative_to(sys.argv[1]), ta.__file__
drawing = ta.load("net.atlas").draw()
for suffix in ("svg", "png", "pdf", "dot"):
    drawing.save(f"net.{suffix}")
assert "torch" not in sys.modules
"""


def test_a_wheel_draws_in_every_format(tmp_path):
    """From the built wheel alone, unpacked elsewhere: the engine and the fonts are in it."""
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    package = tmp_path / "package"
    zipfile.ZipFile(wheel).extractall(package)
    ta.capture(nn.Linear(2, 2), torch.zeros(1, 2)).save(tmp_path / "net.atlas")
    environment = os.environ | {"PYTHONPATH": str(package)}
    subprocess.run([sys.executable, "-c", DRAW, str(package)], cwd=tmp_path, env=environment, check=True)
    assert all((tmp_path / f"net.{suffix}").stat().st_size > 200 for suffix in ("svg", "png", "pdf", "dot"))
