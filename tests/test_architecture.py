"""The map that a newcomer reads first is true."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def listed() -> set[str]:
    """Paths of all files in the tree; what is indented below a folder is in it, below a file only belongs to it."""
    tree = (ROOT / "ARCHITECTURE.md").read_text().partition("src/torchatlas/\n")[2].partition("\nexamples/")[0]
    folders: list[tuple[int, str]] = []
    found = set()
    for indent, name in re.findall(r"^( +)(\S+(?:/|\.py)) ", tree, re.MULTILINE):
        folders = [(depth, folder) for depth, folder in folders if depth < len(indent)]
        if name.endswith("/"):
            folders.append((len(indent), name))
        else:
            found.add("".join(folder for _, folder in folders) + name)
    return found


def test_the_map_names_every_file_and_no_other():
    """A file is added, moved or removed together with its line; a package that holds nothing itself needs none."""
    source = ROOT / "src" / "torchatlas"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    packages = {file for file in files if file.endswith("/__init__.py")}
    assert listed() == files - packages
