"""The examples in core and in files are true, and each algorithm file has one in its header."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest
import torch

import torchatlas as ta

ALGORITHMS = (
    "core.folding.fold",
    "core.folding.signature",
    "core.folding.call_signature",
    "core.folding.siblings",
    "core.folding.repeats",
    "core.folding.chains",
    "core.folding.growth",
    "core.folding.label",
    "core.comparing.compare",
    "core.comparing.difference",
    "core.comparing.subsequence",
    "core.comparing.renaming",
    "core.comparing.vocabulary",
    "core.measure.cost",
    "core.measure.packing",
    "core.measure.training_step",
    "core.pattern.automaton",
    "core.pattern.match",
    "core.pattern.units",
    "core.editing.folding",
    "files.columns",
    "files.sniff",
)


SOURCE = Path(ta.__file__).parent
EXAMPLES = sorted(
    path.relative_to(SOURCE).with_suffix("").as_posix().replace("/", ".")
    for folder in ("core", "files")
    for path in (SOURCE / folder).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_header_has_a_worked_example(name: str) -> None:
    """Who reads the file first sees what it does."""
    assert ">>> " in (import_module(f"torchatlas.{name}").__doc__ or "")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_gives_what_it_shows(name: str) -> None:
    """Wherever in the file it stands."""
    found = doctest.testmod(
        import_module(f"torchatlas.{name}"), extraglobs={"torch": torch, "ta": ta}, optionflags=doctest.ELLIPSIS
    )
    assert found.attempted
    assert not found.failed
