"""``.safetensors``: the length of a header (8 bytes), the header in JSON, the data.

Source: https://huggingface.co/docs/safetensors (the format), whose rules are held to here.
"""

from __future__ import annotations

import json
from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Any, TypeGuard

from torchatlas.core.errors import FileError
from torchatlas.readers.dtypes import size_of
from torchatlas.readers.weights.stored import ByteRange, Stored, contiguous

if TYPE_CHECKING:
    from torchatlas.readers.source import Source

LENGTH = 8
LARGEST = 100_000_000
"""Bytes of a header, as the format allows."""
METADATA = "__metadata__"
LARGEST_SIZE = 1 << 62
MOST_DIMENSIONS = 64

DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F6_E2M3": "float6_e2m3",
    "F6_E3M2": "float6_e3m2",
    "F4": "float4_e2m1",
}
"""torch's name of each of the format's dtypes."""


def load(path: Source) -> tuple[dict[str, Stored], dict[str, str]]:
    """Give the tensors by name, in the order of their data, and the metadata.

    Raises:
        FileError: cut short, damaged, or none of the format.
    """
    size = path.size
    with path.open() as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        if not 2 <= length <= LARGEST or LENGTH + length > size:  # noqa: PLR2004 - the shortest JSON object
            raise FileError(
                f"{path}: damaged or cut short: a header of {length:,} bytes in a file of {size:,}; a .safetensors"
                f" file holds it whole, of at most {LARGEST:,}. Copy it again from where it came."
            )
        header = _parse(path, file.read(length))
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise _damaged(path, f"{METADATA} does not map names to text")
    start = LENGTH + length
    found = {name: _tensor(path, name, entry, start) for name, entry in header.items()}
    _check_layout(path, found, start, size)
    return dict(sorted(found.items(), key=lambda item: _start(item[1]))), metadata


def _damaged(path: Source, what: str) -> FileError:
    return FileError(f"{path}: a .safetensors file that is damaged: {what}. Copy it again from where it came.")


def _parse(path: Source, header: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
            raise _damaged(path, f"the name {twice[:80]!r} stands twice in one object of its header")
        return found

    try:
        parsed = json.loads(header, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: the header of a .safetensors file was wanted, in JSON; {error}.") from None
    if not isinstance(parsed, dict):
        raise _damaged(path, "its header is no JSON object")
    return parsed


def _tensor(path: Source, name: str, entry: object, start: int) -> Stored:
    told: dict[str, Any] = entry if isinstance(entry, dict) else {}
    kind, shape, ends = (told.get(word) for word in ("dtype", "shape", "data_offsets"))
    dtype = DTYPES.get(kind) if isinstance(kind, str) else None
    if dtype is None:
        raise _damaged(path, f"{name[:80]!r} has the dtype {str(kind)[:20]!r}, of which nothing is known")
    if not _numbers(shape) or not _numbers(ends) or len(ends) != 2:  # noqa: PLR2004 - begin and end
        raise _damaged(path, f"{name[:80]!r} has no shape and data_offsets of whole numbers")
    begin, end = ends
    if prod(shape) > LARGEST_SIZE or size_of(dtype, prod(shape)) != end - begin:
        raise _damaged(path, f"{name[:80]!r} is {dtype} {shape[:8]} and has {end - begin:,} bytes")
    place = ByteRange(path, start + begin, end - begin)
    return Stored(
        tuple(shape), dtype, "cpu", end - begin, (path, begin, end), stride=contiguous(tuple(shape)), place=place
    )


def _numbers(given: Any) -> TypeGuard[list[int]]:
    if not isinstance(given, list) or len(given) > MOST_DIMENSIONS:
        return False
    return all(type(number) is int and 0 <= number < LARGEST_SIZE for number in given)


def _start(stored: Stored) -> int:
    return stored.place.start if stored.place else 0


def _check_layout(path: Source, found: dict[str, Stored], start: int, size: int) -> None:
    """The data of the tensors fills the file, without holes and without sharing."""
    end = start
    for name, stored in sorted(found.items(), key=lambda item: (_start(item[1]), item[1].nbytes or 0)):
        if _start(stored) != end:
            raise _damaged(path, f"the data of {name[:80]!r} begins at {_start(stored):,} where {end:,} was wanted")
        end += stored.nbytes or 0
    if end > size:
        raise FileError(f"{path}: cut short: its tensors end at byte {end:,}, the file at {size:,}. Copy it again.")
    if end < size:
        raise _damaged(path, f"{size - end:,} bytes follow the data of its tensors")
