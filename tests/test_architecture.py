"""The map that a newcomer reads first is true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def listed(start: str, end: str) -> tuple[set[str], set[str]]:
    """The folders of a part of the tree, and the files that it names to be read first."""
    whole = (ROOT / "ARCHITECTURE.md").read_text().partition("## The tree")[2]
    tree = re.search(rf"^{start}.*?\n(.*?)^{end}", whole, re.MULTILINE | re.DOTALL)[1]
    around: list[tuple[int, str]] = []
    folders, files = set(), set()
    for line in filter(None, tree.split("\n")):
        indent, name = re.match(r"( +)(\S+)/ ", line).groups()
        around = [(depth, folder) for depth, folder in around if depth < len(indent)] + [(len(indent), name)]
        path = "/".join(folder for _, folder in around)
        folders.add(path)
        files |= {f"{path}/{file}" for file in re.findall(r"\[(\S+)\]", line)}
    return folders, files


@pytest.mark.parametrize(
    ("start", "end", "folder", "kind"),
    [("src/torchatlas/", "web/src/", "src/torchatlas", "*.py"), ("web/src/", "schema/", "web/src", "*.ts*")],
)
def test_the_map_names_every_folder_and_no_other(start, end, folder, kind):
    """A folder is added, moved or removed together with its line, and what is to be read first is there."""
    source = ROOT / folder
    folders, files = listed(start, end)
    assert folders == {path.parent.relative_to(source).as_posix() for path in source.rglob(kind)} - {"."}
    assert all((source / file).exists() for file in files)


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
