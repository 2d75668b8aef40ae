"""Families: which spellings are one operation."""

from __future__ import annotations

from typing import get_args

import pytest

from torchatlas.core.operators.families import FAMILIES, Hue, families, family_named, hue, is_family

SPELLINGS = {
    "conv": ["Conv1d", "Conv2d", "LazyConv3d", "StdConv2dSame", "QuantConv2d", "F.conv2d", "torch.conv1d",
             "quantized.conv2d_relu.new", "aten._slow_conv2d_forward.default",
             "aten.convolution.default", "aten.mkldnn_convolution.default", "onnx.Conv"],
    "convtranspose": ["ConvTranspose2d", "LazyConvTranspose1d", "F.conv_transpose2d", "onnx.ConvTranspose"],
    "batchnorm": ["BatchNorm2d", "SyncBatchNorm", "FrozenBatchNorm2d", "F.batch_norm", "aten.native_batch_norm.default",
                  "aten._native_batch_norm_legit_no_training.default", "onnx.BatchNormalization"],
    "norm": ["BatchNorm1d", "LayerNorm", "LlamaRMSNorm", "GroupNorm", "F.layer_norm", "F.rms_norm", "InstanceNorm3d",
             "LocalResponseNorm"],
    "layernorm": ["LayerNorm", "LayerNorm2d", "F.layer_norm", "aten.native_layer_norm.default"],
    "relu": ["ReLU", "ReLU6", "F.relu", "F.relu_", "torch.relu", "Tensor.relu_", "aten.relu_.default", "onnx.Relu"],
    "activation": ["ReLU", "LeakyReLU", "GELU", "NewGELUActivation", "SiLU", "Hardswish", "F.gelu", "torch.sigmoid",
                   "Tensor.tanh", "F.hardsigmoid", "PReLU", "Mish"],
    "linear": ["Linear", "NonDynamicallyQuantizableLinear", "LazyLinear", "F.linear", "torch.addmm", "onnx.Gemm",
               "quantized.linear.default", "aten.mkldnn_linear.default"],
    "matmul": ["torch.matmul", "Tensor.__matmul__", "torch.bmm", "aten.mm.default", "torch.einsum", "onnx.MatMul"],
    "maxpool": ["MaxPool2d", "AdaptiveMaxPool1d", "F.max_pool2d", "aten.max_pool2d_with_indices.default"],
    "avgpool": ["AvgPool2d", "AdaptiveAvgPool2d", "F.adaptive_avg_pool2d", "onnx.GlobalAveragePool"],
    "add": ["torch.add", "Tensor.__add__", "Tensor.__iadd__", "Tensor.__radd__", "Tensor.add_",
            "aten.add.Tensor", "onnx.Add"],
    "mul": ["torch.mul", "Tensor.__mul__", "Tensor.__rmul__", "Tensor.mul_", "aten.mul.Scalar"],
    "concat": ["torch.cat", "torch.concat", "aten.cat.default", "onnx.Concat"],
    "dropout": ["Dropout", "Dropout2d", "DropPath", "F.dropout", "aten.native_dropout.default"],
    "softmax": ["Softmax", "F.softmax", "torch.softmax", "aten._softmax.default", "LogSoftmax"],
    "attention": ["MultiheadAttention", "LlamaAttention", "BertSelfAttention", "F.scaled_dot_product_attention",
                  "aten._scaled_dot_product_flash_attention_for_cpu.default"],
    "embedding": ["Embedding", "EmbeddingBag", "F.embedding", "aten.embedding.default"],
    "lstm": ["LSTM", "LSTMCell", "torch.lstm", "aten.lstm.input"],
    "recurrent": ["LSTM", "GRU", "RNN", "torch.gru"],
    "reshape": ["Tensor.view", "Tensor.reshape", "torch.flatten", "Flatten", "aten._unsafe_view.default"],
    "identity": ["Identity"],
    "rotaryembedding": ["LlamaRotaryEmbedding", "onnx.RotaryEmbedding"],
    "unfold": ["Unfold", "F.unfold", "aten.im2col.default"],
}  # fmt: skip

OTHERS = {
    "conv": ["ConvTranspose2d", "Converter", "F.conv_transpose2d", "torch.conj"],
    "norm": ["torch.norm", "Normalize", "torch.linalg.vector_norm", "F.normalize"],
    "relu": ["LeakyReLU", "PReLU", "F.leaky_relu", "GELU"],
    "add": ["torch.addmm", "torch.addcmul"],
    "embedding": ["LlamaRotaryEmbedding", "F.cosine_embedding_loss", "torch.diag_embed"],
    "linear": ["GemmaMLP", "UpsamplingBilinear2d", "onnx.QuantizeLinear"],
    "recurrent": ["RecurrentGemmaMlp", "ParakeetRNNTDecoder"],
    "tanh": ["torch.atanh", "torch.arctanh"],
}


def kind(name):
    """Functions are spelt with a dot, classes without."""
    return "aten" if name.startswith("aten.") else "function" if "." in name else "module"


@pytest.mark.parametrize("family", SPELLINGS)
def test_every_spelling_belongs_to_the_family(family):
    """Modules, functions, methods, operators, ATen and ONNX."""
    assert is_family(family)
    assert [name for name in SPELLINGS[family] if family not in families(kind(name), name)] == []


@pytest.mark.parametrize("family", OTHERS)
def test_what_only_sounds_alike_does_not(family):
    """Words inside other words."""
    assert [name for name in OTHERS[family] if family in families(kind(name), name)] == []


def test_a_wider_family_holds_the_members_of_its_parts():
    """Each family says truly what it is within, under the name that patterns use."""
    for name, family in FAMILIES.items():
        assert family_named(name) == name.lower()
        assert not family.within or family.within in FAMILIES


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("module", "Conv2dNormActivation", "normalisation"),
        ("module", "RecurrentGemmaRotaryEmbedding", "embedding"),
        ("module", "GemmaDecoderLayer", "module"),
        ("group", "ConvBnRelu", "convolution"),
        ("aten", "aten.convolution_backward.default", "convolution"),
        ("aten", "aten._log_softmax_backward_data.default", "activation"),
        ("aten", "aten.normal_.default", "movement"),
        ("backward", "NativeLayerNormBackward0", "normalisation"),
        ("backward", "AccumulateGrad", "arithmetic"),
        ("function", "Tensor.__getitem__", "movement"),
        ("function", "Tensor.backward", "arithmetic"),
        ("saved", "conv.weight", "saved"),
    ],
)
def test_a_call_is_drawn_as_its_first_family(kind, name, expected):
    """A backward as its forward; a group by the words in its name."""
    assert hue(kind, name) == expected


def test_every_hue_is_that_of_some_family_or_of_none():
    """A saved tensor and a module without a family have their own, and no other is left over."""
    assert set(get_args(Hue)) - {family.hue for family in FAMILIES.values()} == {"saved", "module"}


def test_a_group_has_no_family():
    """It goes by its own name alone, so that ``ConvBnRelu`` is no ``Conv``."""
    assert families("group", "Conv") == frozenset()
