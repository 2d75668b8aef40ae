"""Weights that are packed: elements, bytes and dtype as stored, the original shape beside them."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.measure.cost import costs, total
from torchatlas.core.measure.memory import memory

CHANNELS = torch.ao.quantization.per_channel_dynamic_qconfig


def dynamic(model, kind, dtype=torch.qint8):
    """The model with its layers of a kind quantised dynamically; torch warns that it moves this elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(
            model.eval(), kind if isinstance(kind, dict) else {kind}, dtype=dtype
        )


def captured(model, *inputs):
    """What a capture gives; torch warns about its own quantised storages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ta.capture(model, *inputs)


def named(atlas):
    """Weights by name."""
    return {name: value for value in atlas.graph.values for name in value.names if value.kind != "input"}


def test_a_dynamically_quantised_linear_counts_what_it_packs():
    """2,048 bytes of qint8 and 32 float32 of the bias; per tensor, the scale is a number and no tensor."""
    atlas = captured(dynamic(nn.Sequential(nn.Linear(64, 32)), nn.Linear), torch.randn(2, 64))
    weight = named(atlas)["0._packed_params.weight"]
    assert (weight.dtype, weight.shape, weight.nbytes, weight.requires_grad) == ("qint8", (32, 64), 2048, False)
    cost = total(atlas.graph)
    assert (cost.parameters, cost.trainable, cost.parameter_bytes) == (64 * 32 + 32, 0, 64 * 32 + 4 * 32)
    assert cost.flops == 2 * 2 * 64 * 32
    assert costs(atlas.graph).module("0").parameters == 64 * 32 + 32


def test_scales_of_each_channel_count():
    """Per channel, each of 32 outputs has a float64 scale and an int64 zero point."""
    atlas = captured(dynamic(nn.Sequential(nn.Linear(64, 32)), {nn.Linear: CHANNELS}), torch.randn(2, 64))
    weight = named(atlas)["0._packed_params.weight"]
    assert weight.nbytes == 64 * 32 + 32 * 8 + 32 * 8
    assert [(one.name, one.dtype, one.shape) for one in weight.inner] == [
        ("int_repr", "qint8", (32, 64)),
        ("scales", "float64", (32,)),
        ("zero_points", "int64", (32,)),
    ]
    assert total(atlas.graph).parameters == 64 * 32 + 32 + 32 + 32


@pytest.mark.parametrize(("dtype", "stored", "size"), [(torch.qint8, "qint8", 1), (torch.float16, "float16", 2)])
def test_a_quantised_lstm_counts_both_directions(dtype, stored, size):
    """Each direction packs weights of (64, 8) and (64, 16) and two biases of 64 float32."""
    model = dynamic(nn.Sequential(nn.LSTM(8, 16, bidirectional=True)), nn.LSTM, dtype)
    atlas = captured(model, torch.randn(3, 2, 8))
    cost = total(atlas.graph)
    assert cost.parameters == 2 * (64 * 8 + 64 * 16 + 64 + 64)
    assert cost.parameter_bytes == 2 * (size * (64 * 8 + 64 * 16) + 4 * (64 + 64))
    assert named(atlas)["0._all_weight_values.1.weight_hh"].dtype == stored


def test_half_precision_counts_two_bytes_each():
    """Torch unpacks a float16 weight as float32; it is stored as float16."""
    atlas = captured(dynamic(nn.Sequential(nn.Linear(64, 32)), nn.Linear, torch.float16), torch.randn(2, 64))
    assert total(atlas.graph).parameter_bytes == 2 * 64 * 32 + 4 * 32


def test_a_packed_cell_and_an_embedding_are_read():
    """``_packed_weight_ih`` holds weight_ih and bias_ih; an embedding has no bias."""
    cell = captured(dynamic(nn.Sequential(nn.LSTMCell(8, 16)), nn.LSTMCell), torch.randn(2, 8))
    assert {"0.weight_ih", "0.bias_ih", "0.weight_hh", "0.bias_hh"} <= named(cell).keys()
    bag = nn.Sequential(nn.EmbeddingBag(10, 4)).eval()
    bag.qconfig = torch.ao.quantization.float_qparams_weight_only_qconfig
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bag = torch.ao.quantization.convert(torch.ao.quantization.prepare(bag))
    atlas = captured(bag, torch.zeros(2, 3, dtype=torch.long))
    assert total(atlas.graph).parameters == 10 * 4 + 10 + 10
    assert total(atlas.graph).parameter_bytes == 10 * 4 + 10 * 4 + 10 * 4


def test_packed_parameters_of_two_modules_count_once():
    """One object of packed parameters in two modules is one weight with two names."""
    model = dynamic(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)), nn.Linear)
    model[1]._packed_params._packed_params = model[0]._packed_params._packed_params
    atlas = captured(model, torch.randn(1, 8))
    assert total(atlas.graph).parameters == 8 * 8 + 8
    assert named(atlas)["0._packed_params.weight"] is named(atlas)["1._packed_params.weight"]


class Grouped(torch.Tensor):
    """Weights of 4 bits, two in a byte, with a scale for each group: a subclass by torch's protocol."""

    def __new__(cls, qdata, scale, shape):
        """A wrapper without memory of its own."""
        made = torch.Tensor._make_wrapper_subclass(cls, shape, dtype=torch.float32)
        made.qdata, made.scale = qdata, scale
        return made

    def __tensor_flatten__(self):
        """The tensors inside."""
        return ["scale", "qdata"], (tuple(self.shape),)

    @classmethod
    def __tensor_unflatten__(cls, inner, meta, outer_size, outer_stride):
        """A wrapper around such tensors."""
        return cls(inner["qdata"], inner["scale"], meta[0])

    def dense(self):
        """The weight itself."""
        return (self.qdata.repeat_interleave(2, 1).float()).mul(self.scale.repeat_interleave(32, 1))

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        """Detached, it stays what it is; anything else is done with the dense weight."""
        if func is torch.ops.aten.detach.default:
            return cls(args[0].qdata, args[0].scale, args[0].shape)
        return func(*[one.dense() if isinstance(one, cls) else one for one in args], **(kwargs or {}))


