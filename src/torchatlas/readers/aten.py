"""What the operators of ATen compute, from the shapes they met; for files that name them, without torch.

The counts are those of `torchatlas.capture`: 1 multiply-add is 2 operations; a bias, an activation, a normalisation
has arithmetic but no formula.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.operators.arithmetic import kind_of
from torchatlas.core.operators.names import in_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torchatlas.core.graph import Arithmetic

    Shape: TypeAlias = "tuple[int, ...]"
    Shapes: TypeAlias = "Mapping[str, Shape]"


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


def _product(out: Shape, given: Shapes) -> int:
    """Results that sum over the last dimension of the first factor."""
    return 2 * math.prod(out) * given["input" if "input" in given else "self"][-1]


def _added(first: str) -> Callable[[Shape, Shapes], int]:
    return lambda out, given: 2 * math.prod(out) * given[first][-1]


def _convolution(out: Shape, given: Shapes) -> int:
    """Each element of the result sums over the channels of its group and the kernel."""
    return 2 * math.prod(out) * math.prod(given["weight"][1:])


def _transposed(_: Shape, given: Shapes) -> int:
    """Each element of the input meets the channels of its group and the kernel."""
    return 2 * math.prod(given["input"]) * math.prod(given["weight"][1:])


def _attention(_: Shape, given: Shapes) -> int:
    """Scores, and their sums of the values; masks are not considered."""
    query, key, value = given["query"], given["key"], given["value"]
    return 2 * math.prod(query) * key[-2] + 2 * math.prod(query[:-1]) * value[-2] * value[-1]


def _cell(out: Shape, given: Shapes) -> int:
    """One step of a recurrent layer: the input meets one matrix, the state the other."""
    return 2 * math.prod(out[:-1]) * (math.prod(given["w_ih"]) + math.prod(given["w_hh"]))


def _bilinear(out: Shape, given: Shapes) -> int:
    return 2 * math.prod(out) * given["input2"][-1] * (given["input1"][-1] + 1)


_SDPA = "scaled_dot_product"
FORMULAS: dict[str, Callable[[Shape, Shapes], int]] = {
    **dict.fromkeys(("mm", "bmm", "mv", "dot", "vdot", "matmul", "linear", "inner"), _product),
    "addmm": _added("mat1"),
    "addmv": _added("mat"),
    "baddbmm": _added("batch1"),
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
    steps = math.prod(given["input"][:-1])
    return 2 * steps * sum(math.prod(shape) for shape in weights if len(shape) > 1)
