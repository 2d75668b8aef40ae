"""Pickles as plain things: every class and function that one names is replaced by something that does nothing."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass, field
from typing import Any

from torchatlas.core.errors import FileError

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
SIZES = {
    "float32": 4,
    "float64": 8,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "complex64": 8,
    "complex128": 16,
    "qint8": 1,
    "quint8": 1,
    "qint32": 4,
}
REBUILD = frozenset({"_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_qtensor"})
LISTS = frozenset({"build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "build_complexlist"})
MOST = 1_000_000
"""Tensors that are looked for in a structure."""


@dataclass(eq=False)
class Thing:
    """An object of some class, and the state it was given; nothing of the class itself is there."""

    type: str
    state: dict[str, Any] = field(default_factory=dict)
    plain: Any = None
    """A state that is no mapping of attributes."""

    def __setstate__(self, state: Any) -> None:
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


class _Named:
    """Stands for a class or function: called, it gives a `Thing`, or what the few known functions of torch give."""

    def __init__(self, module: str, name: str) -> None:
        self.full = f"{module}.{name}"
        self.name = name

    def __call__(self, *args: Any) -> Any:
        if self.name in REBUILD and self.full.startswith("torch."):
            return _tensor(self.name, *args)
        if self.name in LISTS:
            return list(args[0])
        if self.name in {"restore_type_tag", "_rebuild_parameter"}:
            return args[0]
        if self.full == "collections.OrderedDict":
            return dict(args[0]) if args and isinstance(args[0], (list, dict)) else {}
        return Thing(self.full)


def _tensor(function: str, storage: Storage, offset: int, shape: Any, _: Any, *rest: Any) -> Tensor:
    requires = rest[1] if function == "_rebuild_qtensor" and len(rest) > 1 else rest[0] if rest else False
    sizes = tuple(int(size) for size in shape)
    return Tensor(storage.dtype, storage.device, sizes, requires is True, (storage.key, int(offset), sizes))


# The one in C gives room for as many memos as the pickle claims to have, which may be billions.
class _Reader(pickle._Unpickler):  # noqa: SLF001 - the one in Python has no other name
    def find_class(self, module: str, name: str) -> Any:
        return _Named(module, name)

    def persistent_load(self, told: Any) -> Any:
        _, kind, key, device, *_ = told
        name = kind.name if isinstance(kind, _Named) else str(kind)
        return Storage(DTYPES.get(name, ""), str(key), str(device))


def _new(reader: Any) -> None:
    """NEWOBJ: make a `Thing` of the class's name."""
    args = reader.stack.pop()
    reader.stack.append(reader.stack.pop()(*args) if args else Thing(reader.stack.pop().full))


# Left out are the codes that name a class by a number which other libraries gave it, and one that takes as much memory
# as it says. torch writes none of them.
_LEFT_OUT = {pickle.EXT1[0], pickle.EXT2[0], pickle.EXT4[0], pickle.BYTEARRAY8[0]}
_KEPT = {code: run for code, run in pickle._Unpickler.dispatch.items() if code not in _LEFT_OUT}  # noqa: SLF001 - as above
_Reader.dispatch = {**_KEPT, pickle.NEWOBJ[0]: _new}


def unpickle(data: bytes) -> Any:
    """What a pickle holds, as plain things.

    Raises:
        FileError: it is no pickle, or damaged.
    """
    try:
        return _Reader(io.BytesIO(data)).load()
    except Exception as error:
        raise FileError(f"a pickle in it is damaged: {type(error).__name__}: {error}.") from error


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
