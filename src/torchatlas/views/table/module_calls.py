"""The modules as the older tables list them: one entry per module call, and the shapes and sizes they print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError
from torchatlas.core.graph import Node, Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.core.graph import Call, Graph, Module, Tree, Value


# Named tuples whose first field is the data.
PACKED = frozenset({"PackedSequence"})


def called_modules(graph: Graph, style: str) -> Iterator[tuple[Call, Module]]:
    """Module calls in the order they began.

    Raises:
        InputError: there are no modules, so there is nothing these tables could list.
    """
    if not graph.modules:
        raise InputError(
            f"style={style!r} lists modules, but {graph.name} is a function. Leave style out to see its calls."
        )
    for call in graph.calls:
        module = None if call.path is None else graph.module_at.get(call.path)
        if module is not None:
            yield call, module


def is_leaf(graph: Graph) -> dict[str, bool]:
    """Whether a module, by any of its paths, registers no other module."""
    holders = {path.rpartition(".")[0] for path in graph.module_at if path}
    return {path: path not in holders for path in graph.module_at}


def first_tensor(call: Call, graph: Graph) -> Value | None:
    """The tensor a result is known by: the first of a tuple or list, the last entry of a dictionary."""
    tree: Tree = call.returns
    while isinstance(tree, Node):
        items = tree.items
        if not items:
            return None
        tree = items[-1] if tree.keys and tree.type not in PACKED else items[0]
    return graph.values[call.outputs[tree.index]] if isinstance(tree, Slot) else None
