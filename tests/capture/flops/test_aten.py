"""FLOPs of ATen calls, each against a count written by hand; M is a multiply-add, 2 FLOPs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils import flop_counter
from torch.utils.flop_counter import FlopCounterMode, register_flop_formula

from torchatlas.capture.flops import aten as flops_aten
from torchatlas.capture.flops.aten import FORMULAS, aten_flops
from torchatlas.capture.flops.functions import Watch
from torchatlas.capture.torch_private import FakeTensorMode

M = 2
GRAD_MODES = (torch.enable_grad, torch.no_grad, torch.inference_mode)


def watched(run):
    """The FLOPs of what runs, from the ATen calls it makes, and the strongest kind among them."""
    with Watch() as watch:
        run()
    return watch.flops, watch.arithmetic


def of(*shape, dtype=torch.float32):
    """A tensor of this shape."""
    return torch.zeros(shape, dtype=dtype)


def packed(*lengths, width):
    """A packed batch of sequences of these lengths."""
    return pack_padded_sequence(of(max(lengths), len(lengths), width), torch.tensor(lengths))


HAND = {
    "linear of a 3-D input": (lambda: F.linear(of(2, 5, 8), of(3, 8), of(3)), M * (2 * 5) * 8 * 3),
    "linear of one vector": (lambda: F.linear(of(8), of(3, 8)), M * 8 * 3),
    "matrix times vector": (lambda: of(4, 6) @ of(6), M * 4 * 6),
    "dot": (lambda: torch.dot(of(7), of(7)), M * 7),
    "matmul with broadcast batches": (lambda: of(3, 1, 4, 5) @ of(2, 5, 6), M * (3 * 2) * 4 * 5 * 6),
    "addmm": (lambda: torch.addmm(of(4, 6), of(4, 5), of(5, 6)), M * 4 * 5 * 6),
    "addmv": (lambda: torch.addmv(of(4), of(4, 5), of(5)), M * 4 * 5),
    "addbmm": (lambda: torch.addbmm(of(4, 6), of(3, 4, 5), of(3, 5, 6)), M * 3 * 4 * 5 * 6),
    "baddbmm in place": (lambda: of(3, 4, 6).baddbmm_(of(3, 4, 5), of(3, 5, 6)), M * 3 * 4 * 5 * 6),
    "product into a given tensor": (lambda: torch.mm(of(3, 4), of(4, 5), out=of(3, 5)), M * 3 * 4 * 5),
    "einsum": (lambda: torch.einsum("bij,bkj->bik", of(2, 3, 4), of(2, 5, 4)), M * 2 * 3 * 5 * 4),
    "bilinear": (lambda: F.bilinear(of(3, 8), of(3, 4), of(7, 8, 4)), M * 3 * 7 * (8 * 4 + 4)),
    "conv2d": (lambda: F.conv2d(of(2, 3, 10, 10), of(8, 3, 3, 3)), M * 2 * 8 * (8 * 8) * (3 * 3 * 3)),
    "conv2d, strided, grouped": (
        lambda: F.conv2d(of(2, 4, 9, 9), of(6, 2, 3, 3), stride=2, groups=2),
        M * 2 * 6 * (4 * 4) * (2 * 3 * 3),
    ),
    "conv2d, depthwise": (lambda: F.conv2d(of(1, 8, 6, 6), of(8, 1, 3, 3), groups=8), M * 8 * (4 * 4) * (3 * 3)),
    "conv1d without a batch, same": (lambda: F.conv1d(of(4, 9), of(6, 4, 3), padding="same"), M * 6 * 9 * (4 * 3)),
    "conv3d": (lambda: F.conv3d(of(1, 2, 4, 4, 4), of(3, 2, 2, 2, 2)), M * 3 * (3 * 3 * 3) * (2 * 2 * 2 * 2)),
    "conv_transpose2d, grouped": (
        lambda: F.conv_transpose2d(of(2, 4, 5, 5), of(4, 3, 3, 3), stride=2, groups=2),
        M * (2 * 4 * 5 * 5) * (3 * 3 * 3),
    ),
    "conv_tbc": (lambda: torch.conv_tbc(of(7, 2, 4), of(3, 4, 5), of(5)), M * (5 * 2 * 5) * (3 * 4)),
    "attention": (
        lambda: F.scaled_dot_product_attention(of(2, 4, 6, 8), of(2, 4, 9, 8), of(2, 4, 9, 8)),
        M * (2 * 4) * 6 * 9 * (8 + 8),
    ),
    "attention, causal: not discounted": (
        lambda: F.scaled_dot_product_attention(of(1, 2, 6, 8), of(1, 2, 6, 8), of(1, 2, 6, 8), is_causal=True),
        M * 2 * 6 * 6 * (8 + 8),
    ),
    "attention without batch, values of another width": (
        lambda: F.scaled_dot_product_attention(of(4, 6, 8), of(4, 9, 8), of(4, 9, 5)),
        M * 4 * 6 * 9 * (8 + 5),
    ),
    "attention, 4 query heads on 2 key heads": (
        lambda: F.scaled_dot_product_attention(of(1, 4, 6, 8), of(1, 2, 6, 8), of(1, 2, 6, 8), enable_gqa=True),
        M * 4 * 6 * 6 * (8 + 8),
    ),
    "LSTM, 2 layers, both directions": (
        lambda: nn.LSTM(8, 6, 2, bidirectional=True, batch_first=True)(of(2, 5, 8)),
        M * (2 * 5) * 2 * ((4 * 6) * (8 + 6) + (4 * 6) * (2 * 6 + 6)),
    ),
    "LSTM of a packed batch": (lambda: nn.LSTM(8, 6)(packed(5, 3, width=8)), M * (5 + 3) * (4 * 6) * (8 + 6)),
    "LSTM with projections": (
        lambda: nn.LSTM(8, 6, proj_size=3)(of(5, 2, 8)),
        M * (5 * 2) * ((4 * 6) * (8 + 3) + 3 * 6),
    ),
    "GRU": (lambda: nn.GRU(8, 6)(of(5, 2, 8)), M * (5 * 2) * (3 * 6) * (8 + 6)),
    "RNN": (lambda: nn.RNN(8, 6, nonlinearity="relu")(of(5, 2, 8)), M * (5 * 2) * 6 * (8 + 6)),
    "LSTMCell": (lambda: nn.LSTMCell(8, 6)(of(3, 8)), M * 3 * (4 * 6) * (8 + 6)),
    "multi-head attention": (
        lambda: nn.MultiheadAttention(8, 2, batch_first=True).eval()(of(2, 5, 8), of(2, 7, 8), of(2, 7, 8)),
        M * 2 * ((5 + 7 + 7) * 8 * 8 + 2 * 5 * 7 * 8 + 5 * 8 * 8),
    ),
    "multi-head attention to itself": (
        lambda: nn.MultiheadAttention(8, 2, batch_first=True).eval()(*[of(2, 5, 8)] * 3),
        M * 2 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8),
    ),
    "encoder layer": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()(of(2, 5, 8)),
        M * 2 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8 + 2 * 5 * 8 * 16),
    ),
    "mixture of experts: rows cut into groups": (
        lambda: torch._grouped_mm(
            of(6, 8, dtype=torch.bfloat16),
            of(2, 8, 16, dtype=torch.bfloat16),
            offs=torch.tensor([2, 6], dtype=torch.int32),
        ),
        M * 6 * 8 * 16,
    ),
    "distances": (lambda: torch.cdist(of(2, 5, 8), of(2, 7, 8), p=1.0), 3 * 2 * 5 * 7 * 8),
    "distances by one product": (lambda: torch.cdist(of(30, 4), of(40, 4)), M * 30 * 40 * (4 + 2)),
    "distances within a set": (lambda: F.pdist(of(5, 3)), 3 * (5 * 4 // 2) * 3),
    "affine grid": (lambda: F.affine_grid(of(2, 2, 3), [2, 1, 4, 5], align_corners=False), M * (2 * 4 * 5) * 2 * 3),
    "complex transform": (lambda: torch.fft.fft(of(3, 16, dtype=torch.complex64)), 5 * 3 * 16 * 4),
    "real transform": (lambda: torch.fft.rfft2(of(3, 4, 8)), 5 * 3 * 32 * 5 // 2),
    "transform back to real": (lambda: torch.fft.irfft(of(3, 9, dtype=torch.complex64)), 5 * 3 * 16 * 4 // 2),
    "sparse times dense: stored elements count": (
        lambda: torch.sparse.mm(torch.eye(4).to_sparse(), of(4, 3)),
        M * 4 * 3,
    ),
    "dense times sparse": (lambda: of(3, 4) @ torch.eye(4).to_sparse(), M * 3 * 4),
    "compressed rows times dense": (lambda: torch.eye(4).to_sparse_csr() @ of(4, 3), M * 4 * 3),
    "integers": (lambda: of(3, 4, dtype=torch.int64) @ of(4, 5, dtype=torch.int64), M * 3 * 4 * 5),
    "nothing at all": (lambda: of(0, 4) @ of(4, 5), 0),
}

if not hasattr(torch, "_grouped_mm"):  # younger than the lowest torch supported
    del HAND["mixture of experts: rows cut into groups"]


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("grad_mode", GRAD_MODES)
@pytest.mark.parametrize("name", HAND)
def test_count_is_the_one_derived_by_hand(name, grad_mode):
    """Whichever kernels a grad mode picks, the count is the same, and the one on paper."""
    run, expected = HAND[name]
    with grad_mode():
        assert watched(run) == (expected, "counted")


@pytest.mark.parametrize(("groups", "transposed"), [(1, False), (4, False), (1, True), (4, True)])
@pytest.mark.parametrize("asked", [(True, True), (True, False), (False, True)])
def test_backward_of_a_convolution_costs_one_forward_per_gradient(groups, transposed, asked):
    """Input and weight gradient cost a forward each, also for grouped convolutions."""
    module = (nn.ConvTranspose2d if transposed else nn.Conv2d)(4, 8, 3, stride=2, groups=groups)
    x = of(2, 4, 9, 9).requires_grad_(asked[0])
    module.weight.requires_grad_(asked[1])
    with Watch() as forward:
        out = module(x)
    with Watch() as backward:
        out.sum().backward()
    assert backward.flops == sum(asked) * forward.flops


def test_backward_of_attention_on_cpu():
    """Scores once more, and one product for each of values, scores, queries and keys."""
    q, k, v = (of(2, 4, length, 8).requires_grad_() for length in (6, 9, 9))
    out = F.scaled_dot_product_attention(q, k, v)
    assert watched(lambda: out.sum().backward()) == (M * 2 * 4 * 6 * 9 * 5 * 8, "counted")


def test_backward_of_lstm_costs_two_forwards():
    """Gradients by input and by weight."""
    lstm, x = nn.LSTM(8, 6), of(5, 2, 8).requires_grad_()
    forward, _ = watched(lambda: lstm(x))
    out = lstm(x)[0]
    assert watched(lambda: out.sum().backward())[0] == 2 * forward


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 2, 3, stride=2)),
        nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.LayerNorm(5), nn.Linear(5, 7, bias=False)),
    ],
)
def test_agrees_with_the_counter_of_torch(model):
    """On what torch counts itself, forward and backward, the totals are the same."""
    x = torch.ones(2, 3, 8, 8, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    assert watched(lambda: model(x).sum().backward()) == (counter.get_total_flops(), "counted")


def test_cudnn_layers_are_counted_by_their_matrices():
    """What runs on a GPU only is checked on its formula: every matrix meets every step once."""
    weights = [of(24, 8), of(24, 6), of(24), of(24)]
    assert flops_aten.recurrent_stack(None, of(5, 2, 8), weights) == M * (5 * 2) * 24 * (8 + 6)
    assert flops_aten.recurrent_stack(None, of(7, 8), weights) == M * 7 * 24 * (8 + 6)


@pytest.mark.parametrize("name", ["linear of a 3-D input", "conv2d, depthwise", "attention", "LSTM with projections"])
def test_fake_tensors_count_like_real_ones(name):
    """Only shapes are read."""
    run, expected = HAND[name]
    with FakeTensorMode():
        assert watched(run) == (expected, "counted")


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated")
def test_quantized_products_are_counted():
    """The weight inside the packed parameters is found."""
    linear = torch.ao.nn.quantized.dynamic.Linear(8, 3)
    assert watched(lambda: linear(of(2, 5, 8))) == (M * 10 * 8 * 3, "counted")
    weight = torch.quantize_per_tensor(of(6, 2, 3, 3), 1.0, 0, torch.qint8)
    pack = torch.ops.quantized.conv2d_prepack(weight, None, [1, 1], [0, 0], [1, 1], 2)
    x = torch.quantize_per_tensor(of(1, 4, 5, 5), 1.0, 0, torch.quint8)
    conv = lambda: torch.ops.quantized.conv2d(x, pack, 1.0, 0)  # noqa: E731 - one case of two
    assert watched(conv) == (M * 6 * (3 * 3) * (2 * 3 * 3), "counted")


def test_what_cannot_be_counted_is_unknown():
    """Two sparse factors and a decomposition: never zero, never a guess."""
    eye = torch.eye(4).to_sparse()
    assert watched(lambda: torch.sparse.mm(eye, eye)) == (0, "unknown")
    assert watched(lambda: torch.linalg.inv(torch.eye(3))) == (0, "unknown")


@pytest.fixture
def operator():
    """A custom operator ``test_atlas::twice``, and its packet."""
    library = torch.library.Library("test_atlas", "FRAGMENT")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x * 2, "CPU")
    packet = torch.ops.test_atlas.twice
    yield packet
    flop_counter.flop_registry.pop(packet, None)
    library._destroy()


def test_a_custom_operator_is_unknown_until_its_formula_is_registered(operator):
    """The public registry of torch is read at every call, not once."""
    assert watched(lambda: operator(of(3, 4))) == (0, "unknown")
    register_flop_formula(operator)(lambda shape, *_, **__: 7 * shape[0])
    assert watched(lambda: operator(of(3, 4))) == (21, "counted")


def test_a_formula_that_fails_is_unknown(operator):
    """A user's broken formula does not break the user's run."""
    register_flop_formula(operator)(lambda shape, *_, **__: 1 // 0)
    assert watched(lambda: operator(of(3, 4))) == (0, "unknown")


def test_a_symbolic_count_is_unknown():
    """A count that is not a whole number is no count."""
    size = SimpleNamespace(layout=torch.strided, is_nested=False, numel=lambda: 2.5, shape=(1, 1))
    assert aten_flops(torch.ops.aten.bmm.default, (size, size), {}, size)[1] == "counted"
    symbolic = SimpleNamespace(layout=torch.strided, shape=("s0", "s1"), numel=lambda: "s0")
    assert aten_flops(torch.ops.aten.bmm.default, (symbolic, symbolic), {}, symbolic) == (0, "unknown")


def test_the_registry_of_torch_is_where_it_was():
    """If torch moves its table, formulas that users register would no longer be found."""
    assert torch.ops.aten.mm in flop_counter.flop_registry


@pytest.mark.skipif(torch.__version__ < "2.13", reason="operators of the newest torch")
def test_every_formula_has_its_operator():
    """A misspelt or renamed operator would silently be counted by its name alone."""
    missing = [name for name in FORMULAS if not hasattr(getattr(torch.ops, name.split("::")[0]), name.split("::")[1])]
    assert missing == []
