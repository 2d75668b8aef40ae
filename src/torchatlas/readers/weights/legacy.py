"""The files of ``torch.save`` before torch 1.6: five pickles, one after the other, then the storages.

The pickles are a magic number, a protocol version, what the machine was like, the object, and the keys of the
storages; each storage is its number of elements (8 bytes) and its data. ``.tar`` files of 2016 are told apart and not
read: torch itself can make the others of them.

Source: ``torch/serialization.py`` (``_legacy_save``, ``_legacy_load``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError
from torchatlas.readers.dtypes import BITS
from torchatlas.readers.pickled import Damaged, Foreign, Global, Mapping, Needs
from torchatlas.readers.unpickler import Bounded, Machine
from torchatlas.readers.weights.rebuilt import call, storage, storage_dtype, view, word
from torchatlas.readers.weights.stored import ByteRange, Stored

if TYPE_CHECKING:
    from typing import BinaryIO

    from torchatlas.readers.source import Source
    from torchatlas.readers.weights.rebuilt import Call

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
COUNT = 8
"""Bytes of the number of elements that stands before each storage."""


def load(path: Source, call: Call = call, needs: Needs | None = None) -> tuple[object, str]:
    """Give the object that was saved, its tensors as `Stored`, and what kind of file it is.

    Args:
        path: of the file.
        call: what calls in its pickles give.
        needs: filled with what loading it needs.

    Raises:
        FileError: what it calls can do harm, or storages are cut short.
        Damaged: its pickles are.
    """
    with path.open() as file:
        storages = _Storages(path, call, needs or Needs())
        first = _pickle(file, storages)
        if first != MAGIC:
            return first, "a pickle"
        if _pickle(file, storages) != PROTOCOL:
            raise FileError(f"{path}: of a protocol that torch does not have. A file of torch.save was wanted.")
        made_on = _pickle(file, storages)
        start = file.tell()
        _pickle(file, storages)
        keys = _pickle(file, storages)
        big = isinstance(made_on, Mapping) and made_on.get("little_endian") is False
        storages.place(_places(path, file, keys, storages, big=big))
        file.seek(start)  # once more, now that it is known where the data of each storage begins
        return _pickle(file, storages), "a legacy file of torch.save"


def _pickle(file: BinaryIO, storages: _Storages) -> object:
    return Machine(Bounded(file, source=storages.path), storages.call, storages.stored, needs=storages.needs).run()


class _Storages:
    """What the persistent ids stand for; where their data is is not known before the last pickle."""

    def __init__(self, path: Source, call: Call, needs: Needs) -> None:
        self.path, self.call, self.needs = path, call, needs
        self.known: dict[str, Stored] = {}

    def stored(self, key: object) -> object:
        """Give the storage of ``("storage", class, key, location, elements, view)``; a module's code is not wanted."""
        if isinstance(key, tuple) and key and key[0] == "module":
            return key[1] if len(key) > 1 else None
        if not isinstance(key, tuple) or len(key) < 5 or key[0] != "storage":  # noqa: PLR2004 - as said above
            return Foreign(Global("torch.serialization", "persistent_load"), key)
        _, kind, name, location, elements = key[:5]
        made = self.known.setdefault(word(name), storage(word(name), storage_dtype(kind), location, elements))
        part = key[5] if len(key) > 5 else None  # noqa: PLR2004 - the view
        if not isinstance(part, tuple) or len(part) != 3:  # noqa: PLR2004 - key, offset, elements
            return made
        return view(made, made.dtype, part[1], (part[2],), (1,))

    def place(self, places: dict[str, ByteRange]) -> None:
        """Say where the data of each is."""
        self.known = {key: replace(made, place=places.get(key)) for key, made in self.known.items()}


def _places(path: Source, file: BinaryIO, keys: object, storages: _Storages, *, big: bool) -> dict[str, ByteRange]:
    """Where each storage is, by stepping from one to the next."""
    if not isinstance(keys, list):
        raise Damaged("it has no list of storages")
    end, places = path.size, {}
    for key in map(word, keys):
        made = storages.known.get(key)
        if made is None:
            raise Damaged(f"it lists the storage {key}, which no tensor has")
        count = int.from_bytes(file.read(COUNT), "big" if big else "little")
        size = count * BITS.get(made.dtype, 8) // 8
        start = file.tell()
        if start + size > end or count != made.shape[0]:
            raise FileError(
                f"{path}: cut short or damaged: the storage {key} has {made.shape[0]:,} elements, of which"
                f" {max(0, end - start):,} bytes are there. Copy it again from where it came."
            )
        places[key] = ByteRange(path, start, size, big=big)
        file.seek(start + size)
    return places
