"""The engine in Python: its limits, and that the bundled file is the one that web/ gives."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from torchatlas.core.errors import DrawingError
from torchatlas.views.drawing.engine import _explain, render
from viewing import payload_of
from views.drawing.nets import stack

WEB = Path(__file__).parents[3] / "web"


@pytest.fixture(scope="module")
def given():
    """The payload of a small run."""
    return payload_of(stack().graph)


def test_a_drawing_that_takes_too_long_is_stopped_and_told(given):
    """The message has the size, and what makes it smaller."""
    with pytest.raises(
        DrawingError, match=r"Stack has 58 calls and \d+ tensors.* more than 1e-06 seconds.*depth="
    ) as told:
        render(given, seconds=1e-6)
    assert "collapse=" in str(told.value)


LITTLE = """
from pathlib import Path
from torchatlas.core.errors import DrawingError
from torchatlas.views.drawing.engine import _explain, render
for limit in range(0, 1_500_000, 1499):  # from no room at all, less than the engine takes itself, to room enough
    try:
        render(Path("small.json").read_text(), memory=limit)
    except DrawingError as error:
        print(error)
"""


def test_a_drawing_that_takes_too_much_memory_is_stopped_and_told(given, tmp_path):
    """Wherever its memory ends, also where no room is left for the engine's own message, and never by a crash."""
    (tmp_path / "small.json").write_text(given)
    # In a process of its own: the library that runs the engine has crashed at the end of its memory.
    run = subprocess.run([sys.executable, "-c", LITTLE], cwd=tmp_path, capture_output=True, text=True, check=True)
    told = run.stdout.splitlines()
    assert 600 < len(told) < 1001
    wrong = [
        line for line in told if not re.search(r"Stack has 58 calls.* more than [\d.]+ [kM]B of mem.*depth=", line)
    ]
    assert not wrong, wrong[0]


@pytest.mark.parametrize(
    "reason",
    ["null\n", "\nundefined", "InternalError\n    at f (<input>:4:1)\n", "InternalError: Invalid error message\nnull"],
)
def test_an_engine_without_room_for_a_message_has_no_memory_left(given, reason):
    """What the library gives, once in some thousand limits, in the place of a message."""
    assert "took more than 1.00 MB of memory" in _explain(reason, given, 60.0, 1_000_000)


def test_a_defect_of_the_engine_is_told_as_one(given):
    """Nobody looks for the mistake in their model."""
    with pytest.raises(DrawingError, match=r"which is a defect of torchatlas: please report it.*TypeError"):
        render(given.replace('"expand":[]', '"expand":7'))


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
