"""What calls in a pickle stand for: tensors as `Stored`, plain containers as themselves, all else as `Foreign`.

The names are those that torch writes (``torch._utils``, ``torch._tensor``, ``torch.serialization``), and the few of
the standard library that stand beside weights.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from torchatlas.core.errors import FileError
from torchatlas.core.graph import InnerTensor, total_bytes
from torchatlas.readers.dtypes import size_of
from torchatlas.readers.pickled import Blob, Damaged, Foreign, Global, Mapping, Set
from torchatlas.readers.source import Source
from torchatlas.readers.weights.dtensor import placed
from torchatlas.readers.weights.harmful import GETATTR, is_harmful
from torchatlas.readers.weights.packed import with_tables
from torchatlas.readers.weights.stored import ByteRange, Stored, contiguous

if TYPE_CHECKING:
    from collections.abc import Callable

Call: TypeAlias = "Callable[[Global | Foreign, object], object]"

HARM = (
    "Nothing of it was run. Loaded with torch.load(weights_only=False), it could do whatever its maker wanted: do not"
    " load it elsewhere, and get the weights from a source that you trust, as .safetensors if there is one."
)
MOST_DIMENSIONS = 64
LARGEST = 1 << 62

STORAGES = {
    **dict.fromkeys(("UntypedStorage", "ByteStorage"), "uint8"),
    **{
        f"{name}Storage": dtype
        for name, dtype in (
            ("Double", "float64"),
            ("Float", "float32"),
            ("Half", "float16"),
            ("BFloat16", "bfloat16"),
            ("Long", "int64"),
            ("Int", "int32"),
            ("Short", "int16"),
            ("Char", "int8"),
            ("Bool", "bool"),
            ("ComplexDouble", "complex128"),
            ("ComplexFloat", "complex64"),
            ("QInt8", "qint8"),
            ("QUInt8", "quint8"),
            ("QInt32", "qint32"),
            ("QUInt4x2", "quint4x2"),
            ("QUInt2x4", "quint2x4"),
        )
    },
}
"""The dtype of a storage's elements, by the class that the file names."""
TYPE = ("builtins.type", "__builtin__.type")


def dtype_of(named: object) -> str:
    """The dtype that a Global of torch names."""
    if isinstance(named, Global) and named.module == "torch":
        return named.name
    raise Damaged(f"{word(named)} is no dtype")


def storage_dtype(named: object) -> str:
    """The dtype of what a storage of this class holds."""
    if isinstance(named, Global) and named.name in STORAGES:
        return STORAGES[named.name]
    return dtype_of(named)


def call(called: Global | Foreign, args: object) -> object:
    """What a call gives, without calling anything.

    Raises:
        FileError: what is called can do harm.
        Damaged: torch would not have written it so.
    """
    if isinstance(called, Foreign):
        if str(called.made_by) in GETATTR:
            raise FileError(f"its pickle calls what {called.made_by} finds, which can be any function there is. {HARM}")
        return Foreign(called.made_by, (called.args, args))
    if is_harmful(called) and not _is_class_of_nothing(called, args):
        raise FileError(f"its pickle calls {called}, which has no place in a file of weights. {HARM}")
    if called.module.partition(".")[0] == "joblib":
        raise FileError(
            f"its pickle names {called}: it is a file of joblib, which puts the numbers of arrays between the pickle's"
            " words, and is not read. Where joblib is, write it anew: pickle.dump(joblib.load(path), file)."
        )
    known = KNOWN.get(str(called))
    return Foreign(called, args) if known is None or not isinstance(args, tuple) else known(*args)


def _is_class_of_nothing(called: Global, args: object) -> bool:
    """``type(None)``, as pickles write it; with more than one argument ``type`` makes a class."""
    return str(called) in TYPE and isinstance(args, tuple) and len(args) == 1


