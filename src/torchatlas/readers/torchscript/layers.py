"""The class and settings of layers that were traced, whose code says neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.graph import Node, Slot
from torchatlas.readers import layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.core.graph import Tree
    from torchatlas.readers.graph_builder import GraphBuilder, Step
    from torchatlas.readers.layers import Layer


class Layers:
    """Tells layers from calls of operators."""

    def __init__(self, builder: GraphBuilder) -> None:
        self._builder = builder

    def of(self, steps: Sequence[Step]) -> Layer | None:
        """The layer that one call is; None where there are more, or it is something else."""
        if len(steps) != 1:
            return None
        told = dict(zip(steps[0].arguments.keys, steps[0].arguments.items, strict=True))
        weight = self._shape(steps[0], told.get("weight"))
        name = steps[0].name.rpartition(".")[2]
        if name in {"_convolution", "conv1d", "conv2d", "conv3d"} and len(weight) > 2:  # noqa: PLR2004 - a kernel
            groups = told.get("groups")
            sizes = _ints(told.get("stride")), _ints(told.get("padding")), _ints(told.get("dilation"))
            number = groups if isinstance(groups, int) else 1
            return layers.convolution(weight, *sizes, number, transposed=told.get("transposed") is True)
        if name == "linear" and len(weight) == 2:  # noqa: PLR2004 - a matrix
            return layers.linear(weight[1], weight[0])
        if name == "embedding":
            return layers.embedding(weight)
        return None

    def _shape(self, step: Step, item: Tree) -> tuple[int, ...]:
        return self._builder.values[step.inputs[item.index]].shape if isinstance(item, Slot) else ()


def _ints(tree: Tree) -> tuple[int, ...]:
    return tuple(item for item in tree.items if isinstance(item, int)) if isinstance(tree, Node) else ()
