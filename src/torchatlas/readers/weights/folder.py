"""Folders of weights: which files make one model, and what the others are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.readers.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 4
"""Folders inside folders that are looked into."""
MOST = 200_000
"""Files after which no further folder is looked into."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the disk, or the members of an archive.

    Attributes:
        named: the folder, as messages call it.
        files: by their names below it, with ``/`` between folders.
        inside: where it is below the folder that was opened, with ``/`` at the end; empty for that itself.
    """

    named: Source
    files: Mapping[str, Source]
    inside: str = ""

    @classmethod
    def of(cls, path: Path) -> Folder:
        """List a folder of the disk."""
        files: dict[str, Source] = {}
        for at, folders, names in os.walk(path):
            below = Path(at).relative_to(path)
            folders[:] = sorted(folders) if len(below.parts) < DEEPEST else []
            files |= {(below / name).as_posix(): Source(Path(at) / name) for name in sorted(names)}
            if len(files) > MOST:  # data, perhaps, beside a model; what stands in the folder itself came first
                break
        return cls(Source(path), files)

    def top(self) -> list[str]:
        """The names of the files that stand in no folder of it."""
        return [name for name in self.files if "/" not in name]

    def below(self, name: str) -> Folder:
        """A folder in it."""
        named = self.named
        named = replace(named, path=named.path / name) if named.is_whole and not named.inside else named
        return Folder(named, Below(self.files, f"{name}/"), f"{self.inside}{name}/")

    def folders(self) -> list[str]:
        """The folders in it that hold files, by name."""
        return sorted({name.partition("/")[0] for name in self.files if "/" in name})


class Below(Mapping[str, Source]):
    """The files whose names begin so, by the rest of their names; none is opened by looking."""

    def __init__(self, files: Mapping[str, Source], start: str) -> None:
        self._files = files
        self._names = {name.removeprefix(start): name for name in files if name.startswith(start)}

    def __getitem__(self, name: str) -> Source:
        return self._files[self._names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
