"""Folders of DeepSpeed: a folder for each step, with a file for each process, slice, layer or expert.

Source: ``deepspeed/runtime/engine.py`` (``_save_checkpoint``), ``deepspeed/runtime/pipe/module.py``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from torchatlas.core.errors import FileError
from torchatlas.readers.weights import single
from torchatlas.readers.weights.checkpoint import Checkpoint
from torchatlas.readers.weights.choice import refuse_key
from torchatlas.readers.weights.loadable import below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.readers.weights.folder import Folder
    from torchatlas.readers.weights.stored import Stored

FORMAT = "a checkpoint of DeepSpeed"
LATEST = "latest"
LONGEST = 256
"""Bytes of the name that ``latest`` holds."""
STATES = re.compile(r"(bf16_)?(zero_pp_rank_(?P<process>\d+)_)?mp_rank_(?P<slice>\d+)_model_states\.pt")
LAYERS = re.compile(r"layer_(?P<layer>\d+)-(model_(?P<slice>\d+)-)?model_states\.pt")
OPTIMIZER = re.compile(r".*_optim_states\.pt")
EXPERTS = re.compile(r".*expert_\d+_mp_rank_\d+_model_states\.pt")
STEP = re.compile(r"(?:.*\D)?(\d+)")


class Files(NamedTuple):
    """The files of one step: of all parameters, of single layers, of experts, of the optimizer."""

    states: list[str]
    layers: list[str]
    experts: list[str]
    optimizer: list[str]


def fits(folder: Folder) -> bool:
    """Whether a folder is such a checkpoint, or holds one for each of several steps."""
    return _step(folder) is not None


def load(folder: Folder, key: str | None) -> Checkpoint:
    """Give the tensors of the newest step in a folder.

    Raises:
        FileError: its files are damaged.
        InputError: there is no such key.
    """
    newest = _step(folder)
    if newest is None:
        raise FileError(f"{folder.named}: a folder without *_model_states.pt, which a checkpoint of DeepSpeed has.")
    name, step = newest
    files = _files(step)
    notes = [f"Shown is the step {name}, one of {len(folder.folders()):,} in the folder."] if name else []
    notes += _notes(files)
    if files.layers:
        refuse_key(folder.named, key)
        return _pipeline(step, files, notes)
    found = single.load(step.files[files.states[0]], key)
    tensors = dict(found.tensors)
    for name in files.experts:
        tensors |= single.load(step.files[name]).tensors
    notes += found.notes
    reads = () if files.experts else below(found.reads, name, files.states[0])
    return replace(found, tensors=tensors, format=FORMAT, file=files.states[0], notes=tuple(notes), reads=reads)


def _step(folder: Folder) -> tuple[str, Folder] | None:
    """The folder of the newest step, with its name where it is inside."""
    if has_states(folder):
        return "", folder
    steps = [name for name in folder.folders() if has_states(folder.below(name))]
    if not steps:
        return None
    latest = _latest(folder)
    last = max(steps, key=lambda name: (int(match[1][:18]) if (match := STEP.fullmatch(name)) else -1, name))
    chosen = latest if latest in steps else last
    return chosen, folder.below(chosen)


def has_states(folder: Folder) -> bool:
    """Whether a folder holds the files of one step itself."""
    files = _files(folder)
    return bool(files.states or files.layers)


def _latest(folder: Folder) -> str:
    source = folder.files.get(LATEST)
    if source is None:
        return ""
    with source.open() as file:
        return file.read(LONGEST).decode(errors="replace").strip()


def _files(folder: Folder) -> Files:
    top = folder.top()
    return Files(
        *(sorted(name for name in top if pattern.fullmatch(name)) for pattern in (STATES, LAYERS, EXPERTS, OPTIMIZER))
    )


def _pipeline(step: Folder, files: Files, notes: list[str]) -> Checkpoint:
    """The layers of a pipeline, each in a file of its own; names begin with its number, as DeepSpeed has them."""
    tensors: dict[str, Stored] = {}
    for name in files.layers:
        match = LAYERS.fullmatch(name)
        if match is not None and int(match["slice"] or 0) == 0:
            own = single.load(step.files[name]).tensors
            tensors |= {f"{int(match['layer'])}.{key}": stored for key, stored in own.items()}
    return Checkpoint(tensors, FORMAT, flat=False, notes=tuple(notes))


def _notes(files: Files) -> Iterator[str]:
    slices = {int(match["slice"] or 0) for name in files.states if (match := STATES.fullmatch(name))}
    slices |= {int(match["slice"] or 0) for name in files.layers if (match := LAYERS.fullmatch(name))}
    if len(slices) > 1:
        yield (
            f"The {len(slices):,} shards of tensor parallelism each hold a slice of the tensors, and the files do"
            " not say along which axis they were cut. Shapes and numbers are those of the first."
        )
    if files.optimizer:
        yield f"{len(files.optimizer):,} files hold the state of the optimizer, which is not shown."
