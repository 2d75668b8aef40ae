"""Which tensors are known already: parameters and buffers of a model, its inputs, and what the user named.

A tensor is known by identity, and so are leaves: a detached twin in the same memory has a gradient of its own. What a
node has kept of a tensor comes back as another object, and is known by its place in memory and its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn

from torchatlas.capture.objects.contents import callable_name, is_a
from torchatlas.capture.record.recorder import Recorder
from torchatlas.capture.record.structure import Structure, modules_of, name_of, uncompiled
from torchatlas.capture.record.tensors import ValueRecord, frozen, measure
from torchatlas.capture.restore.no_trace import Guard
from torchatlas.capture.stored import dtype_name
from torchatlas.capture.torch_private import storage_key, storage_of
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Value

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from torchatlas.capture.backward.forward_link import ForwardLink
    from torchatlas.core.graph import Graph, Module, ValueKind


class Named(NamedTuple):
    """What a tensor is (``parameter``, ``buffer``, ``input``, ``output``, ``leaf``), and its name."""

    kind: str
    name: str


@dataclass
class KnownTensors:
    """Tensors with the values that stand for them, and their names.

    Attributes:
        values: so far; those of parameters and buffers come first.
        modules: of the model, where there is one.
        name: of the model, or empty.
        given: identities of the tensors that the user named.
    """

    values: list[Value] = field(default_factory=list)
    modules: tuple[Module, ...] = ()
    name: str = ""
    given: set[int] = field(default_factory=set)
    _value: dict[Hashable, int] = field(default_factory=dict)  # by identity, and by place
    _saved: dict[Hashable, int] = field(default_factory=dict)  # as above, of what nodes keep
    _named: dict[Hashable, Named] = field(default_factory=dict)  # as above
    _memory: dict[int, tuple[int, int]] = field(default_factory=dict)  # by storage: its number, its first value
    _last: int = 0  # number of a storage
    _alive: list[Tensor] = field(default_factory=list)  # so that no identity and no place is another's

    def value_of(self, tensor: Tensor) -> Value | None:
        """The value that stands for this tensor itself."""
        found = self._value.get(id(tensor))
        return self.values[found] if found is not None else None

    def name_of(self, tensor: Tensor) -> str:
        """The name of this tensor itself, empty where it has none."""
        named = self._named.get(id(tensor))
        return named.name if named is not None else ""

    def value_at(self, tensor: Tensor) -> Value | None:
        """The value that stands for this tensor, or for the same part of the same memory."""
        found = [self._value[key] for key in _keys(tensor) if key in self._value]
        return self.values[found[0]] if found else None

    def saved(self, tensor: Tensor) -> Value | None:
        """The value that stands for this tensor as something that a node keeps."""
        found = [self._saved[key] for key in _keys(tensor) if key in self._saved]
        return self.values[found[0]] if found else None

    def named(self, tensor: Tensor) -> Named | None:
        """What it is and what it is called, where that is known of it or of the same part of the same memory."""
        found = [self._named[key] for key in _keys(tensor) if key in self._named]
        return found[0] if found else None

    def call(self, tensor: Tensor, kind: str, name: str) -> None:
        """Give a tensor a name; the first one counts, and its value takes all."""
        self._alive.append(tensor)
        for key in _keys(tensor):
            self._named.setdefault(key, Named(kind, name))
        value = self.value_of(tensor)
        if value is not None and name not in value.names:
            self.values[value.id] = replace(value, names=(*value.names, name))

    def add(self, tensor: Tensor, kind: ValueKind, **more: Any) -> Value:
        """A new value for a tensor; it stands for the tensor from now on, made by a call for what that call keeps."""
        record = ValueRecord()
        measure(record, tensor)
        memory, base = self._place(tensor)
        value = Value(
            len(self.values),
            kind,
            shape=record.shape,
            dtype=dtype_name(tensor.dtype),
            device=str(tensor.device),
            nbytes=record.nbytes,
            requires_grad=tensor.requires_grad,
            storage=memory,
            **{"names": (), "view_of": base} | more,
        )
        self.values.append(value)
        self.stands_for(tensor, value)
        return value

    def stands_for(self, tensor: Tensor, value: Value) -> None:
        """Remember the value of a tensor and of its memory."""
        self._alive.append(tensor)
        for key in _keys(tensor):
            (self._value if value.producer is None else self._saved).setdefault(key, value.id)
        storage = storage_of(tensor)
        if storage is not None and value.storage is not None:
            self._memory.setdefault(storage_key(storage), (value.storage, value.id))
            self._last = max(self._last, value.storage)

    def _place(self, tensor: Tensor) -> tuple[int | None, int | None]:
        """The number of its storage, and the value that it shares it with."""
        storage = storage_of(tensor)
        if storage is None:
            return None, None
        number, base = self._memory.get(storage_key(storage), (self._last + 1, None))
        return number, base


def _keys(tensor: Tensor) -> tuple[Hashable, ...]:
    storage = storage_of(tensor)
    if storage is None:
        return (id(tensor),)
    try:
        form = tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), tensor.dtype
    except RuntimeError:  # nested and sparse ones have none
        return (id(tensor),)
    return id(tensor), (storage_key(storage), form) if tensor.numel() else id(tensor)


def known_tensors(params: Any, forward: Graph | None, link: ForwardLink | None) -> KnownTensors:
    """What the forward's run kept names of, and what ``params`` names besides: a head, or a loss with weights.

    Raises:
        InputError: ``params`` is neither a module nor a mapping of names to tensors.
    """
    known = KnownTensors()
    pairs = _pairs(params)
    if link is not None and forward is not None:
        known.modules, known.name = forward.modules, forward.name
        known.values = list(forward.values[: len(link.tensors)])
        _register(known, link.tensors)
        for name, tensor in link.inputs:
            known.call(tensor, "input", name)
    elif isinstance(params, nn.Module):
        _add_module(known, params)
    for name, tensor, kind in pairs:
        known.call(tensor, kind, name)
        known.given.add(id(tensor))
    return known


def _add_module(known: KnownTensors, module: nn.Module) -> None:
    """Its structure as a capture records it."""
    model = uncompiled(module)
    modules = modules_of(model)
    recorder = Recorder(Guard(), None, aten=False, source=False)
    each = {id(inner): inner for inner in modules.values()}
    structure = Structure(modules, [bool(inner.training) for inner in each.values()], recorder)
    known.modules = structure.records()
    known.name = name_of(model) if is_a(model, nn.Module) else callable_name(model)
    known.values = [frozen(value, value.kind) for value in recorder.tensors.values]
    _register(known, structure.tensors())
    recorder.close()


def _register(known: KnownTensors, tensors: Iterable[tuple[Tensor, int]]) -> None:
    for tensor, number in tensors:
        value = known.values[number]
        known.stands_for(tensor, value)
        known.call(tensor, value.kind, value.names[0] if value.names else "")


def _pairs(params: Any) -> list[tuple[str, Tensor, str]]:
    """Names, tensors, and what these are."""
    if params is None:
        return []
    if isinstance(params, nn.Module):
        model: Any = uncompiled(params)
        return [
            *[(name, tensor, "parameter") for name, tensor in model.named_parameters(remove_duplicate=False)],
            *[(name, tensor, "buffer") for name, tensor in model.named_buffers(remove_duplicate=False)],
        ]
    wanted = "params is a module, or a mapping of names to tensors, as dict(model.named_parameters())"
    if not isinstance(params, Mapping):
        raise InputError(f"params={type(params).__name__}(…); {wanted}.")
    for name, tensor in params.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise InputError(f"params has a {type(tensor).__name__} under {name!r}; {wanted}.")
    return [
        (name, tensor, "parameter" if isinstance(tensor, nn.Parameter) else "leaf") for name, tensor in params.items()
    ]
