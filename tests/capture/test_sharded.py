"""DTensor: placements, local and global shapes, numbers per rank and in all; each capture in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("torch.distributed.tensor")

START = """
import warnings
warnings.simplefilter("ignore")
import torch
from torch import nn
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_module, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.testing._internal.distributed.fake_pg import FakeStore
import torchatlas as ta
from torchatlas.core.cost import total
from torchatlas.core.memory import memory

dist.init_process_group("fake", rank=0, world_size=4, store=FakeStore())

def two_layers(mesh):
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8)).eval()
    return parallelize_module(model, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
"""


def run(code):
    """What a fresh interpreter prints; a failed assertion in it fails here."""
    done = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("level", ["op", "aten"])
def test_the_first_capture_equals_the_second(level):
    """DTensor learns shapes on fake tensors when it meets an operation first: that is no part of the run."""
    run(f"""
        from dataclasses import replace
        model, x = two_layers(init_device_mesh("cpu", (4,))), torch.randn(4, 64)
        first, second = (ta.capture(model, x, level={level!r}).graph for _ in range(2))
        assert [call.name for call in first.calls] == [call.name for call in second.calls]
        assert [replace(call, source=None) for call in first.calls] == [
            replace(call, source=None) for call in second.calls
        ]
        assert [value.shape for value in first.values] == [value.shape for value in second.values]
        assert first.notes == second.notes
        # This rank's part: (4, 64) by (64, 8), and (4, 8) by (8, 8).
        assert total(first).flops == total(second).flops == 2 * 4 * 64 * 8 + 2 * 4 * 8 * 8
        assert total(first).exact
    """)


def test_parameters_count_per_rank_and_in_all():
    """Rows of the first layer and columns of the second lie on four ranks, the second's bias on each of them."""
    out = run("""
        atlas = ta.capture(two_layers(init_device_mesh("cpu", (4,))), torch.randn(4, 64))
        values = {name: value for value in atlas.graph.values for name in value.names}
        for name, placement, shape, local in (
            ("0.weight", "Shard(0)", (32, 64), (8, 64)),
            ("0.bias", "Shard(0)", (32,), (8,)),
            ("2.weight", "Shard(1)", (8, 32), (8, 8)),
            ("2.bias", "Replicate", (8,), (8,)),
        ):
            value = values[name]
            assert (value.placements, value.mesh, value.shape) == ((placement,), (4,), shape)
            assert [inner.shape for inner in value.inner] == [local]
        assert total(atlas.graph).parameters == 64 * 32 + 32 + 32 * 8 + 8
        assert total(atlas.graph).parameter_bytes == 4 * (64 * 32 + 32 + 32 * 8 + 8)
        assert memory(atlas.graph).parameters == 4 * (64 * 8 + 8 + 8 * 8 + 8)
        assert memory(atlas.graph).inputs == 4 * 4 * 64
        print(atlas.summary())
    """)
    assert "[32, 64] Shard(0), here [8, 64] +1" in out
    assert "parameters      2,344" in out
    assert "per rank          592  of the parameters; 2.37 kB of weights" in out
    assert "sharded over 4 ranks" in out


def test_a_mesh_of_two_dimensions_and_parts_of_unequal_size():
    """10 rows on 4 ranks are 3, 3, 3 and 1; on a mesh of 2 x 2 each dimension has its placement."""
    run("""
        uneven = nn.Linear(6, 10)
        mesh = init_device_mesh("cpu", (4,))
        uneven.weight = nn.Parameter(distribute_tensor(uneven.weight.data, mesh, [Shard(0)]))
        (weight,) = [value for value in ta.capture(uneven).graph.values if "weight" in value.names]
        assert (weight.shape, weight.inner[0].shape, weight.numel, weight.local_numel) == ((10, 6), (3, 6), 60, 18)
        square = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "model"))
        both = nn.Linear(6, 10)
        both.weight = nn.Parameter(distribute_tensor(both.weight.data, square, [Replicate(), Shard(1)]))
        (weight,) = [value for value in ta.capture(both).graph.values if "weight" in value.names]
        assert (weight.placements, weight.mesh) == (("Replicate", "Shard(1)"), (2, 2))
        assert weight.inner[0].shape == (10, 3)
    """)


def test_fully_sharded_modules_are_captured():
    """FSDP2 gathers the weights around each call: the module's own are those of this rank afterwards as before."""
    run("""
        from dataclasses import replace
        from torch.distributed.fsdp import fully_shard
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)).eval()
        fully_shard(model, mesh=init_device_mesh("cpu", (4,)))
        first, second = (ta.capture(model, torch.randn(2, 8)).graph for _ in range(2))
        made = total(first).activation_bytes  # the first run makes buffers
        assert total(first) == replace(total(second), activation_bytes=made)
        assert all(type(weight).__name__ == "DTensor" for weight in model.parameters())
        assert model(torch.randn(2, 8)).shape == (2, 4)
        assert total(first).parameters == 8 * 8 + 8 + 8 * 4 + 4
        assert all(first.values[number].placements == ("Shard(0)",) for number in range(4))
        assert total(first).flops == 2 * 2 * (8 * 8 + 8 * 4)
    """)
