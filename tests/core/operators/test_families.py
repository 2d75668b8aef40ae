"""Families: which spellings are one operation."""

from __future__ import annotations

import pytest

from torchatlas.core.operators.families import FAMILIES, families, family_named, is_family

SPELLINGS = {
    "conv": ["Conv1d", "Conv2d", "LazyConv3d", "StdConv2dSame", "QuantConv2d", "F.conv2d", "torch.conv1d",
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
    "linear": ["Linear", "NonDynamicallyQuantizableLinear", "LazyLinear", "F.linear", "torch.addmm", "onnx.Gemm"],
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
}  # fmt: skip

OTHERS = {
    "conv": ["ConvTranspose2d", "Converter", "F.conv_transpose2d", "torch.conj"],
    "norm": ["torch.norm", "Normalize", "torch.linalg.vector_norm", "F.normalize"],
    "relu": ["LeakyReLU", "PReLU", "F.leaky_relu", "GELU"],
    "add": ["torch.addmm", "torch.addcmul"],
    "embedding": ["LlamaRotaryEmbedding"],
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


def test_a_group_has_no_family():
    """It goes by its own name alone, so that ``ConvBnRelu`` is no ``Conv``."""
    assert families("group", "Conv") == frozenset()
