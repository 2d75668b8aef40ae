"""The examples in the headers of the algorithm files are true."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

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


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_worked_example_runs(name: str) -> None:
    """Each of these files has an example in its header, and the example gives what the header says."""
    module = import_module(f"torchatlas.{name}")
    assert ">>> " in (module.__doc__ or "")
    assert doctest.testmod(module).failed == 0
