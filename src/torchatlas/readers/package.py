"""Archives with a model inside: zip and tar, packed or not, as Stable-Baselines3, TorchServe and NeMo write them.

Members are read where they stand. What is packed is unpacked into memory, or where it is large into a file without a
name, which nobody else can open and which is gone when it is closed; no name that stands in an archive becomes that of
a file. Limits hold for how much is unpacked, in all and for each packed byte.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

from torchatlas.core.errors import FileError
from torchatlas.files.sniff import BZIP2, ENOUGH, GZIP, XZ, is_tar
from torchatlas.readers.archive import STARTS, Archive
from torchatlas.readers.registry import Content, graph_in
from torchatlas.readers.source import Source, Unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {GZIP: gzip.open, BZIP2: bz2.open, XZ: lzma.open}
"""What files that are packed as a whole begin with, and what unpacks them."""
PICKLE = "data.pkl"
"""The member of a zip archive that makes it a file of ``torch.save``."""
IN_MEMORY = 1 << 27
"""Bytes of something unpacked that stay in memory."""
MOST_BYTES = 1 << 35
"""Bytes that are unpacked of one archive at most, in all."""
FREE = 1 << 26
"""Bytes that are unpacked whatever they were packed into."""
RATIO = 200
"""Bytes that one packed byte may unpack to beyond that; weights pack badly, and bombs well."""
PIECE = 1 << 20
MOST = 200_000
"""Members at most."""
DEEPEST = 3
"""Packed files inside each other."""
DAMAGE = (EOFError, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, zlib.error, OSError, ValueError)


class Unpacking:
    """What is unpacked of one archive: how much, and what must be closed.

    Attributes:
        left: how many bytes more are unpacked at most.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.left = MOST_BYTES

    def unpacked(self, packed: IO[bytes], size: int, source: Source, inside: str) -> Source:
        """Give what comes out of a file that unpacks; ``size`` bytes of ``source`` went into it.

        Raises:
            FileError: it is damaged, or unpacks to more than the limits.
        """
        limit = min(self.left, max(FREE, RATIO * size))
        file = self._stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 - it stays open here
        total = 0
        try:
            while piece := packed.read(PIECE):
                total += len(piece)
                if total > limit:
                    raise FileError(
                        f"{source}: {inside or 'it'} unpacks to more than {limit:,} bytes, from {size:,} packed ones."
                        " Unpack it where there is room, and open the result."
                    )
                file.write(piece)
        except DAMAGE as error:
            if isinstance(error, FileError):
                raise
            raise FileError(f"{source}: {inside or 'it'} cannot be unpacked: {error}. Copy it again.") from None
        self.left -= total
        return Source(source.path, inside=inside or source.inside, unpacked=Unpacked(cast("IO[bytes]", file)))


def is_package(head: bytes) -> bool:
    """Whether a file that begins so is a tar archive, or packed as a whole."""
    return is_tar(head) or head.startswith(tuple(PACKED))


@contextmanager
def members(source: Source, head: bytes) -> Iterator[Mapping[str, Source]]:
    """The members of an archive by name, to be read inside the ``with``; one without a name for a file that was packed.

    Raises:
        FileError: it is damaged, encrypted, or goes beyond the limits.
    """
    with ExitStack() as stack:
        yield _members(source, head, Unpacking(stack), stack, 0)


def _members(source: Source, head: bytes, unpacking: Unpacking, stack: ExitStack, depth: int) -> Mapping[str, Source]:
    if head.startswith(STARTS):
        archive = stack.enter_context(Archive(source))
        content = Content.of_archive(source, source.path.name, head, archive)
        is_model = graph_in(content) is not None or PICKLE in archive.members
        return {"": source} if is_model else Zipped(archive, source, unpacking)
    if is_tar(head):
        return _tarred(source)
    unpack = next((unpack for start, unpack in PACKED.items() if head.startswith(start)), None)
    if unpack is None or depth >= DEEPEST:
        return {"": source}
    with source.open() as file:
        inner = unpacking.unpacked(unpack(file), source.size, source, "")
    with inner.open() as file:
        return _members(inner, file.read(ENOUGH), unpacking, stack, depth + 1)


class Zipped(Mapping[str, Source]):
    """The members of a zip archive, each unpacked when it is asked for."""

    def __init__(self, archive: Archive, source: Source, unpacking: Unpacking) -> None:
        self._archive, self._source, self._unpacking = archive, source, unpacking
        infos = [(info, _plain(info.filename)) for info in archive.members.values() if not info.is_dir()]
        self._infos = {name: info for info, name in infos if name}
        self._read: dict[str, Source] = {}

    def __getitem__(self, name: str) -> Source:
        if name not in self._read:
            self._read[name] = self._source_of(self._infos[name], name)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def _source_of(self, info: zipfile.ZipInfo, name: str) -> Source:
        inside = f"its member {name!r}"
        part = self._archive.part(info)
        if part is not None:
            return Source(part.path, part.start, part.length, inside, part.unpacked)
        with self._archive.opened(info.filename) as packed:
            size = min(info.compress_size, self._source.size)  # an archive may say anything
            return self._unpacking.unpacked(packed, size, self._source, inside)


def _tarred(source: Source) -> dict[str, Source]:
    """The files of a tar archive; links, devices and what else it may have are none."""
    found: dict[str, Source] = {}
    try:
        with source.open() as file, tarfile.open(fileobj=file, mode="r:") as archive:
            listed = list(islice(archive, MOST + 1))
    except DAMAGE as error:
        raise FileError(
            f"{source} is a tar archive that is damaged: {error}. Copy it again. Wanted: one with a model inside."
        ) from None
    if len(listed) > MOST:
        raise FileError(f"{source} is a tar archive of more than {MOST:,} members. Unpack it first.")
    for member in listed:
        name = _plain(member.name)
        if name and member.isreg() and not member.issparse():
            found[name] = source.part(member.offset_data, member.size, f"its member {name!r}")
    return found


def _plain(name: str) -> str:
    """The name of a member below the archive; empty where it would lead elsewhere."""
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [part for part in path.parts if part != "."]
    return "" if path.is_absolute() or ".." in parts or "\0" in name else "/".join(parts)
