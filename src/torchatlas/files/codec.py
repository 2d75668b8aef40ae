"""``.atlas`` files: one Graph, compressed and versioned; reading one runs nothing that stands in it.

All numbers are little-endian. A file begins with 16 bytes that are the same in every format, so that every reader can
tell a newer file from a damaged one: ``89 61 74 6c 61 73 0d 0a`` (no text, ``atlas``, and a line end that transfers in
text mode change), the format (4 bytes), and the CRC-32 of these 12 (4 bytes).

It goes on with the length of the packed columns (8 bytes), their length unpacked (8 bytes), the CRC-32 of these
16 and of the packed columns (4 bytes), and the columns of `files.records`, packed as zlib data (RFC 1950), whose own
Adler-32 checks them once more.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.core.check import check
from torchatlas.core.errors import FileError, InputError
from torchatlas.core.gc_paused import collection_paused
from torchatlas.files import atomic
from torchatlas.files.columns import Reader
from torchatlas.files.earlier import upgraded
from torchatlas.files.filename import filename
from torchatlas.files.records import FORMAT, FORMATS, GRAPH
from torchatlas.files.sniff import ENOUGH, looks_like

if TYPE_CHECKING:
    import os

    from torchatlas.core.graph import Graph

MAGIC = b"\x89atlas\r\n"
FORMATTED = struct.Struct("<8sI")
LENGTHS = struct.Struct("<QQ")
CHECKSUM = struct.Struct("<I")
HEAD = FORMATTED.size + CHECKSUM.size
BODY = HEAD + LENGTHS.size + CHECKSUM.size

LARGEST = 1 << 29
"""Bytes of columns written or read at most, some four million calls; a file of more would be a decompression bomb."""

WANTED = "Give an .atlas file, as `torchatlas save` and Atlas.save write it."
OTHERS = "ta.open reads the other kinds of files."
AGAIN = "Copy it again from where it came, or capture the model again."


def encode(graph: Graph) -> bytes:
    """Give the content of an ``.atlas`` file; the same graph always gives the same bytes.

    Raises:
        InputError: the graph is not well formed (`core.check`) or too large.
    """
    columns = bytearray()
    with collection_paused():
        check(graph)
        GRAPH.put([graph], columns)
    if len(columns) > LARGEST:
        raise InputError(
            f"the graph of {graph.name!r} has {len(graph.calls):,} calls and takes {len(columns):,} bytes; an .atlas"
            f" file holds up to {LARGEST:,}. Capture a part of the model."
        )
    packed = zlib.compress(columns)
    formatted = FORMATTED.pack(MAGIC, FORMAT)
    lengths = LENGTHS.pack(len(packed), len(columns))
    checksum = zlib.crc32(packed, zlib.crc32(lengths))
    return b"".join((formatted, CHECKSUM.pack(zlib.crc32(formatted)), lengths, CHECKSUM.pack(checksum), packed))


def decode(data: bytes, name: str = "the data") -> Graph:
    """Give a Graph equal to the one that was encoded; every NaN in it is ``math.nan``, which is equal to itself there.

    Args:
        data: the content of an ``.atlas`` file.
        name: what messages call it, such as its path.

    Raises:
        FileError: it is foreign, empty, cut short, damaged, or of a newer format.
    """
    version = _need_head(data[:ENOUGH], name)
    columns = _unpack(data, name)
    try:
        reader = Reader(columns)
        with collection_paused():
            (graph,) = FORMATS[version].take(reader, 1)
            reader.need_end()
            check(graph)
            graph = graph if version == FORMAT else upgraded(graph)
    except ValueError as error:
        raise FileError(f"{name} is damaged: {error}. {AGAIN}") from error
    return graph


def write(graph: Graph, path: str | os.PathLike[str]) -> Path:
    """Write a Graph to an ``.atlas`` file. An old file is replaced only when all of the new one is written.

    Returns:
        The path.

    Raises:
        InputError: the graph cannot be encoded.
        FileError: the file cannot be written. The old file is left unchanged.
    """
    return atomic.write(path, encode(graph))


def read(path: str | os.PathLike[str]) -> Graph:
    """Read a Graph from an ``.atlas`` file.

    Raises:
        FileError: there is none, or it is not what it should be; the message says what it looks like.
    """
    name = filename(path)
    try:
        with Path(path).open("rb") as file:
            head = file.read(ENOUGH)
            _need_head(head, name)
            return decode(head + file.read(), name)
    except FileNotFoundError as error:
        raise FileError(f"{name} does not exist. {WANTED}") from error
    except IsADirectoryError as error:
        raise FileError(f"{name} is a folder. {WANTED}") from error
    except OSError as error:
        raise FileError(f"{name} cannot be read: {error.strerror}. {WANTED}") from error


def _need_head(head: bytes, name: str) -> int:
    """The format of a file that begins with these bytes; raises FileError unless this version reads it."""
    if not head:
        raise FileError(f"{name} is empty. {WANTED}")
    if head[: len(MAGIC)] != MAGIC[: len(head)]:
        raise FileError(f"{name} is not an .atlas file: it looks like {looks_like(head)}. {WANTED} {OTHERS}")
    if len(head) < HEAD:
        raise FileError(f"{name} is cut short after {len(head)} bytes. {AGAIN}")
    (checksum,) = CHECKSUM.unpack_from(head, FORMATTED.size)
    if zlib.crc32(head[: FORMATTED.size]) != checksum:
        raise FileError(f"{name} is damaged: its first {HEAD} bytes do not match their checksum. {AGAIN}")
    _, version = FORMATTED.unpack_from(head)
    if version > FORMAT:
        raise FileError(
            f"{name} was written by a newer torchatlas (format {version}, this one reads up to {FORMAT}): upgrade with"
            " `pip install --upgrade torchatlas`."
        )
    if version < 1:
        raise FileError(f"{name} is damaged: there is no format {version}. {AGAIN}")
    return int(version)


def _unpack(data: bytes, name: str) -> bytes:
    """Give the columns of a file whose head is good."""
    if len(data) < BODY:
        raise FileError(f"{name} is cut short after {len(data)} bytes. {AGAIN}")
    length, size = LENGTHS.unpack_from(data, HEAD)
    (checksum,) = CHECKSUM.unpack_from(data, HEAD + LENGTHS.size)
    if len(data) < BODY + length:
        raise FileError(f"{name} is cut short after {len(data):,} of {BODY + length:,} bytes. {AGAIN}")
    packed = data[BODY:]
    if len(packed) > length or zlib.crc32(packed, zlib.crc32(data[HEAD : HEAD + LENGTHS.size])) != checksum:
        raise FileError(f"{name} is damaged: its content does not match its checksum. {AGAIN}")
    if size > LARGEST:
        raise FileError(f"{name} unpacks to {size:,} bytes; at most {LARGEST:,} are read. {AGAIN}")
    unpacking = zlib.decompressobj()
    try:
        columns = unpacking.decompress(packed, size + 1)
    except zlib.error as error:
        raise FileError(f"{name} is damaged: {error}. {AGAIN}") from error
    if len(columns) != size or not unpacking.eof or unpacking.unused_data:
        raise FileError(f"{name} is damaged: it does not unpack to the {size:,} bytes it names. {AGAIN}")
    return columns
