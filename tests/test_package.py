"""The package as a whole: what it imports, what it shows, what it is called."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pkgutil import iter_modules

import pytest

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
    assert list(ta.__all__) == sorted(ta.__all__)
    submodules = {module.name for module in iter_modules(ta.__path__)} - set(ta.__all__)
    public = {name for name in dir(ta) if not name.startswith("_")} - submodules - {"annotations"}
    assert public == {name for name in ta.__all__ if not name.startswith("_")}


@pytest.mark.parametrize("name", ta.__all__)
def test_every_public_name_is_there_and_documented(name):
    """Each lazy name leads somewhere, and says what it is."""
    thing = getattr(ta, name)
    assert isinstance(thing, str) or thing.__doc__


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
