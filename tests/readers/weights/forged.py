"""Files that nobody in good faith writes."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections import OrderedDict
    from collections.abc import Callable
    from pathlib import Path


class Calls:
    """Pickled, it is a call of any function with any arguments."""

    def __init__(self, called: Callable[..., Any], *args: Any) -> None:
        self.called, self.args = called, args

    def __reduce__(self) -> tuple[Any, ...]:
        """What unpickling it would do."""
        return self.called, self.args


def state() -> OrderedDict[str, torch.Tensor]:
    """Weights of a small model, always the same."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Linear(4, 2)).state_dict()


def archived(path: Path, pickled: bytes, storages: dict[str, bytes] | None = None) -> Path:
    """A zip archive as torch.save writes it, around any pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for key, data in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", "3\n")
    return path


def saved(path: Path, thing: object, **options: Any) -> Path:
    """What torch.save writes."""
    torch.save(thing, path, **options)
    return path


def pickled(thing: object, protocol: int = 2) -> bytes:
    """A plain pickle."""
    file = io.BytesIO()
    pickle.Pickler(file, protocol).dump(thing)
    return file.getvalue()


def attack(marker: Path) -> Calls:
    """A call that leaves a file."""
    return Calls(os.system, f"touch {marker}")
