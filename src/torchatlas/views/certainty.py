"""How a class is said that was inferred from weights alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchatlas.core.graph import Module

DOUBTFUL = 0.9
"""Below, a class is shown with a question mark."""


def guessed(name: str, module: Module) -> str:
    """The class as people read it: with a question mark where it was inferred and may well be another."""
    return f"{name}?" if module.confidence is not None and module.confidence < DOUBTFUL else name
