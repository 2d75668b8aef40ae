"""Layers of torch whose settings are known are written so that they come out as they were."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.graph import Node
from torchatlas.views.skeleton.arguments import ARGUMENTS, known_arguments

LAYERS: list[nn.Module] = [
    nn.Conv1d(4, 8, 3, stride=2, padding=1, dilation=2, groups=2, padding_mode="reflect"),
    nn.Conv2d(4, 8, (3, 5), stride=(1, 2), padding=(0, 2), bias=False),
    nn.Conv2d(4, 8, 3, padding="same"),
    nn.Conv3d(2, 2, 1),
    nn.ConvTranspose1d(4, 8, 3, stride=2, output_padding=1, dilation=2),
    nn.ConvTranspose2d(4, 8, (2, 3), 2, bias=False),
    nn.ConvTranspose3d(2, 2, 1),
    nn.BatchNorm1d(4, eps=1e-3, momentum=None),
    nn.BatchNorm2d(4, affine=False),
    nn.BatchNorm3d(4, track_running_stats=False),
    nn.InstanceNorm1d(4),
    nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
    nn.InstanceNorm3d(4, momentum=0.3),
    nn.GroupNorm(1, 4),
    nn.GroupNorm(2, 4, eps=1e-3, affine=False),
    nn.LayerNorm(4, bias=False),
    nn.LayerNorm((2, 3), eps=1e-6, elementwise_affine=False),
    nn.RMSNorm(4, eps=1e-6),
    nn.RMSNorm((2, 3), elementwise_affine=False),
    nn.LocalResponseNorm(3, alpha=0.1, k=2.0),
    nn.Linear(3, 4),
    nn.Linear(3, 4, bias=False),
    nn.Bilinear(2, 3, 4, bias=False),
    nn.Embedding(5, 6, padding_idx=1, max_norm=2.0),
    nn.LSTM(3, 4, 2, batch_first=True, dropout=0.2, bidirectional=True, proj_size=2),
    nn.GRU(3, 4, bias=False),
    nn.RNN(3, 4, nonlinearity="relu"),
    nn.LSTMCell(3, 4),
    nn.GRUCell(3, 4, bias=False),
    nn.RNNCell(3, 4, nonlinearity="relu"),
    nn.PReLU(3),
    *(pool(3, 2, 1, ceil_mode=True) for pool in (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d)),
    nn.MaxPool2d((2, 3)),
    nn.MaxPool2d(3, return_indices=True, dilation=2),
    nn.AvgPool2d(2, count_include_pad=False, divisor_override=3),
    nn.AvgPool3d(2),
    *(unpool(2, 3) for unpool in (nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d)),
    *(pool(2, 3, ceil_mode=True) for pool in (nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)),
    *(pool(2) for pool in (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool3d)),
    nn.AdaptiveAvgPool2d((None, 7)),
    nn.AdaptiveMaxPool2d((1, 2), return_indices=True),
    *(
        getattr(nn, f"{kind}Pad{axes}d")(1)
        for kind in ("Circular", "Reflection", "Replication", "Zero")
        for axes in (1, 2, 3)
    ),
    *(getattr(nn, f"ConstantPad{axes}d")(1, 0.5) for axes in (1, 2, 3)),
    nn.ReflectionPad2d((1, 2, 3, 4)),
    *(
        drop(0.3)
        for drop in (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
    ),
    *(act(inplace=True) for act in (nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid)),
    *(act(0.7, inplace=True) for act in (nn.ELU, nn.CELU, nn.LeakyReLU)),
    *(act(0.7) for act in (nn.Hardshrink, nn.Softshrink)),
    *(act(dim=-1) for act in (nn.Softmax, nn.LogSoftmax, nn.Softmin)),
    nn.Softmax(),
    *(act() for act in (nn.Tanh, nn.Sigmoid, nn.Softsign, nn.Tanhshrink, nn.LogSigmoid, nn.Softmax2d)),
    nn.GELU("tanh"),
    nn.GLU(1),
    nn.Hardtanh(-2.0, 3.0),
    nn.Softplus(2.0, 10.0),
    nn.Threshold(0.1, float("inf")),
    nn.RReLU(0.2, 0.3),
    nn.Flatten(2),
    nn.Unflatten(1, (2, 2)),
    nn.Fold((4, 5), 2, padding=1),
    nn.Unfold((2, 3), stride=2),
    nn.PixelShuffle(2),
    nn.PixelUnshuffle(3),
    nn.ChannelShuffle(2),
    nn.CosineSimilarity(2, eps=1e-3),
    nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=True),
    nn.Upsample(size=(4, 5)),
    nn.UpsamplingBilinear2d(scale_factor=2),
    nn.UpsamplingNearest2d(size=3),
]


def shown(layer: nn.Module) -> tuple[str, dict[str, Any]]:
    """What a layer prints, its plain attributes and the shapes of its tensors."""
    plain = {name: item for name, item in vars(layer).items() if name[0] != "_" and not callable(item)}
    shapes = {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}
    return f"{layer!r}", {**plain, **shapes}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: re.sub(r"\W+", "-", repr(layer)))
def test_a_known_layer_comes_out_as_it_was(layer, tmp_path):
    """Class, every setting and every shape, from the file of a whole model and back through code."""
    torch.save(nn.ModuleDict({"layer": layer}), tmp_path / "a.pt")
    source = ta.skeleton(tmp_path / "a.pt")
    space: dict[str, Any] = {}
    exec(compile(source, "skeleton", "exec"), space)  # noqa: S102 - it is what is tested
    assert shown(space["Model"]().layer) == shown(layer)
    assert "sure" not in source.partition('"""\n')[2].partition("class Model")[2]


def test_every_layer_that_is_written_is_tried():
    """The list above leaves none out."""
    tried = {type(layer).__name__ for layer in LAYERS} | {"MultiheadAttention"}
    assert set(ARGUMENTS) <= tried


@pytest.mark.parametrize(
    "layer",
    [
        nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True),
        nn.MultiheadAttention(8, 4, bias=False, add_bias_kv=True, add_zero_attn=True, kdim=3, vdim=5),
    ],
)
def test_known_attention_comes_out_as_it_was(layer, tmp_path):
    """With the number of heads, which weights alone do not say."""
    torch.save(nn.ModuleDict({"layer": layer}), tmp_path / "a.pt")
    space: dict[str, Any] = {}
    exec(compile(ta.skeleton(tmp_path / "a.pt"), "skeleton", "exec"), space)  # noqa: S102 - it is what is tested
    made = space["Model"]().layer
    for name in ("num_heads", "dropout", "batch_first", "add_zero_attn", "kdim", "vdim"):
        assert getattr(made, name) == getattr(layer, name)
    assert {name: t.shape for name, t in made.state_dict().items()} == {
        n: t.shape for n, t in layer.state_dict().items()
    }


def test_what_cannot_be_written_is_none():
    """A class of the user's, a setting that is not there, and one that is no literal."""
    assert known_arguments("Mine", {"a": 1}) is None
    assert known_arguments("Linear", {"in_features": 3}) is None
    assert known_arguments("Mish", {}) is None
    assert known_arguments("Dropout", {"p": Node("dict", ("a",), (1,)), "inplace": False}) is None
