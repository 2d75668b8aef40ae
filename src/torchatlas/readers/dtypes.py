"""How much room the elements of a tensor take, by torch's name of their dtype; for readers, which have no torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BITS: Mapping[str, int] = {
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 64),
    **dict.fromkeys(("float32", "int32", "uint32", "qint32", "complex32"), 32),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16", "bits16"), 16),
    **dict.fromkeys(("int8", "uint8", "bool", "qint8", "quint8", "quint4x2", "quint2x4"), 8),
    **dict.fromkeys(("bits8", "bits1x8", "bits2x4", "bits4x2", "float4_e2m1fn_x2"), 8),
    **dict.fromkeys(("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"), 8),
    **{f"{sign}int{bits}": 8 for sign in ("", "u") for bits in range(1, 8)},  # torch keeps each in a byte
    "complex128": 128,
    "float6_e2m3": 6,
    "float6_e3m2": 6,
    "float4_e2m1": 4,
}
"""Bits of one element, by torch's name of its dtype; the last three are of safetensors alone."""


def size_of(dtype: str, elements: int) -> int | None:
    """Bytes that so many elements take; None for a dtype that is not known."""
    bits = BITS.get(dtype)
    return None if bits is None else (bits * elements + 7) // 8


def nbytes(shape: tuple[int, ...], dtype: str) -> int | None:
    """Bytes of a tensor; None where a size varies or the type is not known."""
    return None if min(shape, default=0) < 0 else size_of(dtype, math.prod(shape))
