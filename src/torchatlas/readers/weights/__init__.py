"""Weights alone: ``.pth``, ``.pt``, ``.bin``, ``.ckpt``, ``.safetensors``, and indexes of several of them -> Graph.

What is trusted: nothing. The data of the tensors is not read, only what describes it: the header of a
``.safetensors`` file, the pickle of a file of torch. That pickle is read by a machine that calls nothing (`pickled`);
what it names is neither imported nor looked up. A file whose pickle calls what can do harm is refused, and so is a
pickled model, which cannot be shown without running its code.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.core.foreign import ENOUGH, looks_like
from torchatlas.readers.pickled import Damaged
from torchatlas.readers.weights import archive, legacy, safetensors, sharded
from torchatlas.readers.weights.choice import choose
from torchatlas.readers.weights.stored import Checkpoint
from torchatlas.readers.weights.structure import graph_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torchatlas.core.graph import Graph

PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
TAR = slice(257, 262)
WANTED = "Wanted weights: what torch.save writes of a state_dict, .safetensors, or an index of several files."


def handles(path: Path, head: bytes, members: tuple[str, ...] = ()) -> bool:
    """Whether a file, or folder, is one of weights.

    Args:
        path: where it is.
        head: its first bytes, `core.foreign.ENOUGH` of them or as many as there are.
        members: the names in it, if it is a zip archive.
    """
    if members:
        pickled = archive.pickle_member(members)
        around = (pickled or "").removesuffix(archive.PICKLE)
        return pickled is not None and f"{around}constants.pkl" not in members
    if path.is_dir():
        return any(file.name.endswith((sharded.SUFFIX, *sharded.WEIGHTS)) for file in path.iterdir())
    return kind_of(path, head) is not None


def kind_of(path: Path, head: bytes) -> str | None:
    """What kind of file of weights begins so, by the name of its part of this package; None for another file."""
    if head.startswith(b"PK\x03\x04"):
        return "archive"
    if head.startswith(PICKLES):
        return "legacy"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= safetensors.LARGEST:
        return "safetensors"
    if head.lstrip()[:1] == b"{" and (path.name.endswith(sharded.SUFFIX) or b'"weight_map"' in head):
        return "sharded"
    return None


def read(path: Path) -> Graph:
    """Give the modules that a file of weights speaks of, with what each most likely is, and its tensors; no calls.

    Args:
        path: a file, an index of several, or a folder that holds one of these.

    Raises:
        FileError: missing, damaged, encrypted, foreign, harmful, or not weights alone; the message says which.
    """
    return graph_of(checkpoint(path), path)


def with_statistics(path: Path, graph: Graph) -> Graph:
    """Give the graph of a file of weights with overlays of mean, std, min, max and zeros: this reads all the data.

    Args:
        path: of the file.
        graph: what `read` gave of it.

    Raises:
        FileError: as `read`; the data is damaged or cut short.
    """
    from torchatlas.readers.weights import statistics  # noqa: PLC0415 - only where data is read

    with _named(path):
        return statistics.with_statistics(graph, checkpoint(path).tensors)


def checkpoint(path: Path) -> Checkpoint:
    """Give the tensors of a file by name, as `read` finds them.

    Raises:
        FileError: as `read`.
    """
    with _named(path):
        found = sharded.file_in(path) if path.is_dir() else path
        with found.open("rb") as file:
            head = file.read(ENOUGH)
        return replace(_checkpoint(found, head), file=found.name)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """What goes wrong says in which file."""
    try:
        yield
    except Damaged as error:
        raise FileError(f"{path}: a damaged pickle: {error}. Copy the file again from where it came.") from None
    except FileError as error:
        said = str(error)
        raise FileError(said if said.startswith(str(path)) else f"{path}: {said}") from None
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise FileError(f"{path}: it cannot be read: {error.strerror or error}.") from None


def _checkpoint(path: Path, head: bytes) -> Checkpoint:
    kind = kind_of(path, head)
    if kind == "archive":
        return choose(path, archive.load(path), "a file of torch.save")
    if kind == "legacy":
        return choose(path, *legacy.load(path))
    if kind == "safetensors":
        tensors, metadata = safetensors.load(path)
        return Checkpoint(tensors, "a .safetensors file", ordered=False, notes=_tied_elsewhere(metadata, tensors))
    if kind == "sharded":
        found, notes = sharded.load(path, checkpoint)
        return Checkpoint(found, "an index of sharded weights", ordered=False, notes=tuple(notes))
    if head[TAR] == b"ustar":
        raise FileError(
            f"{path}: a tar archive. If it is one of torch before 0.1.10, load it with torch.load and save it again."
        )
    raise FileError(f"{path}: {looks_like(head) if head else 'an empty file'}. {WANTED}")


def _tied_elsewhere(metadata: dict[str, str], tensors: object) -> tuple[str, ...]:
    """What ``safetensors.torch.save_model`` left out because it is another name of what is there."""
    assert isinstance(tensors, dict)  # noqa: S101 - it is
    tied = [f"{name} is {kept}" for name, kept in metadata.items() if kept in tensors and name not in tensors]
    return (f"left out of the file as other names of what is in it: {', '.join(tied[:5])}.",) if tied else ()
