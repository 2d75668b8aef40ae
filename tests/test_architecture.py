"""The map that a newcomer reads first is true."""

from __future__ import annotations

import ast
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


def private_names(code: str) -> set[str]:
    """Modules and functions of torch whose names begin with an underscore, as the code imports or reads them."""
    found, known = set(), {"torch": "torch"}
    nodes = list(ast.walk(ast.parse(code)))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "torch":
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        if isinstance(node, ast.Import):
            torches = [alias for alias in node.names if alias.name.partition(".")[0] == "torch"]
            known |= {alias.asname: alias.name for alias in torches if alias.asname}
            found |= {alias.name for alias in torches}
    found |= set(known.values())
    for node in nodes:
        root, dot, rest = ast.unparse(node).partition(".") if isinstance(node, ast.Attribute) else ("", "", "")
        if root in known:
            found.add(f"{known[root]}{dot}{rest}")
    return {name for name in found if re.search(r"\._[a-zA-Z]", name)}


def test_one_file_names_what_is_private_to_torch():
    """A torch that moves a private name breaks one file, whose own tests say which name it was."""
    source = ROOT / "src" / "torchatlas"
    named = {path.relative_to(source).as_posix(): private_names(path.read_text()) for path in source.rglob("*.py")}
    assert {path for path, names in named.items() if names} == {"capture/torch_private.py"}


def test_private_names_are_found_however_they_are_spelled():
    """By their full name, imported, or below a module that is called by another name."""
    assert private_names("import torch\ntorch._C.f()") == {"torch._C", "torch._C.f"}
    assert private_names("from torch.utils import _pytree as tree") == {"torch.utils._pytree"}
    assert private_names("import torch._ops") == {"torch._ops"}
    assert private_names("from torch import fx\nfx._lazy(1)") == {"torch.fx._lazy"}
    assert private_names("from torch import nn\nnn.Module().training; torch.__version__; 'torch._C'") == set()
