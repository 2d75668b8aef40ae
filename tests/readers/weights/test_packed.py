"""Packed weights in files: elements, bytes and dtype as stored, the original shape beside them."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

import torchatlas as ta
from capture.test_stored import CHANNELS, captured, dynamic, grouped
from torchatlas.core.cost import total


def test_a_subclass_in_a_file_counts_the_tensors_inside(tmp_path):
    """1,024 bytes and 64 scales of 2 bytes stand for (32, 64), as in the model itself."""
    torch.save(grouped().state_dict(), tmp_path / "m.pth")
    graph = ta.open(tmp_path / "m.pth").graph
    (weight,) = graph.values
    assert (weight.shape, weight.dtype, weight.nbytes) == ((32, 64), "uint8", 1024 + 128)
    assert {(one.name, one.dtype, one.shape) for one in weight.inner} == {
        ("qdata", "uint8", (32, 32)),
        ("scale", "float16", (32, 2)),
    }
    assert (total(graph).parameters, total(graph).parameter_bytes) == (1024 + 64, 1024 + 128)


def test_packed_integers_in_a_file_say_the_shape_of_their_weight(tmp_path):
    """AWQ: eight numbers of 4 bits in each integer, along the outputs."""
    state = {
        "fc.qweight": torch.zeros(256, 8, dtype=torch.int32),
        "fc.qzeros": torch.zeros(2, 8, dtype=torch.int32),
        "fc.scales": torch.zeros(2, 64, dtype=torch.float16),
    }
    torch.save(state, tmp_path / "m.pth")
    atlas = ta.open(tmp_path / "m.pth")
    originals = {value.names[0]: value.original for value in atlas.graph.values}
    assert originals == {"fc.qweight": (64, 256), "fc.qzeros": None, "fc.scales": None}
    assert "[64, 256] as int32 [256, 8]" in str(atlas.summary())


def converted(layer, inputs, config):
    """A model of one layer between a quantizing and a dequantizing one; torch warns that it moves this elsewhere."""
    quantization = torch.ao.quantization
    model = nn.Sequential(quantization.QuantStub(), layer, quantization.DeQuantStub()).eval()
    model.qconfig = config
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = quantization.prepare(model)
        prepared(inputs)
        return quantization.convert(prepared)


def embedding(kind):
    """An embedding of ten rows of four."""
    model = nn.Sequential(kind(10, 4)).eval()
    model.qconfig = torch.ao.quantization.float_qparams_weight_only_qconfig
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.convert(torch.ao.quantization.prepare(model))


def default(engine):
    """How torch quantizes for an engine: x86 per channel, qnnpack per tensor."""
    return torch.ao.quantization.get_default_qconfig(engine)


ROWS, STEPS, IMAGE, SOUND = (2, 8), (3, 2, 8), (1, 3, 8, 8), (1, 3, 8)
QUANTIZED = {
    "linear": (lambda: dynamic(nn.Sequential(nn.Linear(8, 4)), nn.Linear), ROWS),
    "linear without a bias": (lambda: dynamic(nn.Sequential(nn.Linear(8, 4, bias=False)), nn.Linear), ROWS),
    "linear by channels": (lambda: dynamic(nn.Sequential(nn.Linear(8, 4)), {nn.Linear: CHANNELS}), ROWS),
    "linear of float16": (lambda: dynamic(nn.Sequential(nn.Linear(8, 4)), nn.Linear, torch.float16), ROWS),
    "LSTM": (lambda: dynamic(nn.Sequential(nn.LSTM(8, 6, 2, bidirectional=True)), nn.LSTM), STEPS),
    "LSTM of float16": (lambda: dynamic(nn.Sequential(nn.LSTM(8, 6)), nn.LSTM, torch.float16), STEPS),
    "GRU": (lambda: dynamic(nn.Sequential(nn.GRU(8, 6)), nn.GRU), STEPS),
    "LSTM cell": (lambda: dynamic(nn.Sequential(nn.LSTMCell(8, 6)), nn.LSTMCell), ROWS),
    "GRU cell of float16": (lambda: dynamic(nn.Sequential(nn.GRUCell(8, 6)), nn.GRUCell, torch.float16), ROWS),
    "convolution": (lambda: converted(nn.Conv2d(3, 4, 3), torch.randn(IMAGE), default("x86")), IMAGE),
    "convolution without a bias": (
        lambda: converted(nn.Conv2d(3, 4, 3, bias=False), torch.randn(IMAGE), default("x86")),
        IMAGE,
    ),
    "convolution, one dimension": (lambda: converted(nn.Conv1d(3, 4, 3), torch.randn(SOUND), default("x86")), SOUND),
    "transposed, per tensor": (
        lambda: converted(nn.ConvTranspose2d(3, 4, 3), torch.randn(IMAGE), default("qnnpack")),
        IMAGE,
    ),
    "static linear": (lambda: converted(nn.Linear(8, 4), torch.randn(ROWS), default("x86")), ROWS),
    "a norm with a scale of its own": (
        lambda: converted(nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4)), torch.randn(ROWS), default("x86")),
        ROWS,
    ),
    "embedding": (lambda: embedding(nn.Embedding), None),
    "bag of embeddings": (lambda: embedding(nn.EmbeddingBag), None),
}


def forms(graph):
    """What is said of each weight, by its first name."""
    return {
        value.names[0]: (value.shape, value.dtype, value.nbytes, value.kind, value.requires_grad, value.inner)
        for value in graph.values
        if value.kind in {"parameter", "buffer"}
    }


def sums(graph):
    """The numbers that say how much there is."""
    cost = total(graph)
    return cost.parameters, cost.trainable, cost.parameter_bytes, cost.buffers, cost.buffer_bytes


@pytest.mark.parametrize("whole", [False, True], ids=["state dict", "whole model"])
@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_layers_count_in_files_as_in_the_model(name, whole, tmp_path):
    """Names, shapes, types, bytes and sums are those of a capture of the model itself, and nothing is left out."""
    make, shape = QUANTIZED[name]
    model = make()
    live = captured(model, torch.zeros(2, 3, dtype=torch.long) if shape is None else torch.randn(shape)).graph
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(model if whole else model.state_dict(), tmp_path / "m.pth")
    graph = ta.open(tmp_path / "m.pth").graph
    assert sums(graph)[0] > 0
    assert sums(graph) == sums(live)
    own = {key: form for key, form in forms(live).items() if key not in {"0.scale", "0.zero_point"}}
    assert {key: form for key, form in forms(graph).items() if key in own or "weight" in key} == own
    assert not any("not shown" in note.text for note in graph.notes)
    halves = any("float32, with twice the bytes" in note.text for note in graph.notes)
    assert halves == ("float16" in name)


@pytest.mark.parametrize("name", [name for name in QUANTIZED if name[:5] not in {"stati", "convo", "trans", "a nor"}])
def test_runs_on_fake_tensors_count_packed_weights(name):
    """They stay real on such a run, and count the same; scales of channels too."""
    make, shape = QUANTIZED[name]
    model, inputs = make(), torch.zeros(2, 3, dtype=torch.long) if shape is None else torch.randn(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fake = ta.capture(model, inputs, fake=True).graph
    assert sums(fake) == sums(captured(model, inputs).graph)
    assert sums(fake)[0] > 0


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_quantized_model_takes_its_own_file(name, tmp_path):
    """As torch does."""
    model = QUANTIZED[name][0]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(model.state_dict(), tmp_path / "m.pth")
        verdict = str(ta.compare(model, tmp_path / "m.pth").verdict)
        model.load_state_dict(model.state_dict())
    assert verdict.startswith("load_state_dict(strict=True) takes the weights")


def test_statistics_of_half_precision_read_what_the_file_has(tmp_path):
    """Their numbers stand in the file in float32."""
    model = nn.Sequential(nn.Linear(4, 2))
    nn.init.constant_(model[0].weight, 3.0)
    torch.save(dynamic(model, nn.Linear, torch.float16).state_dict(), tmp_path / "m.pth")
    graph = ta.open(tmp_path / "m.pth", statistics=True).graph
    means = next(overlay for overlay in graph.overlays if overlay.name == "mean")
    bias = model[0].bias.mean().item()
    assert dict(means.paths)["0._packed_params"] == pytest.approx((8 * 3.0 + 2 * bias) / 10, rel=1e-4)


def test_names_alone_make_no_packed_weight(tmp_path):
    """A pair of tensors under another name, a tensor under such a one: both are what they are."""
    one = torch.zeros(2, 3)
    torch.save({"a._packed_weight": one, "a.b": one.clone(), "pair": (one, one)}, tmp_path / "m.pth")
    graph = ta.open(tmp_path / "m.pth").graph
    assert [value.names for value in graph.values] == [("a._packed_weight",), ("a.b",)]
    assert any("2 more tensors under 'pair'" in note.text for note in graph.notes)
