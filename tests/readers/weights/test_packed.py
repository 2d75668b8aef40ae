"""Packed weights in files: elements, bytes and dtype as stored, the original shape beside them."""

from __future__ import annotations

import torch

import torchatlas as ta
from capture.test_stored import grouped
from torchatlas.core.cost import total


def test_a_subclass_in_a_file_counts_the_tensors_inside(tmp_path):
    """1,024 bytes and 64 scales of 2 bytes stand for (32, 64), as in the model itself."""
    torch.save(grouped().state_dict(), tmp_path / "m.pth")
    graph = ta.open(tmp_path / "m.pth").graph
    (weight,) = graph.values
    assert (weight.shape, weight.dtype, weight.nbytes) == ((32, 64), "uint8", 1024 + 128)
    assert {(one.name, one.dtype, one.shape) for one in weight.inner} == {
        ("qdata", "uint8", (32, 32)),
        ("scale", "float16", (32, 2)),
    }
    assert (total(graph).parameters, total(graph).parameter_bytes) == (1024 + 64, 1024 + 128)


def test_packed_integers_in_a_file_say_the_shape_of_their_weight(tmp_path):
    """AWQ: eight numbers of 4 bits in each integer, along the outputs."""
    state = {
        "fc.qweight": torch.zeros(256, 8, dtype=torch.int32),
        "fc.qzeros": torch.zeros(2, 8, dtype=torch.int32),
        "fc.scales": torch.zeros(2, 64, dtype=torch.float16),
    }
    torch.save(state, tmp_path / "m.pth")
    atlas = ta.open(tmp_path / "m.pth")
    originals = {value.names[0]: value.original for value in atlas.graph.values}
    assert originals == {"fc.qweight": (64, 256), "fc.qzeros": None, "fc.scales": None}
    assert "[64, 256] as int32 [256, 8]" in str(atlas.summary())
