"""What a zip archive is, told from the names of its members: which reader it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.readers.archive import STARTS, Archive

if TYPE_CHECKING:
    from torchatlas.readers.source import Source

PT2, TORCHSCRIPT = "torchatlas.readers.pt2", "torchatlas.readers.torchscript"
PROGRAMS = ("archive_format", "serialized_exported_program.json")


def program_of(members: tuple[str, ...]) -> str | None:
    """The reader for an archive that holds a graph, of `torch.export` or TorchScript; None for another.

    Args:
        members: their names, without the folder that all are below.
    """
    if any(name in members for name in PROGRAMS) or _has(members, "models/", ".json"):
        return PT2
    if "constants.pkl" in members or _has(members, "code/", ""):
        return TORCHSCRIPT
    return None


def program_in(source: Source) -> str | None:
    """The same of bytes that may be no archive at all.

    Raises:
        FileError: they begin as an archive and are damaged.
    """
    with source.open() as file:
        if not file.read(len(STARTS[0])).startswith(STARTS):
            return None
    with Archive(source) as archive:
        return program_of(tuple(archive.members))


def _has(members: tuple[str, ...], start: str, end: str) -> bool:
    return any(member.startswith(start) and member.endswith(end) for member in members)