def grouped():
    """A Linear of (32, 64) with such a weight."""
    layer = nn.Linear(64, 32, bias=False)
    weight = Grouped(torch.zeros(32, 32, dtype=torch.uint8), torch.zeros(32, 2, dtype=torch.float16), (32, 64))
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer


@pytest.mark.parametrize("level", ["op", "aten"])
def test_a_subclass_counts_the_tensors_inside(level):
    """1,024 bytes and 64 scales of 2 bytes stand for (32, 64); the dtype is that of the largest."""
    atlas = ta.capture(grouped(), torch.randn(2, 64), level=level)
    weight = named(atlas)["weight"]
    assert (weight.shape, weight.dtype, weight.nbytes) == ((32, 64), "uint8", 1024 + 128)
    assert (total(atlas.graph).parameters, total(atlas.graph).parameter_bytes) == (1024 + 64, 1024 + 128)
    assert total(atlas.graph).flops == 2 * 2 * 64 * 32
    assert memory(atlas.graph).inputs == 2 * 64 * 4, "the tensors inside are the weight, no further inputs"


def test_the_table_says_what_is_stored_for_what():
    """The original shape beside the stored form, and what the numbers mean."""
    text = str(ta.summary(grouped(), torch.randn(2, 64)))
    assert "[32, 64] as uint8 [32, 32] +1" in text
    assert "packed          2,048  weights, stored as 1,088 elements (uint8, float16)" in text
    assert "Packed weights are counted as stored" in text


def test_a_table_without_packed_weights_has_no_such_column():
    """Nothing is said where there is nothing to say."""
    text = str(ta.summary(nn.Linear(4, 4), torch.randn(1, 4)))
    assert "stored" not in text
    assert "packed" not in text


