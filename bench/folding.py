"""Folding by pattern: the recipe of ResNet-152, and 100,000 calls of several shapes under patterns that are hard."""

from __future__ import annotations

import statistics
import sys
import time
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Section, judged, run
from torchatlas.core.editing.folding import fold, fold_repeats

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from core.graphs import Recorder, irregular, llama_like
from core.recipes import RESNET

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.core.graph import Graph

CALLS = 100_000
ROUNDS = 3
GOALS = {"recipe": 0.1, "large": 5.0}


def resnet152() -> Graph:
    """The real one, captured without memory."""
    import torch

    import torchatlas as ta
    from torchvision_cpu import torchvision_models

    model = torchvision_models().resnet152()
    return ta.capture(model, torch.zeros(1, 3, 224, 224), fake=True, source=False).graph


def chain(*names: str) -> Graph:
    """Operations that each read what the one before made."""
    recorder = Recorder("Chain")
    x = recorder.leaf("input", "x", (8, 8))
    recorder.begin("Chain", (x,), "")
    while len(recorder.calls) < CALLS:
        for name in names:
            x = recorder.call(name, (x,), (8, 8))
    recorder.end((x,))
    return recorder.graph()


def ladder() -> Graph:
    """Two branches from every tensor, and a sum of them."""
    recorder = Recorder("Ladder")
    x = recorder.leaf("input", "x", (8, 8))
    recorder.begin("Ladder", (x,), "")
    while len(recorder.calls) < CALLS:
        one, other = (recorder.call("F.relu", (x,), (8, 8)) for _ in range(2))
        x = recorder.call("torch.add", (one, other), (8, 8))
    recorder.end((x,))
    return recorder.graph()


def star() -> Graph:
    """One tensor that everything reads."""
    recorder = Recorder("Star")
    x = recorder.leaf("input", "x", (8, 8))
    recorder.begin("Star", (x,), "")
    total = x
    while len(recorder.calls) < CALLS:
        total = recorder.call("torch.add", (recorder.call("F.relu", (x,), (8, 8)), total), (8, 8))
    recorder.end((total,))
    return recorder.graph()


ROWS: dict[str, tuple[Callable[[], Graph], str]] = {
    "chain of linear and relu": (lambda: chain("F.linear", "F.relu"), "Linear > Relu"),
    "the same, all of it in one": (lambda: chain("F.linear", "F.relu"), "(Linear > Relu)+"),
    "chain of relu, quantifiers in each other": (lambda: chain("F.relu"), "((Relu+)+)+ > Conv"),
    "ladder of branches": (ladder, "(Relu | Relu) > Add"),
    "one tensor read 50,000 times": (star, "(Relu | Relu | Relu) > Add"),
    "1,000 layers of 100 calls": (lambda: llama_like(1000, 79), "Linear > Reshape+ > Add"),
    "irregular, nested": (lambda: irregular(CALLS), "(torch.op1 | torch.op2?) > torch.op3"),
}


def timed(work: Callable[[], Graph]) -> tuple[Graph, float]:
    """What it gives, and the median of its CPU seconds."""
    seconds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        made = work()
        seconds.append(time.process_time() - begun)
    return made, statistics.median(seconds)


def groups(graph: Graph) -> int:
    """How many there are."""
    return sum(call.kind == "group" for call in graph.calls)


def row(name: str, graph: Graph, pattern: str, work: Callable[[], Graph], goal: float) -> tuple[str, ...]:
    """One line of the table."""
    made, seconds = timed(work)
    return (
        name,
        f"{len(graph.calls):,}",
        f"`{pattern}`".replace("|", "\\|"),
        f"{groups(made):,}",
        *judged(seconds, goal),
    )


def main() -> list[Section]:
    """One table."""
    resnet = resnet152()
    recipe = lambda: fold_repeats(reduce(lambda graph, step: fold(graph, *step), RESNET, resnet))  # noqa: E731 - a row
    rows = [
        row("ResNet-152", resnet, RESNET[0][0], lambda: fold(resnet, *RESNET[0]), GOALS["recipe"]),
        row("ResNet-152", resnet, "the whole recipe, and repeats", recipe, GOALS["recipe"]),
    ]
    for name, (make, pattern) in ROWS.items():
        graph = make()
        rows.append(
            row(name, graph, pattern, lambda graph=graph, pattern=pattern: fold(graph, pattern, "G"), GOALS["large"])
        )
    head = ("program", "calls", "pattern", "groups", "CPU seconds", "goal", "")
    return [Section("Folding by pattern", head, tuple(rows), f"Medians of {ROUNDS}.")]


if __name__ == "__main__":
    run(main)
