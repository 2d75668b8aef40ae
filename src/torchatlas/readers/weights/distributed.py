"""Folders of ``torch.distributed.checkpoint``: one model in the shards of many processes, described by ``.metadata``.

``.metadata`` is a pickle that has shape and dtype of every tensor as a whole, the chunks that it was cut into, and in
which file each of them stands; ``__0_0.distcp`` and the like are chunks, one after the other, each a file of
``torch.save``. Names and shapes come from ``.metadata`` alone; shards are opened only where their numbers are wanted.

Source: ``torch/distributed/checkpoint`` (``metadata.py``, ``filesystem.py``, ``_nested_dict.py``).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import FileError
from torchatlas.files.load_recipe import Read
from torchatlas.readers.dtypes import size_of
from torchatlas.readers.pickled import Damaged, Foreign, Mapping
from torchatlas.readers.unpickler import Bounded, Machine
from torchatlas.readers.weights import archive
from torchatlas.readers.weights.choice import choose
from torchatlas.readers.weights.rebuilt import call, dtype_of, sizes, word
from torchatlas.readers.weights.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.readers.source import Source
    from torchatlas.readers.weights.checkpoint import Checkpoint
    from torchatlas.readers.weights.folder import Folder

METADATA = ".metadata"
SHARD = ".distcp"
MODULE = "torch.distributed.checkpoint."
FORMAT = "a distributed checkpoint"
DEEPEST = 32
"""Dictionaries inside dictionaries that a name is spread over."""
NAMED = 3


def fits(folder: Folder) -> bool:
    """Whether a folder is such a checkpoint."""
    return METADATA in folder.files


def load(folder: Folder, key: str | None, *, numbers: bool) -> Checkpoint:
    """Give the tensors of a folder.

    Args:
        folder: with ``.metadata`` and shards.
        key: of the dictionary that is meant.
        numbers: whether the shards are opened, so that statistics can be read.

    Raises:
        FileError: ``.metadata`` is damaged or another file.
        Damaged: the same.
    """
    metadata = _metadata(folder.files[METADATA])
    described = _mapping(metadata.get("state_dict_metadata"))
    paths = _mapping(metadata.get("planner_data"))
    where = _storage(_mapping(metadata.get("storage_data")))
    tensors = {name: made for name, entry in described.items() if (made := _tensor(name, entry)) is not None}
    if numbers:
        tensors = {name: _with_numbers(folder, name, made, where.get(name, ())) for name, made in tensors.items()}
    found = choose(folder.named, _nested(tensors, paths), FORMAT, key)
    notes = (*_missing(folder, where), *_incomplete(described, tensors))
    reads = (Read("distributed", json.dumps(list(map(str, found.inside)))),)
    return replace(found, flat=False, ordered=False, file="", notes=(*found.notes, *notes), reads=reads)


def refuse_shard(source: Source) -> None:
    """Say of one shard what it is, and what is to be opened.

    Raises:
        FileError: the file is a shard.
    """
    if source.path.name.endswith(SHARD) and not source.inside:
        folder = source.path.parent
        there = (folder / METADATA).is_file()
        hint = f"Open the folder: {folder}." if there else f"Open the folder with the {METADATA} that belongs to it."
        raise FileError(
            f"{source} is one shard of a distributed checkpoint: pieces of tensors without their names, which stand in"
            f" {METADATA} beside it. {hint}"
        )


def _metadata(source: Source) -> Mapping:
    with source.open() as file:
        found = Machine(Bounded(file), call, lambda key: key).run()
    if isinstance(found, Foreign) and isinstance(found.state, Mapping) and str(found.made_by).startswith(MODULE):
        return found.state
    raise FileError(f"{source}: wanted the metadata of a distributed checkpoint; it holds {word(found)}.")


def _mapping(given: object) -> Mapping:
    return given if isinstance(given, Mapping) else Mapping()


def _state(given: object) -> Mapping:
    return _mapping(given.state if isinstance(given, Foreign) else None)


def _tensor(name: object, entry: object) -> Stored | None:
    """The whole tensor; None for an entry of plain bytes, as numbers and settings are kept."""
    state = _state(entry)
    if not isinstance(name, str) or "size" not in state:
        return None
    shape = sizes(state["size"])
    dtype, trained = _properties(state.get("properties"))
    made = Stored(shape, dtype, requires_grad=trained)
    return replace(made, nbytes=size_of(dtype, made.numel))


def _properties(given: object) -> tuple[str, bool]:
    """The dtype, and whether it requires a gradient: pickled as a tuple, in old versions as attributes."""
    state = given.state if isinstance(given, Foreign) else None
    if isinstance(state, tuple) and len(state) > 2:  # noqa: PLR2004 - dtype, layout, requires_grad
        return dtype_of(state[0]), state[2] is True
    if isinstance(state, Mapping) and "dtype" in state:
        return dtype_of(state["dtype"]), state.get("requires_grad") is True
    raise Damaged("a tensor has no dtype")


def _storage(given: Mapping) -> dict[str, list[tuple[object, str, int, int]]]:
    """For each name, its chunks: offsets in the tensor, file, first byte, length."""
    found: dict[str, list[tuple[object, str, int, int]]] = {}
    for index, info in given.items():
        at, place = _state(index), _state(info)
        name, file, start, length = at.get("fqn"), *(place.get(each) for each in ("relative_path", "offset", "length"))
        if isinstance(name, str) and isinstance(file, str) and type(start) is int and type(length) is int:
            packed = bool(place.get("transform_descriptors"))
            found.setdefault(name, []).append((at.get("offset"), file, start, -1 if packed else length))
    return found


def _with_numbers(folder: Folder, name: str, made: Stored, chunks: Any) -> Stored:
    """The tensor with its chunks, where they can be read and make it whole."""
    parts = []
    for _, file, start, length in chunks:
        source = folder.files.get(file)
        if source is None or length < 0:
            return made
        chunk = archive.load(source.part(start, length, f"a piece of {name}"))
        if isinstance(chunk, Stored):
            parts.append(chunk)
    whole = sum(part.numel for part in parts) == made.numel and all(part.dtype == made.dtype for part in parts)
    return replace(made, parts=tuple(parts)) if whole else made


def _nested(tensors: dict[str, Stored], paths: Mapping) -> Mapping:
    """The dictionaries that were saved, of names that join their keys."""
    root = Mapping()
    for name, made in tensors.items():
        path = paths.get(name)
        keys = path if isinstance(path, tuple) and 0 < len(path) <= DEEPEST else (name,)
        if not all(isinstance(key, (str, int)) for key in keys):
            keys = (name,)
        at = root
        for key in keys[:-1]:
            inner = at.setdefault(key, Mapping())
            at = inner if isinstance(inner, Mapping) else root
        at[keys[-1] if keys[-1] not in at else name] = made
    return root


def _missing(folder: Folder, where: dict[str, list[tuple[object, str, int, int]]]) -> Iterator[str]:
    files = Counter(file for chunks in where.values() for _, file, _, _ in chunks)
    absent = sorted(file for file in files if file not in folder.files)
    if absent:
        some = ", ".join(absent[:NAMED]) + (", …" if len(absent) > NAMED else "")
        yield f"{len(absent):,} of {len(files):,} shards are missing ({some}), but names and shapes are complete."


def _incomplete(described: Mapping, tensors: dict[str, Stored]) -> Iterator[str]:
    cut = [name for name, made in tensors.items() if _covered(described[name]) < made.numel]
    if cut:
        yield f"{len(cut):,} tensors have fewer elements saved than their shapes have ({', '.join(cut[:NAMED])})."


def _covered(entry: object) -> int:
    chunks = _state(entry).get("chunks")
    each = [sizes(_state(chunk).get("sizes")) for chunk in chunks] if isinstance(chunks, list) else []
    return sum(map(prod, each))
