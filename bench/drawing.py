"""Drawing, end to end: from a captured run to a file, as `atlas.draw(...).save(...)` does it."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torchatlas as ta
from harness import Section, judged, run
from models import resnet152

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from core.graphs import decode_like, llama_like

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUNDS = int(os.environ.get("ROUNDS", "5"))
OPEN = {"depth": 99, "fold": False}
GOALS = {"ResNet-152, folded": 0.15, "200 steps of a decoder, folded": 1.0}


def seconds(atlas: ta.Atlas, path: Path, options: Mapping[str, Any]) -> float:
    """Median wall time of one drawing; the collector runs as it does for a user."""
    taken = []
    for _ in range(ROUNDS + 1):
        fresh = ta.Atlas(replace(atlas.graph))  # which keeps no folds yet
        begun = time.perf_counter()
        fresh.draw(**options).save(path)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken[1:])


def main() -> list[Section]:
    """One table; the first row of a run that has a goal is judged."""
    resnet = ta.capture(*resnet152(), fake=True)
    llama = ta.Atlas(llama_like(80, 79))
    long = ta.Atlas(llama_like(1000, 79))
    decode = ta.Atlas(decode_like(200, 8))
    cases: list[tuple[str, ta.Atlas, str, dict[str, Any]]] = [
        *(("ResNet-152, folded", resnet, suffix, {}) for suffix in ("svg", "png", "pdf", "dot")),
        ("ResNet-152, all open", resnet, "svg", OPEN),
        ("80 layers, folded", llama, "svg", {}),
        ("80 layers, all open", llama, "svg", OPEN),
        ("1,000 layers, folded", long, "svg", {}),
        ("200 steps of a decoder, folded", decode, "svg", {}),
    ]
    rows, goals = [], dict(GOALS)
    with tempfile.TemporaryDirectory() as folder:
        for name, atlas, suffix, options in cases:
            path = Path(folder) / f"net.{suffix}"
            wall = seconds(atlas, path, options)
            goal = goals.pop(name, None)
            told = (f"{wall:.2f}", "", "") if goal is None else judged(wall, goal)
            rows.append((name, f"{len(atlas.graph.calls):,}", suffix, f"{path.stat().st_size / 1e3:,.0f}", *told))
    head = ("run", "calls", "file", "kB", "seconds", "goal", "")
    return [Section("Drawing a run into a file", head, tuple(rows), f"Wall time, medians of {ROUNDS}, after import.")]


if __name__ == "__main__":
    run(main)
