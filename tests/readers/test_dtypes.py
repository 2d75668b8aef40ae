"""How many bytes elements take, as torch has it."""

from __future__ import annotations

import pytest
import torch

from torchatlas.readers.dtypes import BITS, nbytes, size_of

KNOWN = sorted(name for name in BITS if isinstance(getattr(torch, name, None), torch.dtype))


@pytest.mark.parametrize("name", KNOWN)
def test_an_element_takes_what_torch_says(name):
    """Of every dtype that the installed torch has."""
    assert size_of(name, 7) == 7 * getattr(torch, name).itemsize


def test_bits_that_fill_no_byte_are_rounded_up():
    """As safetensors packs them."""
    assert size_of("float6_e2m3", 3) == 3
    assert size_of("float4_e2m1", 3) == 2


def test_what_is_not_known_has_no_bytes():
    """A size that varies, or a dtype of another name; a scalar has one element."""
    assert nbytes((2, 3), "float32") == 24
    assert nbytes((), "int64") == 8
    assert nbytes((-1, 3), "float32") is None
    assert nbytes((2, 3), "") is None
