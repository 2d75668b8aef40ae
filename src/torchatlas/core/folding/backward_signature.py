"""Backward nodes are compared by name and by the gradients they are handed, where a sum counts as one gradient.

The gradient of a tensor that two calls read is the sum of two. In a stack of residual blocks every block but the last
is read twice, so the node of the last one has the arguments ``(Slot 0)`` and that of every other one
``(sum(Slot 0, Slot 1))``. `sums_as_one` makes both ``(Slot 0)``, and says which values each slot is the sum of:
``((7,),)`` and ``((5, 6),)``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.folding.signature import without_numbers
from torchatlas.core.graph import Node, Slot

if TYPE_CHECKING:
    from torchatlas.core.graph import Call, Tree

SUM = "sum"

_RESHAPES = frozenset({"ViewBackward0", "ReshapeAliasBackward0", "UnsafeViewBackward0"})


def node_kind(call: Call) -> str:
    """The name that counts: the same for all nodes of a reshape, which torch names after the layout of the memory.

    A saved parameter is named by its path, without the numbers, which only say which layer it belongs to.
    """
    if call.kind == "saved":
        return without_numbers(call.name)
    return "ViewBackward0" if call.kind == "backward" and call.name in _RESHAPES else call.name


def sums_as_one(call: Call) -> tuple[Call, tuple[tuple[int, ...], ...]]:
    """The call with one input for each sum, and for each of these inputs the values that are summed."""
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
