"""The modules of a graph as a tree of what a class has to register: tensors, and modules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.graph import Node, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchatlas.core.graph import Graph, Module, Tree, Value

Path: TypeAlias = "tuple[str, ...]"

NOT_TENSORS = "not tensors"
"""The setting of a module that names what ``load_state_dict`` is given for it besides tensors."""
EXTRA_STATE = "_extra_state"
"""What `get_extra_state` gave; torch hands it to the module as it is, even where it is a tensor."""


@dataclass(slots=True, eq=False)
class ModuleNode:
    """One module: its own tensors by name, and the modules inside it.

    Attributes:
        path: the names that lead to it.
        module: what the graph knows of it; None where names alone lead there.
        tensors: its own, by name.
        extra: whether one more is its extra state, which is no parameter and no buffer.
        children: by name, in order.
    """

    path: Path
    module: Module | None = None
    tensors: dict[str, Value] = field(default_factory=dict)
    extra: bool = False
    children: dict[str, ModuleNode] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The class that it is, or was told to be."""
        return self.module.name if self.module else ""

    @property
    def settings(self) -> dict[str, Tree]:
        """What is known of its arguments."""
        return dict(self.module.settings) if self.module else {}

    @property
    def not_tensors(self) -> tuple[str, ...]:
        """Names of what it is given besides tensors."""
        told = self.settings.get(NOT_TENSORS)
        named = told.keys if isinstance(told, Node) and all(isinstance(item, Text) for item in told.items) else ()
        return (*named, EXTRA_STATE) if self.extra else named

    def flat(self) -> dict[str, Value]:
        """Give its tensors and those inside it, by their names as seen from it."""
        found: dict[str, Value] = {}
        waiting = [("", self)]
        while waiting:
            prefix, node = waiting.pop()
            found.update((prefix + name, value) for name, value in node.tensors.items())
            waiting += [(f"{prefix}{name}.", child) for name, child in node.children.items()]
        return found


def tree_of(graph: Graph) -> ModuleNode:
    """Give the root: every module that the graph knows, and every node that a name of a tensor leads through."""
    root = ModuleNode((), graph.module_at.get(""))
    known: dict[Path, ModuleNode] = {(): root}
    for path, module in graph.module_at.items():
        if path:
            _node(tuple(path.split(".")), known).module = module
    for value in graph.values:
        for name in value.names if value.is_weight and not _is_unmade(value) else ():
            *around, own = name.split(".")
            node = _node(tuple(around), known)
            if own == EXTRA_STATE:
                node.extra = True
            else:
                node.tensors[own] = value
    return root


def _is_unmade(value: Value) -> bool:
    """Whether it is a lazy layer's tensor, which gets its shape in the first run."""
    return value.shape == () and value.nbytes is None


def _node(path: Path, known: dict[Path, ModuleNode]) -> ModuleNode:
    """The node where a path leads; it and those around it are made where they are missing."""
    missing = []
    at = path
    while at not in known:
        missing.append(at)
        at = at[:-1]
    for new in reversed(missing):
        known[new] = known[new[:-1]].children[new[-1]] = ModuleNode(new)
    return known[path]


def inside_first(root: ModuleNode, is_layer: Callable[[ModuleNode], bool]) -> Iterator[ModuleNode]:
    """Go through all nodes that are no layers, each after those inside it; into a layer nobody looks."""
    order, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        if not is_layer(node):
            order.append(node)
            waiting += node.children.values()
    return reversed(order)
