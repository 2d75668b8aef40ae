"""Every node that a backward pass from some tensors would run, in the order in which it would run them.

Nothing here recurses, frees, runs or changes anything: the user's graph is only asked for its edges.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchatlas.capture.torch_private import node_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True, eq=False)
class AutogradNode:
    """One node of the autograd graph.

    Attributes:
        node: torch's own.
        number: as torch numbered it.
        edges: for each of its results, the node that takes it and at which input; None where nobody does.
    """

    node: Any
    number: int
    edges: tuple[tuple[AutogradNode, int] | None, ...]


def in_order(starts: Iterable[Any]) -> list[AutogradNode]:
    """All nodes that can be reached from ``starts``, in the order of torch's engine.

    The engine runs a node once all gradients for it have arrived; of those that are ready, the one made last in the
    forward, and what accumulates into a leaf before anything else.
    """
    roots = list(dict.fromkeys(starts))
    found = _reached(roots)
    waiting = Counter(id(edge[0]) for node in found.values() for edge in node.edges if edge)
    ready: list[tuple[int, int, AutogradNode]] = []
    place = {id(node): position for position, node in enumerate(found.values())}
    for root in roots:
        if not waiting[id(found[root])]:
            heapq.heappush(ready, _entry(found[root], place))
    order = []
    while ready:
        node = heapq.heappop(ready)[-1]
        order.append(node)
        for edge in node.edges:
            if edge is None:
                continue
            waiting[id(edge[0])] -= 1
            if not waiting[id(edge[0])]:
                heapq.heappush(ready, _entry(edge[0], place))
    return order


def depth_of(nodes: Iterable[AutogradNode]) -> int:
    """Nodes on the longest way through a graph, given in the order of the pass."""
    depth: dict[int, int] = {}
    deepest = 0
    for node in nodes:
        here = depth.pop(id(node), 0) + 1
        deepest = max(deepest, here)
        for edge in node.edges:
            if edge is not None:
                depth[id(edge[0])] = max(depth.get(id(edge[0]), 0), here)
    return deepest


def _entry(node: AutogradNode, place: dict[int, int]) -> tuple[int, int, AutogradNode]:
    return -node.number, place[id(node)], node


def _reached(roots: Sequence[Any]) -> dict[Any, AutogradNode]:
    """Nodes by torch's own, each after all that its edges lead to."""
    found: dict[Any, AutogradNode] = {}
    pending = [(root, None) for root in reversed(roots)]
    stack: list[tuple[Any, Any]] = list(pending)
    while stack:
        node, edges = stack.pop()
        if node in found:
            continue
        if edges is None:
            edges = node.next_functions
            stack.append((node, edges))
            stack += [(after, None) for after, _ in reversed(edges) if after is not None and after not in found]
        else:
            ends = tuple([(found[after], number) if after is not None else None for after, number in edges])
            found[node] = AutogradNode(node, node_number(node), ends)
    return found
