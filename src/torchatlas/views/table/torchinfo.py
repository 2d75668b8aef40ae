"""``style="torchinfo"``: the table that torchinfo 1.8 prints for ``summary(model, ...)``, in the same layout.

The numbers are the same digit for digit where that tool is right. They differ on purpose where it is not:

- parameters that are tied (one tensor in two modules) count once, and their second row says ``(recursive)``;
- ``Params size`` holds all parameters, those a container owns itself (class tokens, attention projections) included;
- mult-adds of a layer are the ones that ran where its own count (every weight once per sample, times the output
  positions of a convolution) misses them: linear layers on inputs of three and more dimensions, transposed
  convolutions, recurrent layers with several layers or directions, embeddings, which multiply nothing;
- mult-adds of functions outside layers (attention, ``torch.matmul``) stand in the row around them and in the total;
- the unit of the total is written ``(G)``; torchinfo under Python 3.11 writes ``(Units.GIGABYTES)``.

A pruned weight counts in full: which of its elements are masked is not recorded.

Source of the layout: https://github.com/TylerYep/torchinfo
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.views.table.facts import kernel_size
from torchatlas.views.table.module_calls import called_modules, first_tensor, is_leaf
from torchatlas.views.table.text_width import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torchatlas.core.graph import Call, Graph, Module, Value
    from torchatlas.views.table.facts import Facts

DEPTH = 3
NAME_WIDTH, COLUMN_WIDTH, STEP = 40, 25, 5
NONE = "--"
TITLES = {
    "input": "Input Shape",
    "output": "Output Shape",
    "params": "Param #",
    "share": "Param %",
    "kernel": "Kernel Shape",
    "mult_adds": "Mult-Adds",
    "trainable": "Trainable",
}
OF_A_RUN, OF_A_STRUCTURE = ("output", "params"), ("params",)


@dataclass(frozen=True, slots=True)
class Layer:
    """One line: a module call, or a container that is never called (``ModuleList``), then without ``call``."""

    module: Module
    path: str
    depth: int
    call: Call | None
    recursive: bool
    index: int


def torchinfo(facts: Facts, depth: int | None, columns: Sequence[str] | None, *, ascii_only: bool = False) -> str:
    """The whole table as text.

    Args:
        facts: of the graph.
        depth: levels shown; 3 by default, as there.
        columns: any of ``TITLES``; by default output and params.
        ascii_only: draw the guides as that tool does with its row setting of this name.

    Raises:
        InputError: a graph without modules.
    """
    names = columns or (OF_A_RUN if facts.graph.calls else OF_A_STRUCTURE)
    sheet = _Sheet(facts, _listed(facts.graph), DEPTH if depth is None else depth)
    width = sheet.name_width + COLUMN_WIDTH * len(names)
    rule = "=" * width
    lines = [rule, _line("Layer (type:depth-idx)", [TITLES[name] for name in names], sheet.name_width), rule]
    for at, layer in enumerate(sheet.layers):
        if layer.depth <= sheet.depth:
            lines.append(
                _line(
                    _guide(layer.depth, ascii_only=ascii_only) + _name(layer),
                    [getattr(sheet, name)(at) for name in names],
                    sheet.name_width,
                )
            )
    return "\n".join([*lines, rule, *_totals(sheet, rule), rule])


def _line(name: str, cells: Sequence[str], width: int) -> str:
    return " ".join((f"{name:<{width}}", *(f"{cell:<{COLUMN_WIDTH}}" for cell in cells))).rstrip()


def _guide(depth: int, *, ascii_only: bool) -> str:
    branch, last, through = ("+ ", "+ ", "|    ") if ascii_only else ("├─", "└─", "│    ")
    return branch * depth if depth <= 1 else through * (depth - 1) + last


def _name(layer: Layer) -> str:
    name = printable(layer.module.name)
    return f"{name}: {layer.depth}-{layer.index}" if layer.depth else name


def _listed(graph: Graph) -> tuple[Layer, ...]:
    """Calls in running order, each after the containers around it that the line before was not inside."""
    found: list[Layer] = []
    seen: set[str] = set()
    counts: dict[int, int] = {}
    around: list[str] = []

    def add(module: Module, path: str, call: Call | None) -> None:
        depth = path.count(".") + 1 if path else 0
        counts[depth] = counts.get(depth, 0) + 1
        found.append(Layer(module, path, depth, call, module.path in seen, counts[depth]))
        seen.add(module.path)
        del around[depth:]
        around.append(module.path)

    for call, module, path in _visited(graph):
        parts = path.split(".") if path else []
        for level in range(1, len(parts)):
            holder = graph.module_at[".".join(parts[:level])]
            if around[level : level + 1] != [holder.path]:
                add(holder, ".".join(parts[:level]), None)
        add(module, path, call)
    return tuple(found)


def _visited(graph: Graph) -> Iterator[tuple[Call | None, Module, str]]:
    """Every module call with the module's last path; without calls, every module at every one of its paths."""
    if graph.calls:
        for call, module in called_modules(graph, "torchinfo"):
            yield call, module, (module.aliases or (module.path,))[-1]
        return
    for path in sorted(graph.module_at, key=_in_order(graph)):
        yield None, graph.module_at[path], path


