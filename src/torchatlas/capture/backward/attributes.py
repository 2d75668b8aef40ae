"""What a node of the autograd graph remembers of its forward besides tensors: ``dim``, ``strides``, ``alpha``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchatlas.capture.objects.tree import describe
from torchatlas.capture.torch_private import is_python_node, saved_names
from torchatlas.core.graph import Node, Slot, Text

if TYPE_CHECKING:
    from torch import Tensor

    from torchatlas.core.graph import Tree

_HALF, _WHOLE = 2**63, 2**64


def attributes(node: Any) -> list[tuple[str, Tree]]:
    """(name, value) of each; torch has those of its own functions, and the user's ``ctx`` what was put on it."""
    if is_python_node(node):
        return [(name, _plain(thing)) for name, thing in vars(node).items()]
    return [(name, _read(node, name)) for name in saved_names(node)[0]]


def name_of(node: Any) -> str:
    """As torch names it, without the namespace: ``AddmmBackward0``, ``AccumulateGrad``."""
    name = type(node).__name__
    if name != "CppFunction":
        return name
    spaces, opened, arguments = str(node.name()).partition("<")  # made in C++, and known to Python by no class
    return spaces.rpartition("::")[2] + opened + arguments


def _read(node: Any, name: str) -> Tree:
    try:
        return _signed(_plain(getattr(node, f"_saved_{name}")))
    except RuntimeError:
        return Text("freed")


def _plain(thing: object) -> Tree:
    found: list[Tensor] = []
    tree = describe(thing, found)
    return _without_slots(tree) if found else tree


def _signed(tree: Tree) -> Tree:
    """Torch prints dimensions that count from the end as numbers without a sign: 2**64 - 1 for -1."""
    if type(tree) is int and tree >= _HALF:
        return tree - _WHOLE
    if isinstance(tree, Node):
        return Node(tree.type, tree.keys, tuple(map(_signed, tree.items)))
    return tree


def _without_slots(tree: Tree) -> Tree:
    """Tensors are drawn where they are asked for, and said to be there otherwise."""
    if isinstance(tree, Slot):
        return Text("tensor")
    if isinstance(tree, Node):
        return Node(tree.type, tree.keys, tuple(map(_without_slots, tree.items)))
    return tree
