"""Every format that is read, one record each: how messages call it, how a file shows that it is one, what reads it.

A new format takes a record here and a module with `read`. What opens files, looks into archives, lists formats in
messages or takes a name for a file's goes by these records.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from torchatlas.files.codec import MAGIC
from torchatlas.files.sniff import EMPTY_ZIP, ENOUGH, ZIP

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.readers.archive import Archive
    from torchatlas.readers.source import Source

BLANK = b"\xef\xbb\xbf \t\r\n"
"""What text may begin with: a byte order mark, and spaces."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file shows before it is read.

    Attributes:
        source: where it stands; the path may be that of a folder.
        name: its own, or that of the member that it is.
        head: its first bytes, `files.sniff.ENOUGH` of them or as many as there are; none of a folder.
        members: the names in it, if it is a zip archive.
        inner: the same without the folder that all are below.
    """

    source: Source
    name: str
    head: bytes = b""
    members: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source, name: str, head: bytes | None = None) -> Content:
        """Look at a file, or at a member of an archive.

        Raises:
            FileError: it begins as a zip archive and is damaged.
        """
        if head is None:
            with source.open() as file:
                head = file.read(ENOUGH)
        if not head.startswith((ZIP, EMPTY_ZIP)):
            return cls(source, name, head)
        from torchatlas.readers.archive import Archive  # noqa: PLC0415 - formats are listed where no file is read

        with Archive(source) as archive:
            return cls.of_archive(source, name, head, archive)

    @classmethod
    def of_archive(cls, source: Source, name: str, head: bytes, archive: Archive) -> Content:
        """Look at a zip archive that is open already."""
        full = tuple(info.filename for info in archive.members.values())
        return cls(source, name, head, full, tuple(archive.members))


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read.

    Attributes:
        name: as messages and the documentation call it.
        suffixes: what names of such files end in.
        module: reads it, and is imported only then: ``read(path)`` gives the graph.
        tells: whether a file is one; None where ``handles(content)`` of the module says that.
        has_weights: it holds weights among which a key chooses; the module also has ``opened`` and ``with_statistics``.
        in_archives: ``read`` takes a `Source` too, so that a member of an archive may be one.
        is_common: files of others end in these suffixes too, so that a name alone says nothing.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    tells: Callable[[Content], bool] | None = None
    has_weights: bool = False
    in_archives: bool = False
    is_common: bool = False

    def fits(self, content: Content) -> bool:
        """Whether a file is of this format, as far as it shows."""
        return bool((self.tells or self.reader().handles)(content))

    def reader(self) -> Any:
        """Import the module that reads it."""
        return import_module(self.module)

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.suffixes)})" if self.suffixes else self.name


def begins(*signatures: bytes) -> Callable[[Content], bool]:
    """Tell a file by its first bytes."""
    return lambda content: content.head.startswith(signatures)


def begins_as_text(start: bytes) -> Callable[[Content], bool]:
    """Tell a file by its first characters that are no spaces."""
    return lambda content: content.head.lstrip(BLANK).startswith(start)


def holds(*patterns: str) -> Callable[[Content], bool]:
    """Tell a zip archive by a member; a ``*`` in its name stands for anything."""
    return lambda content: any(_among(content.inner, pattern) for pattern in patterns)


def ends(*suffixes: str) -> Callable[[Content], bool]:
    """Tell a file by its name, where nothing in it says what it is."""
    return lambda content: content.name.lower().endswith(suffixes)


def _among(names: tuple[str, ...], pattern: str) -> bool:
    start, star, end = pattern.partition("*")
    return any(name.startswith(start) and name.endswith(end) for name in names) if star else start in names


WEIGHTS = Format(
    "weights",
    (".safetensors", ".bin", ".pth", ".pt", ".ckpt"),  # of the same weights in several files, the first is read
    "torchatlas.readers.weights",
    has_weights=True,
)
ARCHIVE = Format(
    "an archive with weights or a program inside",
    (".mar", ".nemo", ".tar.gz"),
    "torchatlas.readers.inside",
    has_weights=True,
)
FORMATS = (
    Format("a graph of torchatlas", (".atlas",), "torchatlas.files.codec", begins(MAGIC)),
    Format(
        "torch.export",
        (".pt2",),
        "torchatlas.readers.pt2",
        holds("archive_format", "serialized_exported_program.json", "models/*.json"),
        in_archives=True,
    ),
    Format(
        "TorchScript of torch.jit.save",
        (),
        "torchatlas.readers.torchscript",
        holds("constants.pkl", "code/*"),
        in_archives=True,
    ),
    WEIGHTS,
    ARCHIVE,
    Format("JSON of torchatlas", (".json",), "torchatlas.files.graph_json", begins_as_text(b"{"), is_common=True),
    Format("ONNX", (".onnx",), "torchatlas.readers.onnx"),
)
"""A file is of the first that fits: weights and archives stand behind what is a zip archive of a kind of its own."""


def format_of(content: Content) -> Format | None:
    """The format of a file; None where it is none that is read."""
    return next((known for known in FORMATS if known.fits(content)), None)


def graph_in(content: Content) -> Format | None:
    """The format of a member of an archive, or of an archive, that holds a graph; None for what may hold weights."""
    return next((known for known in FORMATS if known.in_archives and known.fits(content)), None)


def suffixes(*, in_archives: bool = False) -> tuple[str, ...]:
    """The ends of names by which a file is taken for a model.

    Args:
        in_archives: those alone by which a member of an archive is taken for a graph.
    """
    told = [known for known in FORMATS if not known.is_common and (known.in_archives or not in_archives)]
    return tuple(suffix for known in told for suffix in known.suffixes)


def wanted() -> str:
    """What can be opened, as a sentence for messages."""
    *others, last = (str(known) for known in sorted(FORMATS, key=lambda known: known is ARCHIVE))
    return f"Wanted: {', '.join(others)}, or {last}."
