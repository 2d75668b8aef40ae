"""The shape of a weight that plain tensors pack, from names and shapes alone."""

from __future__ import annotations

import pytest

from torchatlas.core.measure.packing import originals

INT, HALF = "int32", "float16"


@pytest.mark.parametrize(
    ("tensors", "shape"),
    [
        # GPTQ: 4096 inputs and 11008 outputs in 4 bits, groups of 128; with the order of inputs, and without.
        ({"qweight": (512, 11008), "qzeros": (32, 1376), "scales": (32, 11008), "g_idx": (4096,)}, (11008, 4096)),
        ({"qweight": (512, 11008), "qzeros": (32, 1376), "scales": (32, 11008)}, (11008, 4096)),
        # 3 bits: 32 numbers in 3 integers; 8 bits: 4 in each.
        ({"qweight": (384, 64), "qzeros": (32, 6), "scales": (32, 64)}, (64, 4096)),
        ({"qweight": (1024, 64), "qzeros": (32, 16), "scales": (32, 64)}, (64, 4096)),
        # Zeros that are not packed do not tell how many numbers an integer holds; the order of inputs does.
        ({"qweight": (512, 64), "qzeros": (32, 64), "scales": (32, 64), "g_idx": (4096,)}, (64, 4096)),
        # AWQ: along the outputs.
        ({"qweight": (4096, 1376), "qzeros": (32, 1376), "scales": (32, 11008)}, (11008, 4096)),
    ],
)
def test_integers_that_hold_several_numbers(tensors, shape):
    """(out, in), as a Linear would have it."""
    forms = {name: (size, HALF if name == "scales" else INT) for name, size in tensors.items()}
    assert originals(forms) == {"qweight": shape}


def test_blocks_with_two_numbers_in_a_byte():
    """MXFP4 of experts: 32 experts, 2880 inputs in 90 blocks of 16 bytes."""
    forms = {"down_proj_blocks": ((32, 2880, 90, 16), "uint8"), "down_proj_scales": ((32, 2880, 90), "uint8")}
    assert originals(forms) == {"down_proj_blocks": (32, 2880, 2880)}
    assert originals({"weight_packed": ((64, 128), "uint8")}) == {"weight_packed": (64, 256)}


@pytest.mark.parametrize(
    "tensors",
    [
        {"qweight": ((4, 4), INT)},
        {"qweight": ((4,), INT), "scales": ((1, 4), HALF)},
        {"qweight": ((4, 4), INT), "scales": ((), HALF)},
        {"qweight": ((4, 3), INT), "scales": ((1, 8), HALF), "qzeros": ((1, 2), INT)},
        {"qweight": ((5, 8), INT), "scales": ((1, 8), HALF), "qzeros": ((1, 3), INT)},
        {"qweight": ((512, 64), INT), "qzeros": ((32, 64), INT), "scales": ((32, 64), HALF)},
        {"x_blocks": ((4, 4), "uint8")},
        {"x_blocks": ((4, 4), "float32"), "x_scales": ((4,), "uint8")},
        {"weight": ((4, 4), "float32")},
        {},
    ],
)
def test_what_does_not_say_it_has_none(tensors):
    """A shape that cannot be told is not made up."""
    assert originals(tensors) == {}
