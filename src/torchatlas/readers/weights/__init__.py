"""Weights alone: ``.pth``, ``.pt``, ``.bin``, ``.ckpt``, ``.safetensors``, indexes and folders of several -> Graph.

What is trusted: nothing. The data of the tensors is not read, only what describes it: the header of a
``.safetensors`` file, the pickle of a file of torch. That pickle is read by a machine that calls nothing (`pickled`);
what it names is neither imported nor looked up. A file whose pickle calls what can do harm is refused. Of a model that
was pickled whole, the classes, settings and modules are what the file says of them (`whole`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from torchatlas.readers.source import Source
from torchatlas.readers.weights import archive, config, distributed, folders, sharded, single
from torchatlas.readers.weights.choice import refuse_key
from torchatlas.readers.weights.folder import Folder
from torchatlas.readers.weights.graph import graph_of

if TYPE_CHECKING:
    from pathlib import Path

    from torchatlas.core.graph import Graph
    from torchatlas.readers.registry import Content
    from torchatlas.readers.weights.checkpoint import Checkpoint


def handles(content: Content) -> bool:
    """Whether a file, or folder, is one of weights."""
    path, head = content.source.path, content.head
    if content.members:
        pickled = archive.pickle_member(content.members)
        around = (pickled or "").removesuffix(archive.PICKLE)
        return pickled is not None and f"{around}constants.pkl" not in content.members
    if path.is_dir():
        return folders.fits(Folder.of(path).files)
    return single.kind_of(head) is not None or _is_index(path, head)


def _whole(path: Path) -> Path:
    """The folder, where only the description in it was given."""
    return path.parent if path.name == distributed.METADATA and path.is_file() else path


def _is_index(path: Path, head: bytes) -> bool:
    return head.lstrip()[:1] == b"{" and (path.name.endswith(sharded.SUFFIX) or b'"weight_map"' in head)


def read(path: Path, key: str | None = None) -> Graph:
    """Give the modules that a file of weights speaks of, with what each most likely is, and its tensors; no calls.

    Args:
        path: a file, an index of several, or a folder that holds one of these.
        key: of the dictionary that is meant, where there are several: ``model_ema``, ``state.model``.

    Raises:
        FileError: missing, damaged, encrypted, foreign, harmful, or not weights alone; the message says which.
        InputError: there is no such key.
    """
    return opened(path, key)[0]


def opened(path: Path, key: str | None = None) -> tuple[Graph, Checkpoint]:
    """Give the graph, and the weights that it was made of.

    Raises:
        FileError: as `read`.
        InputError: as `read`.
    """
    found = checkpoint(path, key)
    return graph_of(found, _whole(path)), found


def apart(path: Path, graph: Graph, found: Checkpoint) -> Graph:
    """Give the graph with every tensor of the file by itself, as ``load_state_dict`` gets them.

    Args:
        path: of the file.
        graph: what `opened` gave of it.
        found: the weights that it was made of.
    """
    if found.modules or {name for value in graph.values for name in value.names} == found.tensors.keys():
        return graph
    return graph_of(found, _whole(path), apart=True)


def with_statistics(path: Path, graph: Graph, key: str | None = None) -> Graph:
    """Give the graph of a file of weights with overlays of mean, std, min, max and zeros: this reads all the data.

    Args:
        path: of the file.
        graph: what `read` gave of it.
        key: with which it did.

    Raises:
        FileError: as `read`; the data is damaged or cut short.
    """
    from torchatlas.readers.weights import statistics  # noqa: PLC0415 - only where data is read

    with single.named(path):
        return statistics.with_statistics(graph, checkpoint(path, key, numbers=True).tensors)


def checkpoint(path: Path, key: str | None = None, *, numbers: bool = False) -> Checkpoint:
    """Give the tensors of a file by name, as `read` finds them.

    Args:
        path: as for `read`.
        key: as for `read`.
        numbers: whether their data will be read too.

    Raises:
        FileError: as `read`.
        InputError: as `read`.
    """
    with single.named(path):
        path = _whole(path)
        if path.is_dir():
            return in_folder(Folder.of(path), key, numbers=numbers)
        source, beside = Source(path), _beside(path, config.CONFIG)
        if _is_index(path, single.head_of(source)):
            refuse_key(path, key)
            return _with_ties(replace(sharded.indexed(source, partial(_beside, path)), file=path.name), beside)
        distributed.refuse_shard(source)
        found = single.load(source, key)
        return _with_ties(replace(found, file=path.name, notes=(*found.notes, *sharded.one_of(path.name))), beside)


def in_folder(folder: Folder, key: str | None = None, *, numbers: bool = False) -> Checkpoint:
    """Give the tensors of a folder, of the disk or of an archive, as `checkpoint` does.

    Raises:
        FileError: as `read`.
        InputError: as `read`.
    """
    with single.named(folder.named):
        return _with_ties(folders.load(folder, key, numbers=numbers), folder.files.get(config.CONFIG))


def _with_ties(found: Checkpoint, settings: Source | None) -> Checkpoint:
    """The same, with what the settings beside it say of a key that is tied to one of these."""
    return replace(found, notes=(*found.notes, *config.tied(settings, found.tensors)))


def _beside(path: Path, name: str) -> Source | None:
    """Another file of the same folder, if it is there."""
    other = path.parent / name
    return Source(other) if other.is_file() else None
