"""DTensor: placements, local and global shapes, numbers per rank and in all; each capture in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
import torch

ON_CPU = pytest.mark.skipif(not hasattr(torch.cpu.Stream(), "record_event"), reason="fully_shard of a newer torch")

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
from torchatlas.core.measure.cost import total
from torchatlas.core.measure.memory import memory

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


FULLY = """
from dataclasses import replace
from torch.distributed.fsdp import fully_shard

def fully(size, **options):
    mesh = init_device_mesh("cpu", (size,))
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Sequential(nn.Linear(8, 5), nn.LayerNorm(5)))
    fully_shard(model[2], mesh=mesh, **options)
    fully_shard(model, mesh=mesh, **options)
    return model

def same(first, second):
    assert total(first) == total(second)
    assert [replace(call, source=None) for call in first.calls] == [replace(call, source=None) for call in second.calls]
    assert first.values == second.values
    assert first.modules == second.modules
    assert first.notes == second.notes

def is_whole(graph, model):
    everything = sum(weight.numel() for weight in model.parameters())  # a DTensor says its global size
    assert total(graph).parameters == everything == 8 * 8 + 8 + 8 * 5 + 5 + 5 + 5
    assert total(graph).buffers == 0
    origins = origins_of(graph.values)
    weights = [value for value in graph.values if value.kind == "parameter"]
    own = [value for value in weights if origins[value.id] == value.id]
    names = [name for name, _ in model.named_parameters()]
    assert [value.names for value in own] == [(name,) for name in names], "each once"
    assert sum(value.numel for value in own) == everything
    gathered = [value for value in weights if origins[value.id] != value.id]
    assert [value.names for value in gathered] == [(name,) for name in names], "later versions of the same"
    assert not any(value.kind == "constant" and value.requires_grad for value in graph.values)
    return own
"""


@ON_CPU
@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_fully_sharded_modules_are_captured(mode, level):
    """FSDP2 gathers the weights around each call: each counts once, and the module has its own afterwards as before."""
    run(
        FULLY
        + textwrap.dedent(f"""
        from torchatlas.core.measure.aliasing import origins_of
        model = getattr(fully(4), {mode!r})()
        first, second = (ta.capture(model, torch.randn(2, 8), level={level!r}).graph for _ in range(2))
        same(first, second)
        own = is_whole(first, model)
        assert all(value.placements == ("Shard(0)",) and value.mesh == (4,) for value in own)
        assert [value.inner[0].shape for value in own] == [(2, 8), (2,), (2, 8), (2,), (2,), (2,)]
        assert all(type(weight).__name__ == "DTensor" for weight in model.parameters())
        assert model(torch.randn(2, 8)).shape == (2, 5)
        assert total(first).flops == 2 * 2 * (8 * 8 + 8 * 5)
    """)
    )


@ON_CPU
@pytest.mark.parametrize("ran", [False, True], ids=["fresh", "after a run"])
@pytest.mark.parametrize("options", ["", "reshard_after_forward=False"])
def test_one_process_of_its_own_group_is_captured(options, ran):
    """With gloo and one rank, the collectives are real ones."""
    run(
        FULLY
        + textwrap.dedent(f"""
        from torchatlas.core.measure.aliasing import origins_of
        dist.destroy_process_group()
        dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
        model, x = fully(1, {options}), torch.randn(2, 8)
        if {ran}:
            model(x).sum().backward()
        first, second = (ta.capture(model, x).graph for _ in range(2))
        same(first, second)
        assert total(first).parameters == 8 * 8 + 8 + 8 * 5 + 5 + 5 + 5
        if not {ran}:  # after a run, what it gathered may stay so
            is_whole(first, model)
        twice = [model(x) for _ in range(2)]
        assert torch.equal(*twice)
        dist.destroy_process_group()
    """)
    )
