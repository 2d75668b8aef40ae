"""Files are written whole or not at all: the old file stays until all bytes of the new one are on the disk.

The usual three steps: write a temporary file in the same folder, ``fsync`` it, rename it over the target (POSIX says
that ``rename`` is atomic, https://pubs.opengroup.org/onlinepubs/9699919799/functions/rename.html). For ``net.atlas``:

    net.atlas (old)                                  before, and after every failure
    net.atlas (old)   .atlas-1f0c….part (new)        while the bytes are written
    net.atlas (new)                                  after the rename
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.files.filename import filename
from torchatlas.files.overwriting import check_overwriting

if TYPE_CHECKING:
    from collections.abc import Iterator


def write(path: str | os.PathLike[str], data: bytes, *, graph: bool = False) -> Path:
    """Write a file. A link stays a link; the new file takes the permissions of the old one.

    Args:
        path: where to write.
        data: the content.
        graph: whether the content is a graph in JSON, which may replace another graph.

    Returns:
        The path as it was given.

    Raises:
        FileError: it cannot be written, or it would replace a file of another kind. The old file is left unchanged.
        InputError: the path is not a path.
    """
    target = Path(os.path.realpath(filename(path)))
    check_overwriting(Path(path), graph=graph)
    with _refusing(path, f"The {len(data):,} bytes need a place"):
        if target.exists() and not target.is_file():
            target.write_bytes(data)  # a pipe or a device, which nothing may replace; a folder, which refuses
        else:
            made = _unused(target)
            try:
                with made.open("xb") as file:
                    file.write(data)
                _settle(made, target)
            except BaseException:
                with suppress(OSError):
                    made.unlink()
                raise
    return Path(path)


@contextmanager
def beside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path of the same name in a new folder beside it, for a library that writes the files itself.

    On leaving, all files of that folder are moved beside the path, the one named as the path last. After an exception
    none is moved.

    Raises:
        FileError: they cannot be written, or they would replace a file of another kind. The old file is left unchanged.
    """
    target = Path(os.path.realpath(filename(path)))
    check_overwriting(Path(path))
    with _refusing(path, "It needs a place"):
        if target.is_dir():
            raise IsADirectoryError(0, "Is a directory")
        folder = _unused(target)
        folder.mkdir()
    try:
        with _refusing(path, "It needs a place"):
            yield folder / target.name
            for made in sorted(folder.iterdir(), key=lambda made: made.name == target.name):
                _settle(made, target.with_name(made.name))
    finally:
        with suppress(OSError):
            for left in folder.iterdir():
                left.unlink()
            folder.rmdir()


def _unused(target: Path) -> Path:
    return target.with_name(f".atlas-{os.urandom(8).hex()}.part")


def _settle(made: Path, target: Path) -> None:
    """Wait until a file is on the disk, then rename it over the target."""
    with made.open("rb+") as file:
        os.fsync(file.fileno())
    if target.exists():
        made.chmod(target.stat().st_mode)
    made.replace(target)


@contextmanager
def _refusing(path: str | os.PathLike[str], needs: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(
            f"{os.fspath(path)} cannot be written: {error.strerror or error}. {needs} in a folder that exists, is"
            " writable, and has room. An old file is left unchanged."
        ) from error
