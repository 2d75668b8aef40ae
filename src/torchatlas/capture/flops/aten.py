"""Floating point operations of one ATen call, from the shapes it met; 1 multiply-add is 2 of them.

Counted are contractions (matrix products, convolutions, attention, recurrent layers), distances and Fourier
transforms. A bias, an activation, a normalisation, a softmax has arithmetic but no formula: it is ``elementwise``.
A call that may hide a contraction for which there is no formula is ``unknown``, never zero. Conventions: a causal or
masked attention counts as a full one; a complex or an integer multiply-add counts as one multiply-add.

Formulas that files need too stand in `core.operators.flops`; here they are bound to the arguments of kernels.

`torch.utils.flop_counter` holds torch's own formulas and those that users register. Those below come first: they
know kernels that torch's table lacks (attention, recurrent layers and encoder layers on CPU, products with vectors,
sparse and quantized products), and count the backward of a grouped convolution once, not once per group.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import flop_counter

from torchatlas.capture.flops.arithmetic import kind_of
from torchatlas.core.operators import flops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchatlas.core.graph import Arithmetic

    # The result of the call comes first, then its arguments, of which one may be called ``out``.
    Formula = Callable[..., int]


def product(out: Any, /, a: Any, *_: Any, **__: Any) -> int:
    """Any product whose result sums over the last dimension of ``a``: mm, bmm, mv, dot, matmul, linear.

    With one sparse factor every stored element of it meets one row (or column) of the other. Nested tensors, which have
    no shape, are counted part by part.
    """
    if a.is_nested:
        return sum([product(part, left) for part, left in zip(out.unbind(), a.unbind(), strict=True)])
    if a.layout is torch.strided:
        return int(flops.product(out.numel(), a.shape[-1]))
    return int(flops.product(_stored(a), out.shape[-1]))


def matrix_product(out: Any, /, a: Any, b: Any, *_: Any, **__: Any) -> int:
    """`product` where either factor may be sparse; of two sparse factors the count depends on their patterns."""
    if b.layout is torch.strided:
        return product(out, a)
    if a.layout is not torch.strided:
        raise NotImplementedError("sparse times sparse")
    return int(flops.product(a.shape[0], _stored(b)))


def added_product(out: Any, /, _: Any, a: Any, b: Any, *__: Any, **___: Any) -> int:
    """Addmm, addmv, baddbmm: the product of the second and the third argument; the sum is not counted."""
    return matrix_product(out, a, b)


def summed_product(out: Any, /, _: Any, batch1: Any, *__: Any, **___: Any) -> int:
    """Addbmm: the products of all matrices of a batch, summed."""
    return int(flops.product(out.numel(), batch1.shape[0] * batch1.shape[-1]))


def _stored(sparse: Any) -> int:
    if sparse.layout is torch.sparse_coo:
        return int(sparse._nnz())  # no public count works on an uncoalesced tensor
    return int(sparse.values().numel())


def grouped_product(out: Any, /, a: Any, b: Any, *_: Any, **__: Any) -> int:
    """Grouped_mm: a 2-D first factor is cut into groups along rows or along the summed dimension."""
    return int(2 * a.numel() * b.shape[-1] if a.dim() == 2 else 2 * out.numel() * a.shape[-1])  # noqa: PLR2004 - rank


def trilinear(_: Any, /, *args: Any, **__: Any) -> int:
    """The kernel of bilinear: the first two of three factors are contracted, then the result with the third.

    Where a factor lacks a dimension, ``expanded`` gives it one of size one. A dimension that is summed waits for the
    second contraction if the third factor has it, unless it is the one that the kernel loops over.
    """
    factors, expanded, summed = args[:3], args[3:6], args[6]
    unroll = args[7] if len(args) > 7 else 1  # noqa: PLR2004 - position and default as in the schema
    one, two, three = (_unsqueezed(factor.shape, at) for factor, at in zip(factors, expanded, strict=True))
    pair = _broadcast(one, two)
    left = [1 if i in summed and (i in expanded[2] or i == unroll) else size for i, size in enumerate(pair)]
    return 2 * math.prod(pair) + 2 * math.prod(_broadcast(left, three))


def _broadcast(one: Sequence[int], two: Sequence[int]) -> list[int]:
    return [b if a == 1 else a for a, b in zip(one, two, strict=True)]


def _unsqueezed(shape: Sequence[int], positions: Sequence[int]) -> list[int]:
    sizes = list(shape)
    for position in positions:
        sizes.insert(position, 1)
    return sizes


def convolution(out: Any, /, _: Any, weight: Any, *__: Any, **___: Any) -> int:
    """conv1d, conv2d, conv3d, and the kernels of backends."""
    return int(flops.convolution(out.numel(), weight.shape))


def transposed_convolution(_: Any, /, x: Any, weight: Any, *__: Any, **___: Any) -> int:
    """The same, transposed."""
    return int(flops.transposed_convolution(x.numel(), weight.shape))


def any_convolution(out: Any, /, x: Any, weight: Any, *rest: Any, **__: Any) -> int:
    """aten.convolution(x, weight, bias, stride, padding, dilation, transposed, …)."""
    return transposed_convolution(out, x, weight) if rest[4] else convolution(out, x, weight)


def convolution_backward(_: Any, /, grad: Any, x: Any, weight: Any, *rest: Any, **__: Any) -> int:
    """The gradients by input and by weight cost as much as the forward each; ``rest[-1]`` says which were asked for."""
    transposed, asked = rest[4], rest[-1]
    one = transposed_convolution(None, x, weight) if transposed else convolution(grad, x, weight)
    return one * (int(asked[0]) + int(asked[1]))


def convolution_in_time(out: Any, /, _: Any, weight: Any, *__: Any, **___: Any) -> int:
    """conv_tbc: the weight is (kernel, in, out)."""
    return int(flops.product(out.numel(), weight.shape[0] * weight.shape[1]))


def attention(out: Any, /, query: Any, key: Any, *_: Any, **__: Any) -> int:
    """Scores and their product with the values, for every head of the result (so also with shared key heads)."""
    result = out[0] if isinstance(out, (tuple, list)) else out
    rows = math.prod(result.shape[:-1])
    return int(flops.attention(rows, key.shape[-2], query.shape[-1], result.shape[-1]))


def attention_backward(_: Any, /, grad: Any, query: Any, key: Any, *__: Any, **___: Any) -> int:
    """Scores again, then the gradients of values, scores, queries and keys: five products, two of the value's width."""
    rows = math.prod(grad.shape[:-1])
    return int(2 * rows * key.shape[-2] * (3 * query.shape[-1] + 2 * grad.shape[-1]))