def word(thing: object) -> str:
    """Something of a file in a message: in short, since it may hold itself."""
    return str(thing)[:80] if isinstance(thing, (Global, str, int)) else f"a {type(thing).__name__}"


def sizes(given: object) -> tuple[int, ...]:
    """A shape or strides, whatever they were pickled as."""
    if isinstance(given, Foreign):
        given = given.args
    found = tuple(given) if isinstance(given, (tuple, list)) else None
    if found is None or len(found) > MOST_DIMENSIONS or not all(type(size) is int for size in found):
        raise Damaged(f"{word(given)} is no shape")
    if any(not 0 <= size < LARGEST for size in found) or prod(found) > LARGEST:
        raise Damaged(f"{found[:8]} is a shape that no tensor has")
    return found


def tensor(storage: object, offset: int, size: object, stride: object, *_: object) -> Stored:
    """A tensor in a storage (``_rebuild_tensor``)."""
    if not isinstance(storage, Stored):
        raise Damaged("a tensor stands in what is no storage")
    return view(storage, storage.dtype, offset, size, stride)


def view(storage: Stored, dtype: str, offset: int, size: object, stride: object) -> Stored:
    """A tensor of any dtype in a storage, which must reach as far as it does."""
    shape, steps = sizes(size), sizes(stride)
    if len(shape) != len(steps) or type(offset) is not int or offset < 0:
        raise Damaged(f"a tensor of shape {shape} has the strides {steps} and the offset {offset}")
    made = replace(storage, shape=shape, stride=steps, offset=offset, dtype=dtype)
    nbytes = size_of(dtype, made.numel)
    last = offset + sum((size - 1) * step for size, step in zip(shape, steps, strict=True)) + 1
    needed = size_of(dtype, last) if made.numel else 0
    if needed is not None and storage.nbytes is not None and needed > storage.nbytes:
        raise Damaged(f"a tensor of shape {shape} reaches {needed:,} bytes into a storage of {storage.nbytes:,}")
    return replace(made, nbytes=nbytes)


def tensor_v2(
    storage: object, offset: int, size: object, stride: object, requires_grad: object = False, *_: object
) -> Stored:
    """A tensor in a storage (``_rebuild_tensor_v2``)."""
    return replace(tensor(storage, offset, size, stride), requires_grad=requires_grad is True)


def tensor_v3(
    storage: object,
    offset: int,
    size: object,
    stride: object,
    requires_grad: object,
    _: object,
    dtype: object,
    *__: object,
) -> Stored:
    """A tensor of a dtype that has no storage of its own (``_rebuild_tensor_v3``)."""
    if not isinstance(storage, Stored):
        raise Damaged("a tensor stands in what is no storage")
    made = view(storage, dtype_of(dtype), offset, size, stride)
    return replace(made, requires_grad=requires_grad is True)


def parameter(data: object, requires_grad: object = True, *_: object) -> object:
    """An ``nn.Parameter``."""
    if not isinstance(data, Stored):
        return data
    return replace(data, parameter=True, requires_grad=requires_grad is True)


def quantized(storage: object, offset: int, size: object, stride: object, how: object = (), *_: object) -> Stored:
    """A quantized tensor, with the scales of its channels, where they differ, and the axis along which they do."""
    made = tensor(storage, offset, size, stride)
    if not isinstance(how, tuple) or len(how) != 4 or type(how[3]) is not int:  # noqa: PLR2004 - scheme, two tensors, axis
        return with_tables(made, "quantized", ())
    points = how[2]  # torch names one scheme for both kinds, and tells them by these
    floats = isinstance(points, Stored) and points.dtype.startswith("float")
    kind = f"quantized per_channel_affine{'_float_qparams' if floats else ''} {how[3]}"
    return with_tables(made, kind, tuple(table for table in how[1:3] if isinstance(table, Stored)))


