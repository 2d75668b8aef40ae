"""The bytes of an ONNX model, before the package `onnx` sees them: whether they are one, and without the weights.

A model of two gigabytes holds a graph of some kilobytes. The weights are skipped where they stand in the file, so that
neither time nor memory is spent on them.

Source: https://protobuf.dev/programming-guides/encoding and https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Bytes: TypeAlias = "bytes | mmap.mmap"

VARINT, BYTES = 0, 2
SIZES = {1: 8, 5: 4}
"""Bytes of the wire types of fixed size."""
MODEL_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""Numbers and wire types of the fields of ``ModelProto``."""
GRAPH = 7
MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
    "tensor": {},
}
"""By message: the fields in which tensors are found."""
DATA = frozenset({4, 5, 6, 7, 9, 10, 11})
"""The fields of ``TensorProto`` that hold elements."""
KEPT = 4096
"""Bytes of elements that stay: shapes and axes, which decide other shapes, are smaller."""
DEEPEST = 90
LARGEST = 1 << 28
"""Bytes of a model without its weights."""


def is_onnx(path: Path) -> bool:
    """Whether a file is a ``ModelProto`` with a graph, as far as its outermost fields tell."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = set()
            for number, kind, *_ in _fields(data, 0, len(data)):
                if MODEL_FIELDS.get(number) != kind:
                    return False
                found.add(number)
            return GRAPH in found
    except (FileError, OSError, ValueError):
        return False


def without_weights(path: Path) -> bytes:
    """The bytes of a model, in which large tensors have no elements.

    Raises:
        FileError: it is damaged, or too large even so.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        pieces = _strip(data, 0, len(data), "model", 0)
        size = sum(map(len, pieces))
        if size > LARGEST:
            raise FileError(f"without weights it has {size:,} bytes; at most {LARGEST:,} are read.")
        return b"".join(pieces)


def _strip(data: Bytes, start: int, end: int, message: str, depth: int) -> list[bytes]:
    """The message without large elements, in pieces; what is small as a whole stays as it is."""
    if depth > DEEPEST:
        raise FileError(f"its graphs stand one inside another, more than {DEEPEST} deep.")
    inside, pieces, kept = MESSAGES[message], [], start
    for number, kind, field, begin, stop in _fields(data, start, end):
        if kind != BYTES or stop - begin <= KEPT:
            continue
        if message == "tensor" and number in DATA:
            pieces.append(data[kept:field])
            kept = stop
        elif number in inside:
            inner = _strip(data, begin, stop, inside[number], depth + 1)
            pieces += [data[kept:field], _number(number << 3 | BYTES), _number(sum(map(len, inner))), *inner]
            kept = stop
    pieces.append(data[kept:end])
    return pieces


def _fields(data: Bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Number and wire type of each field, where it begins, and where its content begins and ends."""
    at = start
    while at < end:
        field = at
        key, at = _varint(data, at, end)
        number, kind = key >> 3, key & 7
        begin = at
        if kind == VARINT:
            _, at = _varint(data, at, end)
        elif kind == BYTES:
            length, begin = _varint(data, at, end)
            at = begin + length
        elif kind in SIZES:
            at += SIZES[kind]
        else:
            raise FileError(f"it is damaged: at byte {field:,} stands a field of the unknown wire type {kind}.")
        if at > end or number == 0:
            raise FileError(f"it is damaged or cut short: the field at byte {field:,} does not fit.")
        yield number, kind, field, begin, at


def _varint(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """A number of up to 64 bits, seven in a byte, the lowest first; and where the next thing begins."""
    number = 0
    for place in range(10):
        if at >= end:
            break
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more bytes follow
            return number, at
    raise FileError(f"it is damaged or cut short: no number ends at byte {at:,}.")


def _number(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - as above
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
