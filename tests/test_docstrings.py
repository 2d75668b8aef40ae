"""The public docstrings: every public name has one with an example, and the examples do what they say."""

from __future__ import annotations

import doctest
import inspect
import tempfile
import webbrowser

import pytest
import torch

import torchatlas as ta
from torchatlas.views.drawing.drawing import Drawing
from torchatlas.views.page.page import Page
from torchatlas.views.table.summary import Summary

NAMES = [name for name in ta.__all__ if name != "__version__"]
CLASSES = {"Summary": Summary, "Drawing": Drawing, "Page": Page}  # what functions return, public without a name
WITHOUT_EXAMPLE = {"AtlasError", "DrawingError", "MissingError", "ReplayError", "TargetError"}
THINGS = {**{name: getattr(ta, name) for name in NAMES}, **CLASSES}


def examples() -> list[doctest.DocTest]:
    """Each docstring with an example, of functions, classes and their methods."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [
        test
        for name, thing in THINGS.items()
        for test in finder.find(thing, name, globs={"torch": torch, "ta": ta})
        if test.examples
    ]
    return sorted(found, key=lambda test: test.name)


@pytest.mark.parametrize("test", examples(), ids=lambda test: test.name)
def test_an_example_prints_what_its_docstring_shows(test, monkeypatch, tmp_path):
    """Files that it writes are written to a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda _: True)
    torch.manual_seed(0)
    said: list[str] = []
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append).failed == 0, "".join(said)


@pytest.mark.parametrize("name", sorted(set(THINGS) - WITHOUT_EXAMPLE))
def test_a_public_name_shows_an_example(name):
    """A reader of `help(ta.capture)` sees how it is called."""
    assert ">>> " in (inspect.getdoc(THINGS[name]) or ""), name


@pytest.mark.parametrize(("name", "cls"), [(n, t) for n, t in THINGS.items() if inspect.isclass(t)])
def test_every_public_method_says_what_it_does(name, cls):
    """One sentence at least, which ends with a period, or a colon before a list."""
    for attribute, member in vars(cls).items():
        if attribute.startswith("_") or not (callable(member) or isinstance(member, property)):
            continue
        first = (inspect.getdoc(member) or "").partition("\n\n")[0]
        assert first.endswith((".", ":", "``")), f"{name}.{attribute}: {first!r}"
