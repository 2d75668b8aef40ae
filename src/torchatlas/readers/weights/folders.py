"""A folder as one model: which of the kinds of folders it is, and what it holds."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.readers.weights import deepspeed, distributed, pipeline, sharded, single
from torchatlas.readers.weights.choice import refuse_key
from torchatlas.readers.weights.parts import is_training

if TYPE_CHECKING:
    from torchatlas.readers.weights.folder import Folder
    from torchatlas.readers.weights.stored import Checkpoint

USUAL = (
    "model", "pytorch_model", "diffusion_pytorch_model", "adapter_model", "open_clip_pytorch_model", "weights",
    "model_weights", "policy",
)  # fmt: skip
"""Names, without their endings, under which libraries keep the weights of a model."""
BESIDE = ("training_args", "trainer_state", "random_states", "pytorch_variables")
"""Beginnings of the names of what trainings keep beside the weights, in files that end as those do."""
RANK = re.compile(r"(?i)(mp_rank|tp_rank|rank|model_parallel_rank)[-_]?\d+(_\d+)*")
"""A folder for each process of a training."""


def fits(folder: Folder) -> bool:
    """Whether a folder holds weights, or folders that do."""
    return any(name.endswith((sharded.SUFFIX, distributed.METADATA, *sharded.SUFFIXES)) for name in folder.files)


def load(folder: Folder, key: str | None, *, numbers: bool) -> Checkpoint:
    """Give the tensors of a folder as one model.

    Raises:
        FileError: it holds none, several models, or files that are damaged.
        InputError: there is no such key.
    """
    if distributed.fits(folder):
        return distributed.load(folder, key, numbers=numbers)
    if pipeline.fits(folder):
        return pipeline.load(folder, key, fits, lambda part: load(part, None, numbers=numbers))
    if deepspeed.has_states(folder):
        return deepspeed.load(folder, key)
    if any(name.endswith((sharded.SUFFIX, *sharded.SUFFIXES)) for name in folder.top()):
        return _files(folder, key)
    if deepspeed.fits(folder):
        return deepspeed.load(folder, key)
    return _inside(folder, key, numbers=numbers)


def _files(folder: Folder, key: str | None) -> Checkpoint:
    """The weights that stand in a folder itself."""
    top = folder.top()
    weights = [name for name in top if name.endswith(sharded.SUFFIXES)]
    weights = [name for name in weights if not is_training(name) and not name.startswith(BESIDE)] or weights
    usual = [name for name in top if name.endswith(sharded.SUFFIX)] or [
        name for name in weights if name.partition(".")[0] in USUAL
    ]
    if not usual and (shards := sharded.numbered(top)):
        refuse_key(folder.named, key)
        if (made := sharded.together(shards)) is not None:
            return made
    # The same weights often stand there in two formats; the one that holds no program comes first.
    names = sorted(usual or weights, key=lambda name: ("safetensors" not in name, name.count("."), name))
    safe = [name for name in names if "safetensors" in name]
    if len(safe or names) > 1 and not usual:
        raise FileError(
            f"{folder.named}: a folder with several files of weights ({sharded.some(safe or names)}). Name the one that"
            " is meant."
        )
    (name, *_) = names
    if name.endswith(sharded.SUFFIX):
        refuse_key(folder.named, key)
        return replace(sharded.indexed(top[name], top.get), file=name)
    found = single.load(top[name], key)
    others = [other for other in names if other != name]
    beside = (f"shown is {name}; beside it, not read: {sharded.some(others)}.",) if others else ()
    return replace(found, file=name, notes=(*found.notes, *beside))


def _inside(folder: Folder, key: str | None, *, numbers: bool) -> Checkpoint:
    """The weights of a folder in the folder."""
    holding = [name for name in folder.folders() if fits(folder.below(name))]
    holding = [name for name in holding if not is_training(name)] or holding
    if not holding:
        endings = ", ".join(sharded.SUFFIXES)
        raise FileError(
            f"{folder.named}: a folder without weights; wanted one that holds *{sharded.SUFFIX} or {endings}."
        )
    ranks = len(holding) > 1 and all(RANK.fullmatch(name) for name in holding)
    if len(holding) > 1 and not ranks:
        names = sharded.some(holding)
        raise FileError(f"{folder.named}: a folder with weights in several folders ({names}). Open one of them.")
    found = load(folder.below(holding[0]), key, numbers=numbers)
    note = f"the weights are those of the folder {holding[0]}."
    if ranks:
        note = (
            f"{len(holding):,} folders, one for each process, each with a slice of the tensors: shapes and numbers are"
            f" of {holding[0]} alone."
        )
    file = f"{holding[0]}/{found.file}" if found.file else ""
    return replace(found, file=file, notes=(*found.notes, note))
