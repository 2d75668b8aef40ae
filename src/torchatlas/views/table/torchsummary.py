"""``style="torchsummary"``: the table that torchsummary 1.5 prints for ``summary(model, input_size)``.

The layout and the numbers are the same where that tool is right. They differ on purpose where it is not:

- all parameters count, not only those called ``weight`` and ``bias`` (recurrent layers, attention projections, class
  tokens): a module's row holds its own and those of modules inside that were never called;
- a parameter counts once, in the first row that has it, however often its module runs and with whom it is tied;
  the model's own have no row and stand in the total;
- sizes in MB are those of the tensors' own dtypes, and several inputs add up;
- a module that returns several tensors lists all shapes, and each counts.

Rows and sizes are per sample: the first axis of every shape is the batch and prints as -1. ``Sequential`` and
``ModuleList`` have no rows; a class derived from them is known by its children being numbered from 0.

Source of the layout: https://github.com/sksq96/pytorch-summary
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError
from torchatlas.core.graph import Slot
from torchatlas.views.table.module_calls import called_modules
from torchatlas.views.table.text_width import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.core.graph import Call, Graph, Module, Value
    from torchatlas.views.table.facts import Facts

WIDTH = 64
MEBIBYTE = 1024**2


def torchsummary(facts: Facts) -> str:
    """The whole table as text.

    Raises:
        InputError: a graph without modules, or without calls.
    """
    graph = facts.graph
    if not graph.calls:
        raise InputError(
            "style='torchsummary' shows a run, but this model was not run. Give an input, or leave style out."
        )
    finished = list(_finished(graph))
    weights = _weights(graph, finished)
    thin, thick = "-" * WIDTH, "=" * WIDTH
    lines = [thin, _line("Layer (type)", "Output Shape", "Param #"), thick]
    for number, ((call, module), count) in enumerate(zip(finished, weights, strict=True), start=1):
        lines.append(_line(f"{printable(module.name)}-{number}", _shapes(call, graph), f"{count:,}"))
    results = [graph.values[value] for call, _ in finished for value in call.outputs]
    return "\n".join([*lines, thick, *_totals(facts, results, thin), thin])


def _line(name: str, shape: str, count: str) -> str:
    return f"{name:>20}  {shape:>25} {count:>15}"


def _finished(graph: Graph) -> Iterator[tuple[Call, Module]]:
    """Module calls in the order they returned, without the model itself and the containers that only pass on."""
    listed = {call.id: module for call, module in called_modules(graph, "torchsummary")}
    numbered = _numbered(graph)
    waiting = [(0, False)]
    while waiting:
        call, is_finished = waiting.pop()
        if not is_finished:
            waiting.append((call, True))
            waiting.extend((child, False) for child in reversed(graph.children[call]))
        elif call in listed and listed[call].path and listed[call].path not in numbered:
            yield graph.calls[call], listed[call]


def _numbered(graph: Graph) -> set[str]:
    """Sequential, ModuleList and what is built like them: children named 0, 1, 2, …."""
    names: dict[str, list[str]] = {}
    for path in graph.module_at:
        holder, _, name = path.rpartition(".")
        if path:
            names.setdefault(holder, []).append(name)
    built = {path for path, inner in names.items() if inner == [str(number) for number in range(len(inner))]}
    return built | {module.path for module in graph.modules if module.name in {"Sequential", "ModuleList"}}


def _weights(graph: Graph, finished: Sequence[tuple[Call, Module]]) -> list[int]:
    """Per row, the elements of the parameters that no row before it has."""
    rows = {module.path for _, module in finished}
    holding: dict[str, dict[int, None]] = {path: {} for path in rows}
    for module in graph.modules:
        holder = module.path
        while holder and holder not in rows:
            holder = holder.rpartition(".")[0]
        if holder:
            holding[holder].update(dict.fromkeys(value for _, value in module.parameters))
    seen: set[int] = set()
    counts: list[int] = []
    for _, module in finished:
        counts.append(sum(graph.values[value].numel for value in holding[module.path] if value not in seen))
        seen.update(holding[module.path])
    return counts


def _shapes(call: Call, graph: Graph) -> str:
    shapes = [[-1, *graph.values[value].shape[1:]] if graph.values[value].shape else [] for value in call.outputs]
    return str(shapes[0] if isinstance(call.returns, Slot) else shapes)


def _per_sample(value: Value) -> float:
    """Bytes without the batch axis."""
    return (value.nbytes or 0) / max(1, value.shape[0] if value.shape else 1)


def _totals(facts: Facts, results: Sequence[Value], rule: str) -> Iterator[str]:
    total, graph = facts.total, facts.graph
    given = sum(_per_sample(graph.values[value]) for value in graph.calls[0].inputs) / MEBIBYTE
    # Once for the activation and once for its gradient.
    passed = 2 * sum(map(_per_sample, results)) / MEBIBYTE
    weights = total.parameter_bytes / MEBIBYTE
    yield f"Total params: {total.parameters:,}"
    yield f"Trainable params: {total.trainable:,}"
    yield f"Non-trainable params: {total.frozen:,}"
    yield rule
    yield f"Input size (MB): {given:.2f}"
    yield f"Forward/backward pass size (MB): {passed:.2f}"
    yield f"Params size (MB): {weights:.2f}"
    yield f"Estimated Total Size (MB): {given + passed + weights:.2f}"
