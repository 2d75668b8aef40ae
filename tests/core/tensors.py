"""Values of graphs written by hand: float32 tensors that know their bytes."""

from __future__ import annotations

import math

from torchatlas.core.graph import Value


def tensor(id: int, kind: str = "activation", shape: tuple[int, ...] = (2,), **rest: object) -> Value:  # noqa: A002 - as in Value
    """Return a float32 value with the bytes of its shape, unless ``rest`` says otherwise."""
    given = {"names": (), "dtype": "float32", "device": "cpu", "nbytes": 4 * math.prod(shape)} | rest
    return Value(id, kind, shape=shape, **given)