class State:
    """How a library of 4-bit weights remembers what it packed."""

    def __init__(self, shape, *, nested=False):
        """Maxima of 32 blocks, 16 levels; and where nested, the tables of the maxima."""
        self.absmax, self.code, self.shape = torch.zeros(32), torch.zeros(16), torch.Size(shape)
        self.state2 = State((32,)) if nested else None


class Params4bit(nn.Parameter):
    """A parameter of packed bytes."""

    def __new__(cls, data, state):
        """The bytes, with the tables that unpack them."""
        made = torch.Tensor._make_subclass(cls, data, require_grad=False)
        made.quant_state = state
        return made


@pytest.mark.parametrize(("nested", "tables"), [(False, 32 + 16), (True, 2 * (32 + 16))])
def test_a_parameter_of_packed_bytes_counts_its_tables(nested, tables):
    """Two weights in a byte of (1024, 1), and the tables among its attributes; torch's shape stays torch's."""

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = Params4bit(torch.zeros(1024, 1, dtype=torch.uint8), State((32, 64), nested=nested))

        def forward(self, x):
            return x * 2

    atlas = ta.capture(Layer(), torch.randn(2, 64))
    weight = named(atlas)["weight"]
    assert (weight.shape, weight.original, weight.dtype) == ((1024, 1), (32, 64), "uint8")
    assert total(atlas.graph).parameters == 1024 + tables
    assert total(atlas.graph).parameter_bytes == 1024 + 4 * tables
    assert "[32, 64] as uint8 [1024, 1]" in str(atlas.summary())


def test_layers_of_packed_integers_say_the_shape_of_their_weight():
    """GPTQ: eight numbers of 4 bits in each integer, along the inputs. They are buffers, and count as such."""
    layer = nn.Module()
    layer.forward = lambda x: x * 2
    for name, one in {
        "qweight": torch.zeros(32, 64, dtype=torch.int32),
        "qzeros": torch.zeros(2, 8, dtype=torch.int32),
        "scales": torch.zeros(2, 64, dtype=torch.float16),
        "g_idx": torch.zeros(256, dtype=torch.int32),
    }.items():
        layer.register_buffer(name, one)
    atlas = ta.capture(layer, torch.randn(1, 256))
    assert named(atlas)["qweight"].original == (64, 256)
    assert total(atlas.graph).buffers == 32 * 64 + 2 * 8 + 2 * 64 + 256
    assert "[64, 256] as int32 [32, 64]" in str(atlas.summary())


def test_sparse_weights_count_indices_and_values():
    """Three of 12 values: 3 values, 3 column indices, 5 row ends."""
    layer = nn.Linear(3, 4, bias=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        three = torch.sparse_csr_tensor([0, 1, 2, 3, 3], [0, 1, 2], torch.ones(3), size=(4, 3), check_invariants=True)
    layer.weight = nn.Parameter(three, requires_grad=False)
    weight = named(ta.capture(layer, torch.randn(2, 3)))["weight"]
    assert (weight.shape, weight.dtype, weight.numel, weight.nbytes) == ((4, 3), "float32", 11, 5 * 8 + 3 * 8 + 3 * 4)


def test_a_subclass_that_raises_is_what_torch_says_of_it():
    """A broken protocol must not break a capture."""

    class Broken(Grouped):
        def __tensor_flatten__(self):
            raise ValueError("no")

    layer = nn.Linear(64, 32, bias=False)
    layer.weight = nn.Parameter(
        Broken(torch.zeros(32, 32, dtype=torch.uint8), torch.zeros(32, 2), (32, 64)), requires_grad=False
    )
    weight = named(ta.capture(layer))["weight"]
    assert (weight.numel, weight.inner) == (2048, ())


def test_packed_weights_come_back_from_files(tmp_path):
    """Both kinds of file hold what is stored."""
    atlas = ta.capture(grouped(), torch.randn(2, 64))
    for name in ("m.atlas", "m.json"):
        atlas.save(tmp_path / name)
        assert ta.open(tmp_path / name).graph == atlas.graph
