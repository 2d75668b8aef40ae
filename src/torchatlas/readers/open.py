"""A file is opened: `registry` tells what kind it is, the reader for that kind reads it, what goes wrong is said."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError, InputError
from torchatlas.core.gc_paused import collection_paused
from torchatlas.files.filename import filename
from torchatlas.files.sniff import ENOUGH, looks_like, looks_like_folder, members_look_like
from torchatlas.readers.registry import ARCHIVE, WEIGHTS, Content, format_of, suffixes, wanted
from torchatlas.readers.source import Source

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph
    from torchatlas.readers.registry import Format
    from torchatlas.readers.weights.checkpoint import Checkpoint

DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What code that follows a file's structure raises where that is broken."""


def read(path: str | os.PathLike[str], key: str | None = None) -> Graph:
    """Read a graph from a file of any kind that is known; its name does not matter, and nothing in it is executed.

    Args:
        path: of the file, or of a folder of weights.
        key: of weights, the keys that lead to the dictionary that is meant, joined by dots.

    Raises:
        FileError: it is missing, damaged, encrypted, or of a kind that is not read; the message says which.
        InputError: there is no such key.
        MissingError: reading this kind needs an optional package; the message names the extra.
    """
    return opened(path, key)[0]


def opened(path: str | os.PathLike[str], key: str | None = None) -> tuple[Graph, Checkpoint | None]:
    """Read a graph, and give the weights that it was made of too; None where the file holds more than weights.

    Raises:
        FileError: as `read`.
        InputError: as `read`.
        MissingError: as `read`.
    """
    name = filename(path)
    try:
        with collection_paused():
            known, file = _recognised(Path(path))
            found: tuple[Graph, Checkpoint | None]
            if known.has_weights:
                found = known.reader().opened(file, _text(key))
            else:
                _refuse(name, key)
                found = known.reader().read(file), None
            return found
    except InputError:
        raise
    except FileError as error:
        if name in str(error):
            raise
        raise FileError(f"{name} cannot be read: {error}") from error
    except DAMAGE as error:
        said = str(error).partition("\n")[0][:300]
        raise FileError(
            f"{name} is damaged, or made by a version that is not known: {type(error).__name__}: {said}."
            " Copy it again from where it came, or export the model again."
        ) from error


def _refuse(name: str, key: object) -> None:
    """Say that a file has no weights to choose among."""
    if _text(key) is not None:
        raise InputError(
            f"{name}: a key chooses among the weights in a file (.pth, .ckpt, …), but this file holds a graph. Open"
            " it without a key."
        )


def _text(key: object) -> str | None:
    if key is not None and (not isinstance(key, str) or not key):
        raise InputError(f"key={key!r:.80}; wanted the keys to a dictionary as text, joined by dots, as 'state.model'.")
    return key


def with_statistics(path: str | os.PathLike[str], graph: Graph, key: str | None = None) -> Graph:
    """Lay over a graph of weights alone what the numbers in their file are like.

    Raises:
        InputError: the graph is of another kind of file.
        FileError: the file is damaged where its numbers stand.
    """
    if graph.provenance.weights_format is None:
        raise InputError(
            f"{os.fspath(path)}: statistics need the numbers in a file of weights (.pth, .safetensors, …), but this"
            " file holds a graph. Open it without statistics."
        )
    known, file = _recognised(Path(path))
    found: Graph = known.reader().with_statistics(file, graph, key)
    return found


def _recognised(path: Path) -> tuple[Format, Path]:
    """The format of what a path leads to, and the file to be read: in a folder of one program, that."""
    head = _head(path)
    if head is None:
        return _in_folder(path)
    content = Content.of(Source(path), path.name, head)
    known = format_of(content)
    if known is not None:
        return known, path
    if content.inner:
        raise FileError(f"{path} is {members_look_like(content.inner)}, which torchatlas does not read. {wanted()}")
    what = looks_like(content.head)
    raise FileError(f"{path} is of a kind that torchatlas does not read: it looks like {what}. {wanted()}")


def _head(path: Path) -> bytes | None:
    """The first bytes of a file; None for a folder."""
    try:
        if path.is_fifo():  # to open it would wait for somebody who writes
            raise FileError(f"{path} is a pipe; what comes out of it must stand in a file first. {wanted()}")
        with path.open("rb") as file:
            head = file.read(ENOUGH)
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist. {wanted()}") from error
    except IsADirectoryError:
        return None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}. {wanted()}") from error
    if not head:
        raise FileError(f"{path} is empty. {wanted()}")
    return head


def _in_folder(path: Path) -> tuple[Format, Path]:
    if WEIGHTS.fits(Content(Source(path), path.name)):
        program: Path | None = ARCHIVE.reader().program_below(path)
        return (WEIGHTS, path) if program is None else _recognised(program)
    inside = sorted(entry.name for entry in path.iterdir())[:1000]
    models = [entry for entry in inside if entry.endswith(suffixes())]
    hint = f" It holds {', '.join(models[:3])}: give that." if models else ""
    raise FileError(f"{path} is {looks_like_folder(inside)}.{hint} {wanted()}")
