"""How a layer of torch is made whose settings are known, as a model that was run or pickled whole has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.graph import Node

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from torchatlas.core.graph import Tree

Settings: TypeAlias = "Mapping[str, Tree]"

AXES = (1, 2, 3)
CONVOLUTION = "in_channels out_channels kernel_size stride=1 padding=0 dilation=1 groups=1 bias? padding_mode='zeros'"
TRANSPOSED = (
    "in_channels out_channels kernel_size stride=1 padding=0 output_padding=0 groups=1 bias? dilation=1"
    " padding_mode='zeros'"
)
RECURRENT = (
    "input_size hidden_size num_layers=1 nonlinearity='tanh' bias=True batch_first=False dropout=0.0"
    " bidirectional=False proj_size=0"
)
EMBEDDING = "num_embeddings embedding_dim padding_idx=None max_norm=None norm_type=2.0 scale_grad_by_freq=False"
AVERAGE = "kernel_size stride=kernel_size padding=0 ceil_mode=False count_include_pad=True divisor_override=None"

ARGUMENTS: dict[str, str] = {
    **{f"Conv{axes}d": CONVOLUTION for axes in AXES},
    **{f"ConvTranspose{axes}d": TRANSPOSED for axes in AXES},
    **{
        f"BatchNorm{axes}d": "num_features eps=1e-05 momentum=0.1 affine=True track_running_stats=True" for axes in AXES
    },
    **{
        f"InstanceNorm{axes}d": "num_features eps=1e-05 momentum=0.1 affine=False track_running_stats=False"
        for axes in AXES
    },
    **{
        f"MaxPool{axes}d": "kernel_size stride=kernel_size padding=0 dilation=1 return_indices=False ceil_mode=False"
        for axes in AXES
    },
    **{f"AvgPool{axes}d": AVERAGE for axes in AXES},
    **{f"MaxUnpool{axes}d": "kernel_size stride=kernel_size padding=0" for axes in AXES},
    **{f"LPPool{axes}d": "norm_type kernel_size stride=None ceil_mode=False" for axes in AXES},
    **{f"AdaptiveAvgPool{axes}d": "output_size" for axes in AXES},
    **{f"AdaptiveMaxPool{axes}d": "output_size return_indices=False" for axes in AXES},
    **{f"{kind}Pad{axes}d": "padding" for kind in ("Circular", "Reflection", "Replication", "Zero") for axes in AXES},
    **{f"ConstantPad{axes}d": "padding value" for axes in AXES},
    **dict.fromkeys(("LSTM", "GRU", "RNN"), RECURRENT),
    **dict.fromkeys(("LSTMCell", "GRUCell"), "input_size hidden_size bias=True"),
    **dict.fromkeys(
        ("AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"), "p=0.5 inplace=False"
    ),
    **dict.fromkeys(("CELU", "ELU"), "alpha=1.0 inplace=False"),
    **dict.fromkeys(("Hardsigmoid", "Hardswish", "Mish", "ReLU", "ReLU6", "SELU", "SiLU"), "inplace=False"),
    **dict.fromkeys(("Hardshrink", "Softshrink"), "lambd=0.5"),
    **dict.fromkeys(("LogSoftmax", "Softmax", "Softmin"), "dim=None"),
    **dict.fromkeys(("UpsamplingBilinear2d", "UpsamplingNearest2d"), "size=None scale_factor=None"),
    "Bilinear": "in1_features in2_features out_features bias?",
    "ChannelShuffle": "groups",
    "CosineSimilarity": "dim=1 eps=1e-08",
    "Embedding": f"{EMBEDDING} sparse=False",
    "Flatten": "start_dim=1 end_dim=-1",
    "Fold": "output_size kernel_size dilation=1 padding=0 stride=1",
    "GELU": "approximate='none'",
    "GLU": "dim=-1",
    "GroupNorm": "num_groups num_channels eps=1e-05 affine=True",
    "Hardtanh": "min_val=-1.0 max_val=1.0 inplace=False",
    "LayerNorm": "normalized_shape eps=1e-05 elementwise_affine=True",
    "LeakyReLU": "negative_slope=0.01 inplace=False",
    "Linear": "in_features out_features bias?",
    "LocalResponseNorm": "size alpha=0.0001 beta=0.75 k=1.0",
    "MultiheadAttention": "embed_dim num_heads dropout=0.0 in_proj_bias? bias_k! add_zero_attn=False kdim=embed_dim"
    " vdim=embed_dim batch_first=False",
    "PReLU": "num_parameters=1",
    "PixelShuffle": "upscale_factor",
    "PixelUnshuffle": "downscale_factor",
    "RMSNorm": "normalized_shape eps=None elementwise_affine=True",
    "RNNCell": "input_size hidden_size bias=True nonlinearity='tanh'",
    "RReLU": "lower=0.125 upper=0.3333333333333333 inplace=False",
    "Softplus": "beta=1.0 threshold=20.0",
    "Threshold": "threshold value inplace=False",
    "Unflatten": "dim unflattened_size",
    "Unfold": "kernel_size dilation=1 padding=0 stride=1",
    "Upsample": "size=None scale_factor=None mode='nearest' align_corners=None recompute_scale_factor=None",
}
"""Arguments of layers in order, which are the names of their attributes: ``name`` where it must be given,
``name=usual`` where it may be left out, ``bias?`` and ``bias_k!`` for what is off or on as there is such a tensor."""

WITH_BIAS = ("Norm1d", "Norm2d", "Norm3d", "GroupNorm", "LayerNorm")
"""Ends of names of norms, which have a bias where they have a weight."""
FLAGS = {"in_proj_bias?": "bias=False", "bias_k!": "add_bias_kv=True", "bias?": "bias=False"}


def known_arguments(kind: str, settings: Settings, tensors: Collection[str] = ()) -> str | None:
    """What stands between the parentheses of a layer; None for a class that is none of torch, or lacks a setting.

    Args:
        kind: its class.
        settings: by name.
        tensors: the names of its tensors.
    """
    form = ARGUMENTS.get(kind)
    if form is None:
        return None
    names = [part.partition("=")[0] for part in form.split()]
    if not any(name in settings for name in names):
        return None
    try:
        written = list(_written(form, settings, tensors, once=kind.startswith("Conv")))
    except (KeyError, TypeError):
        return None
    if kind.endswith(WITH_BIAS) and "weight" in tensors and "bias" not in tensors:
        written.append("bias=False")
    return ", ".join(written)


def _written(form: str, settings: Settings, tensors: Collection[str], *, once: bool) -> Iterator[str]:
    """The arguments; ``once`` writes one number for all axes where they are alike."""
    for part in form.split():
        name, given, usual = part.partition("=")
        if part in FLAGS:
            if (part[:-1] in tensors) == part.endswith("!"):
                yield FLAGS[part]
        elif not given:
            yield _literal(settings[name], once=once)
        elif name in settings:
            value = _literal(settings[name], once=once)
            if value != (_literal(settings[usual]) if usual in settings else usual):
                yield f"{name}={value}"


def _literal(value: Tree, *, once: bool = False) -> str:
    """A setting as Python; ``once`` writes one number where all are the same.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, Node) and value.type in ("tuple", "list") and not value.keys:
        items = [_literal(item) for item in value.items]
        if once and len(set(items)) == 1:
            return items[0]
        if value.type == "list":
            return f"[{', '.join(items)}]"
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    raise TypeError(value)