def sparse(layout: object, data: object, *_: object) -> Stored:
    """A sparse tensor: its parts are tensors, the last of them its values, then comes its shape."""
    if not isinstance(data, (tuple, list)):
        raise Damaged("a sparse tensor has no parts")
    parts = [part for part in data if isinstance(part, Stored)]
    if not parts:
        raise Damaged("a sparse tensor has no parts")
    shape = sizes(data[len(parts)])
    total = total_bytes(part.nbytes for part in parts)
    kind = layout.args[0] if isinstance(layout, Foreign) and isinstance(layout.args, tuple) and layout.args else layout
    named = word(kind).removeprefix("torch.")
    names = PARTS.get(named, ())
    inner = tuple(
        InnerTensor(name, part.shape, part.dtype, part.nbytes) for name, part in zip(names, parts, strict=False)
    )
    whole = inner if len(parts) == len(names) else ()
    return Stored(shape, parts[-1].dtype, parts[-1].device, total, type=named, inner=whole)


PARTS = {
    "sparse_coo": ("indices", "values"),
    **dict.fromkeys(("sparse_csr", "sparse_bsr"), ("crow_indices", "col_indices", "values")),
    **dict.fromkeys(("sparse_csc", "sparse_bsc"), ("ccol_indices", "row_indices", "values")),
}
"""What a sparse tensor is stored as."""


def nested(buffer: object, shapes: object, *_: object) -> Stored:
    """A nested tensor: how many tensors it holds is known, their sizes stand in its data."""
    if not isinstance(buffer, Stored) or not isinstance(shapes, Stored):
        raise Damaged("a nested tensor has no buffer")
    rows, columns = (*shapes.shape, 0, 0)[:2]
    shape = (rows, *(-1,) * min(columns, MOST_DIMENSIONS))
    return replace(buffer, shape=shape, stride=None, type="nested")


def without_storage(dtype: object, size: object, stride: object, requires_grad: object = False, *_: object) -> Stored:
    """A tensor on the meta device."""
    shape, steps, name = sizes(size), sizes(stride), dtype_of(dtype)
    made = Stored(shape, name, "meta", None, stride=steps, requires_grad=requires_grad is True)
    return replace(made, nbytes=size_of(name, made.numel))


def wrapper(named: object, dtype: object, size: object, stride: object, *rest: object) -> Stored:
    """A tensor subclass that holds other tensors."""
    made = without_storage(dtype, size, stride)
    device = rest[2] if len(rest) > 2 else "cpu"  # noqa: PLR2004 - offset, layout, device
    return replace(made, device=_where(device), type=_short(named))


def from_array(
    data: object, dtype: object, device: object = "cpu", requires_grad: object = False, *_: object
) -> object:
    """A tensor of another device, kept as a NumPy array or as a tensor of the CPU."""
    inside = array(data) if isinstance(data, Foreign) else data
    if not isinstance(inside, Stored):
        return Foreign(Global("torch", "Tensor"), (data,))
    name = dtype_of(dtype)
    return replace(
        inside,
        dtype=name,
        nbytes=size_of(name, inside.numel),
        device=_where(device),
        requires_grad=requires_grad is True,
    )


def subclass(func: object, new_type: object, args: object, state: object = None, *_: object) -> object:
    """A tensor of a subclass, or with attributes of its own."""
    made = call(func, args) if isinstance(func, Global) else None
    if not isinstance(made, Stored):
        return Foreign(new_type if isinstance(new_type, Global) else Global("torch", "Tensor"), args)
    plain = str(new_type) in ("torch.Tensor", "torch._tensor.Tensor")
    if str(new_type) in ("torch.nn.parameter.Parameter", "torch.nn.Parameter"):
        return replace(made, parameter=True)
    return made if plain else _holding(replace(made, type=_short(new_type)), state, func)


