"""Replay: the recorded calls alone, run again from what the run started with, must give the same result.

The tape keeps what plain data cannot: the functions, copies of the tensors that came from outside (parameters, inputs,
constants), and the state that decides results (random numbers, grad mode, autocast). A call inside a taped call is part
of it. A replay that reproduces the outputs bit for bit proves that no input, version, alias or order was missed.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter

from torchatlas.capture.objects.contents import is_a
from torchatlas.capture.objects.substitute import NotCopiedError, substituted
from torchatlas.capture.objects.tree import PLAIN, tensors_in
from torchatlas.capture.record.torch_modes import Ambient
from torchatlas.capture.restore.no_trace import Guard, no_trace
from torchatlas.capture.undo import undoing
from torchatlas.capture.unrecorded import unrecorded
from torchatlas.core.errors import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchatlas.capture.record.call_record import CallRecord
    from torchatlas.capture.record.tensors import Tensors


@dataclass(frozen=True)
class Replay:
    """What a replay found.

    Attributes:
        equal: every output has the bits of the run's.
        calls: how many were run again.
        differences: for each output that differs, its position and how.
        outputs: what the replay computed.
    """

    equal: bool
    calls: int
    differences: tuple[str, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class _Place:
    """A tensor's place in taped arguments."""

    value: int


@dataclass(frozen=True)
class _Origin:
    """How a value that no taped call returns is found: a copy of its own, or a layout over other memory.

    Attributes:
        same: another value that is the same tensor object.
        memory: key of the copied storage it lies on; None for ``tensor``.
        layout: dtype, size, stride, offset on that storage, or on the storage of the value ``over``.
        over: a value whose storage it shares.
        tensor: a copy, where torch gives no storage to lie on.
        kind: ``Parameter`` or ``Tensor``; a leaf that requires grad does so again.
    """

    same: int | None = None
    memory: int | None = None
    layout: tuple[Any, ...] = ()
    over: int | None = None
    tensor: Tensor | None = None
    requires_grad: bool = False
    parameter: bool = False


