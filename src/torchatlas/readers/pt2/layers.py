"""The settings of a layer of torch, from the arguments of the operator that it calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.graph import Node, Slot
from torchatlas.core.operators.names import operator
from torchatlas.readers import layers
from torchatlas.readers.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torchatlas.core.graph import Tree
    from torchatlas.readers.graph_builder import GraphBuilder, Step

    Arguments = Mapping[str, Tree]
    Shapes = Mapping[str, tuple[int, ...]]


class Layers:
    """Tells layers from calls of ATen, whose shapes the builder holds."""

    def __init__(self, builder: GraphBuilder) -> None:
        self._builder = builder

    def of(self, steps: Sequence[Step]) -> Layer | None:
        """The layer that calls of ATen are; None where it is something else.

        One call is a layer, also where reshapes stand around it, as decomposition puts them around the product of a
        linear layer.
        """
        known = steps if len(steps) == 1 else [step for step in steps if _op(step) not in RESHAPES]
        if [_op(step) for step in known] in PRODUCTS:
            known = known[:1]
        told_by = ONE.get(_op(known[0])) if len(known) == 1 else None
        if told_by is None:
            return None
        told = dict(zip(known[0].arguments.keys, known[0].arguments.items, strict=True))
        values = self._builder.values
        shapes = {
            key: values[known[0].inputs[item.index]].shape for key, item in told.items() if isinstance(item, Slot)
        }
        try:
            return told_by(shapes, told)
        except (KeyError, IndexError, TypeError, ValueError):
            return None


def _op(step: Step) -> str:
    """``relu`` of ``aten.relu_.default``; empty for what is none of ATen's."""
    return operator(step.name).rstrip("_") if step.name.startswith("aten.") else ""


def _ints(tree: Tree) -> tuple[int, ...]:
    if isinstance(tree, int):
        return (tree,)
    return tuple(item for item in tree.items if isinstance(item, int)) if isinstance(tree, Node) else ()


def _number(tree: Tree, default: float) -> float:
    return float(tree) if isinstance(tree, (int, float)) else default


def _convolution(shapes: Shapes, told: Arguments) -> Layer | None:
    padding = told.get("padding")
    return layers.convolution(
        shapes["weight"],
        _ints(told.get("stride")),
        padding if isinstance(padding, str) else _ints(padding),
        _ints(told.get("dilation")),
        int(_number(told.get("groups"), 1)),
        transposed=told.get("transposed") is True,
    )


def _transposed(shapes: Shapes, told: Arguments) -> Layer | None:
    sizes = _ints(told.get("stride")), _ints(told.get("padding")), _ints(told.get("dilation"))
    return layers.convolution(shapes["weight"], *sizes, int(_number(told.get("groups"), 1)), transposed=True)


def _product(matrix: str) -> Callable[[Shapes, Arguments], Layer | None]:
    """A linear layer once it is decomposed; its second factor, ``matrix``, is the weight transposed."""

    def told_product(shapes: Shapes, _: Arguments) -> Layer | None:
        inputs, outputs = shapes[matrix][-2:]
        return layers.linear(inputs, outputs)

    return told_product


def _norm(shapes: Shapes, told: Arguments) -> Layer | None:
    features = shapes.get("weight", shapes.get("running_mean", ()))
    return layers.batch_norm(shapes["input"], features, _number(told.get("eps"), 1e-5))


def _layer_norm(_: Shapes, told: Arguments) -> Layer:
    return layers.layer_norm(_ints(told.get("normalized_shape")), _number(told.get("eps"), 1e-5))


def _pool(kind: str) -> Callable[[Shapes, Arguments], Layer | None]:
    def told_pool(shapes: Shapes, told: Arguments) -> Layer | None:
        sizes = (_ints(told.get(word)) for word in ("kernel_size", "stride", "padding"))
        rank = len(shapes["self"]) - 2
        return layers.pool(kind, *(size * rank if len(size) == 1 else size for size in sizes))

    return told_pool


RESHAPES = frozenset(
    {"view", "_unsafe_view", "reshape", "permute", "t", "transpose", "unsqueeze", "squeeze", "expand", "clone"}
)
PRODUCTS = (["mm", "add"], ["bmm", "add"])
"""What decomposition may make of a linear layer: a product, and its bias."""
ONE: dict[str, Callable[[Shapes, Arguments], Layer | None]] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed),
    "linear": lambda shapes, _: layers.linear(shapes["weight"][1], shapes["weight"][0]),
    "addmm": _product("mat2"),
    "mm": _product("mat2"),
    "bmm": _product("mat2"),
    "embedding": lambda shapes, _: layers.embedding(shapes["weight"]),
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit"), _norm),
    **dict.fromkeys(("layer_norm", "native_layer_norm"), _layer_norm),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"), _pool("Max")),
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool3d_with_indices"), _pool("Max")),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _pool("Avg")),
    "dropout": lambda _, told: Layer("Dropout", (("p", _number(told.get("p"), 0.5)),)),
}
