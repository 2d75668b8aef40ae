"""Folding 100,000 calls: long loops, deep nests, big stacks, and programs that only seem to repeat."""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from harness import Section, judged, run
from torchatlas.core.folding.fold import fold_calls

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from core.graphs import Recorder, irregular, llama_like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torchatlas.core.graph import Graph

CALLS = 100_000
ROUNDS = 3
GOAL = 3.0


def recurrent() -> Graph:
    """One body, flat: 20,000 steps of five operations with the same two weights."""
    recorder = Recorder("Recurrent")
    weights = [recorder.leaf("parameter", name, (8, 8)) for name in ("input", "hidden")]
    x = recorder.leaf("input", "x", (4, CALLS // 5, 8))
    recorder.begin("Recurrent", (x,), "")
    state = recorder.call("torch.zeros", (), (4, 8))
    for step in range(CALLS // 5):
        part = recorder.call("Tensor.__getitem__", (x,), (4, 8), constants={"index": step})
        terms = [recorder.call("F.linear", pair, (4, 8)) for pair in zip((part, state), weights, strict=True)]
        state = recorder.call("torch.tanh", (recorder.call("torch.add", terms, (4, 8)),), (4, 8))
    recorder.end((state,))
    return recorder.graph()


def nested() -> Graph:
    """Each module holds one operation, with a weight of its own, and the next module."""
    recorder = Recorder("Nested")
    weights = [recorder.leaf("parameter", f"weight{depth}", (8, 8)) for depth in range(CALLS // 2)]
    x = recorder.leaf("input", "x", (4, 8))
    for weight in weights:
        recorder.begin("Nested", (x,), "")
        x = recorder.call("F.linear", (x, weight), (4, 8))
    while recorder.running:
        recorder.end((x,))
    return recorder.graph()


def chain(letters: Iterable[str]) -> Graph:
    """Operations that each read what the one before made."""
    recorder = Recorder("Chain")
    x = recorder.leaf("input", "x", (4, 8))
    recorder.begin("Chain", (x,), "")
    for letter in letters:
        x = recorder.call(f"torch.{letter}", (x,), (4, 8))
    recorder.end((x,))
    return recorder.graph()


def fibonacci() -> str:
    """Every part of this word repeats soon, at lags of every size, and nothing goes on."""
    before, word = "a", "ab"
    while len(word) < CALLS:
        before, word = word, word + before
    return word[:CALLS]


def drawn(letters: str, length: int, times: int = 1) -> str:
    """Letters at random, the same in every run, some times over."""
    return "".join(Random(0).choices(letters, k=length)) * times  # noqa: S311 - no secret


PROGRAMS: dict[str, Callable[[], Graph]] = {
    "loop of 20,000 steps, five operations each": recurrent,
    "50,000 modules, each inside the one before": nested,
    "1,000 layers of 100 calls": lambda: llama_like(1000, 79),
    "irregular, nested": lambda: irregular(CALLS),
    "two operations at random": lambda: chain(drawn("ab", CALLS)),
    "Fibonacci word of two operations": lambda: chain(fibonacci()),
    "40 times 2,500 operations": lambda: chain(drawn("abcdef", CALLS // 40, 40)),
}


def folded(name: str, graph: Graph) -> tuple[str, ...]:
    """One row; the collector runs as it does for a user, so the graph's own objects cost time too."""
    seconds = []
    for _ in range(ROUNDS):
        fresh = replace(graph)  # which keeps no folds yet
        begun = time.process_time()
        found = fold_calls(fresh)
        seconds.append(time.process_time() - begun)
    hidden = sum(len(fold.calls) - fold.period for folds in found.values() for fold in folds)
    counts = (len(graph.calls), sum(map(len, found.values())), hidden)
    return (name, *(f"{count:,}" for count in counts), *judged(statistics.median(seconds), GOAL))


def main() -> list[Section]:
    """One table."""
    rows = tuple(folded(name, make()) for name, make in PROGRAMS.items())
    head = ("program", "calls", "folds", "rows hidden", "CPU seconds", "goal", "")
    return [Section("Folding 100,000 calls", head, rows, f"Medians of {ROUNDS}; rows hidden counts direct children.")]


if __name__ == "__main__":
    run(main)
