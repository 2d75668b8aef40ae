"""The weights of a frozen model, which lie among the constants of its code and have lost their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.graph import Node, Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.core.graph import Tree, ValueKind
    from torchatlas.readers.graph_builder import GraphBuilder, Step

ROLES: dict[str, ValueKind] = {
    "weight": "parameter",
    "bias": "parameter",
    "params": "parameter",
    "running_mean": "buffer",
    "running_var": "buffer",
}
"""By the name of an argument: what it is called in a module."""


def settle(builder: GraphBuilder) -> None:
    """Make constants that layers read as their weights parameters and buffers of the module around."""
    found = False
    pending = [(builder.root, "")]
    while pending:
        step, path = pending.pop()
        path = step.path if step.path is not None else path
        pending += [(child, path) for child in step.children]
        for key, value in _held(step):
            name = builder.values[value].names[0] if builder.values[value].names else ""
            if builder.values[value].kind == "constant" and name.startswith("CONSTANTS."):
                found = True
                builder.change(value, kind=ROLES[key])
                builder.own(path, name.rpartition(".")[2], value)
    if found:
        builder.note("The model is frozen: constants that its layers read are shown as their weights, without names.")


def _held(step: Step) -> Iterator[tuple[str, int]]:
    """The values that an operator of ATen reads as weights, each with the name of its argument."""
    if not step.name.startswith("aten."):
        return
    for key, item in zip(step.arguments.keys, step.arguments.items, strict=True):
        if key in ROLES:
            for slot in _slots(item):
                yield key, step.inputs[slot.index]


def _slots(item: Tree) -> list[Slot]:
    items = item.items if isinstance(item, Node) else (item,)
    return [one for one in items if isinstance(one, Slot)]
