"""The wheel holds all that the package needs."""

from __future__ import annotations

import os
import re
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


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """The wheel, unpacked elsewhere."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "package")
    return folder / "package"


def test_a_wheel_draws_in_every_format(package, tmp_path):
    """From the built wheel alone: the engine and the fonts are in it."""
    ta.capture(nn.Linear(2, 2), torch.zeros(1, 2)).save(tmp_path / "net.atlas")
    environment = os.environ | {"PYTHONPATH": str(package)}
    subprocess.run([sys.executable, "-c", DRAW, str(package)], cwd=tmp_path, env=environment, check=True)
    assert all((tmp_path / f"net.{suffix}").stat().st_size > 200 for suffix in ("svg", "png", "pdf", "dot"))


def test_its_description_leads_to_no_file_that_is_not_there(package):
    """On the package index there is no file of the repository: names stand for links, and pictures are left out."""
    (metadata,) = package.glob("*.dist-info/METADATA")
    description = metadata.read_text(encoding="utf-8").partition("\n\n")[2]
    assert description.startswith("# torchatlas")
    assert not re.findall(r"\]\((?!https?:)[^)]*\)", description)
    assert "![" not in description
    assert "what goes in, `docs/inputs.md`" in description
    assert "`ARCHITECTURE.md` is the map of the code" in description
    assert description.rstrip().endswith("Files that are named here are in the source archive.")
    code = re.findall(r"^```.*?^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert code == re.findall(r"^```.*?^```$", description, re.MULTILINE | re.DOTALL)
