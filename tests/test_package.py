"""The package as a whole: what it imports, what it shows, what it is called."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from pkgutil import iter_modules

import pytest
import torch
from torch import nn

import torchatlas as ta

HEAVY = ("torch", "numpy", "pandas", "rich", "typer", "quickjs", "resvg_py", "reportlab", "fontTools")


def run(code: str) -> str:
    """What a fresh interpreter prints for ``code``."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("module", ["torchatlas", "torchatlas.core.graph", "torchatlas.files.codec"])
def test_importing_imports_nothing_heavy(module):
    """Whoever only reads an .atlas file does not wait for torch."""
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    assert run(code) == "[]"


def test_naming_the_public_does_not_import_torch():
    """``dir`` and ``__all__`` serve completion, which must not take seconds."""
    code = "import sys, torchatlas; dir(torchatlas); torchatlas.__all__; print('torch' in sys.modules)"
    assert run(code) == "False"


def test_all_is_exactly_what_is_public():
    """A name that is public by accident would have to be kept for ever."""
    assert len(set(ta.__all__)) == len(ta.__all__)
    submodules = {module.name for module in iter_modules(ta.__path__)} - set(ta.__all__)
    public = {name for name in dir(ta) if not name.startswith("_")} - submodules - {"annotations"}
    assert public == {name for name in ta.__all__ if not name.startswith("_")}


def test_type_checkers_read_the_names_that_are_public():
    """The imports that they follow are those of the table, from the same modules, and exported by an alias."""
    tree = ast.parse(Path(ta.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    read = {alias.asname: node.module for node in block.body for alias in node.names if alias.asname == alias.name}
    assert read == ta._HOMES
    assert len(block.body) == len(read)


@pytest.mark.parametrize("name", ta.__all__)
def test_every_public_name_is_there_and_documented(name):
    """Each lazy name leads somewhere, and says what it is."""
    thing = getattr(ta, name)
    assert isinstance(thing, str) or thing.__doc__


WITHOUT = """
import sys
sys.modules["torch"] = sys.modules["numpy"] = None  # importing them is an ImportError
import torchatlas as ta
"""


def without_torch(code: str, folder: Path) -> str:
    """What a program prints where neither torch nor numpy can be imported."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + code], cwd=folder, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def saved(tmp_path) -> Path:
    """A folder with a run in both formats that are read without torch."""
    atlas = ta.capture(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), torch.zeros(2, 3))
    atlas.save(tmp_path / "net.atlas")
    atlas.save(tmp_path / "net.json")
    torch.save(nn.Linear(3, 4).state_dict(), tmp_path / "net.pth")
    return tmp_path


def test_files_are_read_where_there_is_no_torch(saved):
    """Every view, the totals, changes, a comparison, and files of weights, in an interpreter that refuses torch."""
    code = """
atlas = ta.load("net.atlas")
assert ta.open("net.json").graph == atlas.graph
assert ta.open("net.pth").totals.parameters == 16
assert all((str(atlas.summary()), atlas.summary().csv(), atlas.summary().json(), atlas.summary().html()))
for end in ("svg", "png", "pdf", "dot", "html", "json", "atlas", "model-explorer.json"):
    atlas.save(f"copy.{end}")
atlas.fold("Linear > Relu", "Layer").overlay("mine", {"0": 1.0}).draw(color_by="mine")
assert ta.compare(atlas, "net.json").same
print(atlas.totals.mult_adds)
"""
    assert without_torch(code, saved) == "24"


def test_the_command_line_reads_files_where_there_is_no_torch(saved):
    """The table and the picture of a file; a model says that torch is missing."""
    code = """
from torchatlas.cli import app
for command in (["summary", "net.atlas"], ["draw", "net.atlas", "-o", "net.svg"], ["summary", "net.pth"]):
    app(command, standalone_mode=False)
"""
    assert "Linear" in without_torch(code, saved)
    assert (saved / "net.svg").stat().st_size > 1000


def test_capture_stays_the_function_after_it_was_used():
    """The package of the same name is loaded by the first capture, and must not take its place."""
    code = "import torchatlas as ta; [ta.capture(lambda: None) for _ in 'ab']; print(type(ta.capture).__name__)"
    assert run(code) == "function"


def test_an_unknown_name_is_an_attribute_error():
    """The lazy face behaves as a module does."""
    with pytest.raises(AttributeError, match="sumary"):
        _ = ta.sumary


def test_version_is_the_installed_one():
    """One version, said in one place."""
    assert ta.__version__ == metadata.version("torchatlas")