def _in_order(graph: Graph) -> Callable[[str], tuple[int, ...]]:
    """Sorts paths as the modules were registered, at every level."""
    place = {path: at for at, path in enumerate(graph.module_at)}

    def key(path: str) -> tuple[int, ...]:
        parts = path.split(".") if path else []
        return tuple(place[".".join(parts[: level + 1])] for level in range(len(parts)))

    return key


class _Sheet:
    """The lines with their numbers. What stands inside a line is summed once, from the last line up."""

    def __init__(self, facts: Facts, layers: tuple[Layer, ...], depth: int) -> None:
        self.facts = facts
        self.layers = layers
        self.depth = depth
        leaf = is_leaf(facts.graph)
        self.leaf = [leaf[layer.path] for layer in layers]
        self.parents = _parents(layers)
        weights = {layer.module.path: facts.costs.module(layer.module.path) for layer in layers}
        self.weights = [weights[layer.module.path] for layer in layers]
        self.again = self._again()
        self.rest = self._rest()
        self.own_macs = _own_macs(facts, layers, self.leaf)
        self.macs = self._summed(self.own_macs)
        longest = max((len(_name(layer)) + STEP * layer.depth + 1 for layer in layers), default=0)
        self.name_width = max(NAME_WIDTH, math.ceil(longest / STEP) * STEP)

    def _again(self) -> list[bool]:
        """Lines whose parameters stand in a line before: the module again, or one with tied weights alone."""
        seen: set[int] = set()
        found: list[bool] = []
        for layer, leaf in zip(self.layers, self.leaf, strict=True):
            own = {value for _, value in layer.module.parameters}
            found.append(layer.recursive or (leaf and bool(own) and own <= seen))
            seen |= own
        return found

    def _rest(self) -> list[int]:
        """Per line, the parameters that no line inside it shows; of a leaf, all."""
        rest = [0 if again else weights.parameters for again, weights in zip(self.again, self.weights, strict=True)]
        shown = [0] * len(self.layers)
        for at in range(len(self.layers) - 1, -1, -1):
            rest[at] = max(0, rest[at] - shown[at])
            parent = self.parents[at]
            if parent is not None:
                shown[parent] += shown[at] + rest[at]
        return rest

    def _summed(self, numbers: Sequence[int]) -> list[int]:
        sums = list(numbers)
        for at in range(len(sums) - 1, -1, -1):
            parent = self.parents[at]
            if parent is not None:
                sums[parent] += sums[at]
        return sums

    def _whole(self, at: int) -> bool:
        """Whether the line speaks for everything inside it."""
        return self.leaf[at] or self.layers[at].depth == self.depth

    def input(self, at: int) -> str:
        call = self.layers[at].call
        return _shape(self.facts.graph.values[call.inputs[0]]) if call and call.inputs else NONE

    def output(self, at: int) -> str:
        return _shape(self.result(at))

    def result(self, at: int) -> Value | None:
        call = self.layers[at].call
        return first_tensor(call, self.facts.graph) if call else None

    def params(self, at: int) -> str:
        weights = self.weights[at]
        if not weights.parameters:
            return NONE
        if self.again[at]:
            return "(recursive)"
        if self._whole(at):
            return f"{weights.parameters:,}" if weights.trainable else f"({weights.parameters:,})"
        return f"{self.rest[at]:,}" if self.rest[at] else NONE

    def share(self, at: int) -> str:
        total = self.facts.total.parameters
        if total and self.again[at]:
            return "(recursive)"
        count = self.weights[at].parameters if self._whole(at) else self.rest[at]
        return f"{count / total:>7.2%}" if count else f"     {NONE}"

    def kernel(self, at: int) -> str:
        size = kernel_size(self.layers[at].module)
        return str(list(size) if isinstance(size, tuple) else size) if size else NONE

    def mult_adds(self, at: int) -> str:
        macs = self.macs[at] if self._whole(at) else self.own_macs[at]
        return f"{macs:,}" if macs else NONE

    def trainable(self, at: int) -> str:
        weights = self.weights[at]
        if not weights.parameters:
            return NONE
        if weights.trainable in {0, weights.parameters}:
            return str(bool(weights.trainable))
        return "Partial"