def encoder_layer(
    _: Any, x: Any, width: int, __: int, qkv: Any, ___: Any, out_weight: Any, *rest: Any, **____: Any
) -> int:
    """Fused encoder layer: x (batch, length, width); weights of attention and of the two feed-forward layers."""
    feed1, feed2 = rest[8], rest[10]
    batch, length, _ = x.shape
    weights = qkv.numel() + out_weight.numel() + feed1.numel() + feed2.numel()
    return int(2 * batch * length * weights + 4 * batch * length * length * width)


def multihead(_: Any, /, q: Any, k: Any, v: Any, width: int, *rest: Any, **__: Any) -> int:
    """Fused multi-head attention: three projections in, scores, values, one projection out."""
    out_weight = rest[3]
    projections = (q.numel() + k.numel() + v.numel()) * width
    return int(
        2 * projections
        + 4 * q.shape[0] * q.shape[1] * k.shape[1] * width
        + 2 * q.shape[0] * q.shape[1] * out_weight.numel()
    )


def recurrent_layer(_: Any, /, x: Any, by_input: Any, by_hidden: Any, *__: Any, **___: Any) -> int:
    """aten.mkldnn_rnn_layer: one layer, one direction, x (time, batch, in) or packed (steps, in)."""
    return int(flops.recurrent(math.prod(x.shape[:-1]), by_input.numel() + by_hidden.numel()))