def _holding(made: Stored, state: object, func: object) -> Stored:
    """A wrapper around other tensors, with what it holds: its attributes stand in the pickle."""
    if str(func) != "torch._utils._rebuild_wrapper_subclass":
        return made
    if isinstance(state, tuple):  # of attributes, and of slots
        state = next((part for part in reversed(state) if isinstance(part, Mapping)), None)
    if not isinstance(state, Mapping):
        return made
    if made.type == "DTensor":
        return placed(made, state)
    held = [(str(name), one) for name, one in state.items() if isinstance(one, Stored)]
    inner = tuple(
        part
        for name, one in held
        for part in (one.inner or (InnerTensor(name[:80], one.shape, one.dtype, one.nbytes),))
    )
    if not inner:
        return made
    largest = max(inner, key=lambda part: part.nbytes or 0)
    nbytes = total_bytes(part.nbytes for part in inner)
    first = held[0][1]  # two names of one tensor are told by it
    return replace(made, dtype=largest.dtype, nbytes=nbytes, inner=inner, storage=first.storage, offset=first.offset)


def _short(named: object) -> str:
    return named.name.rpartition(".")[2][:40] if isinstance(named, Global) else ""


def array(made: Foreign) -> Stored | None:
    """The NumPy array that an object which was not built stands for; None where it is none."""
    if made.made_by.module.partition(".")[0] != "numpy":
        return None
    if made.made_by.name == "_reconstruct":
        given, order = made.state, (1, 2, 3, 4)  # behind a version: shape, dtype, whether columns come first, data
    elif made.made_by.name == "_frombuffer":
        given, order = made.args, (2, 1, 3, 0)  # data, dtype, shape, "C" or "F"
    else:
        return None
    if not isinstance(given, tuple) or len(given) <= max(order):
        return None
    shape, kind, turned, data = (given[at] for at in order)
    dtype = ARRAYS.get(_code(kind))
    return None if dtype is None else _array(sizes(shape), dtype, data, turned=turned in (True, "F"), big=_is_big(kind))


def _array(shape: tuple[int, ...], dtype: str, data: object, *, turned: bool, big: bool) -> Stored:
    """An array whose elements are in ``data``, one after the other, by rows or, turned, by columns."""
    stride = contiguous(shape[::-1])[::-1] if turned else contiguous(shape)
    stored = Stored(shape, dtype, stride=stride, type="ndarray")
    stored = replace(stored, nbytes=size_of(dtype, stored.numel))
    source = source_of(data, "an array in its pickle")
    if source is None or source.size != stored.nbytes:
        return stored
    return replace(stored, place=ByteRange(source, 0, source.size, big=big))


def source_of(data: object, inside: str) -> Source | None:
    """Where a string of bytes of a pickle can be read; ``inside`` says what it is."""
    if isinstance(data, Blob):
        return data.part(inside)
    return Source.of_bytes(data, inside) if isinstance(data, bytes) else None


def _encoded(text: object, how: object = "latin1", *_: object) -> object:
    """Bytes, as protocols before 3 write them (``_codecs.encode``)."""
    if isinstance(text, str) and how == "latin1":
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            raise Damaged("bytes hold what is no byte") from None
    return b""


def _is_big(dtype: object) -> bool:
    state = dtype.state if isinstance(dtype, Foreign) else None
    return isinstance(state, tuple) and len(state) > 1 and state[1] == ">"


def _code(dtype: object) -> str:
    given = dtype.args if isinstance(dtype, Foreign) else None
    first = given[0] if isinstance(given, tuple) and given else ""
    return first.lstrip("<>=|") if isinstance(first, str) else ""


ARRAYS = {
    "f8": "float64",
    "f4": "float32",
    "f2": "float16",
    "i8": "int64",
    "i4": "int32",
    "i2": "int16",
    "i1": "int8",
    "u1": "uint8",
    "u2": "uint16",
    "u4": "uint32",
    "u8": "uint64",
    "b1": "bool",
    "c8": "complex64",
    "c16": "complex128",
}
"""torch's names of NumPy's dtypes."""


class Device(str):
    """A device by its name, which is no word of the file's."""

    __slots__ = ()


