"""Weights in several files: by an index that says which tensor is in which (``*.index.json``), or by their numbers.

Source: https://huggingface.co/docs/transformers/big_models (sharded checkpoints).
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.readers.registry import WEIGHTS
from torchatlas.readers.weights import single
from torchatlas.readers.weights.checkpoint import Checkpoint
from torchatlas.readers.weights.loadable import below
from torchatlas.readers.weights.tables import NAMES, names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torchatlas.readers.source import Source

SUFFIX = ".index.json"
KEY = "weight_map"
LARGEST = 1 << 27
"""Bytes of an index that are read; a million names take less."""
NAMED = 3
SUFFIXES = WEIGHTS.suffixes
OF = re.compile(r"(?P<stem>.+?)[-_.]?(?P<number>\d{1,6})[-_]of[-_](?P<of>\d{1,6})")
"""``model-00001-of-00003``, without the ending."""
NUMBER = re.compile(r"\d+")
LAYER = re.compile(r"(?i)(^|[^a-z])(layers?|blocks?|stages?|h)[-_.]?\d")
"""A file for each layer; the names in it are those of one layer."""


def indexed(index: Source, find: Callable[[str], Source | None]) -> Checkpoint:
    """Give the tensors that an index names, from the headers of their files.

    Args:
        index: the ``*.index.json``.
        find: gives a file beside it by its name; None where there is none.

    Raises:
        FileError: the index is damaged, or none of its files is there.
    """
    where = _index(index)
    files = {name: find(name) for name in dict.fromkeys(where.values())}
    there = {name: single.load(source) for name, source in files.items() if source is not None}
    missing = [name for name in files if name not in there]
    if not there:
        raise FileError(f"{index}: none of the {len(missing)} files that it names is beside it ({missing[0]!r}, …).")
    notes = [note for shard in there.values() for note in shard.notes]
    found = {
        name: there[file].tensors[name] for name, file in where.items() if file in there and name in there[file].tensors
    }
    absent = [name for name, file in where.items() if name not in found]
    unnamed = [name for shard in there.values() for name in shard.tensors if name not in where]
    if missing:
        notes.append(
            f"{len(missing)} of {len(missing) + len(there)} files are missing ({some(missing)}), and with them"
            f" {len(absent):,} of {len(where):,} tensors."
        )
    elif absent:
        notes.append(f"{len(absent):,} tensors of the index are in none of its files ({some(absent)}).")
    if unnamed:
        notes.append(f"{len(unnamed):,} tensors of its files are not in the index and not shown ({some(unnamed)}).")
    reads = tuple(read for file, shard in there.items() for read in below(shard.reads, "", file))
    return Checkpoint(
        found,
        "an index of sharded weights",
        ordered=False,
        notes=tuple(dict.fromkeys(notes)),
        reads=reads,
        metadata=_metadata(there.values()),
    )


def _metadata(shards: Iterable[Checkpoint]) -> dict[str, str]:
    """What all of them say beside their tensors; of lists of names, all that they name."""
    found: dict[str, str] = {}
    names: list[str] = []
    for shard in shards:
        found |= shard.metadata
        names += names_in(shard.metadata)
    return found | ({NAMES: json.dumps(names)} if names else {})


def numbered(top: Iterable[str]) -> list[str]:
    """The files of one model among those of a folder, by the numbers in their names; empty where it has no such.

    Safetensors come before others of the same weights.
    """
    families: dict[tuple[str, str, str], list[str]] = {}
    for name in top:
        stem, dot, suffix = name.rpartition(".")
        if f"{dot}{suffix}" not in SUFFIXES or not NUMBER.search(stem):
            continue
        match = OF.fullmatch(stem)
        family = (match["stem"], match["of"]) if match else (NUMBER.sub("#", stem), "")
        families.setdefault((f"{dot}{suffix}", *family), []).append(name)
    counted = [(SUFFIXES.index(key[0]), -len(files), files) for key, files in families.items() if key[2]]
    others = [files for key, files in families.items() if len(files) > 1 and not key[2]]
    if counted:
        return min(counted, key=lambda entry: entry[:2])[2]
    return others[0] if len(others) == 1 else []


def together(shards: Mapping[str, Source]) -> Checkpoint | None:
    """Give the tensors of files that have no index, where they are one model; None where each is a whole one.

    Raises:
        FileError: one of them cannot be read.
    """
    in_order = sorted(shards, key=lambda name: [int(each) for each in NUMBER.findall(name)])
    read = {name: single.load(shards[name]) for name in in_order}
    names = [name for shard in read.values() for name in shard.tensors]
    notes = [note for shard in read.values() for note in shard.notes]
    first, *others = read.values()
    form = f"{len(read):,} files of weights"
    reads = tuple(each for file, shard in read.items() for each in below(shard.reads, "", file))
    if len(set(names)) == len(names):
        found = {name: stored for shard in read.values() for name, stored in shard.tensors.items()}
        notes = [*_absent(in_order), *notes]
        return Checkpoint(
            found,
            form,
            inside=first.inside,
            flat=_are_flat(read),
            notes=tuple(dict.fromkeys(notes)),
            ordered=False,
            reads=reads,
            metadata=_metadata(read.values()),
        )
    if all(LAYER.search(name) for name in in_order):
        found = {
            f"{_scope(file)}.{name}": stored for file, shard in read.items() for name, stored in shard.tensors.items()
        }
        note = f"{len(read):,} files of one layer each are shown as one, with file names before tensor names."
        scoped = tuple(each._replace(prefix=f"{_scope(each.file)}.{each.prefix}") for each in reads)
        notes = [note, *dict.fromkeys(notes)]
        return Checkpoint(found, form, flat=False, notes=tuple(notes), ordered=False, reads=scoped)
    if _are_ranks(in_order) and all(set(other.tensors) == set(first.tensors) for other in others):
        return _parallel(read)
    return None


def one_of(file: str) -> tuple[str, ...]:
    """What to say of a file that is one of several by its name."""
    match = OF.fullmatch(file.rpartition(".")[0])
    if match is None or int(match["of"]) < 2:  # noqa: PLR2004 - several
        return ()
    return (
        f"By its name, this is one of {int(match['of']):,} files of a model. Open the folder or the index to see all.",
    )


def _parallel(read: Mapping[str, Checkpoint]) -> Checkpoint:
    """One of several shards of tensor parallelism, with a note on what it is."""
    (file, first), *_ = read.items()
    total = sum(stored.numel for shard in read.values() for stored in shard.tensors.values())
    own = sum(stored.numel for stored in first.tensors.values())
    note = (
        f"The {len(read):,} shards of tensor parallelism each hold a slice of the same tensors, and the files do not"
        f" say along which axis they were cut. Shapes and numbers are those of one shard, {file}, with {own:,} of"
        f" {total:,} elements; small tensors, such as those of norms, may be whole in each shard."
    )
    return replace(first, format="one shard of several", file=file, notes=(note, *first.notes))


def _are_ranks(files: Iterable[str]) -> bool:
    """Whether the names say that each is what one process had."""
    return all(re.match(r"(?i)(consolidated\.\d+|.*(rank|tp|mp|model_parallel)[-_.]?\d+)", file) for file in files)


def _are_flat(read: Mapping[str, Checkpoint]) -> bool:
    return all(shard.flat and not shard.inside for shard in read.values())


def _scope(file: str) -> str:
    return file.rpartition(".")[0].replace(".", "_")


def _absent(files: list[str]) -> list[str]:
    """What the numbers say is missing."""
    found = [match for file in files if (match := OF.fullmatch(file.rpartition(".")[0]))]
    if not found:
        return []
    of = int(found[0]["of"])
    numbers = {int(match["number"]) for match in found}
    lacking = of - len(numbers)
    if lacking <= 0:
        return []
    start = 0 if 0 in numbers else 1
    absent = [str(number) for number in range(start, min(of + start, 10_000)) if number not in numbers]
    return [f"{lacking:,} of {of:,} files are missing (number {some(absent)}), and their tensors with them."]


def some(names: list[str]) -> str:
    """The first of them."""
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def _index(path: Source) -> dict[str, str]:
    """File names by tensor name; files stand beside the index and nowhere else."""
    if path.size > LARGEST:
        raise FileError(f"{path}: an index of {path.size:,} bytes; at most {LARGEST:,} are read.")
    try:
        with path.open() as file:
            parsed = json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: the index of sharded weights was wanted, in JSON; {error}.") from None
    where = parsed.get(KEY) if isinstance(parsed, dict) else None
    if not isinstance(where, dict) or not where or not all(isinstance(name, str) for name in where.values()):
        raise FileError(f"{path}: wanted an index of sharded weights, whose {KEY!r} maps tensors to files.")
    for name in where.values():
        if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise FileError(f"{path}: it names the file {name[:80]!r}; wanted files that stand beside it.")
    return where
