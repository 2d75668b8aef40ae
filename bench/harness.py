"""What every bench shares: fair timing, the machine in words, and a table.

Times of one machine drift by more than the differences to be seen, so that contenders run in turn, round by round, and
only ratios within a round are compared; the median over rounds is shown.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = (
    *("torchatlas", "torch", "torchvision", "transformers", "torchinfo", "torchsummary", "torchview", "torchlens"),
    *("torchviz", "safetensors"),
)


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians over the rounds; ``ratio`` is of CPU time to the first contender's in the same round.

    Attributes:
        cpu: seconds of CPU time, all threads.
        wall: seconds.
        ratio: 1 for the first contender.
    """

    cpu: float
    wall: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Section:
    """One table of RESULTS.md: what was measured, and how it came out."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: str = ""


def race(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int, warmup: int = 1, repeat: int = 1
) -> dict[str, Timing]:
    """Time contenders in turn; the first is what the others are compared with.

    Args:
        contenders: by name; each call does the whole job once.
        rounds: how often each is timed.
        warmup: rounds that are not counted.
        repeat: how often a job is done within a round; more where it takes less than some milliseconds, for the
            collector, which runs before each round, leaves the caches cold.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for turn in range(warmup + rounds):
        for name, job in contenders.items():
            cost = clock(job, repeat)
            if turn >= warmup:
                taken[name].append(cost)
    first = [cpu for cpu, _ in taken[next(iter(contenders))]]
    return {
        name: Timing(
            cpu=statistics.median(cpu for cpu, _ in costs),
            wall=statistics.median(wall for _, wall in costs),
            ratio=statistics.median(cpu / base for (cpu, _), base in zip(costs, first, strict=True)),
        )
        for name, costs in taken.items()
    }


def clock(job: Callable[[], object], repeat: int) -> tuple[float, float]:
    """CPU and wall seconds of one job; the collector runs before it and not during it."""
    gc.collect()
    gc.disable()
    try:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(repeat):
            job()
        return (time.process_time() - cpu) / repeat, (time.perf_counter() - wall) / repeat
    finally:
        gc.enable()


def judged(value: float, goal: float) -> tuple[str, str, str]:
    """Three cells: a number, what it should be at most, and whether it is."""
    return f"{value:.2f}", f"<= {goal:.2f}", "met" if value <= goal else "missed"


def machine() -> str:
    """The machine and the versions, without any name of the machine or path."""
    versions = ", ".join(f"{name} {version}" for name in PACKAGES if (version := version_of(name)))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    threads = f"{os.environ.get('OMP_NUM_THREADS', 'default')} OpenMP thread(s)"
    hardware = f"{os.cpu_count()} cores of {processor()}, {memory:.0f} GiB, {platform.system()} {platform.machine()}"
    return f"{hardware}, {threads}, Python {platform.python_version()}, {versions}"


def processor() -> str:
    """What the processor calls itself."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def version_of(package: str) -> str | None:
    """Installed version; None if it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def show(section: Section) -> None:
    """Print a section as it will stand in RESULTS.md."""
    sys.stdout.write(f"{markdown(section)}\n")
    sys.stdout.flush()


def markdown(section: Section) -> str:
    """A heading, a table with even columns, and the words under it."""
    rows = [section.head, *section.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(section.head))]
    rule = tuple("-" * width for width in widths)
    lines = [f"| {' | '.join(map(str.ljust, row, widths))} |" for row in (section.head, rule, *section.rows)]
    words = f"\n{section.words}\n" if section.words else ""
    return f"## {section.title}\n\n" + "\n".join(lines) + f"\n{words}"


def write(parts: Sequence[str]) -> None:
    """Write RESULTS.md whole."""
    told = (
        "Written by `make bench`. Contenders run in turn, round by round; ratios are medians over rounds of CPU time."
    )
    RESULTS.write_text("\n".join([f"# Results\n\n{told}\n\n{machine()}\n", *parts]))


def run(main: Callable[[], list[Section]]) -> None:
    """Print what one bench measures; for `bench/all.py`, whose process it is, leave it in the file it named too."""
    sections = main()
    for section in sections:
        show(section)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text("\n".join(map(markdown, sections)))
