"""A model inside an archive: which member it is, and the reader for that; ``package`` gives the members."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError, InputError
from torchatlas.core.graph import Note
from torchatlas.files.sniff import ENOUGH
from torchatlas.readers import package, weights
from torchatlas.readers.registry import Content, graph_in, suffixes
from torchatlas.readers.source import Source
from torchatlas.readers.weights import folders, sharded, single, statistics
from torchatlas.readers.weights.folder import Folder
from torchatlas.readers.weights.graph import graph_of
from torchatlas.readers.weights.loadable import packed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from torchatlas.core.graph import Graph
    from torchatlas.readers.weights.checkpoint import Checkpoint

MANIFEST = "MAR-INF/MANIFEST.json"
"""Where TorchServe says which member is the model."""
LARGEST = 1 << 20
"""Bytes of it that are read."""
OLD = {"sys_info", "pickle", "storages"}
"""The members of a file of torch before 0.1.10."""


def handles(content: Content) -> bool:
    """Whether a file is packed, or an archive with weights, a graph, or a manifest that names a model inside."""
    if not content.members:
        return package.is_package(content.head)
    return MANIFEST in content.members or folders.fits(content.members) or bool(_graphs(content.members))


def program_below(path: Path) -> Path | None:
    """The one file of weights in a folder of the disk, where it is none of weights but holds a graph.

    Raises:
        FileError: it begins as an archive and is damaged.
    """
    folder = Folder.of(path)
    name = folders.file_of(folder)
    return path / name if name and graph_in(Content.of(folder.files[name], name)) else None


def read(path: Path, key: str | None = None) -> Graph:
    """Give the graph of the model in an archive, or in a file that is packed as a whole.

    Args:
        path: of the archive: zip, tar, or one of these packed by gzip, bzip2 or xz.
        key: of weights, the dictionary that is meant.

    Raises:
        FileError: it is damaged, too large when unpacked, or holds no model; the message says which.
        InputError: there is no such key.
    """
    return opened(path, key)[0]


def opened(path: Path, key: str | None = None) -> tuple[Graph, Checkpoint | None]:
    """Give the graph, and the weights that it was made of; None for those of a program.

    Raises:
        FileError: as `read`.
        InputError: as `read`.
    """
    with _opened(path) as folder:
        name, key = _chosen(folder, key)
        source = folder.files.get(name)
        program = None if source is None else graph_in(Content.of(source, name or path.stem))
        if program is None or source is None:
            checkpoint = _checkpoint(folder, name, key)
            return graph_of(checkpoint, path), checkpoint
        if key is not None:
            raise InputError(f"key={key!r}: {source} holds a graph, and no weights to choose among.")
        graph: Graph = program.reader().read(source)
        return replace(graph, notes=(*graph.notes, Note(_said(folder, name)))), None


def with_statistics(path: Path, graph: Graph, key: str | None = None) -> Graph:
    """Give the graph of weights in an archive with overlays of what their numbers are like.

    Raises:
        FileError: as `read`.
    """
    with single.named(path), _opened(path) as folder:
        name, key = _chosen(folder, key)
        return statistics.with_statistics(graph, _checkpoint(folder, name, key, numbers=True).tensors)


@contextmanager
def _opened(path: Path) -> Iterator[Folder]:
    """The members of an archive as a folder."""
    source = Source(path)
    with source.open() as file:
        head = file.read(ENOUGH)
    with package.members(source, head) as files:
        yield Folder(source, files)


def _checkpoint(folder: Folder, name: str, key: str | None, *, numbers: bool = False) -> Checkpoint:
    """The weights of the member that is the model, or of those that are together."""
    if name in folder.files:
        found = replace(single.load(folder.files[name], key), file=name)
    else:
        found = weights.in_folder(folder, key, numbers=numbers)
    reads = packed(found.reads, found.file or name)
    return replace(found, notes=(*found.notes, _said(folder, found.file or name)), reads=reads)


def _said(folder: Folder, member: str) -> str:
    if "" in folder.files:
        return "The file is compressed as a whole and was unpacked to be read."
    return f"Read from the member {member} of an archive." if member else "Read from members of an archive."


def _chosen(folder: Folder, key: str | None) -> tuple[str, str | None]:
    """The member that is the model, and the key of what is meant in it; a key may be the name of a member or folder."""
    if key is not None and key in folder.files:
        return key, None
    if key is not None and folders.fits(folder.below(key).files):
        return "", key
    return _model(folder), key


def _model(folder: Folder) -> str:
    """The member that is the model; empty where several are, or where a file was packed alone.

    Raises:
        FileError: none is, or several graphs are.
    """
    names = set(folder.files)
    if names == {""}:
        return ""
    if names >= OLD:
        raise FileError(
            f"{folder.named}: a tar archive of torch before 0.1.10. Load it with torch.load and save it again."
        )
    served = _served(folder)
    if served in names:
        return served
    if folders.fits(names):
        return folders.file_of(folder)
    graphs = _graphs(names)
    if graphs:
        return _only(folder, graphs)
    members = sharded.some(sorted(names)) or "no files"
    raise FileError(
        f"{folder.named} is an archive without weights; it holds {members}. Wanted: one with a model inside."
    )


def _only(folder: Folder, graphs: list[str]) -> str:
    """The one graph of an archive.

    Raises:
        FileError: there are several.
    """
    if len(graphs) > 1:
        raise FileError(
            f"{folder.named}: an archive with several models ({sharded.some(graphs)}). Open the one that is meant, as"
            f" with key={graphs[0]!r}."
        )
    return graphs[0]


def _graphs(names: Iterable[str]) -> list[str]:
    """The members that are graphs by their names."""
    return sorted(name for name in names if name.lower().endswith(suffixes(in_archives=True)))


def _served(folder: Folder) -> str:
    """The model that the manifest of TorchServe names; empty without one."""
    source = folder.files.get(MANIFEST)
    if source is None:
        return ""
    try:
        with source.open() as file:
            parsed = json.loads(file.read(LARGEST))
        named = parsed["model"]["serializedFile"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""
    return named if isinstance(named, str) else ""
