"""Folders of a pipeline of diffusers: ``model_index.json`` names the parts, each of which has a folder of its own.

Source: https://huggingface.co/docs/diffusers (pipelines, their folders and ``model_index.json``).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import FileError, InputError
from torchatlas.readers.weights.checkpoint import Checkpoint
from torchatlas.readers.weights.loadable import below

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.readers.weights.folder import Folder
    from torchatlas.readers.weights.stored import Stored

INDEX = "model_index.json"
LARGEST = 1 << 20
"""Bytes of an index that are read."""
CLASS = "_class_name"


def fits(folder: Folder) -> bool:
    """Whether a folder is one of a pipeline."""
    return INDEX in folder.files


def load(
    folder: Folder, key: str | None, has: Callable[[Folder], bool], read: Callable[[Folder], Checkpoint]
) -> Checkpoint:
    """Give the tensors of all parts, each part's name before those of its tensors; of one alone where a key names it.

    Args:
        folder: with ``model_index.json``.
        key: the name of a part.
        has: whether a folder holds weights.
        read: what those of a folder are.

    Raises:
        FileError: the index or a part is damaged, or no part has weights.
        InputError: no part of that name has weights.
    """
    index = _index(folder)
    parts = {name: _class(kind) for name, kind in index.items() if not name.startswith("_") and _class(kind)}
    there = [name for name in parts if has(folder.below(name))]
    if key is not None and key not in there:
        raise InputError(f"key={key!r}: the pipeline {folder.named} has weights in {', '.join(there) or 'no part'}.")
    if not there:
        raise FileError(f"{folder.named}: a pipeline without weights; its parts are {', '.join(parts) or 'none'}.")
    if key is not None:
        part = read(folder.below(key))
        return replace(part, file="", reads=below(part.reads, key, part.file))
    read_parts = {name: read(folder.below(name)) for name in there}
    tensors: dict[str, Stored] = {
        f"{name}.{own}": stored for name, part in read_parts.items() for own, stored in part.tensors.items()
    }
    others = [f"{name} ({kind})" for name, kind in parts.items() if name not in there]
    kind = index.get(CLASS)
    named = f" ({kind[:80]})" if isinstance(kind, str) else ""
    listed = ", ".join(f"{name} ({parts[name]})" for name in there)
    said = f"These are the parts of a pipeline{named}, each a model of its own: {listed}."
    notes = [f"{said} key={there[0]!r} opens one alone."]
    if others:
        notes.append(f"These have no weights: {', '.join(others)}.")
    notes += [f"{name}: {note}" for name, part in read_parts.items() for note in part.notes]
    reads = tuple(read for name, part in read_parts.items() for read in below(part.reads, name, part.file, f"{name}."))
    return Checkpoint(tensors, "a pipeline of diffusers", ordered=False, flat=False, notes=tuple(notes), reads=reads)


def _index(folder: Folder) -> dict[str, Any]:
    source = folder.files[INDEX]
    try:
        with source.open() as file:
            parsed = json.loads(file.read(LARGEST))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{source}: the index of a pipeline was wanted, in JSON; {error}.") from None
    if not isinstance(parsed, dict):
        raise FileError(f"{source}: the index of a pipeline was wanted, an object of JSON.")
    return parsed


def _class(kind: object) -> str:
    """The class of a part, which is named with its library; empty for a setting."""
    pair = isinstance(kind, list) and len(kind) == 2 and all(isinstance(word, str) for word in kind)  # noqa: PLR2004 - library, class
    return kind[1][:80] if pair and isinstance(kind, list) else ""
