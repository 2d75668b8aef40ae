"""Whether a call has what a pattern asks of it in brackets: `Conv[3x3, stride=2]`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchatlas.core.graph import Node, Slot, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.core.graph import Call, Graph, Tree
    from torchatlas.core.pattern.language import Condition, Wanted

MATRIX = 2
KERNEL = "kernel_size"
SPELLINGS = {KERNEL: (KERNEL, "kernel_shape"), "stride": ("stride", "strides"), "dilation": ("dilation", "dilations")}


def holds(graph: Graph, call: Call, condition: Condition) -> bool:
    """Whether the condition holds of the call, its module, or a function that does the module's work."""
    found = any(_fits(tree, condition.value) for tree in _facts(graph, call, condition.key))
    return found != condition.negated


def _facts(graph: Graph, call: Call, key: str) -> Iterator[Tree]:
    """What is known under a key, the nearest first: a module's settings, arguments, sizes of the weight."""
    if key == "name":
        yield call.name
        return
    if key == "path":
        yield call.path
        return
    keys = SPELLINGS.get(key, (key,))
    module = None if call.path is None else graph.module_at.get(call.path)
    for name, tree in module.settings if module else ():
        if name in keys:
            yield tree
            return
    worker = _worker(graph, call)
    for name, tree in zip(worker.arguments.keys, worker.arguments.items, strict=False):
        if name in keys and not isinstance(tree, Slot):
            yield tree
            return
    if key == KERNEL:
        weights = [graph.values[value] for value in worker.inputs[1:2]]
        yield from (Node("tuple", (), weight.shape[MATRIX:]) for weight in weights if len(weight.shape) > MATRIX)


def _worker(graph: Graph, call: Call) -> Call:
    """The one function that a module hands its work to, if there is just one."""
    while call.kind == "module":
        inside = [child for child in graph.children[call.id] if graph.calls[child].kind != "aten"]
        if len(inside) != 1:
            break
        call = graph.calls[inside[0]]
    return call


def _fits(tree: Tree, wanted: Wanted) -> bool:
    """Compare what is there with what is wanted; one number stands for as many equal ones."""
    if isinstance(wanted, re.Pattern):
        return wanted.fullmatch(tree.text if isinstance(tree, Text) else str(tree)) is not None
    if isinstance(wanted, tuple):
        sizes = tree.items if isinstance(tree, Node) else (tree,) * len(wanted)
        return len(sizes) == len(wanted) and all(map(_fits, sizes, wanted))
    if isinstance(tree, Node):
        return bool(tree.items) and all(_fits(item, wanted) for item in tree.items)
    if isinstance(tree, Text):
        return isinstance(wanted, str) and tree.text in {wanted, f"torch.{wanted}"}
    return tree == wanted and isinstance(tree, bool) == isinstance(wanted, bool)
