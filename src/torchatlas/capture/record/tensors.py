"""Which tensor is which: identity, memory and versions, without keeping a tensor alive.

A Python ``id`` is reused as soon as a temporary dies, and a tensor saved by autograd comes back as another object, so a
tensor is known by its ``id`` together with a weak reference. Its memory is known by a weak reference to its storage,
whose Python object lives exactly as long as the memory, autograd's hold included: that also gives true lifetimes.

A write is told by the version counter, or announced by the call's name or schema. The counter alone is not enough: it
does not move for ``.data``, does not exist for inference tensors, and C++ statistics bypass it. So each storage counts
its writes; a tensor that is read after another one wrote their memory gets a new version from the last writer.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.parameter import Buffer

from torchatlas.capture.objects.contents import LAZY
from torchatlas.capture.stored import sharded, stored
from torchatlas.capture.torch_private import modes_off, storage_key, storage_of
from torchatlas.core.graph import Value
from torchatlas.core.instances import maker

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.capture.record.call_record import CallRecord
    from torchatlas.capture.stored import Stored
    from torchatlas.core.graph import ValueKind

_DENSE = frozenset({Tensor, Parameter, Buffer})
_PLAIN_TENSORS = _DENSE.union(LAZY)
_value = maker(Value)


class ValueRecord:
    """A `Value` while the run goes on."""

    __slots__ = (
        "alias_of",
        "device",
        "dtype",
        "id",
        "kind",
        "memory",
        "names",
        "nbytes",
        "previous",
        "producer",
        "requires_grad",
        "shape",
        "slot",
        "stored",
        "type",
        "view_of",
    )
    id: int
    kind: ValueKind
    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    nbytes: int | None
    requires_grad: bool
    producer: int | None
    slot: int | None
    previous: int | None
    alias_of: int | None
    view_of: int | None
    memory: Memory | None
    stored: Stored | None
    type: str


class Memory(weakref.ref[Any]):
    """One storage: how often it was written, by whom last, and when it was released."""

    __slots__ = ("base", "counted", "freed", "id", "latest", "leaf", "writer", "writes")
    id: int
    counted: bool  # the version counters of its tensors tell of writes to it, and of nothing else
    leaf: bool  # it existed before the run, or was made out of sight
    base: int | None  # its first value
    latest: int | None  # its last value
    writes: int
    writer: CallRecord | None  # the last
    freed: int | None  # the number of calls begun when it was


class TensorReference(weakref.ref[Tensor]):
    """A tensor object seen: the value it stands for, and the state of its memory when last looked at."""

    __slots__ = ("memory", "value", "version", "writes")
    value: int
    version: int | None
    memory: Memory | None
    writes: int


class Tensors:
    """All tensors of one run.

    Args:
        schemas: every ATen operation is seen, so schemas report every write and the version counter need not be asked
            (it moves above the dispatch mode).
    """

    def __init__(self, *, schemas: bool) -> None:
        self.values: list[ValueRecord] = []
        self.seen: dict[int, TensorReference] = {}  # by id, which may be another tensor's by now
        self._memories: dict[int, Memory] = {}
        self._attributes: dict[int, tuple[str, weakref.ref[Tensor]]] = {}
        self._memory_count = 0
        self._schemas = schemas
        self.loose: list[int] = []  # values of constants that a backward pass would reach
        self.registered: Callable[[Tensor], int | None] = _none  # the weight in whose place a tensor stands
        self._lock = threading.Lock()
        # Filled by a weak reference's callback, which must not be Python code: a Ctrl-C inside one would be swallowed.
        self.released: list[Memory] = []

    def tick(self, clock: int) -> None:
        """A call begins, the ``clock``-th: whatever was released since the last one began, was released before it."""
        while self.released:
            self.released.pop().freed = clock

    def name_attribute(self, tensor: Tensor, name: str) -> None:
        """A tensor kept as a plain attribute of a module: named when it is read, not an anonymous constant."""
        self._attributes.setdefault(id(tensor), (name, weakref.ref(tensor)))

    def known(self, tensor: Tensor) -> TensorReference | None:
        """What is known of this very object."""
        reference = self.seen.get(id(tensor))
        return reference if reference is not None and reference() is tensor else None

    def takers(self) -> list[tuple[Tensor, int]]:
        """The tensors seen, and alive, that a backward pass may give a gradient to, each with its value."""
        found = []
        for reference in list(self.seen.values()):
            tensor = reference()
            if tensor is not None and tensor.requires_grad and (tensor.is_leaf or tensor.retains_grad):
                found.append((tensor, reference.value))
        return found

    def add(
        self,
        tensor: Tensor,
        kind: ValueKind,
        producer: int | None = None,
        *,
        slot: int | None = None,
        names: tuple[str, ...] = (),
        previous: int | None = None,
        alias_of: int | None = None,
    ) -> int:
        """A new value; returns its id."""
        old = self.seen.get(id(tensor))
        memory = old.memory if old is not None and old() is tensor else self._memory(tensor, leaf=producer is None)
        value = ValueRecord()
        value.kind, value.names, value.producer, value.slot = kind, names, producer, slot
        value.previous, value.alias_of, value.view_of, value.memory = previous, alias_of, None, memory
        value.stored = None
        value.dtype, value.device, value.requires_grad = tensor.dtype, tensor.device, tensor.requires_grad
        value.type = "" if type(tensor) in _PLAIN_TENSORS else type(tensor).__name__
        if type(tensor) in _DENSE and tensor.layout is torch.strided and not tensor.is_nested:
            value.shape, value.nbytes = tuple(tensor.shape), tensor.nbytes
        else:
            measure(value, tensor)
            value.stored = sharded(tensor)
        with self._lock:  # last: an interrupt leaves no record half made
            value.id = len(self.values)
            self.values.append(value)
        self.seen[id(tensor)] = self._refer(tensor, value.id, memory)
        if value.stored is not None:
            self._stand_for(value.id, [inner for _, inner in value.stored.inner], leaf=producer is None)
        if memory is None:
            return value.id
        if memory.base is None:
            memory.base = value.id
        elif previous is None and alias_of is None:
            value.view_of = memory.latest
        memory.latest = value.id
        return value.id

    def weight(self, tensor: Tensor, kind: ValueKind) -> int | None:
        """The value of a parameter or buffer; None where a module holds what the run was given or computed instead.

        A module that is made in the run, or reached late, has weights that were seen before it was.
        """
        reference = self.known(tensor)
        if reference is None:
            return self.add(tensor, kind)
        value = self.values[reference.value]
        if value.kind == "constant":
            value.kind = kind
        if value.kind in ("parameter", "buffer"):
            return value.id
        made = value.kind != "input" and tensor.grad_fn is None and (kind == "buffer" or isinstance(tensor, Parameter))
        return self.add(tensor, kind) if made else None

    def materialized(self, tensor: Tensor, value: int) -> None:
        """A lazy parameter has its shape by now, and memory that the run made for it."""
        record = self.values[value]
        measure(record, tensor)
        record.memory = self._known_memory(tensor) or record.memory

    def store(self, value: int, tensor: Tensor) -> None:
        """A weight may be stored as other tensors: what reads these reads the weight."""
        how = self.values[value].stored = stored(tensor)
        if how is not None:
            self._stand_for(value, [inner for _, inner in how.inner if inner is not tensor], leaf=True)

    def _stand_for(self, value: int, inner: list[Tensor], *, leaf: bool) -> None:
        """Tensors that one is stored as are that one, unless they are known by themselves."""
        for tensor in inner:
            if self.known(tensor) is None:
                memory = self._memory(tensor, leaf=leaf)
                if memory is not None and memory.base is None:
                    memory.base = memory.latest = value
                self.seen[id(tensor)] = self._refer(tensor, value, memory)

    def unpacked(self, tensor: Tensor, kind: ValueKind) -> int:
        """A new value for a weight inside packed parameters, which are no memory that anything else reads."""
        value = self.add(tensor, kind)
        self.values[value].memory, self.values[value].requires_grad = None, False
        with modes_off():  # real, on fake runs too
            self.values[value].stored = stored(tensor)
        return value

    def read(self, tensor: Tensor) -> int:
        """The value that a tensor stands for now; a new one if it was never seen, or written since it was."""
        reference = self.seen.get(id(tensor))
        if reference is None or reference() is not tensor:
            return self._read_new(tensor)
        memory = reference.memory
        if memory is not None and memory.writer is not None and memory.writes != reference.writes:
            value = self.add(tensor, "activation", memory.writer.id, previous=reference.value)
            memory.writer.writes.append(value)
            return value
        if reference.version is not None and moved(tensor, reference):
            if not self._schemas:  # written out of sight, by C++ or scripted code
                return self.add(tensor, "activation", previous=reference.value)
            reference.version = tensor._version
        return reference.value

    def read_all(self, tensors: list[Tensor]) -> list[int]:
        """As `read`, of each; what was not written since it was seen, nearly all, is told here."""
        found, seen = [], self.seen
        for tensor in tensors:
            reference = seen.get(id(tensor))
            if reference is not None and reference() is tensor:
                memory, version = reference.memory, reference.version
                if (memory is None or memory.writes == reference.writes) and (
                    version is None or version == tensor._version
                ):
                    found.append(reference.value)
                    continue
            found.append(self.read(tensor))
        return found

    def wrote(self, tensor: Tensor, call: CallRecord) -> int:
        """The call wrote this tensor: a new version, and every alias of its memory is out of date."""
        reference = self.seen[id(tensor)]
        memory = self._memory(tensor, leaf=False)
        if memory is not reference.memory:  # ``.data =``: the tensor keeps the counter that it shared over the other
            for either in (memory, reference.memory):
                if either is not None:
                    either.counted = False
            reference.memory = memory
        if memory is not None:
            memory.writes += 1
            memory.writer = call
        names = self.values[reference.value].names
        return self.add(tensor, "activation", call.id, previous=reference.value, names=names)

    def is_leaf(self, tensor: Tensor) -> bool:
        """Whether its memory was there before the run (an input, a parameter, something from outside)."""
        memory = self._known_memory(tensor)
        return memory is None or memory.leaf

    def close(self) -> None:
        """Forget the objects; the values stay."""
        self.seen.clear()
        self._memories.clear()
        self.registered = _none

    def _read_new(self, tensor: Tensor) -> int:
        weight = self.registered(tensor)
        if weight is not None:
            known = self.values[weight]
            return weight if self.known(tensor) else self.add(tensor, known.kind, previous=weight, names=known.names)
        name, reference = self._attributes.get(id(tensor), ("", None))
        if reference is not None and reference() is tensor:
            return self._constant(tensor, (name,))
        memory = self._known_memory(tensor)
        if memory is not None and memory.latest is not None:  # another object over memory we know: an alias made unseen
            latest = self.values[memory.latest]
            if latest.stored is not None and latest.kind in {"parameter", "buffer"}:  # what a weight is stored as
                self._stand_for(latest.id, [tensor], leaf=True)
                return latest.id
            if latest.producer is not None:
                return self.add(tensor, "activation", latest.producer)
            # torch.func wraps a weight in another tensor of the same shape: it is that weight, and counts once.
            whole = latest.shape == tuple(tensor.shape)
            return self.add(tensor, latest.kind, previous=latest.id if whole else None, names=latest.names)
        return self._constant(tensor, ())

    def _constant(self, tensor: Tensor, names: tuple[str, ...]) -> int:
        value = self.add(tensor, "constant", names=names)
        if tensor.requires_grad and tensor.is_leaf:
            self.loose.append(value)
        return value

    def _refer(self, tensor: Tensor, value: int, memory: Memory | None) -> TensorReference:
        reference = TensorReference(tensor)
        reference.value, reference.memory = value, memory
        reference.writes = memory.writes if memory is not None else 0
        try:
            reference.version = tensor._version
        except RuntimeError:  # inference tensors have none
            reference.version = None
        return reference

    def _known_memory(self, tensor: Tensor) -> Memory | None:
        storage = storage_of(tensor)
        memory = self._memories.get(storage_key(storage)) if storage is not None else None
        return memory if memory is not None and memory() is storage else None

    def _memory(self, tensor: Tensor, *, leaf: bool) -> Memory | None:
        storage = storage_of(tensor)
        if storage is None:
            return None
        key = storage_key(storage)
        memory = self._memories.get(key)
        if memory is None or memory() is not storage:  # the address may have been another's
            self._memory_count += 1
            memory = self._memories[key] = Memory(storage, self.released.append)
            memory.id, memory.leaf, memory.writes = self._memory_count, leaf, 0
            memory.counted = True
            memory.base = memory.latest = memory.writer = memory.freed = None
        return memory


def _none(_: Tensor) -> None:
    return None


def moved(tensor: Tensor, reference: TensorReference) -> bool:
    """Whether the version counter tells of a write since the tensor was last looked at."""
    if reference.version is None or tensor._version == reference.version:
        return False
    return reference.memory is None or reference.memory.counted


def measure(value: ValueRecord, tensor: Tensor) -> None:
    """Shape and bytes; a lazy parameter has neither."""
    if type(tensor) in LAZY:
        value.shape, value.nbytes = (), None
        return
    try:
        value.shape = tuple(map(int, tensor.shape))
    except (RuntimeError, AttributeError):  # nested: torch raises for the whole, or for the size that varies
        value.shape = tuple(_size(tensor, dimension) for dimension in range(tensor.dim()))
    try:
        value.nbytes = tensor.numel() * tensor.element_size()
    except (RuntimeError, NotImplementedError):
        value.nbytes = None


def _size(tensor: Tensor, dimension: int) -> int:
    try:
        return int(tensor.size(dimension))
    except (RuntimeError, AttributeError):
        return -1


def frozen(value: ValueRecord, kind: ValueKind) -> Value:
    """The record as plain data."""
    memory = value.memory
    plain = _value(
        value.id,
        kind,
        value.names,
        value.shape,
        _words.get(value.dtype) or _word(value.dtype),
        _words.get(value.device) or _word(value.device),
        value.nbytes,
        value.requires_grad,
        value.producer,
        value.slot,
        value.previous,
        value.alias_of,
        value.view_of,
        memory.id if memory is not None else None,
        memory.freed if memory is not None else None,
        value.type,
    )
    return plain if value.stored is None else _stored(plain, value.stored)


def _stored(plain: Value, how: Stored) -> Value:
    """One that is stored as other tensors."""
    inner = how.records()
    if how.placements or not inner:
        return replace(plain, inner=inner, placements=how.placements, mesh=how.mesh, original=how.original)
    # torch says of sparse and quantised tensors what they are stored as; a subclass says what it stands for.
    dtype = max(inner, key=lambda one: one.nbytes or 0).dtype if plain.type else plain.dtype
    nbytes = sum(one.nbytes or 0 for one in inner)
    return replace(plain, dtype=dtype, nbytes=nbytes, inner=inner, original=how.original)


_words: dict[Any, str] = {}


def _word(thing: torch.dtype | torch.device) -> str:
    word = _words[thing] = str(thing).removeprefix("torch.")
    return word
