"""What the cells are computed from: the graph, its costs, and the overlays, asked for one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.graph import Node
from torchatlas.core.measure.cost import costs
from torchatlas.core.measure.memory import memory
from torchatlas.core.measure.overlay import by_call, overlays_by_name
from torchatlas.core.measure.timing import own_seconds
from torchatlas.views.table.counting import weights_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchatlas.core.graph import Call, Graph, Module, Overlay, Value
    from torchatlas.core.measure.cost import Cost
    from torchatlas.core.measure.memory import Memory
    from torchatlas.core.measure.overlay import Overlays
    from torchatlas.core.measure.weights import WeightSizes
    from torchatlas.views.table.row import Row


@dataclass(frozen=True, slots=True)
class Work:
    """What the calls of a row did, all repeats together.

    Attributes:
        flops: floating point operations; 1 multiply-add = 2.
        elementwise: elements produced by arithmetic that is not in ``flops``.
        activation_bytes: bytes of tensor memory made inside.
        exact: False where arithmetic was not seen, so that ``flops`` is a lower bound.
    """

    flops: int
    elementwise: int
    activation_bytes: int
    exact: bool


class Facts:
    """Answers about rows. A row's numbers are computed when asked for, and kept.

    Attributes:
        overlays: those of the graph and those given for this table, by name.
        given: the names of the latter.
    """

    def __init__(self, graph: Graph, overlays: Overlays | None = None) -> None:
        self.graph = graph
        self.overlays: dict[str, Overlay] = overlays_by_name(graph, overlays)
        self.given = tuple(overlays or ())
        self.costs = costs(graph)
        self.total: Cost = self.costs.total
        self._memory: Memory | None = None
        self._work: dict[tuple[int, ...], Work] = {}
        self._held: dict[tuple[bool, tuple[str, ...], tuple[int, ...]], WeightSizes | None] = {}
        self._numbers: dict[str, tuple[dict[int, float], dict[str, float]]] = {}
        self._own: list[float | None] | None = None

    def memory(self) -> Memory | None:
        """Estimated peaks of the run and of a training step; None without a run, and of a backward pass by itself."""
        if self._memory is None and self.graph.calls and not any(call.kind == "backward" for call in self.graph.calls):
            self._memory = memory(self.graph, cost=self.total)
        return self._memory

    def call(self, row: Row) -> Call | None:
        """The first of the row's calls."""
        return self.graph.calls[row.calls[0]] if row.calls and row.kind != "group" else None

    def module(self, row: Row) -> Module | None:
        """The first of the row's modules."""
        return None if row.path is None else self.graph.module_at.get(row.path)

    def inputs(self, row: Row) -> tuple[Value, ...]:
        """What the first of the row's calls was given; weights only if it was given nothing else."""
        call = self.call(row)
        values = () if call is None else tuple(self.graph.values[value] for value in call.inputs)
        return tuple(value for value in values if not value.is_weight) or values

    def outputs(self, row: Row) -> tuple[Value, ...]:
        """What the first of the row's calls returned."""
        call = self.call(row)
        return () if call is None else tuple(self.graph.values[value] for value in call.outputs)

    def tensors(self, row: Row) -> tuple[Value, ...]:
        """The tensors that speak for the row: its results, else its own parameters."""
        module = self.module(row)
        parameters = module.parameters if module else ()
        return self.outputs(row) or tuple(self.graph.values[value] for _, value in parameters)

    def work(self, row: Row) -> Work | None:
        """What the row's calls did; None if it has none."""
        if not row.calls:
            return None
        if row.calls not in self._work:
            each = [self.costs.call(call) for call in row.calls]
            self._work[row.calls] = Work(
                flops=sum(cost.flops for cost in each),
                elementwise=sum(cost.elementwise for cost in each),
                activation_bytes=sum(cost.activation_bytes for cost in each),
                exact=all(cost.exact for cost in each),
            )
        return self._work[row.calls]

    def held(self, row: Row) -> WeightSizes | None:
        """The weights of the row's modules, all repeats together; None for a function."""
        key = (row.parent is None, row.paths, row.calls)
        if key not in self._held:
            own = weights_of(row, self.costs)
            self._held[key] = None if own is None else self.costs.sizes(own)
        return self._held[key]

    def numbers(self, row: Row, name: str) -> list[float]:
        """What an overlay says of the row: a number for each call it stands for, else for each module."""
        if name not in self._numbers:
            overlay = self.overlays[name]
            self._numbers[name] = by_call(self.graph, overlay), dict(overlay.paths)
        of_call, of_path = self._numbers[name]
        found = [of_call[call] for call in row.calls if call in of_call]
        return found or [of_path[path] for path in row.paths if path in of_path]

    def seconds(self, row: Row) -> float | None:
        """How long the row's calls took together, where that was measured."""
        return _sum(self.graph.calls[call].seconds for call in row.calls)

    def own_seconds(self, row: Row) -> float | None:
        """The part of it outside the modules inside."""
        if self._own is None:
            self._own = own_seconds(self.graph)
        return _sum(self._own[call] for call in row.calls)


def _sum(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def kernel_size(module: Module) -> int | tuple[int, ...] | None:
    """The window of a convolution or pooling: one number, or one per axis."""
    tree = dict(module.settings).get("kernel_size")
    if isinstance(tree, Node):
        return tuple(item for item in tree.items if isinstance(item, int))
    return tree if isinstance(tree, int) else None
