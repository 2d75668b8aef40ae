"""The recorder: calls as they begin, run and end, in one thread or several.

It is handed each call by the interceptors (`modes`) and knows nothing of how they work. What it keeps during the run is
mutable and cheap; `finish` turns it into a `core.graph.Graph`.
"""

from __future__ import annotations

import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from torchatlas.capture.flops.aten import aten_flops
from torchatlas.capture.flops.functions import Watch, count, direct, free_kind, is_communication, learn
from torchatlas.capture.objects.contents import class_name, is_a
from torchatlas.capture.objects.tree import describe, describe_all, describe_whole, places
from torchatlas.capture.record import call_record, names
from torchatlas.capture.record.call_record import CallRecord
from torchatlas.capture.record.listen import UNKNOWN
from torchatlas.capture.record.source import place_of
from torchatlas.capture.record.tensors import Tensors, frozen, moved
from torchatlas.capture.torch_private import in_transform, next_node, overrides_off
from torchatlas.core.graph import Graph, Node, Note, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from types import FrameType

    from torchatlas.capture.record.replay import Tape
    from torchatlas.capture.record.source import Place
    from torchatlas.capture.record.tensors import ValueRecord
    from torchatlas.capture.restore.no_trace import Guard
    from torchatlas.core.graph import CallKind, Module, Provenance

_MESSAGE = 2000  # characters kept of an exception's message


# These have a kernel of their own for inference, which torch does not take while functions are intercepted.
_FUSED = (nn.TransformerEncoderLayer, nn.MultiheadAttention)
_FAST_PATH = Note(
    "Outside a capture, nn.MultiheadAttention and nn.TransformerEncoderLayer may use PyTorch's fused path, so"
    " results may differ in the last bits.",
    code="fused path",
)
_TO_NUMPY = frozenset({"Tensor.numpy", "Tensor.__array__"})
_GRADIENT = frozenset({"Tensor.grad=", "Tensor.retain_grad"})  # no calls of the record; a backward pass depends on them
_ONE_TENSOR = Slot(0)


class _Open(threading.local):
    """The calls that are open in a thread, outermost first."""

    calls: list[CallRecord] | None = None
    thread = 0
    taping = False


