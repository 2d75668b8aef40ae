"""Columns of trees: arguments, results and settings; equal trees are written once and read as one shared object.

Trees are numbered children first, so that neither writing nor reading recurses. The arguments ``(Slot 0, 2)`` and
``(Slot 0, 2)`` of two calls:

    row      tree           written as
    0        Slot 0         its index
    1        2              the number
    2        Node (0, 1)    its type, its keys, and the rows of its items
    calls    2, 2
"""

from __future__ import annotations

import struct
from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Any

from torchatlas.core.graph import Node, Slot, Text
from torchatlas.files.columns import INTS, Floats, Interned, Ragged, Texts, indices, put_count

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from torchatlas.core.graph import Tree
    from torchatlas.files.columns import Column, Reader

CONSTANTS = (None, False, True)
INT, FLOAT, STRING, SLOT, TEXT, NODE = range(len(CONSTANTS), 9)
NEW = -1
LEAVES: dict[int, Column[Any]] = {INT: INTS, FLOAT: Floats(), STRING: Texts(), SLOT: INTS, TEXT: Texts()}
NAMES: Interned[str] = Interned(Texts())
KEYS: Interned[tuple[str, ...]] = Interned(Ragged(Texts()))
ITEMS = Ragged(INTS)


class Trees:
    """Trees of any depth."""

    def put(self, values: Sequence[Tree], out: bytearray) -> None:
        """Write the kinds of the distinct trees, their contents by kind, then for each value which tree it is."""
        table = Table()
        roots = list(map(table.number, values))
        contents: list[list[Any]] = [[] for _ in range(NODE + 1)]
        for kind, content in table.rows:
            contents[kind].append(content)
        contents[FLOAT] = list(struct.unpack(f"<{len(contents[FLOAT])}d", b"".join(contents[FLOAT])))
        put_count(len(table.rows), out)
        INTS.put([kind for kind, _ in table.rows], out)
        for kind, column in LEAVES.items():
            column.put(contents[kind], out)
        NAMES.put([name for name, _, _ in contents[NODE]], out)
        KEYS.put([keys for _, keys, _ in contents[NODE]], out)
        ITEMS.put([items for _, _, items in contents[NODE]], out)
        INTS.put(roots, out)

    def take(self, reader: Reader, count: int) -> Sequence[Tree]:
        """Build the distinct trees in their order, then look each value up among them."""
        kinds = indices(INTS.take(reader, reader.count()), NODE + 1)
        leaves = {kind: iter(column.take(reader, kinds.count(kind))) for kind, column in LEAVES.items()}
        nodes = kinds.count(NODE)
        names = iter(NAMES.take(reader, nodes))
        keys = iter(KEYS.take(reader, nodes))
        items = iter(ITEMS.take(reader, nodes))
        trees: list[Tree] = []
        for kind in kinds:
            if kind == NODE:
                parts = indices(next(items), len(trees))
                trees.append(Node(next(names), next(keys), tuple([trees[part] for part in parts])))
            elif kind in leaves:
                content = next(leaves[kind])
                trees.append(Slot(content) if kind == SLOT else Text(content) if kind == TEXT else content)
            else:
                trees.append(CONSTANTS[kind])
        return list(map(trees.__getitem__, indices(INTS.take(reader, count), len(trees))))


class Table:
    """The distinct trees in the order of their first appearance, children before their parents.

    ``rows`` gives the row of each by its kind and content: a node's content is its type, its keys and the rows of its
    items. ``nodes`` gives the row by the identity of a Node already met.
    """

    def __init__(self) -> None:
        self.rows: defaultdict[tuple[int, Hashable], int] = defaultdict(count().__next__)
        self.nodes: dict[int, int] = {}

    def number(self, tree: Tree) -> int:
        """Give the row of a tree; add what is not there yet."""
        if not isinstance(tree, Node):
            return self.rows[leaf(tree)]
        pending = [tree]
        while pending:
            node = pending[-1]
            rows = [
                self.nodes.get(id(item), NEW) if isinstance(item, Node) else self.rows[leaf(item)]
                for item in node.items
            ]
            if NEW in rows:
                pending += [item for item in node.items if isinstance(item, Node) and id(item) not in self.nodes]
                continue
            pending.pop()
            self.nodes[id(node)] = self.rows[NODE, (node.type, node.keys, tuple(rows))]
        return self.nodes[id(tree)]


def leaf(tree: bool | float | str | Slot | Text | None) -> tuple[int, Hashable]:
    """Give kind and content of a tree that is no Node, so that ``True``, ``1`` and ``1.0`` stay three."""
    if isinstance(tree, Slot):
        return SLOT, tree.index
    if isinstance(tree, str):
        return STRING, tree
    if tree is None or isinstance(tree, bool):
        return CONSTANTS.index(tree), None
    if isinstance(tree, int):
        return INT, tree
    if isinstance(tree, float):
        return FLOAT, struct.pack("<d", tree)
    return TEXT, tree.text
