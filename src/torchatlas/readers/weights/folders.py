"""A folder as one model: which of the kinds of folders it is, and what it holds."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.readers.weights import deepspeed, distributed, pipeline, sharded, single
from torchatlas.readers.weights.choice import refuse_key
from torchatlas.readers.weights.loadable import below
from torchatlas.readers.weights.parts import is_training

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchatlas.readers.weights.checkpoint import Checkpoint
    from torchatlas.readers.weights.folder import Folder

USUAL = (
    "model", "pytorch_model", "diffusion_pytorch_model", "adapter_model", "open_clip_pytorch_model", "weights",
    "model_weights", "policy",
)  # fmt: skip
"""Names, without their endings, under which libraries keep the weights of a model."""
BESIDE = ("training_args", "trainer_state", "random_states", "pytorch_variables")
"""Beginnings of the names of what trainings keep beside the weights, in files that end as those do."""
RANK = re.compile(r"(?i)(mp_rank|tp_rank|rank|model_parallel_rank)[-_]?\d+(_\d+)*")
"""A folder for each process of a training."""


def fits(names: Iterable[str]) -> bool:
    """Whether weights are among the files of a folder, in it or in folders of it."""
    return any(name.endswith((sharded.SUFFIX, distributed.METADATA, *sharded.SUFFIXES)) for name in names)


def load(folder: Folder, key: str | None, *, numbers: bool) -> Checkpoint:
    """Give the tensors of a folder as one model; of one file or folder in it, where the key is the name of that.

    Raises:
        FileError: it holds none, several models, or files that are damaged.
        InputError: there is no such key.
    """
    if key is not None and key in folder.files:
        return replace(single.load(folder.files[key]), file=key)
    if key is not None and fits(folder.below(key).files):
        part = load(folder.below(key), None, numbers=numbers)
        return replace(part, file=f"{key}/{part.file}" if part.file else "", reads=below(part.reads, key, part.file))
    return _whole(folder, key, numbers=numbers)


def _whole(folder: Folder, key: str | None, *, numbers: bool) -> Checkpoint:
    """All of a folder, of which ``key`` is no part by its name."""
    if distributed.fits(folder):
        return distributed.load(folder, key, numbers=numbers)
    if pipeline.fits(folder):
        return pipeline.load(folder, key, lambda part: fits(part.files), lambda part: load(part, None, numbers=numbers))
    if deepspeed.has_states(folder):
        return deepspeed.load(folder, key)
    if any(name.endswith((sharded.SUFFIX, *sharded.SUFFIXES)) for name in folder.top()):
        return _files(folder, key)
    if deepspeed.fits(folder):
        return deepspeed.load(folder, key)
    return _inside(folder, key, numbers=numbers)


def file_of(folder: Folder) -> str:
    """The one file that a folder is about, by its name; empty where several files, or none, make a model."""
    if distributed.fits(folder) or pipeline.fits(folder) or deepspeed.has_states(folder):
        return ""
    names, usual = _candidates(folder)
    if names:
        alone = usual or len(names) == 1
        return names[0] if alone and not names[0].endswith(sharded.SUFFIX) else ""
    holding = [] if deepspeed.fits(folder) else _holding(folder)
    inside = file_of(folder.below(holding[0])) if len(holding) == 1 else ""
    return f"{holding[0]}/{inside}" if inside else ""


def _candidates(folder: Folder) -> tuple[list[str], bool]:
    """Indexes and files of weights in a folder itself, the best first; and whether their names are usual ones.

    The same weights often stand there in two formats: the one that holds no program comes first.
    """
    top = folder.top()
    weights = [name for name in top if name.endswith(sharded.SUFFIXES)]
    weights = [name for name in weights if not is_training(name) and not name.startswith(BESIDE)] or weights
    usual = [name for name in top if name.endswith(sharded.SUFFIX)] or [
        name for name in weights if name.partition(".")[0] in USUAL
    ]
    return sorted(usual or weights, key=lambda name: ("safetensors" not in name, name.count("."), name)), bool(usual)


def _files(folder: Folder, key: str | None) -> Checkpoint:
    """The weights that stand in a folder itself."""
    names, usual = _candidates(folder)
    if not usual and (shards := sharded.numbered(folder.top())):
        refuse_key(folder.named, key)
        if (made := sharded.together({name: folder.files[name] for name in shards})) is not None:
            return made
    safe = [name for name in names if "safetensors" in name]
    if len(safe or names) > 1 and not usual:
        raise FileError(
            f"{folder.named}: a folder with several files of weights ({sharded.some(safe or names)}). Open the one that"
            f" is meant, as with key={folder.inside + (safe or names)[0]!r}."
        )
    (name, *others) = names
    if name.endswith(sharded.SUFFIX):
        refuse_key(folder.named, key)
        return replace(sharded.indexed(folder.files[name], folder.files.get), file=name)
    found = single.load(folder.files[name], key)
    beside = (f"Shown is {name}; other files beside it were not read: {sharded.some(others)}.",) if others else ()
    return replace(found, file=name, notes=(*found.notes, *beside))


def _holding(folder: Folder) -> list[str]:
    """The folders in a folder that hold weights, those of optimizers only where there are no others."""
    holding = [name for name in folder.folders() if fits(folder.below(name).files)]
    return [name for name in holding if not is_training(name)] or holding


def _inside(folder: Folder, key: str | None, *, numbers: bool) -> Checkpoint:
    """The weights of a folder in the folder."""
    holding = _holding(folder)
    if not holding:
        endings = ", ".join(sharded.SUFFIXES)
        raise FileError(
            f"{folder.named}: a folder without weights; wanted one that holds *{sharded.SUFFIX} or {endings}."
        )
    ranks = len(holding) > 1 and all(RANK.fullmatch(name) for name in holding)
    if len(holding) > 1 and not ranks:
        names = sharded.some(holding)
        raise FileError(
            f"{folder.named}: a folder with weights in several folders ({names}). Open one of them, as with"
            f" key={folder.inside + holding[0]!r}."
        )
    found = load(folder.below(holding[0]), key, numbers=numbers)
    note = f"The weights are those of the folder {holding[0]}."
    if ranks:
        note = (
            f"The {len(holding):,} folders, one for each process, each hold a slice of the tensors; shapes and"
            f" numbers are those of {holding[0]} alone."
        )
    file = f"{holding[0]}/{found.file}" if found.file else ""
    reads = below(found.reads, holding[0], found.file)
    return replace(found, file=file, notes=(*found.notes, note), reads=reads)