def _parents(layers: Sequence[Layer]) -> list[int | None]:
    """The line each one stands under: the nearest before it that is less deep."""
    around: list[int] = []
    found: list[int | None] = []
    for at, layer in enumerate(layers):
        while around and layers[around[-1]].depth >= layer.depth:
            around.pop()
        found.append(around[-1] if around else None)
        around.append(at)
    return found


def _shape(value: Value | None) -> str:
    return str(list(value.shape)) if value is not None and value.shape else NONE


def _own_macs(facts: Facts, layers: Sequence[Layer], leaf: Sequence[bool]) -> list[int]:
    """Mult-adds of each line without the lines of the modules called inside it."""
    ran = {layer.call.id: facts.costs.call(layer.call.id).macs for layer in layers if layer.call}
    inside = dict.fromkeys(ran, 0)
    for call, macs in ran.items():
        above = facts.graph.calls[call].parent
        while above is not None and above not in ran:
            above = facts.graph.calls[above].parent
        if above is not None:
            inside[above] += macs
    found: list[int] = []
    for layer, is_layer in zip(layers, leaf, strict=True):
        own = 0 if layer.call is None else ran[layer.call.id] - inside[layer.call.id]
        found.append(_by_weights(facts.graph, layer, own) if is_layer and layer.call else own)
    return found


def _by_weights(graph: Graph, layer: Layer, ran: int) -> int:
    """Every element of the weights, biases included, as often as it is used; where that is not what ran, what ran.

    A convolution uses its elements once per sample and output position, a weight called ``weight`` or ``bias`` once
    per sample, others (``weight_ih_l0``) once per sample and step.
    """
    result = first_tensor(layer.call, graph) if layer.call else None
    if result is None or not result.shape:
        return ran
    batch, *sizes = result.shape
    every, matrices = 0, 0
    for name, value in layer.module.parameters:
        weight = graph.values[value]
        if name in {"weight", "bias"}:
            times = batch * (math.prod(sizes[1:]) if "Conv" in layer.module.name else 1)
        else:
            times = math.prod(result.shape[:2]) if "weight" in name or "bias" in name else 0
        every += times * weight.numel
        matrices += times * weight.numel * (len(weight.shape) > 1)
    return every if matrices == ran else ran


def _totals(sheet: _Sheet, rule: str) -> Iterator[str]:
    total = sheet.facts.total
    yield f"Total params: {total.parameters:,}"
    yield f"Trainable params: {total.trainable:,}"
    yield f"Non-trainable params: {total.frozen:,}"
    if not sheet.facts.graph.calls:
        return
    results = (sheet.result(at) for at in range(len(sheet.layers)) if sheet.leaf[at] and sheet.weights[at].parameters)
    # Once for the activation and once for its gradient.
    passed = 2 * sum(result.nbytes or 0 for result in results if result is not None)
    yield f"Total mult-adds {_operations(sum(sheet.own_macs))}"
    yield rule
    yield f"Input size (MB): {total.input_bytes / 1e6:.2f}"
    yield f"Forward/backward pass size (MB): {passed / 1e6:.2f}"
    yield f"Params size (MB): {total.parameter_bytes / 1e6:.2f}"
    yield f"Estimated Total Size (MB): {(total.input_bytes + passed + total.parameter_bytes) / 1e6:.2f}"


def _operations(count: int) -> str:
    unit, size = next((each for each in (("T", 10**12), ("G", 10**9)) if count >= each[1]), ("M", 10**6))
    return f"({unit}): {count // size:,}" if count % size == 0 else f"({unit}): {count / size:,.2f}"
