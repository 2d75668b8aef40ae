"""What the operators of ATen compute, from the shapes they met; for files that name them, without torch.

The counts are those of a capture, by the same formulas (`core.operators.flops`): an activation, a normalisation has
arithmetic but none of them.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.operators import flops
from torchatlas.core.operators.arithmetic import kind_of
from torchatlas.core.operators.names import in_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torchatlas.core.graph import Arithmetic

    Shape: TypeAlias = "tuple[int, ...]"
    Shapes: TypeAlias = "Mapping[str, Shape]"
    Formula: TypeAlias = "Callable[[Shape, Shapes], int]"


def work(op: str, given: Shapes, made: Sequence[Shape | None], weights: Sequence[Shape] = ()) -> tuple[int, Arithmetic]:
    """Operations of a call, and what kind of arithmetic it is.

    Args:
        op: the operator without namespace and overload: ``conv2d``; ``convolution``, which decomposition leaves, where
            it is not transposed.
        given: shapes of the tensors among its arguments, by the names of its schema; -1 where a size varies.
        made: shapes of its results; None where not known.
        weights: shapes of the tensors in its list of weights, which recurrent layers have.
    """
    bare = op.rstrip("_") if in_place(op) else op
    formula = FORMULAS.get(bare)
    if bare in RECURRENT:
        formula = partial(_recurrent, weights)
    if formula is None:
        return 0, kind_of(bare)
    known = [shape for shape in (*given.values(), *made, *weights) if shape is not None]
    out = made[0] if made else None
    if out is None or any(size < 0 for shape in known for size in shape):
        return 0, "unknown"
    try:
        return formula(out, given), "counted"
    except (KeyError, IndexError):
        return 0, "unknown"


def _product(first: str) -> Formula:
    """Whose first factor goes by that name."""
    return lambda out, given: flops.product(math.prod(out), given[first][-1])


def _factors(out: Shape, given: Shapes) -> int:
    return _product("input" if "input" in given else "self")(out, given)


def _convolution(out: Shape, given: Shapes) -> int:
    return flops.convolution(math.prod(out), given["weight"])


def _transposed(_: Shape, given: Shapes) -> int:
    return flops.transposed_convolution(math.prod(given["input"]), given["weight"])


def _attention(_: Shape, given: Shapes) -> int:
    query, key, value = given["query"], given["key"], given["value"]
    return flops.attention(math.prod(query[:-1]), key[-2], query[-1], value[-1])


def _cell(out: Shape, given: Shapes) -> int:
    return flops.recurrent(math.prod(out[:-1]), math.prod(given["w_ih"]) + math.prod(given["w_hh"]))


def _bilinear(out: Shape, given: Shapes) -> int:
    return flops.bilinear(math.prod(out), given["input1"][-1], given["input2"][-1])


_SDPA = "scaled_dot_product"
FORMULAS: dict[str, Formula] = {
    **dict.fromkeys(("mm", "bmm", "mv", "dot", "vdot", "matmul", "linear", "inner"), _factors),
    "addmm": _product("mat1"),
    "addmv": _product("mat"),
    "baddbmm": _product("batch1"),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "_convolution"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), _cell),
    **dict.fromkeys((f"{_SDPA}_attention", f"_{_SDPA}_attention_math", f"_{_SDPA}_flash_attention"), _attention),
    **dict.fromkeys((f"_{_SDPA}_flash_attention_for_cpu", f"_{_SDPA}_efficient_attention"), _attention),
    f"_{_SDPA}_cudnn_attention": _attention,
    "bilinear": _bilinear,
}
RECURRENT = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})


def _recurrent(weights: Sequence[Shape], _: Shape, given: Shapes) -> int:
    """A stack of recurrent layers: every step of the sequence meets every matrix."""
    matrices = sum(math.prod(shape) for shape in weights if len(shape) > 1)
    return flops.recurrent(math.prod(given["input"][:-1]), matrices)