def recurrent_layer_backward(out: Any, /, x: Any, by_input: Any, by_hidden: Any, *_: Any, **__: Any) -> int:
    """Gradients by input and by weight: twice the forward."""
    return 2 * recurrent_layer(out, x, by_input, by_hidden)


def recurrent_stack(_: Any, /, x: Any, weights: Sequence[Any], *__: Any, **___: Any) -> int:
    """cuDNN, MIOpen: all layers and directions; every matrix meets every step once, x (time, batch, in) or packed."""
    matrices = sum(weight.numel() for weight in weights if weight.dim() == 2)  # noqa: PLR2004 - biases have rank 1
    return int(flops.recurrent(math.prod(x.shape[:-1]), matrices))


def distances(out: Any, /, a: Any, *_: Any, **__: Any) -> int:
    """Difference, its power, the sum: 3 per coordinate of each pair of points."""
    return int(3 * out.numel() * a.shape[-1])


def euclidean_distances(out: Any, /, a: Any, *_: Any, **__: Any) -> int:
    """One matrix product: |a|² - 2ab + |b|² with the two norms as extra coordinates."""
    return int(2 * out.numel() * (a.shape[-1] + 2))


def affine_grid(out: Any, *_: Any, **__: Any) -> int:
    """Every point, with a one as its last coordinate, meets the matrix of its picture."""
    return int(2 * out.numel() * (out.shape[-1] + 1))


def complex_transform(_: Any, /, x: Any, dims: Sequence[int], *__: Any, **___: Any) -> int:
    """Nominal 5 N log2(N) of a complex transform (http://www.fftw.org/speed/method.html)."""
    return _transform(x.shape, dims, 5.0)


def transform_of_real(_: Any, /, x: Any, dims: Sequence[int], *__: Any, **___: Any) -> int:
    """Half of a complex transform, N being the real input."""
    return _transform(x.shape, dims, 2.5)


def transform_to_real(out: Any, /, _: Any, dims: Sequence[int], *__: Any, **___: Any) -> int:
    """Half of a complex transform, N being the real result."""
    return _transform(out.shape, dims, 2.5)


def _transform(shape: Sequence[int], dims: Sequence[int], factor: float) -> int:
    return round(factor * math.prod(shape) * math.log2(max(1, math.prod(shape[dim] for dim in dims))))


def quantized_convolution(out: Any, /, _: Any, packed: Any, *__: Any, **___: Any) -> int:
    """The weight lies in the packed object."""
    return convolution(out, None, packed.unpack()[0])


def quantized_transposed_convolution(out: Any, /, x: Any, packed: Any, *_: Any, **__: Any) -> int:
    """The weight lies in the packed object."""
    return transposed_convolution(out, x, packed.unpack()[0])


def _named(namespace: str, table: dict[Formula, str]) -> dict[str, Formula]:
    return {f"{namespace}::{name}": formula for formula, names in table.items() for name in names.split()}


