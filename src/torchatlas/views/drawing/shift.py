"""A picture moved to another place on its sheet, coordinate by coordinate: painters then need to know of no moves."""

from __future__ import annotations

import re

PLACE = re.compile(r'(?<= )([xy])="(-?[\d.]+)"')
OUTLINE = re.compile(r'(?<= d=")[^"]*')
STEP = re.compile(r"([MLQAZ])([^MLQAZ]*)")
ARC = 7
"""Numbers of an arc: two radii, turn, two flags, and its end, which alone is a place."""


def shifted(svg: str, dx: float, dy: float) -> str:
    """The elements of an SVG of the engine, that far to the right and down."""
    if not dx and not dy:
        return svg

    def moved(match: re.Match[str]) -> str:
        return f'{match[1]}="{float(match[2]) + (dx if match[1] == "x" else dy):.6g}"'

    def redrawn(match: re.Match[str]) -> str:
        return "".join(f"{step}{_points(step, numbers, dx, dy)}" for step, numbers in STEP.findall(match[0]))

    return OUTLINE.sub(redrawn, PLACE.sub(moved, svg))


def _points(step: str, text: str, dx: float, dy: float) -> str:
    numbers = [float(number) for number in re.split(r"[ ,]+", text.strip()) if number]
    if step == "A":
        for start in range(0, len(numbers), ARC):
            numbers[start + ARC - 2] += dx
            numbers[start + ARC - 1] += dy
    else:
        numbers = [number + (dy if at % 2 else dx) for at, number in enumerate(numbers)]
    return " ".join(f"{round(number, 2):.10g}" for number in numbers)
