"""Bytes to be read, wherever they stand: a file, a part of one, or what a packed member of an archive unpacks to.

An archive inside an archive, a tensor inside a shard, and weights inside a pickle are parts of a file that have a form
of their own. They are read where they stand: nothing of them is copied but what is packed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError

if TYPE_CHECKING:
    from typing import IO, BinaryIO

    from typing_extensions import Buffer


class Unpacked:
    """The bytes that something packed unpacks to: of memory, or of a file without a name; of nobody else."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.file.seek(0, io.SEEK_END)


@dataclass(frozen=True, slots=True)
class Source:
    """Where bytes stand.

    Attributes:
        path: of the file.
        start: the first byte, in the file or in what was unpacked.
        length: how many bytes; None for all that follow.
        inside: what it is in the file, as ``its member 'policy.pth'``; empty for the file itself.
        unpacked: where they stand instead of in the file.
    """

    path: Path
    start: int = 0
    length: int | None = None
    inside: str = ""
    unpacked: Unpacked | None = None

    @classmethod
    def of_bytes(cls, data: bytes, inside: str) -> Source:
        """Give the source of bytes that are in memory already."""
        return cls(Path(inside), inside=inside, unpacked=Unpacked(io.BytesIO(data)))

    @classmethod
    def of(cls, source: Path | Source) -> Source:
        """Give the source of a whole file."""
        return cls(source) if isinstance(source, Path) else source

    def __str__(self) -> str:
        return f"{self.path} ({self.inside})" if self.inside else str(self.path)

    @property
    def is_whole(self) -> bool:
        """Whether it is a file of the disk, from its first byte to its last."""
        return not self.start and self.length is None and self.unpacked is None

    @property
    def size(self) -> int:
        """How many bytes there are."""
        if self.length is not None:
            return self.length
        return (self.unpacked.size if self.unpacked else self.path.stat().st_size) - self.start

    def part(self, start: int, length: int, inside: str) -> Source:
        """Give a part of these bytes.

        Raises:
            FileError: they end before it does.
        """
        if start < 0 or length < 0 or start + length > self.size:
            raise FileError(f"{self} is cut short: {inside} ends at byte {start + length:,} of {self.size:,}.")
        return Source(self.path, self.start + start, length, inside, self.unpacked)

    def open(self) -> BinaryIO:
        """Open them as a file of their own."""
        if self.is_whole:
            return self.path.open("rb")
        file = self.unpacked.file if self.unpacked else self.path.open("rb")
        # It is no raw file to the checker, but has what is asked of one.
        return io.BufferedReader(Window(file, self.start, self.size, ours=self.unpacked is None))


class Window(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: IO[bytes], start: int, size: int, *, ours: bool) -> None:
        self._file, self._start, self._size, self._ours = file, start, size, ours
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Read as much as fits, or as is left."""
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._at))
        self._file.seek(self._start + self._at)
        data = self._file.read(wanted)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a byte of the part."""
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        """Say at which byte of the part it is."""
        return self._at

    def close(self) -> None:
        """Close the file that was opened for it."""
        if self._ours and not self.closed:
            self._file.close()
        super().close()
