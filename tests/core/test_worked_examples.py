"""The examples in the headers of the algorithm files are true."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

ALGORITHMS = (
    "folding.fold",
    "folding.signature",
    "folding.call_signature",
    "folding.siblings",
    "folding.repeats",
    "folding.chains",
    "folding.growth",
    "folding.label",
    "comparing.compare",
    "comparing.subsequence",
    "comparing.renaming",
    "comparing.vocabulary",
)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_worked_example_runs(name: str) -> None:
    """Each of these files has an example in its header, and the example gives what the header says."""
    module = import_module(f"torchatlas.core.{name}")
    assert ">>> " in (module.__doc__ or "")
    assert doctest.testmod(module).failed == 0