class Recorder:
    """Records one run.

    Args:
        guard: is told before a tensor that outlives the run is written.
        tape: keeps what a replay needs; None when none is wanted.
        aten: ATen operations are recorded too.
        source: the user's lines are recorded.
        grad: which autograd nodes each call makes is recorded.
    """

    functions = True
    running = False

    def __init__(self, guard: Guard, tape: Tape | None, *, aten: bool, source: bool, grad: bool = False) -> None:
        self.calls: list[CallRecord] = []
        self.tensors = Tensors(schemas=aten)
        self.notes: dict[Note, None] = {}
        self.paths: dict[int, str] = {}
        self.aten = aten
        self.adopt: Callable[[nn.Module], str] = _unknown  # the path of a module that was not known before the run
        self.operations: Callable[[], AbstractContextManager[Any]] = nullcontext  # records ATen operations inside
        self._guard = guard
        self._tape = tape
        self._source = source
        self._grad = grad
        self._open = _Open()
        self._main: list[CallRecord] = []
        self._open.calls = self._main
        self._threads = 0
        self._lock = threading.Lock()
        self._caller: Place | None = None  # where the user asked for the capture
        self._entered: object = None
        self._failing: tuple[BaseException, CallRecord] | None = None

    def root(
        self,
        model: Callable[..., Any],
        named: tuple[CallKind, str],
        keys: Sequence[str],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run the model; the tensors among its arguments are the run's inputs."""
        kind, name = named
        call = self._begin(kind, name, "" if kind == "module" else None, None)
        self._caller = place_of(sys._getframe(1), _ENTRY, None) if self._source else None
        found: list[Tensor] = []
        node = Node("arguments", tuple(keys), tuple(describe_whole(item, found) for item in (*args, *kwargs.values())))
        for slot, place in places(node):
            if self.tensors.known(found[slot]) is None:
                self.tensors.add(found[slot], "input", names=(place,))
        self._entered = model
        self.running = True
        try:
            out = self._run(call, model, args, kwargs, keys, closed=is_a(model, torch.jit.ScriptModule))
        finally:
            self.running = False
        if self._tape is not None:
            self._tape.close(call, out)
        return out

    def module(self, run: Callable[..., Any], module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record ``run(*args, **kwargs)``, the call of a module."""
        kind = type(module)
        if issubclass(kind, _FUSED) and not module.training and not torch.is_grad_enabled():
            self.notes[_FAST_PATH] = None
        if module is self._entered:  # the root has its record already
            self._entered = None
            return run(*args, **kwargs)
        path = self.paths.get(id(module))
        if path is None:
            path = self.adopt(module)
        call = self._begin("module", kind.__name__, path, sys._getframe(2))
        keys = names.forward_names(module)
        if len(keys) != len(args):
            keys = (*keys[: len(args)], *[f"args[{index}]" for index in range(len(keys), len(args))])
        closed = issubclass(kind, torch.jit.ScriptModule)
        return self._run(call, run, args, kwargs, (*keys, *kwargs) if kwargs else keys, closed=closed)

    def function(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record a torch function that the user's code or a module calls."""
        known = names.function(func)
        if known.quiet:
            if self._tape is not None and known.name in _GRADIENT:
                self._tape.prepare(known.name, func, args)
            return func(*args, **kwargs)
        call = self._begin("function", known.name, None, sys._getframe(2))
        call.reads_data = known.reads_data
        if known.name in _TO_NUMPY:
            self.notes[
                Note(
                    "What NumPy computes is not recorded: a tensor that comes back from NumPy is shown as a constant.",
                    call.id,
                )
            ] = None
        writes = known.writes(args, kwargs) if known.may_write or "out" in kwargs else ()
        if "generator" in kwargs:
            self._guard.before_draw(kwargs["generator"])
        keys = known.keys(args, tuple(kwargs))
        if known.accumulates:
            return self._backward(call, func, args, kwargs, keys)
        if self._tape is not None and in_transform():
            return self._run(call, self._by_operations(func), args, kwargs, keys, writes)
        return self._run(call, func, args, kwargs, keys, writes, closed=True)

    def body(
        self, func: Callable[..., Any], run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record a torch function written in Python whose inside is recorded too; ``run`` is its body."""
        known = names.function(func)
        call = self._begin("function", known.name, None, sys._getframe(2))
        call.reads_data = known.reads_data
        return self._run(call, run, args, kwargs, known.keys(args, tuple(kwargs)))

    def remark(self, text: str) -> None:
        """A note of the innermost open call."""
        stack = self._open.calls
        self.notes[Note(text, stack[-1].id if stack else 0)] = None

    def autograd_function(
        self, run: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record ``Function.apply`` of the user's own autograd function."""
        call = self._begin("autograd_function", name, None, sys._getframe(2))
        keys = (*[f"args[{index}]" for index in range(len(args))], *kwargs)
        return self._run(call, run, args, kwargs, keys, closed=True)

    def _backward(
        self, call: CallRecord, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], keys: Any
    ) -> Any:
        """Run a backward pass: it writes the gradients of leaves, which it neither takes nor returns."""
        with overrides_off():
            takers = self.tensors.takers()
            before = [(tensor.grad, None if tensor.grad is None else tensor.grad._version) for tensor, _ in takers]
            for gradient, _ in before:
                if gradient is not None:
                    self._guard.before_write(gradient, self.tensors)
        out = self._run(call, func, args, kwargs, keys, closed=True)
        with overrides_off():
            given = []
            for (tensor, value), (old, version) in zip(takers, before, strict=True):
                gradient = tensor.grad
                if gradient is not None and (gradient is not old or gradient._version != version):
                    given.append((value, self._accumulated(call, value, gradient)))
        if self._tape is not None:
            self._tape.accumulated(given)
        return out

    def _accumulated(self, call: CallRecord, leaf: int, gradient: Tensor) -> int:
        """The value of a gradient that a backward pass made, or added to."""
        tensors = self.tensors
        reference = tensors.known(gradient)
        if reference is None:
            value = tensors.add(gradient, "activation", call.id)
        elif reference.value >= call.first_value:  # an operation inside made it
            value = reference.value
            reference.version = gradient._version
        else:
            value = tensors.wrote(gradient, call)
        if not tensors.values[value].names:
            tensors.values[value].names = tuple(f"{name}.grad" for name in tensors.values[leaf].names)
        if value not in call.writes:
            call.writes.append(value)
        return value

    def operation(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record an ATen operation."""
        known = names.function(func)
        call = self._begin("aten", known.name, None, None)
        writes = known.writes(args, kwargs) if known.may_write else ()
        keys = known.keys(args, tuple(kwargs))
        out = self._run(call, func, args, kwargs, keys, writes, closed=self._open.taping)
        call.flops, call.arithmetic = aten_flops(func, args, kwargs, out)
        return out

    def finish(
        self, name: str, modules: tuple[Module, ...], provenance: Provenance, error: BaseException | None
    ) -> Graph:
        """The graph of the run, failed if ``error`` ended it."""
        self.tensors.tick(len(self.calls))
        returned = set(self.calls[0].outputs) if self.calls else set()
        values = tuple(
            [
                frozen(value, "output" if value.id in returned and value.kind == "activation" else value.kind)
                for value in self.tensors.values
            ]
        )
        failed = self._failed_call(error) if error is not None else None
        return Graph(
            name, tuple(map(call_record.frozen, self.calls)), values, modules, tuple(self.notes), failed, provenance
        )

    def close(self) -> None:
        """Let go of what holds this: what holds each other waits for a collection of all that torch has loaded."""
        self.tensors.close()
        self.adopt = _unknown

    # One call, whatever its kind.

    def _begin(self, kind: CallKind, name: str, path: str | None, frame: FrameType | None) -> CallRecord:
        stack = self._open.calls
        if stack is None:
            stack = self._join()
        with self._lock:
            number = len(self.calls)
            if self.tensors.released:
                self.tensors.tick(number)
            call = CallRecord(number, kind, name, path, stack[-1].id if stack else None)
            self.calls.append(call)
        if stack is not self._main:
            call.thread = self._open.thread
        if self._source and frame is not None:
            call.place = place_of(frame, _ENTRY, stack[-1].place or self._caller)
        return call

    def _join(self) -> list[CallRecord]:
        """A thread that the run started hangs below the innermost module that the main thread is in."""
        with self._lock:
            self._threads += 1
            self._open.thread = self._threads
        self._open.calls = [call for call in list(self._main) if call.kind == "module"] or self._main[:1]
        return self._open.calls

    def innermost(self) -> str | None:
        """The path of the module that this thread is in."""
        calls = reversed(self._open.calls or ())
        return next((call.path for call in calls if call.kind == "module"), None)

    def leave(self) -> None:
        """A joined thread is done with the module it was recorded for."""
        self._open.calls = None

    def _run(
        self,
        call: CallRecord,
        run: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        keys: Sequence[str],
        writes: Sequence[Tensor] = (),
        *,
        closed: bool = False,
    ) -> Any:
        """Read the arguments, let it run, read the results; an exception is marked and goes on.

        A closed call is one whose inside is not recorded as functions: it is counted and replayed as a whole.
        """
        with overrides_off():
            found = self._read(call, args, kwargs, keys)
            for tensor in writes:
                self._guard.before_write(tensor, self.tensors)
            taped = self._tape.begin(call, run, args, kwargs, found) if closed and self._tape is not None else None
        stack = self._open.calls
        if stack is None:
            stack = self._join()
        stack.append(call)
        first = next_node() if self._grad else 0
        try:
            out = self._count(call, run, args, kwargs) if closed and not self.aten else run(*args, **kwargs)
        except BaseException as error:
            self._fail(call, error)
            if taped is not None:
                taped.raised()
            raise
        finally:
            if self._grad:
                call.nodes = first, next_node()
            stack.pop()
            if taped is not None:
                taped.end()
        with overrides_off():
            self._written(call, found, writes)
            self._returned(call, out)
        if taped is not None:
            taped.returned(call)
        return out

    def _read(
        self, call: CallRecord, args: tuple[Any, ...], kwargs: dict[str, Any], keys: Sequence[str]
    ) -> list[Tensor]:
        found: list[Tensor] = []
        if call.parent is None:
            items = tuple([describe_whole(item, found) for item in (*args, *kwargs.values())])
        else:
            items = describe_all(args, found)
            if kwargs:
                items += describe_all(kwargs.values(), found)
        call.arguments = Node("arguments", tuple(keys), items)
        call.inputs = self.tensors.read_all(found)
        call.first_value = len(self.tensors.values)
        return found

    def _by_operations(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Inside a ``torch.func`` transform, tensors exist only there, and what can be run again are its operations."""

        def run(*args: Any, **kwargs: Any) -> Any:
            before, self._open.taping = self._open.taping, True
            try:
                with nullcontext() if self.aten or before else self.operations():
                    return func(*args, **kwargs)
            finally:
                self._open.taping = before

        return run

    def _count(self, call: CallRecord, run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a closed call and count it: by a formula, as known to be free, or by watching what it does."""
        if call.kind == "aten":  # counted where it is recorded
            return run(*args, **kwargs)
        if call.kind == "autograd_function":  # what its forward calls is recorded, and counts for itself
            out = run(*args, **kwargs)
            seen = len(self.calls) > call.id + 1 or is_communication(run)
            call.arithmetic = "movement" if seen else "unknown"
            return out
        formula = direct(run, args, kwargs)
        if formula is not None:
            out = run(*args, **kwargs)
            call.flops, call.arithmetic = count(formula, args, kwargs, out)
            return out
        free = free_kind(run, args)
        if free is not None:
            call.arithmetic = free
            return run(*args, **kwargs)
        with Watch() as watch:
            out = run(*args, **kwargs)
        call.flops, call.arithmetic = watch.flops, watch.arithmetic
        learn(run, watch.arithmetic)
        return out

    def _fail(self, call: CallRecord, error: BaseException) -> None:
        name = class_name(type(error))
        try:
            text = str(error)[:_MESSAGE]
        except Exception:  # noqa: BLE001 - the user's exception may fail to say what it is
            text = ""
        call.error = f"{name}: {text}" if text else name
        if self._failing is None or self._failing[0] not in (error, error.__cause__, error.__context__):
            innermost = call
        else:
            innermost = self._failing[1]
        self._failing = (error, innermost)

    def _failed_call(self, error: BaseException) -> int:
        """The user's or a module's call, not the ATen operation inside it."""
        if self._failing is None or self._failing[0] is not error:
            return 0
        call = self._failing[1]
        while call.kind == "aten" and call.parent is not None:
            call = self.calls[call.parent]
        return call.id

    def _written(self, call: CallRecord, found: list[Tensor], writes: Sequence[Tensor]) -> None:
        """New versions of what the call wrote: announced, or told by the version counter."""
        if not found:
            return
        tensors = self.tensors
        announced = [id(tensor) for tensor in writes] if writes else ()
        counters = not self.aten or call.kind == "function"
        first, seen = call.first_value, tensors.seen
        for tensor, value in zip(found, call.inputs, strict=True):
            reference = seen.get(id(tensor))  # it is alive, so that no other tensor has its id
            if reference is None:
                continue
            version = reference.version
            if reference.value == value or reference.value < first:
                told = counters and version is not None and tensor._version != version and moved(tensor, reference)
                if told or (announced and id(tensor) in announced):
                    call.writes.append(tensors.wrote(tensor, call))
                continue
            if version is not None:  # a call inside, or an earlier slot, versioned it
                reference.version = tensor._version
            if tensors.values[reference.value].previous is not None and reference.value not in call.writes:
                call.writes.append(reference.value)

    def _returned(self, call: CallRecord, out: Any) -> None:
        tensors, values = self.tensors, self.tensors.values
        if type(out) is Tensor:
            found, call.returns = [out], _ONE_TENSOR
        else:
            found = []
            call.returns = describe_whole(out, found) if call.parent is None else describe(out, found)
        for slot, tensor in enumerate(found):
            reference = tensors.known(tensor)
            if reference is None:
                value = values[tensors.add(tensor, "activation", call.id, slot=slot)]
                made = value.view_of
                if made is not None and made >= call.first_value and values[made].shape == value.shape:
                    value.alias_of = made  # made inside and wrapped anew on the way out
            elif call.kind == "aten":
                value = values[reference.value]
                _fill(value, call, slot)
            else:
                value = values[tensors.read(tensor)]  # written inside through a view, it is no longer what it was
                if value.id < call.first_value or (value.producer is not None and value.producer < call.id):
                    # an older tensor, handed through
                    value = values[tensors.add(tensor, "activation", call.id, slot=slot, alias_of=value.id)]
                else:
                    _fill(value, call, slot)
            call.outputs.append(value.id)


def _unknown(_: nn.Module) -> str:
    return UNKNOWN


def _fill(value: ValueRecord, call: CallRecord, slot: int) -> None:
    """What the call itself wrote comes from the first slot that returns it."""
    if value.slot is None and value.producer == call.id:
        value.slot = slot


_ENTRY = Recorder._run.__code__
