"""Statistics of the tensors of a file are those that torch computes of the loaded tensors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

import torchatlas as ta
from readers.weights.forged import saved
from torchatlas.core.check import check
from torchatlas.core.errors import FileError
from torchatlas.readers.weights import checkpoint, read, with_statistics
from torchatlas.readers.weights.numbers import as_floats
from torchatlas.readers.weights.statistics import PIECE, measure

if TYPE_CHECKING:
    from pathlib import Path

EIGHT = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")


def tensors() -> dict[str, torch.Tensor]:
    """Of many dtypes and layouts."""
    torch.manual_seed(0)
    base = torch.randn(40, 60)
    return {
        "large.weight": torch.randn(PIECE // 4 + 1000) * 3 + 1,
        "half.weight": torch.randn(50, 3).half(),
        "brain.weight": torch.randn(50, 3).bfloat16(),
        "double.weight": torch.randn(7).double(),
        "whole.weight": torch.arange(-5, 6),
        "flags.weight": torch.tensor([True, False, True]),
        "part.weight": base[3:9],
        "turned.weight": base.t(),
        "zeros.weight": torch.zeros(9),
        "broken.weight": torch.tensor([1.0, math.nan, math.inf, 3.0]),
        "empty.weight": torch.ones(0, 3),
    }


def expected(tensor: torch.Tensor) -> tuple[float, ...]:
    """Count, mean, std, smallest, largest and zeros of what is finite."""
    numbers = tensor.double().flatten()
    finite = numbers[numbers.isfinite()]
    if not len(finite):
        return (len(numbers), 0, 0, math.inf, -math.inf, 0)
    spread = finite.std(correction=0).item()
    low, high = finite.min().item(), finite.max().item()
    return (len(numbers), finite.mean().item(), spread, low, high, int((finite == 0).sum()))


@pytest.mark.parametrize("kind", ["pth", "legacy", "safetensors"])
def test_statistics_are_those_of_torch(kind, tmp_path):
    """Of every dtype and layout, in every format; NaN and infinite numbers are counted apart."""
    path = tmp_path / "a.bin"
    if kind == "safetensors":
        save_file({name: tensor.contiguous() for name, tensor in tensors().items()}, path)
    else:
        saved(path, tensors(), _use_new_zipfile_serialization=kind == "pth")
    found = measure(checkpoint(path).tensors)
    for name, tensor in tensors().items():
        each = found[name]
        told = (each.count, each.mean, each.std, each.low, each.high, each.zeros)
        assert told == pytest.approx(expected(tensor), rel=1e-9, abs=1e-12), name
    assert found["broken.weight"].finite == 2


@pytest.mark.parametrize("dtype", [*EIGHT, "bfloat16", "float16"])
def test_every_code_of_a_small_dtype_is_read(dtype):
    """All bytes, or all pairs of bytes, are the numbers that torch has for them."""
    wide = dtype not in EIGHT
    codes = torch.arange(65536, dtype=torch.int32).to(torch.uint16) if wide else torch.arange(256, dtype=torch.uint8)
    real = codes.view(getattr(torch, dtype)).double()
    read_as = torch.from_numpy(as_floats(codes.numpy().tobytes(), dtype))
    assert torch.equal(read_as.nan_to_num(nan=7.5e77), real.nan_to_num(nan=7.5e77))


def test_they_are_overlays_of_the_modules(tmp_path):
    """Mean, std, min, max and zeros of each module's own parameters; what is not finite is a note."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    with torch.no_grad():
        model[0].bias[1] = math.nan
    path = saved(tmp_path / "a.pth", model.state_dict())
    graph = with_statistics(path, read(path))
    check(graph)
    assert [overlay.name for overlay in graph.overlays] == ["mean", "std", "min", "max", "zeros"]
    own = torch.cat([parameter.detach().flatten() for parameter in model[0].parameters()])
    assert dict(graph.overlays[0].paths)["0"] == pytest.approx(own[own.isfinite()].mean().item(), rel=1e-6)
    assert dict(graph.overlays[4].paths)["1"] == 50
    assert any("1 tensors contain NaN or infinite numbers: 0.bias" in note.text for note in graph.notes)


def test_they_are_given_each_time_they_are_asked_for(tmp_path):
    """Reading the numbers of one file leaves the way to those of the next."""
    path = saved(tmp_path / "a.pth", {"fc.weight": torch.ones(2, 3)})
    first, second = (ta.open(path, statistics=True).graph.overlays for _ in range(2))
    assert first == second != ()


def test_numbers_near_the_largest_have_statistics(tmp_path):
    """Their squares are beyond what a float can be: the extremes are right, and nothing is NaN."""
    state = {
        "a.weight": torch.full((9,), 1.5e308, dtype=torch.float64),
        "a.bias": torch.full((9,), -1.7e308, dtype=torch.float64),
    }
    path = saved(tmp_path / "a.pth", state)
    graph = with_statistics(path, read(path))
    check(graph)
    assert [dict(overlay.paths)["a"] for overlay in graph.overlays[2:4]] == [-1.7e308, 1.5e308]


def test_damaged_data_is_refused(tmp_path):
    """An archive checks its members when they are read."""
    path = saved(tmp_path / "a.pth", {"w": torch.full((1000,), 1.5)})
    whole = bytearray(path.read_bytes())
    whole[whole.index(torch.full((4,), 1.5).numpy().tobytes()) + 2000] ^= 1
    path.write_bytes(whole)
    with pytest.raises(FileError, match="CRC"):
        with_statistics(path, read(path))


def test_data_that_is_not_alone_is_said(tmp_path):
    """Every second column of a storage, sparse and meta tensors: left out, with a note."""
    spaced = torch.ones(4, 6)[:, ::2]
    path: Path = saved(tmp_path / "a.pth", {"a": spaced, "b": torch.eye(2).to_sparse(), "c": torch.ones(2)})
    graph = with_statistics(path, read(path))
    assert any("2 tensors have no statistics" in note.text for note in graph.notes)
