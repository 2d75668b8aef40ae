"""Zip archives, as torch writes them: members by name, with limits on what they unpack to."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.files.sniff import EMPTY_ZIP, ZIP
from torchatlas.readers.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

    from typing_extensions import Self

LARGEST = 1 << 28
"""Bytes of one member that are unpacked at most; the text of a model's graph takes a fraction of it."""
MOST = 1_000_000
"""Members of an archive at most."""
STARTS = (ZIP, EMPTY_ZIP)
ENCRYPTED = 0x1
LOCAL = struct.Struct("<26x2H")
"""The header before a member's data; its last fields are the lengths of the name and of what follows that."""
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    LookupError,
    RuntimeError,
    OverflowError,
    ValueError,
)
"""What the library raises where an archive is broken, encrypted, or packed in a way that it does not know."""


class Archive:
    """An open archive. torch puts all members below one folder, which names leave out here."""

    def __init__(self, path: Path | Source) -> None:
        self._source = Source.of(path)
        self._file = self._source.open()
        try:
            self._zip = zipfile.ZipFile(self._file)
            self.members = _members(path, self._zip.infolist())
        except FileError:
            self._file.close()
            raise
        except DAMAGE as error:
            self._file.close()
            raise FileError(
                f"{path} begins as a zip archive and is damaged or cut short: {error}. Copy it again."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def read(self, name: str, limit: int = LARGEST) -> bytes:
        """The content of a member.

        Raises:
            FileError: it is not there, damaged, or unpacks to more than ``limit`` bytes.
        """
        info = self.members.get(name)
        if info is None:
            raise FileError(f"it holds no {name!r}, which such an archive has.")
        if info.file_size > limit:
            raise FileError(f"its member {name!r} unpacks to {info.file_size:,} bytes; at most {limit:,} are read.")
        with self.opened(info.filename) as member:
            data = member.read(limit + 1)
        if len(data) > limit:
            raise FileError(f"its member {name!r} unpacks to more than the {info.file_size:,} bytes it names.")
        return data

    def part(self, info: zipfile.ZipInfo) -> Source | None:
        """Where the bytes of a member stand, if they are not packed.

        Raises:
            FileError: the archive is damaged there.
        """
        if info.compress_type != zipfile.ZIP_STORED:
            return None
        self._file.seek(info.header_offset)
        header = self._file.read(LOCAL.size)
        if len(header) != LOCAL.size or not header.startswith(STARTS[0]):
            raise FileError(f"its member {info.filename!r} does not begin where the archive says. Copy it again.")
        name, extra = LOCAL.unpack(header)
        start = info.header_offset + LOCAL.size + name + extra
        return self._source.part(start, info.file_size, f"its member {info.filename!r}")

    @contextmanager
    def opened(self, full: str) -> Iterator[IO[bytes]]:
        """A member that is read a piece at a time; ``full`` is its name with the folder that others leave out.

        Raises:
            FileError: it is damaged, there or anywhere in what is read of it.
        """
        try:
            with self._zip.open(full) as member:
                yield member
        except FileError:
            raise
        except (OSError, *DAMAGE) as error:
            raise FileError(f"its member {full!r} is damaged: {error}. Copy it again from where it came.") from error


def _members(path: Path | Source, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The members by name, without the folder that all of them are below."""
    if len(infos) > MOST:
        raise FileError(f"{path} is a zip archive of {len(infos):,} members; at most {MOST:,} are read.")
    locked = [info.filename for info in infos if info.flag_bits & ENCRYPTED]
    if locked:
        raise FileError(f"{path} is encrypted (its member {locked[0]!r} wants a password). Unpack it first.")
    folders = {info.filename.partition("/")[0] for info in infos if "/" in info.filename}
    bare = any("/" not in info.filename for info in infos)
    cut = len(next(iter(folders))) + 1 if len(folders) == 1 and not bare else 0
    return {info.filename[cut:]: info for info in infos}
