"""Types, tensors and attributes of ONNX as plain data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

from torchatlas.core.graph import Node, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from onnx import TypeProto

    from torchatlas.core.graph import Tree

DTYPES = {
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "FLOAT8E4M3FN": "float8_e4m3fn",
    "FLOAT8E4M3FNUZ": "float8_e4m3fnuz",
    "FLOAT8E5M2": "float8_e5m2",
    "FLOAT8E5M2FNUZ": "float8_e5m2fnuz",
}
BITS = {"float8": 8, "bfloat16": 16, "complex64": 64, "complex128": 128, "bool": 8, "float4": 4}
FLOATING = ("float", "bfloat", "complex")
MOST = 64
"""Items of an attribute that are told; more are data."""


def dtype(number: int) -> str:
    """As in ``float32``; empty for what is not known."""
    try:
        name = TensorProto.DataType.Name(number)
    except ValueError:
        return ""
    return DTYPES.get(name, name.lower()) if name != "UNDEFINED" else ""


def bits(name: str) -> int | None:
    """Of one element; None for strings and what is not known."""
    for start, size in BITS.items():
        if name.startswith(start):
            return size
    digits = name.lstrip("uintfloa")
    return int(digits) if digits.isdigit() and name.startswith(("int", "uint", "float")) else None


def nbytes(shape: tuple[int, ...], name: str) -> int | None:
    """Bytes of a tensor; None where a size varies or the type is not known."""
    size = bits(name)
    return None if size is None or min(shape, default=0) < 0 else (math.prod(shape) * size + 7) // 8


def of_tensor(tensor: TensorProto) -> dict[str, Any]:
    """Shape, dtype and bytes of a tensor, whose elements are not needed."""
    shape, name = tuple(max(size, -1) for size in tensor.dims), dtype(tensor.data_type)
    return {"shape": shape, "dtype": name, "nbytes": nbytes(shape, name)}


def of_type(told: TypeProto | None) -> dict[str, Any]:
    """Shape, dtype and bytes of a value, as far as the file or inference says; -1 for sizes that vary."""
    if told is None:
        return {}
    kind = told.WhichOneof("value")
    if kind not in {"tensor_type", "sparse_tensor_type"}:
        return {"type": _spelled(told)} if kind else {}
    tensor = getattr(told, kind)
    name = dtype(tensor.elem_type)
    if not tensor.HasField("shape"):
        return {"dtype": name}
    shape = tuple(_size(dim) for dim in tensor.shape.dim)
    return {"shape": shape, "dtype": name, "nbytes": nbytes(shape, name)}


def _size(dim: Any) -> int:
    return dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else -1


def _spelled(told: TypeProto) -> str:
    """``sequence(float32)``."""
    kind = told.WhichOneof("value") or ""
    inner = getattr(told, kind).elem_type if kind in {"sequence_type", "optional_type"} else None
    inside = inner.WhichOneof("value") if inner is not None else None
    name = dtype(inner.tensor_type.elem_type) if inner is not None and inside == "tensor_type" else inside or ""
    return f"{kind.removesuffix('_type')}({name})" if name else kind.removesuffix("_type")


def symbols(told: TypeProto) -> list[str]:
    """The names of the sizes that vary."""
    return [dim.dim_param for dim in told.tensor_type.shape.dim if dim.HasField("dim_param") and dim.dim_param]


def attribute(told: AttributeProto) -> Tree:
    """The value of an attribute; of tensors what they are, of graphs their names."""
    if told.ref_attr_name:
        return Text(f"@{told.ref_attr_name}"[:200])
    single = ONE.get(told.type)
    if single is not None:
        return single(told)
    items = [*told.ints] or [*told.floats] or [_string(one) for one in told.strings]
    more = (Text(f"… {len(items) - MOST} more"),) if len(items) > MOST else ()
    return Node("list", (), (*items[:MOST], *more))


def _string(said: bytes) -> str:
    return said.decode("utf-8", "replace")[:1000]


def tensor(told: TensorProto) -> Tree:
    """A single number as it is, anything larger in words."""
    known = of_tensor(told)
    if math.prod(known["shape"]) == 1 and told.data_location != TensorProto.EXTERNAL:
        try:
            found = numpy_helper.to_array(told).reshape(-1)[0].item()
        except (TypeError, ValueError, OverflowError, onnx.checker.ValidationError):
            found = None
        if isinstance(found, (bool, int, float)):
            return found
    return Text(f"{known['dtype']}{list(known['shape'])}")


ONE: dict[int, Callable[[AttributeProto], Tree]] = {
    AttributeProto.FLOAT: lambda told: float(told.f),
    AttributeProto.INT: lambda told: int(told.i),
    AttributeProto.STRING: lambda told: _string(told.s),
    AttributeProto.TENSOR: lambda told: tensor(told.t),
    AttributeProto.GRAPH: lambda _: Text("graph"),
    AttributeProto.GRAPHS: lambda _: Text("graphs"),
}
