"""The bytes of a tensor as numbers, also those of dtypes that NumPy does not have."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

NUMPY = {
    "float64": "f8", "float32": "f4", "float16": "f2", "int64": "i8", "int32": "i4", "int16": "i2", "int8": "i1",
    "uint64": "u8", "uint32": "u4", "uint16": "u2", "uint8": "u1", "bool": "u1",
}  # fmt: skip
SMALL: dict[str, tuple[int, int, str]] = {
    "float8_e4m3fn": (4, 7, "all ones"),
    "float8_e5m2": (5, 15, "as IEEE"),
    "float8_e4m3fnuz": (4, 8, "minus zero"),
    "float8_e5m2fnuz": (5, 16, "minus zero"),
}
"""Bits and bias of the exponent, and which codes are no numbers.

Source: https://arxiv.org/abs/2209.05433 (FP8 formats), https://github.com/openxla/stablehlo/blob/main/rfcs/20230321-fp8_fnuz.md
"""


def is_known(dtype: str) -> bool:
    """Whether the numbers of a dtype can be read."""
    return dtype in NUMPY or dtype in SMALL or dtype in ("bfloat16", "float8_e8m0fnu")


def as_floats(data: bytes, dtype: str, *, big: bool = False) -> Any:
    """Give an array, float64 (n,), of the numbers in so many bytes."""
    import numpy as np  # noqa: PLC0415 - only where data is read

    order = ">" if big else "<"
    with np.errstate(invalid="ignore"):  # it warns of signaling NaNs
        if dtype in NUMPY:
            return np.frombuffer(data, order + NUMPY[dtype]).astype(np.float64)
        if dtype == "bfloat16":
            wide = np.frombuffer(data, f"{order}u2").astype(np.uint32) << 16
            return wide.view(np.float32).astype(np.float64)
    return np.array(_codes(dtype))[np.frombuffer(data, np.uint8)]


@cache
def _codes(dtype: str) -> tuple[float, ...]:
    """What each of the 256 bytes stands for."""
    if dtype == "float8_e8m0fnu":
        return (*(math.ldexp(1, code - 127) for code in range(255)), math.nan)
    return tuple(map(_number(*SMALL[dtype]), range(256)))


def _number(exponent: int, bias: int, special: str) -> Callable[[int], float]:
    fraction = 7 - exponent

    def number(code: int) -> float:
        sign = -1 if code & 0x80 else 1
        power, rest = code >> fraction & (1 << exponent) - 1, code & (1 << fraction) - 1
        if special == "minus zero" and code == 0x80:  # noqa: PLR2004 - the sign alone
            return math.nan
        if special == "all ones" and code & 0x7F == 0x7F:  # noqa: PLR2004 - every bit but the sign
            return math.nan
        if special == "as IEEE" and power == (1 << exponent) - 1:
            return math.nan if rest else sign * math.inf
        if power == 0:
            return sign * math.ldexp(rest, 1 - bias - fraction)
        return sign * math.ldexp((1 << fraction) + rest, power - bias - fraction)

    return number
