"""Folders of torch.distributed.checkpoint: one model, whatever it was cut into; and what is missing or damaged."""

from __future__ import annotations

import pickle
import random
import shutil
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)

import torchatlas as ta
from torchatlas.core.check import check
from torchatlas.core.errors import AtlasError, FileError, InputError
from torchatlas.readers.weights import statistics

if TYPE_CHECKING:
    from pathlib import Path


def net() -> nn.Module:
    """A small network with buffers."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 5))


def written(folder: Path, state: dict[str, Any]) -> Path:
    """What one process saves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of there being no other processes
        dcp.save(state, checkpoint_id=folder)
    return folder


def training(folder: Path) -> tuple[Path, nn.Module]:
    """A model, its optimizer, and where it was."""
    model = net()
    optimizer = torch.optim.AdamW(model.parameters())
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optim": optimizer.state_dict(), "epoch": 3, "names": ["a", "b"]}
    return written(folder, state), model


def shapes(graph: Any) -> dict[str, tuple[Any, ...]]:
    """Shape and dtype by name."""
    return {name: (value.shape, f"torch.{value.dtype}") for value in graph.values for name in value.names}


def notes(graph: Any) -> str:
    """All notes in one."""
    return "\n".join(note.text for note in graph.notes)


def test_a_folder_opens_as_the_model_that_was_saved(tmp_path):
    """Names without the key before them, global shapes, dtypes; the optimizer is counted beside it."""
    folder, model = training(tmp_path / "step-100")
    graph = ta.open(folder).graph
    check(graph)
    assert shapes(graph) == {name: (tuple(t.shape), str(t.dtype)) for name, t in model.state_dict().items()}
    assert [module.name for module in graph.modules] == ["Sequential", "Conv2d", "BatchNorm2d", "Linear"]
    assert graph.provenance.weights_format == "a distributed checkpoint"
    assert "18 more tensors under 'optim'" in notes(graph)
    assert ta.open(folder / ".metadata").graph == graph


def test_names_without_a_dictionary_around_them_are_opened(tmp_path):
    """A flat state dict keeps its dots."""
    model = net()
    assert set(shapes(ta.open(written(tmp_path / "flat", model.state_dict())).graph)) == set(model.state_dict())


def test_the_optimizer_is_opened_by_its_key(tmp_path):
    """What is not shown has a name to be asked for; another name lists those that there are."""
    folder, _ = training(tmp_path / "step-100")
    assert len(shapes(ta.open(folder, key="optim").graph)) == 18
    with pytest.raises(InputError, match=r"'model' \(9 tensors\), 'optim' \(18 tensors\)"):
        ta.open(folder, key="modle")


def test_statistics_are_read_from_the_shards(tmp_path):
    """The numbers of the saved tensors, as torch has them."""
    folder, model = training(tmp_path / "step-100")
    graph = ta.open(folder, statistics=True).graph
    mean, std, low, *_ = (dict(overlay.paths) for overlay in graph.overlays)
    numbers = torch.cat([parameter.detach().flatten() for parameter in model[2].parameters()]).double()
    assert mean["2"] == pytest.approx(numbers.mean().item())
    assert std["2"] == pytest.approx(numbers.std(correction=0).item())
    assert low["2"] == numbers.min().item()


def cut(folder: Path, tensors: dict[str, torch.Tensor], pieces: int) -> Path:
    """What so many processes save of sharded tensors: each its rows, one file each."""
    folder.mkdir()
    described, storage = {}, {}
    files = [(folder / f"__{rank}_0.distcp").open("wb") for rank in range(pieces)]
    for name, tensor in tensors.items():
        chunks, row = [], 0
        for rank, piece in enumerate(tensor.chunk(pieces)):
            offsets = torch.Size((row, *(0,) * (tensor.dim() - 1)))
            chunks.append(ChunkStorageMetadata(offsets, piece.shape))
            start = files[rank].tell()
            torch.save(piece.clone(), files[rank])
            info = dcp.filesystem._StorageInfo(f"__{rank}_0.distcp", start, files[rank].tell() - start)
            storage[MetadataIndex(name, offsets, rank)] = info
            row += len(piece)
        described[name] = TensorStorageMetadata(TensorProperties(tensor.dtype), tensor.shape, chunks)
    for file in files:
        file.close()
    paths = {name: ("app", "model", name) for name in tensors}
    (folder / ".metadata").write_bytes(pickle.dumps(Metadata(described, paths, storage)))
    return folder


def test_tensors_in_many_pieces_have_their_global_shapes(tmp_path, monkeypatch):
    """As FSDP saves them: rows of each tensor in the file of each process; statistics join the pieces, few at once."""
    monkeypatch.setattr(statistics, "MOST_OPEN", 2)
    tensors = {"fc.weight": torch.randn(10, 6), "fc.bias": torch.randn(10).bfloat16()}
    folder = cut(tmp_path / "fsdp", tensors, 4)
    graph = ta.open(folder, statistics=True).graph
    assert shapes(graph) == {"fc.weight": ((10, 6), "torch.float32"), "fc.bias": ((10,), "torch.bfloat16")}
    assert graph.provenance.state_dict == "['app']['model']"
    numbers = torch.cat([tensor.double().flatten() for tensor in tensors.values()])
    assert dict(graph.overlays[0].paths)["fc"] == pytest.approx(numbers.mean().item())
    (folder / "__3_0.distcp").unlink()
    graph = ta.open(folder, statistics=True).graph
    assert "1 of 4 shards are missing (__3_0.distcp)" in notes(graph)
    assert "2 tensors have no statistics" in notes(graph)


def test_one_shard_says_what_it_is(tmp_path):
    """A piece of tensors without names, whatever it is called; the folder is to be opened."""
    folder, _ = training(tmp_path / "step-100")
    shard = folder / "__0_0.distcp"
    with pytest.raises(FileError, match=r"one shard of a distributed checkpoint.*Open the folder: .*step-100"):
        ta.open(shard)
    alone = shutil.copy(shard, tmp_path / "model.pt")
    with pytest.raises(FileError, match=r"several files of torch\.save, one after the other"):
        ta.open(alone)
    with pytest.raises(FileError, match=r"Open the folder with the \.metadata"):
        ta.open(shutil.copy(shard, tmp_path / "__0_0.distcp"))


def test_metadata_of_something_else_is_refused(tmp_path):
    """A pickle that only has the name."""
    (tmp_path / ".metadata").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(FileError, match="wanted the metadata of a distributed checkpoint"):
        ta.open(tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_metadata_gives_our_error_or_a_graph(seed, tmp_path):
    """Bytes flipped, cut out and spliced."""
    folder, _ = training(tmp_path / "step")
    rng = random.Random(seed)  # noqa: S311 - to damage a file with
    data = bytearray((folder / ".metadata").read_bytes())
    for _ in range(3):
        at = rng.randrange(len(data))
        if rng.random() < 0.5:
            data[at] ^= 1 << rng.randrange(8)
        else:
            del data[at : at + rng.randrange(1, 40)]
    (folder / ".metadata").write_bytes(bytes(data))
    try:
        check(ta.open(folder, statistics=True).graph)
    except AtlasError as error:
        assert str(folder) in str(error)  # noqa: PT017 - whatever it says, it names the folder
