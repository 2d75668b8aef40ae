"""The operators of ONNX: the names of their arguments, what they compute, which arguments are weights.

Source: https://onnx.ai/onnx/operators
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from onnx import defs

from torchatlas.core.operators import flops
from torchatlas.core.operators.arithmetic import onnx_kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torchatlas.core.graph import Arithmetic, Tree

    Shape: TypeAlias = "tuple[int, ...]"
    Shapes: TypeAlias = "Sequence[Shape | None]"
    Attributes: TypeAlias = "Mapping[str, Tree]"

OWN = frozenset({"", "ai.onnx"})
"""The domain of ONNX's own operators, in both spellings."""

WEIGHTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "ConvInteger", "FusedConv"), ("", "weight", "bias")),
    "QLinearConv": ("", "", "", "weight", "", "", "", "", "bias"),
    "QLinearMatMul": ("", "", "", "weight"),
    **dict.fromkeys(("Gemm", "FusedGemm"), ("weight", "weight", "bias")),
    **dict.fromkeys(("MatMul", "FusedMatMul", "MatMulInteger", "MatMulNBits", "TransposeMatMul"), ("weight", "weight")),
    "BatchNormalization": ("", "weight", "bias", "running_mean", "running_var"),
    **dict.fromkeys(("InstanceNormalization", "LayerNormalization", "GroupNormalization"), ("", "weight", "bias")),
    **dict.fromkeys(("RMSNormalization", "SimplifiedLayerNormalization"), ("", "weight")),
    "SkipLayerNormalization": ("", "", "weight", "bias", "bias"),
    "SkipSimplifiedLayerNormalization": ("", "", "weight", "bias"),
    "EmbedLayerNormalization": ("", "", "weight", "weight", "weight", "weight", "bias"),
    "Attention": ("", "weight", "bias"),
    "QAttention": ("", "weight", "bias"),
    "MultiHeadAttention": ("", "", "", "bias"),
    **dict.fromkeys(("BiasGelu", "FastGelu"), ("", "bias")),
    "Gather": ("weight",),
    "PRelu": ("", "weight"),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), ("", "weight_ih", "weight_hh", "bias")),
    "DequantizeLinear": ("weight",),
    "Transpose": ("weight",),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), ("bias", "bias")),
}
"""By operator: what its arguments are called in torch, where they are weights if the file holds them."""
QUANTIZED = frozenset(
    {"DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "MatMulNBits", "QAttention"}
)
"""What reads weights that are integers."""
BUFFERS = frozenset({"running_mean", "running_var"})


def full_name(domain: str, op: str) -> str:
    """``Conv``, and ``com.microsoft.Attention`` where it is none of ONNX's own."""
    return op if domain in OWN else f"{domain}.{op}"


@cache
def argument_names(domain: str, op: str, version: int) -> tuple[tuple[str, ...], bool]:
    """The names of the inputs, and whether the last one stands for any number; nothing where it is not known."""
    try:
        schema = defs.get_schema(op, version, "" if domain in OWN else domain)
    except (defs.SchemaError, TypeError, ValueError):
        return (), False
    names = tuple(one.name for one in schema.inputs)
    return names, bool(names) and schema.inputs[-1].option == defs.OpSchema.FormalParameterOption.Variadic


def keys(domain: str, op: str, version: int, count: int) -> list[str]:
    """A name for each of ``count`` inputs."""
    names, repeats = argument_names(domain, op, version)
    if repeats:
        last = names[-1]
        names = (*names[:-1], *(f"{last}[{at}]" for at in range(count - len(names) + 1)))
    return [names[at] if at < len(names) else f"args[{at}]" for at in range(count)]


def work(domain: str, op: str, given: Shapes, made: Shapes, attributes: Attributes) -> tuple[int, Arithmetic]:
    """Operations of a call, 1 multiply-add being 2 of them, and what kind of arithmetic it is.

    Args:
        domain: of the operator.
        op: its name.
        given: shapes of inputs; None where not known, -1 where a size varies.
        made: shapes of outputs.
        attributes: by name.
    """
    formula = FORMULAS.get(op)
    if formula is None or not (domain in OWN or op.startswith("Fused")):
        return 0, onnx_kind_of(op) if domain in OWN else "unknown"
    try:
        count = formula([shape or () for shape in given], [shape or () for shape in made], attributes)
        fits = count >= 0 and all(min(shape, default=0) >= 0 for shape in (*given, *made) if shape is not None)
    except (IndexError, TypeError, ValueError):
        return 0, "unknown"
    return (count, "counted") if fits and made and made[0] is not None else (0, "unknown")


def _product(given: Sequence[Shape], made: Sequence[Shape], attributes: Attributes) -> int:
    """The first factor may come transposed."""
    return flops.product(math.prod(made[0]), given[0][-2 if attributes.get("transA") else -1])


def _convolution(at: int) -> Callable[[Sequence[Shape], Sequence[Shape], Attributes], int]:
    """Whose weight is the argument at that position."""
    return lambda given, made, _: flops.convolution(math.prod(made[0]), given[at]) if len(given[at]) > 1 else -1


def _transposed(given: Sequence[Shape], _: Sequence[Shape], __: Attributes) -> int:
    return flops.transposed_convolution(math.prod(given[0]), given[1])


def _recurrent(given: Sequence[Shape], _: Sequence[Shape], __: Attributes) -> int:
    """The matrices hold those of both directions."""
    return flops.recurrent(math.prod(given[0][:-1]), math.prod(given[1]) + math.prod(given[2]))


def _attention(given: Sequence[Shape], _: Sequence[Shape], __: Attributes) -> int:
    """Four dimensions each: batch, heads, length, width."""
    query, key, value = given[:3]
    if not len(query) == len(key) == len(value) == 4:  # noqa: PLR2004 - as said above
        return -1
    return flops.attention(math.prod(query[:-1]), key[-2], query[-1], value[-1])


FORMULAS: dict[str, Callable[[Sequence[Shape], Sequence[Shape], Attributes], int]] = {
    **dict.fromkeys(("MatMul", "Gemm", "MatMulInteger", "FusedGemm", "FusedMatMul"), _product),
    "QLinearMatMul": _product,
    **dict.fromkeys(("Conv", "ConvInteger", "FusedConv"), _convolution(1)),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    "Attention": _attention,
}
