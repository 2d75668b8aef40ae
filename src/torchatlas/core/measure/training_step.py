"""A training step is estimated from a recorded forward: what autograd saves, and the operations run in reverse.

``y = exp(x * w)`` with four float32 each, so 16 bytes:

>>> import torch, torchatlas as ta
>>> from torchatlas.core.measure.memory import memory
>>> class Net(torch.nn.Module):
...     def __init__(self):
...         super().__init__()
...         self.w = torch.nn.Parameter(torch.ones(4))
...     def forward(self, x):
...         return torch.exp(x * self.w)
>>> estimate = memory(ta.capture(Net(), torch.zeros(4)).graph)
>>> estimate.saved, estimate.training - estimate.parameters - estimate.inputs
(16, 48)

Saved are the 16 bytes of y, for the derivative of exp is y itself (`core.operators.saved_for_backward`); that of the
product needs x and w, which are there anyway. The peak is at the backward of exp: y, its gradient, and the gradient of
``x * w``, 16 bytes each.

The operations run last to first. Each allocates the gradients of its inputs, then frees the gradients that reached it
and what it had saved. Two gradients of one tensor are summed into the first if nothing else holds that buffer, as
torch's engine does (``torch/csrc/autograd/input_buffer.cpp``).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from torchatlas.core.instances import maker
from torchatlas.core.measure.lifetime import alive, ends
from torchatlas.core.operators.saved_for_backward import UNKNOWN, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchatlas.core.graph import Graph, Value
    from torchatlas.core.measure.lifetime import Lifetimes
    from torchatlas.core.operators.saved_for_backward import Operation, Rule


@dataclass(frozen=True, slots=True)
class Step:
    """Activations and gradients of one training step, in bytes.

    Attributes:
        saved: kept for the backward pass when the forward pass has ended.
        peak: the highest sum alive at once, gradients of parameters included.
        at: the call whose forward or backward ran then.
        guessed: names of operations for which no rule says what they save.
    """

    saved: int
    peak: int
    at: int | None
    guessed: frozenset[str]


@dataclass(frozen=True, slots=True)
class _TapeEntry:
    """What an operation keeps for its backward pass: the owners of memory, and bytes beside them."""

    operation: Operation
    memory: frozenset[int]
    beside: int
    wants: tuple[Value, ...]


_tape_entry = maker(_TapeEntry)


def training_step(graph: Graph, lives: Lifetimes, operations: Sequence[Operation]) -> Step:
    """Estimate one training step whose loss reads every differentiable output."""
    outlived = len(graph.calls) + 1
    tensors = _tensors(graph.values, operations)
    needs = [value.requires_grad and _floating(value) for value in graph.values]
    tape = list(_tape(graph, lives, operations, tensors, needs))
    saved = frozenset(memory for kept in tape for memory in kept.memory)
    # What an operation keeps it makes in a call inside it, if any was recorded: it is there when the last one ran.
    end = ends(graph)
    beside = {end[kept.operation.call] - 1: kept.beside for kept in tape}
    live = alive(lives, lives.died | dict.fromkeys(saved, outlived), beside, len(graph.calls))
    backward = _Backward(
        lives, tensors, live=live[-1], holders=Counter(i for i, died in lives.died.items() if died == outlived)
    )
    for operation in operations:
        live[operation.call] += operation.rule.forward(operation)
    backward.peak = max(live)
    backward.at = live.index(backward.peak) if backward.peak else None
    backward.run(tape, [value for value in _results(graph) if needs[tensors[value.id]]])
    waiting = sum(lives.nbytes[memory] for memory in saved) + sum(beside.values())
    guessed = frozenset(kept.operation.name for kept in tape if kept.operation.rule is UNKNOWN)
    return Step(waiting, backward.peak, backward.at, guessed)


def _results(graph: Graph) -> list[Value]:
    return [graph.values[value] for value in dict.fromkeys(graph.calls[0].outputs)] if graph.calls else []


def _tensors(values: Sequence[Value], operations: Iterable[Operation]) -> list[int]:
    """For each value the one that stands for it to autograd: passed through it is the same, as is an alias unseen."""
    computed = {value.id for operation in operations for value in operation.outputs}
    found: list[int] = []
    for value in values:
        earlier = value.alias_of
        if earlier is None and value.id not in computed:
            earlier = value.view_of if value.previous is None else value.previous
        # An alias of a leaf that requires no gradient though the leaf does was cut off from it.
        cut = earlier is not None and values[earlier].requires_grad and not value.requires_grad
        found.append(value.id if earlier is None or cut else found[earlier])
    return found


def _tape(
    graph: Graph, lives: Lifetimes, operations: Iterable[Operation], tensors: Sequence[int], needs: list[bool]
) -> Iterator[_TapeEntry]:
    """The operations that autograd records; ``needs``, per value whether it needs a gradient, grows with them."""
    # ATen calls run below autograd, where no result requires a gradient yet.
    gradients_known = lives.taped and not any(call.kind == "aten" for call in graph.calls)
    for operation in operations:
        wants = tuple({tensors[v.id]: v for v in operation.inputs if needs[tensors[v.id]]}.values())
        if not wants or operation.rule.gradient == "none":
            continue
        results = [v for v in operation.outputs if _floating(v) and (v.requires_grad or not gradients_known)]
        for value in results:
            needs[tensors[value.id]] = True
        if results:
            yield _saved_by(operation, wants, lives, [needs[tensors[v.id]] for v in operation.inputs])


def _saved_by(operation: Operation, wants: tuple[Value, ...], lives: Lifetimes, needs: list[bool]) -> _TapeEntry:
    rule = operation.rule
    spoken, asked = operation.inputs[slice(*rule.of)], needs[slice(*rule.of)]
    chosen = [value for value in operation.inputs if not _floating(value)] if rule.indices else []
    if rule.saves == "factors":
        chosen += [value for i, value in enumerate(spoken) if any(asked[:i]) or any(asked[i + 1 :])]
    if rule.saves in {"inputs", "all"}:
        chosen += [value for value in spoken if _floating(value)]
    if rule.saves in {"output", "all"}:
        chosen += operation.outputs
    overwritten = {value.previous for value in operation.outputs} if operation.in_place else set()
    copied = sum(size_of(value) for value in chosen if value.id in overwritten)
    memory = {lives.owner[value.id] for value in chosen if value.id not in overwritten}
    return _tape_entry(operation, frozenset(memory & lives.born.keys()), rule.kept(operation) + copied, wants)


def _floating(value: Value) -> bool:
    return _is_floating(value.dtype)


@lru_cache(maxsize=256)
def _is_floating(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat", "complex"))


@dataclass(slots=True)
class _Backward:
    """Memory as the backward pass goes. Gradients are buffers; several tensors may wait for one buffer."""

    lives: Lifetimes
    tensors: list[int]
    live: int
    holders: Counter[int]
    peak: int = 0
    at: int | None = None
    waiting: dict[int, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    shares: list[int] = field(default_factory=list)

    def run(self, tape: Sequence[_TapeEntry], results: Iterable[Value]) -> None:
        for kept in tape:
            self.holders.update(kept.memory)
        for value in results:
            self._deliver(value, self._buffer(size_of(value)))
        for kept in reversed(tape):
            self._reverse(kept)

    def _reverse(self, kept: _TapeEntry) -> None:
        operation = kept.operation
        outputs = dict.fromkeys(self.tensors[value.id] for value in operation.outputs)
        arrived = [self.waiting.pop(tensor) for tensor in outputs if tensor in self.waiting]
        if not arrived:
            return
        rule = operation.rule
        made = [self._gradient(value, rule, arrived[0]) for value in kept.wants]
        self._note(self.live + rule.backward(operation), operation.call)
        for buffer in arrived:
            self._release(buffer)
        self._give_back(kept)
        for value, buffer in zip(kept.wants, made, strict=True):
            self._deliver(value, buffer)
        self._note(self.live, operation.call)

    def _gradient(self, value: Value, rule: Rule, arrived: int) -> int:
        same_size = self.sizes[arrived] == size_of(value)
        if rule.gradient == "part" or (rule.gradient == "passed" and same_size):
            self.shares[arrived] += 1
            return arrived
        return self._buffer(size_of(value))

    def _deliver(self, value: Value, buffer: int) -> None:
        """Add a gradient to what waits for the tensor. A leaf keeps its own copy if others hold the buffer."""
        tensor = self.tensors[value.id]
        held = self.waiting.get(tensor)
        if held is None and not (value.producer is None and self.shares[buffer] > 1):
            self.waiting[tensor] = buffer
            return
        if held is None or self.shares[held] > 1:
            self.waiting[tensor] = self._buffer(size_of(value))
            self._note(self.live, self.at)
            if held is not None:
                self._release(held)
        self._release(buffer)

    def _give_back(self, kept: _TapeEntry) -> None:
        self.live -= kept.beside
        for memory in kept.memory:
            self.holders[memory] -= 1
            if not self.holders[memory]:
                self.live -= self.lives.nbytes[memory]

    def _buffer(self, size: int) -> int:
        self.live += size
        self.sizes.append(size)
        self.shares.append(1)
        return len(self.sizes) - 1

    def _release(self, buffer: int) -> None:
        self.shares[buffer] -= 1
        if not self.shares[buffer]:
            self.live -= self.sizes[buffer]

    def _note(self, live: int, call: int | None) -> None:
        if live > self.peak:
            self.peak, self.at = live, call
