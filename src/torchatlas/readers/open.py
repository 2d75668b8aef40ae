"""What kind of file it is, told from its content; and the reader for that kind."""

from __future__ import annotations

import os
import zlib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError, InputError
from torchatlas.core.gc_paused import collection_paused
from torchatlas.files import codec, graph_json
from torchatlas.files.filename import filename
from torchatlas.files.sniff import ENOUGH, looks_like, looks_like_folder, members_look_like
from torchatlas.readers.archive import STARTS, Archive
from torchatlas.readers.kinds import program_of
from torchatlas.readers.package import is_package
from torchatlas.readers.wire import is_onnx

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.core.graph import Graph
    from torchatlas.readers.weights.checkpoint import Checkpoint

WANTED = (
    "Wanted: a file of torchatlas (.atlas, .json), ONNX (.onnx), torch.export (.pt2), TorchScript (torch.jit.save), or"
    " weights (.safetensors, or .pt, .pth, .bin, .ckpt from torch.save)."
)
WEIGHTS, INSIDE = "torchatlas.readers.weights", "torchatlas.readers.inside"
BLANK = b"\xef\xbb\xbf \t\r\n"
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
            reader = _reader(Path(path))
            module = getattr(reader, "__module__", "")
            if module not in (WEIGHTS, INSIDE):
                _refuse(name, key)
                return reader(Path(path)), None
            found: tuple[Graph, Checkpoint | None] = import_module(module).opened(Path(path), _text(key))
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
            f"{name}: a key chooses among the weights in a file (.pth, .ckpt, …), and this one holds a graph. Open it"
            " without a key."
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
            f"{os.fspath(path)}: statistics are of the numbers in a file of weights (.pth, .safetensors, …), and this"
            " one holds a graph. Open it without them."
        )
    module = getattr(_reader(Path(path)), "__module__", WEIGHTS)
    found: Graph = import_module(module).with_statistics(Path(path), graph, key)
    return found


def _reader(path: Path) -> Callable[[Path], Graph]:
    """The reader for the kind of file that a path leads to."""
    head = _head(path)
    if head is None:
        return _folder(path)
    if head.startswith(codec.MAGIC):
        return codec.read
    if head.startswith(STARTS):
        return _archive(path, head)
    return _of(INSIDE) if is_package(head) else _bare(path, head)


def _bare(path: Path, head: bytes) -> Callable[[Path], Graph]:
    """The reader for a file that is no archive."""
    if _is_weights(path, head, ()):
        return _of(WEIGHTS)
    if head.lstrip(BLANK).startswith(b"{"):
        return graph_json.read
    if is_onnx(path):
        return _of("torchatlas.readers.onnx")
    raise FileError(f"{path} is of a kind that torchatlas does not read: it looks like {looks_like(head)}. {WANTED}")


def _head(path: Path) -> bytes | None:
    """The first bytes of a file; None for a folder."""
    try:
        if path.is_fifo():  # to open it would wait for somebody who writes
            raise FileError(f"{path} is a pipe; what comes out of it must stand in a file first. {WANTED}")
        with path.open("rb") as file:
            head = file.read(ENOUGH)
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist. {WANTED}") from error
    except IsADirectoryError:
        return None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}. {WANTED}") from error
    if not head:
        raise FileError(f"{path} is empty. {WANTED}")
    return head


def _archive(path: Path, head: bytes) -> Callable[[Path], Graph]:
    with Archive(path) as archive:
        members = tuple(archive.members)
        full = tuple(info.filename for info in archive.members.values())
    program = program_of(members)
    if program is not None:
        return _of(program)
    if _is_weights(path, head, full):
        return _of(WEIGHTS)
    if import_module(INSIDE).handles(full):
        return _of(INSIDE)
    raise FileError(f"{path} is {members_look_like(members)}, which torchatlas does not read. {WANTED}")


def _folder(path: Path) -> Callable[[Path], Graph]:
    if _is_weights(path, b"", ()):
        program: Path | None = import_module(INSIDE).program_below(path)
        return _of(WEIGHTS) if program is None else lambda _: _reader(program)(program)
    inside = sorted(entry.name for entry in path.iterdir())[:1000]
    models = [entry for entry in inside if entry.endswith((".onnx", ".pt2", ".atlas"))]
    hint = f" It holds {', '.join(models[:3])}: give that." if models else ""
    raise FileError(f"{path} is {looks_like_folder(inside)}.{hint} {WANTED}")


def _is_weights(path: Path, head: bytes, members: tuple[str, ...]) -> bool:
    return bool(import_module(WEIGHTS).handles(path, head, members))


def _of(module: str) -> Callable[[Path], Graph]:
    found: Callable[[Path], Graph] = import_module(module).read
    return found
