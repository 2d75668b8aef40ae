"""The peak memory of inference and of a training step is estimated from lifetimes.

Linear(4, 4), ReLU, Linear(4, 4) with shared weights, on one row of float32:

    parameters  80 B   4 x 4 + 4 elements
    input       16 B
    activations 32 B   the input and the output of the ReLU, alive at once
    inference  128 B   the sum

A training step keeps activations that autograd saves until the backward pass (`core.operators.saved_for_backward`),
then runs the operations backwards (``training_step.py``); its peak adds gradients and optimizer state. The allocator's
fragmentation, the libraries' own memory and the loss are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchatlas.core.errors import InputError
from torchatlas.core.measure.aliasing import storages_of_weights
from torchatlas.core.measure.cost import total
from torchatlas.core.measure.lifetime import alive, lifetimes
from torchatlas.core.measure.sharding import per_rank
from torchatlas.core.measure.training_step import training_step
from torchatlas.core.operators.saved_for_backward import is_known, operation_of, size_of, workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from torchatlas.core.graph import Graph, Value
    from torchatlas.core.measure.cost import Cost
    from torchatlas.core.measure.lifetime import Lifetimes
    from torchatlas.core.operators.saved_for_backward import Operation

Optimizer: TypeAlias = Literal["none", "momentum", "adam"]
NAMES_SHOWN = 8
COPIES: dict[str, int] = {"none": 0, "momentum": 1, "adam": 2}


@dataclass(frozen=True, slots=True)
class Memory:
    """Estimated memory, in bytes.

    Attributes:
        parameters: of all parameters of the model, run or not; of sharded ones, of what this process has.
        buffers: of all its buffers, likewise.
        unregistered: of modules that ran and that the model does not hold.
        inputs: of the run's inputs, and of constants that existed before it.
        activations: the highest sum of activations alive at once during inference, with what the operation that ran
            then needed for itself.
        inference: the peak of inference: all of the above.
        inference_at: the call that ran at that peak.
        saved: activations that wait for the backward pass when the forward pass has ended.
        gradients: gradients of the trainable parameters.
        optimizer: the optimizer's state.
        training: the peak of a training step.
        training_at: the call whose forward or backward ran at that peak.
        notes: what was assumed, and what is not known.
    """

    parameters: int
    buffers: int
    unregistered: int
    inputs: int
    activations: int
    inference: int
    inference_at: int | None
    saved: int
    gradients: int
    optimizer: int
    training: int
    training_at: int | None
    notes: tuple[str, ...]


def memory(graph: Graph, *, optimizer: Optimizer = "none", cost: Cost | None = None) -> Memory:
    """Estimate the peak memory of inference and of one training step.

    Args:
        graph: one run, or the structure of a model that was not run; then only what it holds is known.
        optimizer: whose state is there during the step: ``none`` (plain SGD has none), ``momentum`` (a copy of every
            trainable parameter), ``adam`` (two copies; Adam and AdamW).
        cost: the cost of the whole graph, if it was counted already.

    Raises:
        InputError: an optimizer of another name.
    """
    if optimizer not in COPIES:
        raise InputError(f"optimizer {optimizer!r} is not known; take one of {', '.join(map(repr, COPIES))}")
    held = per_rank(graph)
    gradients = sum(size_of(value) for value in graph.values if _trainable(value))
    inputs = _given(graph)
    lives = lifetimes(graph)
    operations: dict[int, Operation] = {}
    activations, inference_at = _inference(graph, lives, operations)
    step = training_step(graph, lives, list(_operations(graph, operations)))
    unmeasured = (total(graph) if cost is None else cost).unmeasured
    state = COPIES[optimizer] * gradients
    always = held.parameter_bytes + held.buffer_bytes + held.unregistered_bytes + inputs
    return Memory(
        parameters=held.parameter_bytes,
        buffers=held.buffer_bytes,
        unregistered=held.unregistered_bytes,
        inputs=inputs,
        activations=activations,
        inference=always + activations,
        inference_at=inference_at,
        saved=step.saved,
        gradients=gradients,
        optimizer=state,
        training=always + state + max(step.peak, gradients),
        training_at=step.at,
        notes=tuple(_notes(graph, lives, step.guessed, unmeasured)),
    )


def _trainable(value: Value) -> bool:
    return value.kind == "parameter" and value.requires_grad and _is_first(value)


def _inference(graph: Graph, lives: Lifetimes, operations: dict[int, Operation]) -> tuple[int, int | None]:
    """The highest sum of activations and of what one operation needs while it runs, and the call that ran then.

    The ``operations`` looked at are kept, by call.
    """
    live = alive(lives, lives.died, {}, len(graph.calls))[:-1]
    for call in graph.calls:
        if call.kind != "module" and not graph.children[call.id]:
            operation = operations[call.id] = operation_of(graph, call)
            live[call.id] += workspace(operation)
    highest = max(live, default=0)
    return highest, live.index(highest) if highest else None


def _given(graph: Graph) -> int:
    """Bytes of inputs and outside constants, each memory once."""
    leaves = [v for v in graph.values if v.kind in {"input", "constant"} and v.producer is None]
    weights = storages_of_weights(graph.values)
    leaves = [v for v in leaves if v.storage not in weights and not _becomes_weights(graph, v, weights)]
    found = {v.storage if v.storage is not None else -1 - v.id: v for v in reversed(leaves) if _is_first(v)}
    return sum(size_of(value) for value in found.values())


def _becomes_weights(graph: Graph, value: Value, weights: Collection[int]) -> bool:
    """Whether it is only copied, into weights: they wait elsewhere for the layer that needs them, and count there."""
    made = [graph.values[output] for call in graph.readers[value.id] for output in graph.calls[call].outputs]
    return value.kind == "constant" and bool(made) and all(output.storage in weights for output in made)


def _is_first(value: Value) -> bool:
    return value.previous is None and value.alias_of is None and value.view_of is None


def _operations(graph: Graph, known: Mapping[int, Operation]) -> Iterator[Operation]:
    """The calls that autograd would see, in order: those with a rule, and those with nothing recorded inside."""
    covered = [False] * len(graph.calls)
    for call in graph.calls:
        covered[call.id] = call.parent is not None and covered[call.parent]
        if covered[call.id] or not call.outputs or call.kind == "group":
            continue
        inner = graph.children[call.id]
        if not inner or (is_known(call.name) and all(graph.calls[child].kind == "aten" for child in inner)):
            covered[call.id] = True
            # A module that recorded nothing inside is opaque, or hands its input on.
            if call.kind != "module" or any(graph.values[value].alias_of is None for value in call.outputs):
                yield known[call.id] if call.id in known else operation_of(graph, call)


def _notes(graph: Graph, lives: Lifetimes, guessed: frozenset[str], unmeasured: int) -> Iterator[str]:
    if not graph.calls:
        yield "The model was not run, so activations are not counted."
        return
    yield (
        "Estimated for a loss that reads every differentiable output. Memory of the loss itself and fragmentation"
        " are not counted."
    )
    if graph.error is not None:
        yield "The run ended in an error; activations after it are not counted."
    if unmeasured:
        yield f"{unmeasured} tensors of unknown size are counted as zero bytes."
    if not lives.recorded:
        yield "Inference: freed memory was not recorded; each tensor is assumed to live until its last use."
    if graph.provenance.mode == "eval":
        yield (
            "Training: estimated from a run in eval mode. Capture with mode='train' if the model runs other"
            " operations then."
        )
    if any(value.device not in {"cpu", "meta"} for value in graph.values):
        yield "Memory that libraries allocate on the accelerator during the run is not counted."
    if guessed:
        shown = ", ".join(sorted(guessed)[:NAMES_SHOWN]) + (", …" if len(guessed) > NAMES_SHOWN else "")
        yield f"Training: what these save for backward is unknown, so inputs and outputs are assumed: {shown}."
