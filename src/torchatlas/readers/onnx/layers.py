"""Which layer of torch the nodes of a module make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.graph import Node
from torchatlas.readers import layers
from torchatlas.readers.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torchatlas.core.graph import Tree
    from torchatlas.readers.graph_builder import GraphBuilder, Step

    Shape = tuple[int, ...]

ACTIVATIONS = {
    "Relu": "ReLU",
    "LeakyRelu": "LeakyReLU",
    "PRelu": "PReLU",
    "Elu": "ELU",
    "Selu": "SELU",
    "Celu": "CELU",
    "Sigmoid": "Sigmoid",
    "Tanh": "Tanh",
    "Softmax": "Softmax",
    "LogSoftmax": "LogSoftmax",
    "Gelu": "GELU",
    "HardSigmoid": "Hardsigmoid",
    "HardSwish": "Hardswish",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "Mish": "Mish",
    "Identity": "Identity",
    "Flatten": "Flatten",
    "Swish": "SiLU",
    "Dropout": "Dropout",
}


class Layers:
    """Tells layers from nodes, whose shapes the builder holds."""

    def __init__(self, builder: GraphBuilder) -> None:
        self._builder = builder

    def of(self, steps: Sequence[Step]) -> Layer | None:
        """The layer that these operations are together; None where they are more, or something else."""
        names = tuple(step.name for step in steps)
        if len(steps) == 1 and names[0] in ACTIVATIONS:
            return Layer(ACTIVATIONS[names[0]])
        if len(steps) == 1 and names[0] in ONE:
            return self._one(steps[0])
        if names in PRODUCTS:
            product = next(step for step in steps if step.name == "MatMul")
            shapes = self._shapes(product)
            held = [shape for shape, value in zip(shapes, product.inputs, strict=True) if self._held(value, steps)]
            if len(held) == 1 and len(held[0]) == 2:  # noqa: PLR2004 - a matrix
                return layers.linear(*held[0])
        if names == ("Sigmoid", "Mul"):
            return Layer("SiLU")
        return None

    def _one(self, step: Step) -> Layer | None:
        told = _attributes(step)
        try:
            return ONE[step.name](self._shapes(step), told)
        except (IndexError, TypeError, ValueError):
            return None

    def _shapes(self, step: Step) -> list[Shape]:
        return [self._builder.values[value].shape for value in step.inputs]

    def _held(self, value: int, steps: Sequence[Step]) -> bool:
        """Whether it is a parameter, or one that was transposed here."""
        maker = self._builder.makers[value]
        if maker is None:
            return self._builder.values[value].kind == "parameter"
        return maker in steps and maker.name == "Transpose" and self._held(maker.inputs[0], ())


def _attributes(step: Step) -> dict[str, Tree]:
    return dict(zip(step.arguments.keys, step.arguments.items, strict=True))


def _ints(tree: Tree) -> tuple[int, ...]:
    return tuple(item for item in tree.items if isinstance(item, int)) if isinstance(tree, Node) else ()


def _number(tree: Tree, default: float) -> float:
    return float(tree) if isinstance(tree, (int, float)) else default


def _padding(told: Mapping[str, Tree]) -> tuple[int, ...] | str:
    """ONNX pads both ends of each dimension, torch's layers the same at both."""
    auto = told.get("auto_pad")
    if isinstance(auto, str) and auto not in {"NOTSET", "VALID", ""}:
        return auto.lower()
    pads = _ints(told.get("pads"))
    half = len(pads) // 2
    return pads[:half] if pads[:half] == pads[half:] else str(list(pads))


def _convolution(shapes: Sequence[Shape], told: Mapping[str, Tree], *, transposed: bool = False) -> Layer | None:
    stride, dilation = _ints(told.get("strides")), _ints(told.get("dilations"))
    groups = int(_number(told.get("group"), 1))
    return layers.convolution(shapes[1], stride, _padding(told), dilation, groups, transposed=transposed)


def _gemm(shapes: Sequence[Shape], told: Mapping[str, Tree]) -> Layer:
    rows, columns = shapes[1]
    return layers.linear(columns, rows) if told.get("transB") else layers.linear(rows, columns)


def _pool(kind: str) -> Callable[[Sequence[Shape], Mapping[str, Tree]], Layer | None]:
    def told_pool(_: Sequence[Shape], told: Mapping[str, Tree]) -> Layer | None:
        padding = _padding(told)
        kernel = _ints(told.get("kernel_shape"))
        return layers.pool(kind, kernel, _ints(told.get("strides")), () if isinstance(padding, str) else padding)

    return told_pool


def _recurrent(name: str) -> Callable[[Sequence[Shape], Mapping[str, Tree]], Layer]:
    def told_recurrent(shapes: Sequence[Shape], told: Mapping[str, Tree]) -> Layer:
        both = told.get("direction") == "bidirectional"
        sizes = (("input_size", shapes[1][-1]), ("hidden_size", shapes[2][-1]))
        return Layer(name, (*sizes, ("bidirectional", both)))

    return told_recurrent


PRODUCTS = frozenset({("MatMul",), ("MatMul", "Add"), ("Transpose", "MatMul"), ("Transpose", "MatMul", "Add")})
ONE: dict[str, Callable[[Sequence[Shape], Mapping[str, Tree]], Layer | None]] = {
    "Conv": _convolution,
    "ConvTranspose": lambda shapes, told: _convolution(shapes, told, transposed=True),
    "Gemm": _gemm,
    "Gather": lambda shapes, _: layers.embedding(shapes[0]),
    "BatchNormalization": lambda shapes, told: layers.batch_norm(
        shapes[0], shapes[1], _number(told.get("epsilon"), 1e-5)
    ),
    "LayerNormalization": lambda shapes, told: layers.layer_norm(shapes[1], _number(told.get("epsilon"), 1e-5)),
    "MaxPool": _pool("Max"),
    "AveragePool": _pool("Avg"),
    "GlobalAveragePool": lambda shapes, _: Layer(f"AdaptiveAvgPool{len(shapes[0]) - 2}d", (("output_size", 1),)),
    "GlobalMaxPool": lambda shapes, _: Layer(f"AdaptiveMaxPool{len(shapes[0]) - 2}d", (("output_size", 1),)),
    "LSTM": _recurrent("LSTM"),
    "GRU": _recurrent("GRU"),
    "RNN": _recurrent("RNN"),
}
