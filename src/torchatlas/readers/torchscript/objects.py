"""What the pickles of a TorchScript archive hold: plain things, tensors, and objects of which only the state is there.

Source: ``torch/csrc/jit/serialization/pickler.cpp``, which writes them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from torchatlas.core.errors import FileError
from torchatlas.readers.pickled import Damaged, Foreign, Global, Mapping
from torchatlas.readers.unpickler import Bounded, Machine

DTYPES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
}
REBUILD = frozenset({"_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_qtensor"})
LISTS = frozenset({"build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "build_complexlist"})
DIMENSIONS = 64
"""Of a tensor, at most."""
MOST = 1_000_000
"""Tensors that are looked for in a structure."""


@dataclass(slots=True, eq=False, repr=False)  # its parts may hold each other
class PickledObject(Foreign):
    """An object of some class, and the attributes it was given; nothing of the class itself is there."""

    state: dict[str, Any] = field(default_factory=dict)
    plain: object = None
    """A state that is no mapping of attributes."""

    @property
    def type(self) -> str:
        """The full name of its class."""
        return str(self.made_by)

    def build(self, state: object) -> None:
        """Take its attributes, or whatever its class would have been set from."""
        if isinstance(state, dict):
            self.state = {str(key): value for key, value in state.items()}
        else:
            self.plain = state


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor: what it is, without its elements."""

    dtype: str
    device: str
    shape: tuple[int, ...]
    requires_grad: bool
    place: tuple[str, int, tuple[int, ...]]
    """Where its elements lie: equal for tied ones."""


@dataclass(frozen=True)
class Storage:
    """Where elements lie."""

    dtype: str
    key: str
    device: str


def unpickle(data: bytes) -> Any:
    """What a pickle holds, as plain things.

    Raises:
        FileError: it is no pickle, or damaged.
    """
    try:
        return Machine(Bounded(io.BytesIO(data)), _called, _stored).run()
    except Damaged as error:
        raise FileError(f"a pickle in it is damaged: {error}.") from None


def _called(called: Global | Foreign, args: object) -> object:
    """A `PickledObject` of any class, or what the few functions of torch that stand in such a pickle give."""
    if not isinstance(called, Global) or not isinstance(args, tuple):
        raise Damaged("it calls what is no class")
    if called.module == "collections" and called.name == "OrderedDict":
        return Mapping.of(*args)
    if called.module.partition(".")[0] == "torch":
        if called.name in REBUILD:
            return _tensor(called.name, *args)
        if called.name in LISTS:
            return list(args[0])
        if called.name in {"restore_type_tag", "_rebuild_parameter"}:
            return args[0]
    return PickledObject(called)


def _tensor(function: str, storage: object, offset: int, shape: tuple[int, ...], _: object, *rest: object) -> Tensor:
    if not isinstance(storage, Storage):
        raise Damaged("a tensor stands in what is no storage")
    requires = rest[1] if function == "_rebuild_qtensor" and len(rest) > 1 else rest[0] if rest else False
    if len(shape) > DIMENSIONS:
        raise Damaged(f"a tensor has {len(shape):,} dimensions")
    sizes = tuple(int(size) for size in shape)
    return Tensor(storage.dtype, storage.device, sizes, requires is True, (storage.key, int(offset), sizes))


def _stored(told: object) -> Storage:
    """The storage of ``("storage", class, key, location, elements)``."""
    if not isinstance(told, tuple) or len(told) < 4 or not isinstance(told[2], (str, int)):  # noqa: PLR2004 - as said above
        raise Damaged("a storage has no name")
    _, kind, key, device, *_ = told
    name = kind.name if isinstance(kind, Global) else ""
    return Storage(DTYPES.get(name, ""), str(key), device if isinstance(device, str) else "cpu")


def tensors_in(root: Any) -> list[Tensor]:
    """The tensors in a structure of lists, tuples and dictionaries, in order."""
    found: list[Tensor] = []
    pending, seen = [root], 0
    while pending and seen < MOST:
        seen += 1
        at = pending.pop()
        if isinstance(at, Tensor):
            found.append(at)
        elif isinstance(at, (list, tuple)):
            pending += reversed(at)
        elif isinstance(at, dict):
            pending += reversed(list(at.values()))
    return found
