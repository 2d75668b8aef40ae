"""A drawing as PNG, painted by resvg with the shipped font."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import resvg_py

from torchatlas.core.errors import InputError
from torchatlas.views.drawing.fonts import BOLD, REGULAR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LARGEST = 32_767
"""Pixels of a side at most: what other programs still open."""


def png(svg: str, fonts: Sequence[Path], scale: float) -> bytes:
    """Paint a drawing.

    Args:
        svg: as the engine wrote it.
        fonts: those that it needs beside the shipped one.
        scale: pixels per unit of the drawing.

    Raises:
        InputError: the scale gives no picture, or one that is too large.
    """
    width, height = size(svg)
    longest = max(width, height)
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 1 <= scale * longest < LARGEST:
        most = LARGEST / longest
        raise InputError(
            f"scale={scale!r}: the drawing is {width:.0f} x {height:.0f}, and a side of a PNG has 1 to {LARGEST:,}"
            f" pixels; give a scale up to {most:.2g}, or draw less by depth= or collapse="
        )
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=scale,
        skip_system_fonts=True,
        font_files=[str(REGULAR), str(BOLD), *map(str, fonts)],
        font_family="Atlas Sans",
        sans_serif_family="Atlas Sans",
    )


def size(svg: str) -> tuple[float, float]:
    """Width and height of an SVG of the engine."""
    width, height = re.findall(r'(?:width|height)="([\d.]+)"', svg[:400])[:2]
    return float(width), float(height)
