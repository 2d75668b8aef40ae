"""What is alike of backward nodes: by name, and by what they are handed, summed or not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.folding.signature import without_numbers
from torchatlas.core.graph import Node, Slot

if TYPE_CHECKING:
    from torchatlas.core.graph import Call, Tree

SUM = "sum"

_RESHAPES = frozenset({"ViewBackward0", "ReshapeAliasBackward0", "UnsafeViewBackward0"})


def kind_of_node(call: Call) -> str:
    """Its name; one for all nodes of a reshape, which torch spells after how the memory happened to lie.

    A saved parameter is named by its path, whose numbers only say which layer it is of.
    """
    if call.kind == "saved":
        return without_numbers(call.name)
    return "ViewBackward0" if call.kind == "backward" and call.name in _RESHAPES else call.name


def gathered(call: Call) -> tuple[Call, tuple[tuple[int, ...], ...]]:
    """The call as if each sum were one gradient, and for each of its inputs the values that it is the sum of."""
    if call.kind != "backward" or not call.arguments.items:
        return call, tuple([(value,) for value in call.inputs])
    groups: list[tuple[int, ...]] = []

    def one(tree: Tree) -> Tree:
        if isinstance(tree, Slot):
            groups.append((call.inputs[tree.index],))
            return Slot(len(groups) - 1)
        if isinstance(tree, Node) and tree.type == SUM:
            groups.append(tuple([call.inputs[item.index] for item in tree.items if isinstance(item, Slot)]))
            return Slot(len(groups) - 1)
        if isinstance(tree, Node):
            return Node(tree.type, tree.keys, tuple([one(item) for item in tree.items]))
        return tree

    arguments = one(call.arguments)
    return replace(call, arguments=arguments), tuple(groups)  # type: ignore[arg-type]  # a Node stays one
