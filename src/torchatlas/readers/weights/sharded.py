"""Weights in several files: an index that says which tensor is in which (``*.index.json``), or the folder with it.

Source: https://huggingface.co/docs/transformers/big_models (sharded checkpoints).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torchatlas.readers.weights.stored import Checkpoint, Stored

SUFFIX = ".index.json"
KEY = "weight_map"
LARGEST = 1 << 27
"""Bytes of an index that are read; a million names take less."""
NAMED = 3
WEIGHTS = (".safetensors", ".bin", ".pth", ".pt", ".ckpt")
USUAL = ("model", "pytorch_model", "diffusion_pytorch_model", "adapter_model", "open_clip_pytorch_model", "weights")


def file_in(folder: Path) -> Path:
    """Give the index or the weights that a folder is about.

    Raises:
        FileError: it holds none, or several that may be meant.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    indexes = [path for path in files if path.name.endswith(SUFFIX)]
    single = [path for path in files if path.suffix in WEIGHTS]
    usual = [path for path in single if path.stem in USUAL]
    # The same weights often stand there in two formats; the one that holds no program comes first.
    found = sorted(indexes or usual or single, key=lambda path: ("safetensors" not in path.name, path.name))
    if not found:
        raise FileError(f"{folder}: a folder without weights; wanted one that holds *{SUFFIX} or {', '.join(WEIGHTS)}.")
    safe = [path for path in found if "safetensors" in path.name]
    if len(safe or found) > 1 and not usual:
        names = ", ".join(path.name for path in (safe or found)[:NAMED])
        raise FileError(f"{folder}: a folder with several files of weights ({names}, …). Name the one that is meant.")
    return found[0]


def load(path: Path, checkpoint: Callable[[Path], Checkpoint]) -> tuple[dict[str, Stored], list[str]]:
    """Give the tensors that an index names, from the headers of their files, and what must be said of them.

    Raises:
        FileError: the index is damaged, or none of its files is there.
    """
    where = _index(path)
    there: dict[str, Checkpoint] = {}
    missing: list[str] = []
    notes: list[str] = []
    for name in dict.fromkeys(where.values()):
        shard = path.parent / name
        if shard.is_file():
            there[name] = checkpoint(shard)
            notes += there[name].notes
        else:
            missing.append(name)
    if not there:
        raise FileError(f"{path}: none of the {len(missing)} files that it names is beside it ({missing[0]!r}, …).")
    found = {
        name: there[file].tensors[name] for name, file in where.items() if file in there and name in there[file].tensors
    }
    absent = [name for name, file in where.items() if name not in found]
    unnamed = [name for shard in there.values() for name in shard.tensors if name not in where]
    if missing:
        notes.append(
            f"{len(missing)} of {len(missing) + len(there)} files are missing ({_some(missing)}), and with them"
            f" {len(absent):,} of {len(where):,} tensors."
        )
    elif absent:
        notes.append(f"{len(absent):,} tensors of the index are in none of its files ({_some(absent)}).")
    if unnamed:
        notes.append(f"{len(unnamed):,} tensors of its files are not in the index and not shown ({_some(unnamed)}).")
    return found, list(dict.fromkeys(notes))


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def _index(path: Path) -> dict[str, str]:
    """File names by tensor name; files stand beside the index and nowhere else."""
    if path.stat().st_size > LARGEST:
        raise FileError(f"{path}: an index of {path.stat().st_size:,} bytes; at most {LARGEST:,} are read.")
    try:
        parsed = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: the index of sharded weights was wanted, in JSON; {error}.") from None
    where = parsed.get(KEY) if isinstance(parsed, dict) else None
    if not isinstance(where, dict) or not where or not all(isinstance(name, str) for name in where.values()):
        raise FileError(f"{path}: wanted an index of sharded weights, whose {KEY!r} maps tensors to files.")
    for name in where.values():
        if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise FileError(f"{path}: it names the file {name[:80]!r}; wanted files that stand beside it.")
    return where
