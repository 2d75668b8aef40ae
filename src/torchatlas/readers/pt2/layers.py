"""The settings of a layer of torch, from the arguments of the operator that it calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.graph import Node, Slot
from torchatlas.readers import layers
from torchatlas.readers.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torchatlas.core.graph import Tree
    from torchatlas.readers.draft import Draft, Step

    Arguments = Mapping[str, Tree]
    Shapes = Mapping[str, tuple[int, ...]]


class Layers:
    """Tells layers from calls of ATen, whose shapes the draft holds."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def of(self, steps: Sequence[Step]) -> Layer | None:
        """The layer that one call of ATen is; None where there are more, or it is something else."""
        parts = steps[0].name.split(".") if len(steps) == 1 else []
        told_by = ONE.get(parts[1].rstrip("_")) if len(parts) > 1 and parts[0] == "aten" else None
        if told_by is None:
            return None
        told = dict(zip(steps[0].arguments.keys, steps[0].arguments.items, strict=True))
        values = self._draft.values
        shapes = {
            key: values[steps[0].inputs[item.index]].shape for key, item in told.items() if isinstance(item, Slot)
        }
        try:
            return told_by(shapes, told)
        except (KeyError, IndexError, TypeError, ValueError):
            return None


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
    )


def _transposed(shapes: Shapes, told: Arguments) -> Layer | None:
    sizes = _ints(told.get("stride")), _ints(told.get("padding")), _ints(told.get("dilation"))
    return layers.convolution(shapes["weight"], *sizes, int(_number(told.get("groups"), 1)), transposed=True)


def _norm(shapes: Shapes, told: Arguments) -> Layer | None:
    features = shapes.get("weight", shapes.get("running_mean", ()))
    return layers.batch_norm(shapes["input"], features, _number(told.get("eps"), 1e-5))


def _pool(kind: str) -> Callable[[Shapes, Arguments], Layer | None]:
    def told_pool(shapes: Shapes, told: Arguments) -> Layer | None:
        sizes = (_ints(told.get(word)) for word in ("kernel_size", "stride", "padding"))
        rank = len(shapes["self"]) - 2
        return layers.pool(kind, *(size * rank if len(size) == 1 else size for size in sizes))

    return told_pool


ONE: dict[str, Callable[[Shapes, Arguments], Layer | None]] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed),
    "linear": lambda shapes, _: layers.linear(shapes["weight"][1], shapes["weight"][0]),
    "embedding": lambda shapes, _: layers.embedding(shapes["weight"]),
    "batch_norm": _norm,
    "layer_norm": lambda _, told: layers.layer_norm(
        _ints(told.get("normalized_shape")), _number(told.get("eps"), 1e-5)
    ),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"), _pool("Max")),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _pool("Avg")),
    "dropout": lambda _, told: Layer("Dropout", (("p", _number(told.get("p"), 0.5)),)),
}
