"""The nodes of an ONNX graph in an order in which they can run."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from onnx import AttributeProto

from torchatlas.core.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import GraphProto, NodeProto

    from torchatlas.readers.graph_builder import GraphBuilder


def in_order(nodes: list[NodeProto], builder: GraphBuilder) -> list[NodeProto]:
    """The nodes as they stand, which is such an order in a valid file; otherwise sorted, with a note.

    Raises:
        FileError: they need each other in a circle.
    """
    maker = {name: at for at, node in reversed(list(enumerate(nodes))) for name in node.output if name}
    needs = [{maker[name] for name in _read(node) if name in maker} for node in nodes]
    if all(at > max(need, default=-1) for at, need in enumerate(needs)):
        return nodes
    readers: dict[int, list[int]] = defaultdict(list)
    for at, need in enumerate(needs):
        for other in need:
            readers[other].append(at)
    ready = deque(at for at, need in enumerate(needs) if not need)
    waiting = [len(need) for need in needs]
    found = []
    while ready:
        at = ready.popleft()
        found.append(nodes[at])
        for reader in readers[at]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    if len(found) < len(nodes):
        stuck = next(node for node, left in zip(nodes, waiting, strict=True) if left)
        raise FileError(
            f"its nodes need each other in a circle, of which {(stuck.name or stuck.op_type)[:200]!r} is one; such a"
            " graph cannot run."
        )
    builder.note("The file lists nodes before the nodes that they need; they are sorted here.")
    return found


def _read(node: NodeProto) -> Iterator[str]:
    """What a node reads, in the graphs inside it too."""
    yield from node.input
    pending = list(_graphs(node))
    while pending:
        for inner in pending.pop().node:
            yield from inner.input
            pending += _graphs(inner)


def _graphs(node: NodeProto) -> Iterator[GraphProto]:
    for one in node.attribute:
        if one.type == AttributeProto.GRAPH:
            yield one.g
        elif one.type == AttributeProto.GRAPHS:
            yield from one.graphs
