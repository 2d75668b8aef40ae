"""Captured models to draw, and golden pictures under ``tests/golden/drawing``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

import torchatlas as ta
from models import MODELS

GOLDEN = Path(__file__).parents[2] / "golden" / "drawing"


@cache
def captured(name: str) -> ta.Atlas:
    """A model of the zoo, captured once for all tests."""
    case = MODELS[name]
    with case.ready() as built:
        return ta.capture(built.model, built.args, built.kwargs, mode=case.mode, fake=case.fake)


@pytest.fixture
def zoo():
    """Capture a model of the zoo by its name."""
    return captured


@pytest.fixture
def golden(request):
    """Compare a picture with a golden file; ``pytest --golden`` writes it anew."""

    def compare(name: str, svg: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(svg, encoding="utf-8", newline="\n")
        assert svg == path.read_text(encoding="utf-8")

    return compare
