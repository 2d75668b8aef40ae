"""One row of the table: what it stands for, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from torchatlas.core.measure.weights import WeightSizes

RowKind: TypeAlias = Literal["module", "function", "group"]
Again: TypeAlias = Literal["", "reused", "tied", "partly tied", "elsewhere"]
State: TypeAlias = Literal[
    "ran",
    "structure",
    "never ran",
    "weights used",
    "inside TorchScript, not seen",
    "failed",
    "stopped",
    "added",
    "removed",
    "changed",
    "same",
]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        kind: ``group`` is a stretch of several modules or functions that repeats together.
        label: its name relative to the row around it; without the repeat count.
        path: of the module, the first one if it stands for several; None for a function or a group, and for a module
            that the model calls without registering it.
        paths: every module it stands for, each once.
        type: class of the module; ``function`` or the like for others.
        depth: 0 for the model itself.
        parent: index of the row around it; None for the model itself.
        calls: the calls it stands for, all repeats; empty if it never ran.
        repeats: of a group of repeats, how many there are in it, with rows of their own.
        count: repeats it stands for, 1 if it is not folded.
        grows: what grows from one repeat to the next: ``cache 3..32``.
        again: why it counts less than its modules hold: the module ran before, all or some of its weights are tied to
            those of an earlier row, or the row of the module that registers it counts them.
        state: ``structure`` in a graph without calls, and of a container, which cannot be called; ``weights used`` if
            others read the weights of a module that was never called; ``failed`` where the exception was raised and
            ``stopped`` around that; of two graphs beside each other ``added``, ``removed``, ``changed`` or ``same``.
        reads_data: it handed a tensor's content to Python, so that another input may run another way.
        counted: what it adds to the total; None for a function.
    """

    kind: RowKind
    label: str
    path: str | None
    paths: tuple[str, ...]
    type: str
    depth: int
    parent: int | None
    calls: tuple[int, ...] = ()
    repeats: int = 1
    count: int = 1
    grows: str = ""
    again: Again = ""
    state: State = "ran"
    reads_data: bool = False
    counted: WeightSizes | None = None

    @property
    def times(self) -> tuple[int, ...]:
        """What is said after the label: how many repeats are in it, and how many it stands for."""
        return tuple([count for count in (self.repeats, self.count) if count > 1])