class Entry:
    """One taped call."""

    __slots__ = ("ambient", "args", "func", "gradients", "kwargs", "name", "outputs")

    def __init__(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.name, self.func, self.args, self.kwargs = name, func, args, kwargs
        self.ambient = Ambient.now()
        self.outputs: tuple[int, ...] = ()
        self.gradients: tuple[tuple[int, int], ...] = ()  # of a backward pass: (leaf, its gradient), by value


class Taping:
    """A call that is being taped. It knows its tape, which an entry does not: the two would hold each other."""

    __slots__ = ("entry", "tape")

    def __init__(self, tape: Tape, entry: Entry) -> None:
        self.tape, self.entry = tape, entry

    def end(self) -> None:
        """The call returned or raised: what follows is outside of it."""
        self.tape.inside.depth -= 1

    def raised(self) -> None:
        """It is left off the tape: torch refuses before it writes, though it may have drawn random numbers."""
        self.tape.draw()

    def returned(self, call: CallRecord) -> None:
        """It gave these values."""
        self.entry.outputs = tuple(call.outputs)
        self.tape.made(self.entry, call)


class _Inside(threading.local):
    depth = 0


class Tape:
    """Everything needed to run a recording again."""

    def __init__(self) -> None:
        self.inside = _Inside()
        self._tensors: Tensors | None = None
        self._entries: list[Entry] = []
        self._made: set[int] = set()
        self._origins: dict[int, _Origin] = {}
        self._memories: dict[int, Any] = {}
        self._generators: dict[int, tuple[torch.Generator, Tensor]] = {}
        self._random = torch.get_rng_state()
        self._results: list[tuple[int, Tensor]] = []
        self._finished = False

    def attach(self, tensors: Tensors) -> None:
        """The identities of the run that is taped."""
        self._tensors = tensors

    def begin(
        self, call: CallRecord, func: Callable[..., Any], args: Any, kwargs: Any, found: Sequence[Tensor]
    ) -> Taping | None:
        """Tape a call before it runs; None inside another taped call."""
        if self.inside.depth:
            return None
        self.inside.depth += 1
        values = {}
        for tensor, value in zip(found, call.inputs, strict=True):
            values[id(tensor)] = value
            self._keep(tensor, value)
        entry = Entry(call.name, func, self._placed(args, values), self._placed(kwargs, values))
        return Taping(self, entry)

    def made(self, entry: Entry, call: CallRecord) -> None:
        """The values that running it again gives."""
        self._entries.append(entry)
        assert self._tensors is not None  # noqa: S101  # attached before the run
        self._made.update(call.outputs)
        for value in call.writes:
            previous = self._tensors.values[value].previous
            if value not in self._made and previous is not None:
                self._origins[value] = _Origin(same=previous)

    def accumulated(self, gradients: Sequence[tuple[int, int]]) -> None:
        """The call that ended was a backward pass, which gave these (leaf, gradient) values."""
        if not self.inside.depth and self._entries:
            self._entries[-1].gradients = tuple(gradients)
            self._made.update(gradient for _, gradient in gradients)

    def prepare(self, name: str, func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """What is no call, and yet decides what a backward pass gives: ``tensor.grad`` is set, or is to be retained."""
        assert self._tensors is not None  # noqa: S101  # attached before the run
        if not self.inside.depth and all(self._tensors.known(tensor) for tensor in tensors_in(args)):
            values = {}
            for tensor in tensors_in(args):
                values[id(tensor)] = value = self._tensors.read(tensor)
                self._keep(tensor, value)
            self._entries.append(Entry(name, func, self._placed(args, values), {}))

    def draw(self) -> None:
        """From here on, random numbers are drawn from the state that the generator has now."""
        self._entries.append(Entry("torch.set_rng_state", torch.set_rng_state, (torch.get_rng_state(),), {}))

    def close(self, call: CallRecord, out: Any) -> None:
        """The run returned ``out``."""
        self._finished = True
        with unrecorded():
            for tensor, value in zip(tensors_in(out), call.outputs, strict=True):
                self._keep(tensor, value)
                self._results.append((value, tensor.detach().clone()))

    def replay(self) -> Replay:
        """Run the tape.

        Raises:
            ReplayError: the run failed, or a recorded call gives another structure than it did.
        """
        if not self._finished:
            raise ReplayError("The run did not finish, so there is no result to compare a replay with.")
        with undoing() as undo:
            no_trace(undo, (), (), Guard())
            torch.set_rng_state(self._random)
            found = _Player(self._origins, self._memories, self._generators).play(self._entries, self._results)
        differences = tuple(
            f"output {index}: {difference}"
            for index, (got, (_, wanted)) in enumerate(zip(found, self._results, strict=True))
            if (difference := _difference(got, wanted)) is not None
        )
        return Replay(not differences, len(self._entries), differences, tuple(found))

    def _keep(self, tensor: Tensor, value: int) -> None:
        """Make sure that a replay can find this value: back along the same object, or over the same memory."""
        assert self._tensors is not None  # noqa: S101  # attached before the run
        while value not in self._made and value not in self._origins:
            record = self._tensors.values[value]
            made = record.producer is not None
            same = record.alias_of if record.alias_of is not None else record.previous if made else None
            if same is not None:
                self._origins[value] = _Origin(same=same)
                value = same
            elif record.view_of is not None and made:
                self._origins[value] = _Origin(over=record.view_of, layout=_layout(tensor))
                value = record.view_of
            else:
                with unrecorded():
                    self._origins[value] = self._copy(tensor, value, written=record.previous is not None)

    def _copy(self, tensor: Tensor, value: int, *, written: bool) -> _Origin:
        """Its memory as it is now; two tensors over one memory share the copy, unless it was written out of sight."""
        assert self._tensors is not None  # noqa: S101  # attached before the run
        memory = self._tensors.values[value].memory
        requires_grad, parameter = tensor.requires_grad, isinstance(tensor, Parameter)
        plain = type(tensor) in (Tensor, Parameter) and tensor.layout is torch.strided and not tensor.is_nested
        if memory is None or not plain or tensor.is_conj() or tensor.is_neg() or tensor.is_quantized:
            return _Origin(tensor=tensor.detach().clone(), requires_grad=requires_grad)
        key = memory.id if not written else -value
        if key not in self._memories:
            self._memories[key] = tensor.untyped_storage().clone()
        return _Origin(memory=key, layout=_layout(tensor), requires_grad=requires_grad, parameter=parameter)

    def _placed(self, thing: Any, values: dict[int, int]) -> Any:
        """The arguments with places instead of tensors."""
        if is_a(thing, Tensor):
            return _Place(values[id(thing)]) if id(thing) in values else thing
        if is_a(thing, torch.Generator):
            self._generators.setdefault(id(thing), (thing, thing.get_state()))
            return thing
        return _mapped(thing, Tensor, lambda item: self._placed(item, values))


class _Player:
    """One replay: fresh copies of the memory, and the tensors made so far."""

    def __init__(self, origins: dict[int, _Origin], memories: dict[int, Any], generators: dict[int, Any]) -> None:
        self._origins = origins
        self._memories = {key: storage.clone() for key, storage in memories.items()}
        self._generators: dict[int, torch.Generator] = {}
        for key, (generator, state) in generators.items():
            self._generators[key] = torch.Generator(generator.device)
            self._generators[key].set_state(state)
        self._found: dict[int, Tensor] = {}

    def play(self, entries: Sequence[Entry], results: Sequence[tuple[int, Tensor]]) -> list[Tensor]:
        for entry in entries:
            with entry.ambient.applied():
                out = entry.func(*self._filled(entry.args), **self._filled(entry.kwargs))
            made = tensors_in(out)
            if len(made) != len(entry.outputs):
                raise ReplayError(f"{entry.name} returned {len(made)} tensors, and {len(entry.outputs)} in the run.")
            self._found.update(zip(entry.outputs, made, strict=True))
            for leaf, gradient in entry.gradients:
                accumulated = self._find(leaf).grad
                if accumulated is None:
                    raise ReplayError(f"{entry.name} gave value {leaf} no gradient, and one in the run.")
                self._found[gradient] = accumulated
        return [self._find(value) for value, _ in results]

    def _find(self, value: int) -> Tensor:
        chain = []
        while value not in self._found:
            chain.append(value)
            origin = self._origins.get(value)
            if origin is None:
                raise ReplayError(f"value {value} was read, but no recorded call made it.")
            following = origin.same if origin.same is not None else origin.over
            if following is None:
                break
            value = following
        for link in reversed(chain):
            self._found[link] = self._make(self._origins[link])
        return self._found[chain[0] if chain else value]

    def _make(self, origin: _Origin) -> Tensor:
        if origin.same is not None:
            return self._found[origin.same]
        if origin.tensor is not None:
            made = origin.tensor.clone()
        elif origin.over is not None:
            return self._found[origin.over].as_strided(*origin.layout[1:])
        else:
            dtype, size, stride, offset = origin.layout
            assert origin.memory is not None  # noqa: S101  # the third kind of origin
            storage = self._memories[origin.memory]
            made = torch.empty(0, dtype=dtype, device=storage.device).set_(storage, offset, size, stride)
            if origin.parameter:
                return Parameter(made, origin.requires_grad)
        return made.requires_grad_() if origin.requires_grad else made

    def _filled(self, thing: Any) -> Any:
        """The arguments with tensors in their places."""
        if is_a(thing, _Place):
            return self._find(thing.value)
        if is_a(thing, torch.Generator):
            return self._generators[id(thing)]
        return _mapped(thing, _Place, self._filled)


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.storage_offset()


def _mapped(thing: Any, inner: type, change: Callable[[Any], Any]) -> Any:
    """The same container with its items changed; an object that holds some ``inner``, with those changed."""
    kind = type(thing)
    if kind is tuple or kind is list:
        return kind([change(item) for item in thing])
    if kind is dict:
        return {key: change(item) for key, item in thing.items()}
    if kind is slice:
        return slice(change(thing.start), change(thing.stop), change(thing.step))
    if kind in PLAIN:
        return thing
    try:
        return substituted(thing, inner, change)
    except NotCopiedError:  # it is run again with the very object
        return thing


def _difference(got: Tensor, wanted: Tensor) -> str | None:
    """How two tensors differ in their bits; None if they do not."""
    parts, others = _parts(got.detach()), _parts(wanted)
    if [_form(part) for part in parts] != [_form(part) for part in others]:
        return f"{_said(got, parts)} instead of {_said(wanted, others)}"
    if all(torch.equal(_bits(left), _bits(right)) for left, right in zip(parts, others, strict=True)):
        return None
    try:
        return f"largest difference {(got.detach() - wanted).abs().max().item():.3g}"
    except (RuntimeError, NotImplementedError):
        return "other contents"


def _form(tensor: Tensor) -> tuple[torch.dtype, tuple[int, ...]]:
    return tensor.dtype, tuple(tensor.shape)


def _said(tensor: Tensor, parts: Sequence[Tensor]) -> str:
    shapes = [tuple(part.shape) for part in parts]
    return f"{tensor.dtype} {shapes if tensor.is_nested else shapes[0]}"


def _parts(tensor: Tensor) -> tuple[Tensor, ...]:
    if tensor.is_nested:
        return tuple(tensor.unbind())
    if tensor.layout is not torch.strided:
        return (tensor.to_dense(),)
    if tensor.is_quantized:
        return (tensor.int_repr(),)
    return (tensor,)


def _bits(tensor: Tensor) -> Tensor:
    tensor = tensor.resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
    return tensor.view(-1).view(torch.uint8)
