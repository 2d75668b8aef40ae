"""A folder as one model: which of the kinds of folders it is, and what it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.readers.weights import deepspeed, distributed, sharded, single
from torchatlas.readers.weights.choice import refuse_key

if TYPE_CHECKING:
    from torchatlas.readers.weights.folder import Folder
    from torchatlas.readers.weights.stored import Checkpoint

USUAL = ("model", "pytorch_model", "diffusion_pytorch_model", "adapter_model", "open_clip_pytorch_model", "weights")
"""Names, without their ending, under which libraries keep the weights of a model."""


def fits(folder: Folder) -> bool:
    """Whether a folder holds weights."""
    if distributed.fits(folder) or deepspeed.fits(folder):
        return True
    return any(name.endswith((sharded.SUFFIX, *sharded.SUFFIXES)) for name in folder.top())


def load(folder: Folder, key: str | None, *, numbers: bool) -> Checkpoint:
    """Give the tensors of a folder as one model.

    Raises:
        FileError: it holds none, several models, or files that are damaged.
        InputError: there is no such key.
    """
    if distributed.fits(folder):
        return distributed.load(folder, key, numbers=numbers)
    if deepspeed.fits(folder):
        return deepspeed.load(folder, key)
    return _files(folder, key)


def _files(folder: Folder, key: str | None) -> Checkpoint:
    """The weights that stand in a folder itself."""
    top = folder.top()
    found = [name for name in top if name.endswith(sharded.SUFFIX)]
    found = found or [name for name in top if name.endswith(sharded.SUFFIXES) and name.rpartition(".")[0] in USUAL]
    if not found and (shards := sharded.numbered(top)):
        refuse_key(folder.named, key)
        if (made := sharded.together(shards)) is not None:
            return made
    single_ones = [name for name in top if name.endswith(sharded.SUFFIXES)]
    # The same weights often stand there in two formats; the one that holds no program comes first.
    names = sorted(found or single_ones, key=lambda name: ("safetensors" not in name, name))
    if not names:
        endings = ", ".join(sharded.SUFFIXES)
        raise FileError(
            f"{folder.named}: a folder without weights; wanted one that holds *{sharded.SUFFIX} or {endings}."
        )
    safe = [name for name in names if "safetensors" in name]
    if len(safe or names) > 1 and not found:
        raise FileError(
            f"{folder.named}: a folder with several files of weights ({sharded.some(safe or names)}). Name the one that"
            " is meant."
        )
    (name, *_) = names
    if name.endswith(sharded.SUFFIX):
        refuse_key(folder.named, key)
        return replace(sharded.indexed(top[name], top), file=name)
    return replace(single.load(top[name], key), file=name)
