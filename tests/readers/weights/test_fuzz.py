"""Damaged files of every format: a graph that is well formed, or a FileError; nothing else comes out."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from readers.weights.forged import state
from torchatlas.core.check import check
from torchatlas.core.errors import FileError
from torchatlas.readers.weights import read, with_statistics

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 250


def archive(path: Path) -> None:
    """What torch.save writes today."""
    torch.save({"epoch": 3, "state_dict": state(), "optimizer": {"state": {0: {"step": 1}}}}, path)


def legacy(path: Path) -> None:
    """What it wrote before; numbers stand for the addresses of storages, so it is always the same."""
    tensors = state()
    most = max(tensor.numel() for tensor in tensors.values())
    storages = sorted((torch.zeros(most).untyped_storage() for _ in tensors), key=lambda storage: str(storage._cdata))
    placed = {
        name: torch.empty(0).set_(storage, 0, tensor.shape).copy_(tensor)
        for storage, (name, tensor) in zip(storages, tensors.items(), strict=True)
    }
    torch.save({"state_dict": placed}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    for number, storage in enumerate(storages):
        key = str(storage._cdata).encode()
        data = data.replace(b"X%c\0\0\0%b" % (len(key), key), b"X\1\0\0\0%d" % number)
    path.write_bytes(data)


def safetensors(path: Path) -> None:
    """The format of Hugging Face."""
    save_file(state(), path, {"format": "pt"})


def index(path: Path) -> None:
    """Two files and what names them."""
    tensors = state()
    names = list(tensors)
    save_file({name: tensors[name] for name in names[:2]}, path.parent / "one.safetensors")
    save_file({name: tensors[name] for name in names[2:]}, path.parent / "two.safetensors")
    where = {name: "one.safetensors" if name in names[:2] else "two.safetensors" for name in names}
    path.write_text(json.dumps({"metadata": {}, "weight_map": where}))


def whole(path: Path) -> None:
    """A model that was pickled whole, with its classes and settings."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    torch.save({"model": model, "epoch": 3}, path)


FORMATS = {"archive": archive, "whole": whole, "legacy": legacy, "safetensors": safetensors, "index": index}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Cut short, with bytes changed, left out, put twice, or moved from elsewhere."""
    kind = chance.choice(("cut", "flip", "flip", "flip", "drop", "double", "splice", "zero"))
    one, other = sorted((chance.randrange(len(data)), chance.randrange(len(data))))
    if kind == "cut":
        return data[:one]
    if kind == "flip":
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 4, 40))):
            changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(changed)
    piece = min(other, one + chance.choice((1, 8, 64)))
    replaced = {"drop": b"", "double": data[one:piece] * 2, "zero": bytes(piece - one)}
    return data[:one] + replaced.get(kind, data[other : other + 64]) + data[piece:]


@pytest.mark.parametrize("name", FORMATS)
def test_only_file_errors_come_out(name, tmp_path):
    """Read or refused, with the file's name in the message; statistics of what was read likewise."""
    path = tmp_path / "weights.index.json"
    FORMATS[name](path)
    whole, chance, refused = path.read_bytes(), random.Random(name), []  # noqa: S311 - no secret
    assert len(read(path).values) == len(state())
    for _ in range(ROUNDS):
        path.write_bytes(damaged(whole, chance))
        try:
            graph = read(path)
            check(graph)
            with_statistics(path, graph)
        except FileError as error:
            refused.append(str(error))
    assert len(refused) > ROUNDS / 5
    assert all(str(path.parent) in message for message in refused)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_anywhere_is_refused(name, tmp_path):
    """A download that broke off never passes for a whole one."""
    path = tmp_path / "weights.index.json"
    FORMATS[name](path)
    whole = path.read_bytes()
    for end in {*range(0, len(whole) - 1, max(1, len(whole) // 60)), len(whole) - 1}:
        path.write_bytes(whole[:end])
        with pytest.raises(FileError):
            read(path)