def instance(kind: object, *args: object) -> object:
    """An object of a class, as the oldest protocols write it (``copyreg``)."""
    return Foreign(kind, args) if isinstance(kind, Global) else Foreign(Global("copyreg", "_reconstructor"), args)


def graph_module(body: object, code: object = "", *_: object) -> Foreign:
    """A module of ``torch.fx``: its state is there; its forward is code of the file, which loading it would run.

    Raises:
        FileError: it is no module, so that only the running is left.
    """
    if not isinstance(body, Mapping) or not all(
        isinstance(body.get(name), Mapping) for name in ("_modules", "_parameters")
    ):
        raise FileError(f"its pickle calls {GRAPH_MODULE}, which runs code that stands in the file. {HARM}")
    return Foreign(GRAPH_MODULE, (code,), body)


GRAPH_MODULE = Global("torch.fx.graph_module", "GraphModule")


def _items(*args: object) -> list[object]:
    return list(args[0]) if args and isinstance(args[0], (list, tuple)) else []


def _set(*args: object) -> Set:
    return Set(_items(*args))


def _device(kind: object = "cpu", index: object = None, *_: object) -> Device:
    return Device(word(kind) if index is None else f"{word(kind)}:{word(index)}")


def _where(device: object) -> str:
    return device[:40] if isinstance(device, str) else "cpu"


KNOWN: dict[str, Callable[..., Any]] = {
    **{
        f"torch._utils.{name}": rebuild
        for name, rebuild in (
            ("_rebuild_tensor", tensor),
            ("_rebuild_tensor_v2", tensor_v2),
            ("_rebuild_tensor_v3", tensor_v3),
            ("_rebuild_parameter", parameter),
            ("_rebuild_parameter_with_state", parameter),
            ("_rebuild_qtensor", quantized),
            ("_rebuild_sparse_tensor", sparse),
            ("_rebuild_sparse_csr_tensor", sparse),
            ("_rebuild_nested_tensor", nested),
            ("_rebuild_meta_tensor_no_storage", without_storage),
            ("_rebuild_wrapper_subclass", wrapper),
            ("_rebuild_device_tensor_from_numpy", from_array),
            ("_rebuild_device_tensor_from_cpu_tensor", from_array),
            ("_rebuild_xla_tensor", from_array),
        )
    },
    "torch._tensor._rebuild_from_type_v2": subclass,
    "torch._tensor._rebuild_from_type": subclass,
    "torch.nn.parameter.Parameter": parameter,
    "torch.nn.Parameter": parameter,
    "_codecs.encode": _encoded,
    "torch.Size": lambda size=(), *_: sizes(size),
    "torch.device": _device,
    "collections.OrderedDict": Mapping.of,
    "collections.defaultdict": lambda *args: Mapping.of(*args[1:]),
    "collections.Counter": Mapping.of,
    "torch.fx.graph_module.reduce_graph_module": graph_module,
    **{f"{module}._reconstructor": instance for module in ("copyreg", "copy_reg")},
    **{f"{module}.__newobj__": instance for module in ("copyreg", "copy_reg")},
    **{
        f"{module}.{name}": make
        for module in ("builtins", "__builtin__")
        for name, make in (
            ("dict", Mapping.of),
            ("set", _set),
            ("frozenset", _set),
            ("list", _items),
            ("tuple", lambda *args: tuple(_items(*args))),
        )
    },
}


def storage(key: object, dtype: str, device: object, elements: object) -> Stored:
    """A storage, as a tensor without a shape.

    Raises:
        Damaged: it has no size.
    """
    if type(elements) is not int or not 0 <= elements < LARGEST:
        raise Damaged(f"a storage has {word(elements)} elements")
    where = device if isinstance(device, str) else "cpu"
    shape = (elements,)
    return Stored(shape, dtype, where[:40], size_of(dtype, elements), word(key), stride=contiguous(shape))
