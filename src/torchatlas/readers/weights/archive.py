"""The zip archives of ``torch.save`` since torch 1.6: ``data.pkl`` is read, the storages beside it are not.

Source: ``torch/serialization.py`` (``_save``); the archive is ZIP, with ZIP64 where it is large.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.readers.archive import Archive
from torchatlas.readers.pickled import Damaged, Foreign, Global, Needs
from torchatlas.readers.unpickler import Bounded, Machine
from torchatlas.readers.weights.rebuilt import call, storage, storage_dtype, word
from torchatlas.readers.weights.stored import ByteRange, Stored

if TYPE_CHECKING:
    from torchatlas.readers.source import Source
    from torchatlas.readers.weights.rebuilt import Call

PICKLE = "data.pkl"
PACKED = 1 << 28
"""Bytes of a compressed pickle that are unpacked at most; torch itself does not compress it."""


def pickle_member(members: tuple[str, ...]) -> str | None:
    """The member that holds the pickle; None in an archive that is none of torch's."""
    found = [name for name in members if name == PICKLE or (name.count("/") == 1 and name.endswith(f"/{PICKLE}"))]
    return found[0] if len(found) == 1 else None


def load(path: Source, call: Call = call, needs: Needs | None = None) -> object:
    """Give the object that was saved, its tensors as `Stored`.

    Args:
        path: of the archive.
        call: what calls in the pickle give.
        needs: filled with what loading it needs.

    Raises:
        FileError: damaged, encrypted, or no file of weights.
        Damaged: its pickle is.
    """
    with Archive(path) as archive:
        infos = {info.filename: info for info in archive.members.values()}
        name = pickle_member(tuple(infos))
        if name is None:
            raise FileError(f"{path}: a zip archive without a {PICKLE}, which torch.save would have written.")
        if min(info.header_offset for info in infos.values()):
            raise FileError(
                f"{path}: several files of torch.save, one after the other, as the shards of a distributed checkpoint"
                " are (.distcp). Open the folder with the .metadata that says what they hold."
            )
        if infos[name].compress_type != zipfile.ZIP_STORED and infos[name].file_size > PACKED:
            raise FileError(f"{path}: its {PICKLE} unpacks to {infos[name].file_size:,} bytes; {PACKED:,} are read.")
        around = name.removesuffix(PICKLE)
        big = f"{around}byteorder" in infos and _is_big(archive, f"{around}byteorder")
        storages = _Storages(path, infos, f"{around}data/", big=big)
        with archive.opened(name) as member:
            # A member gives single bytes slowly. It is no raw file to the checker, but has what is asked of one.
            buffered = io.BufferedReader(member)  # type: ignore[type-var]
            bounded = Bounded(buffered, source=archive.part(infos[name]))
            return Machine(bounded, call, storages.stored, needs=needs or Needs()).run()


def _is_big(archive: Archive, byteorder: str) -> bool:
    with archive.opened(byteorder) as member:
        return member.read(8) == b"big"


class _Storages:
    """What the persistent ids of a pickle stand for."""

    def __init__(self, path: Source, infos: dict[str, zipfile.ZipInfo], folder: str, *, big: bool) -> None:
        self._path, self._infos, self._folder, self._big = path, infos, folder, big
        self._known: dict[tuple[str, str], Stored] = {}

    def stored(self, key: object) -> object:
        """Give the storage of ``("storage", class, key, location, elements)``, which the archive must hold whole."""
        if not isinstance(key, tuple) or len(key) < 5 or key[0] != "storage":  # noqa: PLR2004 - as said above
            return Foreign(Global("torch.serialization", "persistent_load"), key)
        _, kind, name, location, elements = key[:5]
        dtype = storage_dtype(kind)
        if not isinstance(name, str):
            raise Damaged(f"a storage is called {word(name)}")
        if (name, dtype) not in self._known:
            self._known[name, dtype] = self._find(name, storage(name, dtype, location, elements))
        return self._known[name, dtype]

    def _find(self, name: str, made: Stored) -> Stored:
        info = self._infos.get(self._folder + name)
        if info is None:
            if not made.nbytes or made.device == "meta":
                return made
            raise FileError(f"{self._path}: the storage {self._folder}{name} is missing from the archive.")
        if made.nbytes is not None and info.file_size < made.nbytes:
            raise FileError(
                f"{self._path}: the storage {info.filename} has {info.file_size:,} bytes where its tensors want"
                f" {made.nbytes:,}. The file is damaged."
            )
        place = ByteRange(self._path, 0, info.file_size, info.filename, self._big)
        return replace(made, place=place)