FORMULAS: dict[str, Formula] = {
    **_named(
        "aten",
        {
            product: "bmm dot vdot mv linear mkldnn_linear _int_mm _weight_int8pack_mm "
            "_weight_int4pack_mm _weight_int4pack_mm_for_cpu _weight_int4pack_mm_with_scales_and_zeros "
            "_dyn_quant_matmul_4bit _scaled_mm _scaled_mm_v2 _mixed_dtypes_linear",
            matrix_product: "mm _sparse_mm",
            added_product: "addmm addmv baddbmm _addmm_activation _sparse_addmm",
            summed_product: "addbmm",
            grouped_product: "_grouped_mm _scaled_grouped_mm _scaled_grouped_mm_v2",
            trilinear: "_trilinear",
            any_convolution: "convolution _convolution convolution_overrideable",
            convolution: "cudnn_convolution cudnn_convolution_relu cudnn_convolution_add_relu miopen_convolution "
            "miopen_convolution_relu miopen_convolution_add_relu miopen_depthwise_convolution mkldnn_convolution "
            "_mps_convolution _nnpack_spatial_convolution _slow_conv2d_forward slow_conv3d_forward "
            "slow_conv_dilated2d slow_conv_dilated3d _conv_depthwise2d conv_depthwise3d",
            transposed_convolution: "cudnn_convolution_transpose miopen_convolution_transpose "
            "_mps_convolution_transpose slow_conv_transpose2d slow_conv_transpose3d",
            convolution_backward: "convolution_backward convolution_backward_overrideable",
            convolution_in_time: "conv_tbc",
            attention: "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_attention_math_for_mps "
            "_scaled_dot_product_fused_attention_overrideable",
            attention_backward: "_scaled_dot_product_flash_attention_for_cpu_backward",
            encoder_layer: "_transformer_encoder_layer_fwd",
            multihead: "_native_multi_head_attention",
            recurrent_layer: "mkldnn_rnn_layer",
            recurrent_layer_backward: "mkldnn_rnn_layer_backward",
            recurrent_stack: "_cudnn_rnn miopen_rnn",
            distances: "_cdist_forward _pdist_forward",
            euclidean_distances: "_euclidean_dist",
            affine_grid: "affine_grid_generator cudnn_affine_grid_generator",
            complex_transform: "_fft_c2c",
            transform_of_real: "_fft_r2c",
            transform_to_real: "_fft_c2r",
        },
    ),
    **_named(
        "quantized",
        {
            product: "linear linear_relu linear_leaky_relu linear_tanh linear_dynamic linear_relu_dynamic "
            "linear_dynamic_fp16 linear_relu_dynamic_fp16 matmul",
            quantized_convolution: "conv1d conv1d_relu conv2d conv2d_relu conv2d_add conv2d_add_relu conv3d "
            "conv3d_relu conv1d_dynamic conv2d_dynamic conv3d_dynamic",
            quantized_transposed_convolution: "conv_transpose1d conv_transpose2d conv_transpose3d "
            "conv_transpose1d_dynamic conv_transpose2d_dynamic conv_transpose3d_dynamic",
        },
    ),
}

_kinds: dict[Any, Arithmetic] = {}
_formulas: dict[Any, Formula | None] = {}


def aten_flops(func: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> tuple[int, Arithmetic]:
    """Count one call that a ``TorchDispatchMode`` saw, after it ran.

    Args:
        func: the OpOverload (or higher order operator) that was called.
        args: as given to ``__torch_dispatch__``.
        kwargs: as given to ``__torch_dispatch__``.
        out: its result, real or fake.

    Returns:
        FLOPs and what they are. Never raises: a formula that cannot be computed is ``unknown``.
    """
    formula = formula_of(func)
    if formula is None:
        kind = _kinds.get(func)
        if kind is None:
            kind = _kinds[func] = kind_of(func)
        return 0, kind
    try:
        count = formula(out, *args, **kwargs)
    except Exception:  # noqa: BLE001 - users register formulas too, and none may break their run
        return 0, "unknown"
    # A symbolic size makes a symbolic count, which is no number.
    return (count, "counted") if type(count) is int else (0, "unknown")


def formula_of(func: Any) -> Formula | None:
    """The formula of an OpOverload: ours, else torch's table, where users register theirs."""
    packet = getattr(func, "overloadpacket", func)
    try:
        formula = _formulas[packet]
    except KeyError:
        name = getattr(packet, "_qualified_op_name", "")
        formula = _formulas[packet] = FORMULAS.get(name) or FORMULAS.get(name.removesuffix("_"))
    if formula is not None:
        return formula
    registered = flop_counter.flop_registry.get(packet)
    return None if registered is None else lambda out, /, *args, **kwargs: registered(*args, **kwargs, out_val=out)
