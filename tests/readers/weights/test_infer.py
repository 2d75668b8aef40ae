"""What groups of tensors are said to be, where only names and shapes are known."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from readers.weights.forged import saved
from torchatlas.readers.weights import read
from torchatlas.views.certainty import guessed


def said(state, tmp_path) -> dict[str, tuple[str, str]]:
    """Class and details of every module, by path; without what a state dict notes of its modules."""
    graph = read(saved(tmp_path / "a.pth", dict(state)))
    return {module.path: (module.name, module.extra) for module in graph.modules}


def shapes(**given: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Tensors, their names with dots for double underscores."""
    return {name.replace("__", "."): torch.ones(shape) for name, shape in given.items()}


LAYERS = {
    "Conv2d": (nn.Conv2d(3, 8, 3), "3, 8, 3x3"),
    "Conv3d": (nn.Conv3d(3, 8, (1, 3, 3), bias=False), "3, 8, 1x3x3, bias=False"),
    "ConvTranspose2d": (nn.ConvTranspose2d(8, 3, 2), "8, 3, 2x2"),
    "Linear": (nn.Linear(3, 4), "3, 4"),
    "BatchNorm1d": (nn.BatchNorm1d(5), "5"),
    "LayerNorm": (nn.LayerNorm((4, 5)), "(4, 5)"),
    "LSTM": (nn.LSTM(3, 4, 2, bidirectional=True), "3, 4, num_layers=2, bidirectional=True"),
    "GRU": (nn.GRU(3, 4, bias=False), "3, 4, bias=False"),
    "RNN": (nn.RNN(3, 4), "3, 4"),
    "GRUCell": (nn.GRUCell(3, 4), "3, 4"),
    "MultiheadAttention": (nn.MultiheadAttention(8, 2), "8"),
    "TransformerEncoderLayer": (nn.TransformerEncoderLayer(8, 2, 32), "8, dim_feedforward=32"),
    "TransformerDecoderLayer": (nn.TransformerDecoderLayer(8, 2, 32), "8, dim_feedforward=32"),
    "Bilinear": (nn.Bilinear(30, 40, 5), "30, 40, 5"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_told_by_its_tensors(name, tmp_path):
    """Its class, and what its shapes say of its arguments."""
    layer, words = LAYERS[name]
    assert said({f"part.{own}": tensor for own, tensor in layer.state_dict().items()}, tmp_path)["part"] == (
        name,
        words,
    )


@pytest.mark.parametrize(
    ("attention", "words"),
    [
        (shapes(q_proj__weight=(64, 32), k_proj__weight=(16, 32), v_proj__weight=(16, 32)), "grouped queries"),
        (shapes(query__weight=(32, 32), key__weight=(32, 32), value__weight=(32, 32)), "q 32, k 32, v 32"),
        (shapes(qkv__weight=(96, 32), proj__weight=(32, 32)), "q, k, v fused 96"),
        (shapes(c_attn__weight=(32, 96), c_attn__bias=(96,), c_proj__weight=(32, 32)), "q, k, v fused 96"),
        (shapes(to_q__weight=(32, 32), to_kv__weight=(64, 32)), "k and v fused 64"),
    ],
)
def test_attention_is_told_by_its_projections(attention, words, tmp_path):
    """Split, fused, transposed, or with fewer keys than queries."""
    found = said({f"layer.attn.{name}": tensor for name, tensor in attention.items()}, tmp_path)["layer.attn"]
    assert found[0] == "Attention"
    assert words in found[1]


def test_neighbours_tell_grouped_convolutions(tmp_path):
    """A block of ResNeXt, and a depthwise one, by what comes before."""
    block = nn.ModuleDict({
        "conv1": nn.Conv2d(64, 128, 1, bias=False), "bn1": nn.BatchNorm2d(128),
        "conv2": nn.Conv2d(128, 128, 3, groups=32, bias=False), "bn2": nn.BatchNorm2d(128),
        "conv3": nn.Conv2d(128, 128, 3, groups=128, bias=False),
    })  # fmt: skip
    found = said(block.state_dict(), tmp_path)
    assert found["conv2"] == ("Conv2d", "128, 128, 3x3, groups=32, bias=False")
    assert found["conv3"] == ("Conv2d", "128, 128, 3x3, groups=128, bias=False")


def both_formats(model: nn.Module, tmp_path) -> list[dict[str, tuple[str, str]]]:
    """What is said of a model's weights, in its own order without what torch notes of modules, and by the alphabet."""
    save_file(model.state_dict(), tmp_path / "a.safetensors")
    graph = read(tmp_path / "a.safetensors")
    alphabet = {module.path: (module.name, module.extra) for module in graph.modules}
    return [said(model.state_dict(), tmp_path), alphabet]


def test_channels_tell_transposed_convolutions(tmp_path):
    """A generator of DCGAN: without biases, what comes before and after says which way its layers go."""
    model = nn.Sequential(
        nn.ConvTranspose2d(100, 64, 4, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 3, 4, 2, 1, bias=False),
    )  # fmt: skip
    for found in both_formats(model, tmp_path):
        assert found["0"] == ("ConvTranspose2d", "100, 64, 4x4, bias=False")
        assert found["3"] == ("ConvTranspose2d", "64, 32, 4x4, bias=False")
        assert found["6"] == ("ConvTranspose2d", "32, 3, 4x4, bias=False")


class Diffusing(nn.Module):
    """A block of a diffusion model, whose names do not say which norm it has, and one of a transformer beside it."""

    def __init__(self):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(4, 32), nn.Conv2d(32, 64, 3)
        self.time = nn.Linear(64, 64)
        self.norm2, self.conv2 = nn.GroupNorm(4, 64), nn.Conv2d(64, 64, 3)
        self.block = nn.ModuleDict({"norm1": nn.LayerNorm(64), "mlp": nn.Linear(64, 64), "out": nn.Linear(64, 64)})


def test_a_layer_that_may_go_either_way_is_doubted(tmp_path):
    """As many channels in as out, and an even window, as the mask head of Mask R-CNN has."""
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ConvTranspose2d(32, 32, 2, 2))
    assert (read(saved(tmp_path / "a.pth", model.state_dict())).module_at["1"].confidence or 1) < 0.8


def test_a_scale_is_learned_but_beside_a_zero_point(tmp_path):
    """Layers that scale their result have it as a parameter, quantized ones as a buffer."""
    graph = read(saved(tmp_path / "a.pth", shapes(a__scale=(3,), b__scale=(1,), b__zero_point=(1,))))
    assert {value.names[0] for value in graph.values if value.kind == "parameter"} == {"a.scale"}


def test_a_norm_among_convolutions_is_told_from_one_among_matrices(tmp_path):
    """Their tensors are alike; that it may be another norm is said."""
    for found in both_formats(Diffusing(), tmp_path):
        assert [found[name][0] for name in ("norm1", "norm2", "block.norm1")] == ["GroupNorm", "GroupNorm", "LayerNorm"]
    assert all(module.confidence <= 0.7 for module in read(tmp_path / "a.pth").modules if module.name == "GroupNorm")


def test_one_channel_is_told_from_one_for_each(tmp_path):
    """Pictures of one colour, and texts, are read by layers that look like those of a group for every channel."""
    grey = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=16))
    text = nn.ModuleDict({
        "embedding": nn.Embedding(1000, 50), "convs": nn.ModuleList(nn.Conv2d(1, 50, (size, 50)) for size in (3, 4)),
    })  # fmt: skip
    for found in both_formats(grey, tmp_path):
        assert [found[name][1] for name in "02"] == ["1, 16, 3x3", "16, 16, 3x3, groups=16"]
    for found in both_formats(text, tmp_path):
        assert [found[f"convs.{number}"][1] for number in range(2)] == ["1, 50, 3x50", "1, 50, 4x50"]


def test_a_linear_after_an_embedding_is_told_apart(tmp_path):
    """By their names, where both are matrices without a bias."""
    found = said(shapes(tok_embed__weight=(1000, 32), lm_head__weight=(1000, 32)), tmp_path)
    assert (found["tok_embed"][0], found["lm_head"][0]) == ("Embedding", "Linear")


def test_what_weights_are_made_of_is_seen_through(tmp_path):
    """Weight norm old and new, and spectral norm: the layer is the one that they were put on."""
    normed = nn.ModuleDict({
        "new": nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 5)),
        "spectral": nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)),
    })  # fmt: skip
    state = {**normed.state_dict(), **shapes(old__weight_g=(4, 1, 1), old__weight_v=(4, 3, 5), old__bias=(4,))}
    found = said(state, tmp_path)
    assert found["new"] == found["old"] == ("Conv1d", "3, 4, 5, weight_norm")
    assert found["spectral"] == ("Linear", "3, 4, parametrized")


def test_norms_of_weights_keep_buffers_beside_parameters(tmp_path):
    """Singular vectors are none, the tensor that is replaced may have any name, what holds it is named."""
    parametrizations = nn.utils.parametrizations
    model = nn.ModuleDict({
        "new": parametrizations.spectral_norm(nn.Conv2d(3, 4, 5)),
        "old": nn.utils.spectral_norm(nn.ConvTranspose2d(3, 4, 5)),
        "orthogonal": parametrizations.orthogonal(nn.Linear(4, 4)),
        "lstm": parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0"),
    })  # fmt: skip
    graph = read(saved(tmp_path / "a.pth", model.state_dict()))
    parameters = {name for value in graph.values if value.kind == "parameter" for name in value.names}
    assert parameters == dict(model.named_parameters()).keys()
    assert (graph.module_at["lstm"].name, graph.module_at["lstm"].extra) == ("LSTM", "3, 4, weight_norm")
    assert graph.module_at["new.parametrizations.weight"].name == "ParametrizationList"


def test_packed_and_adapted_layers_are_told(tmp_path):
    """GPTQ, bitsandbytes and LoRA."""
    state = {
        "a.qweight": torch.ones(4, 64, dtype=torch.int32), "a.qzeros": torch.ones(1, 8, dtype=torch.int32),
        "a.scales": torch.ones(1, 64).half(), "a.g_idx": torch.ones(32, dtype=torch.int32),
        "b.weight": torch.ones(512, 1, dtype=torch.uint8), "b.weight.absmax": torch.ones(16),
        "c.base_layer.weight": torch.ones(8, 8), "c.lora_A.default.weight": torch.ones(2, 8),
        "c.lora_B.default.weight": torch.ones(8, 2),
    }  # fmt: skip
    found = said(state, tmp_path)
    assert [found[path][0] for path in "abc"] == ["QuantLinear", "Linear4bit", "LoRA"]


def test_nothing_is_said_that_shapes_do_not_say(tmp_path):
    """No stride, no padding, no heads, no eps; what could be anything is a module."""
    model = nn.ModuleDict(
        {"conv": nn.Conv2d(3, 4, 3, 2, 1), "attn": nn.MultiheadAttention(8, 2), "norm": nn.LayerNorm(4)}
    )
    graph = read(saved(tmp_path / "a.pth", {**model.state_dict(), "odd.alpha": torch.ones(2, 3, 4, 5, 6, 7)}))
    told = {name for module in graph.modules for name, _ in module.settings}
    assert told.isdisjoint({"stride", "padding", "dilation", "num_heads", "eps", "momentum", "dropout", "batch_first"})
    assert graph.module_at["odd"].name == "Module"
    assert all(0 < (module.confidence or 0) <= 1 for module in graph.modules)
    assert any("could be anything" in note.text for note in graph.notes)
    assert any("nor strides, padding" in note.text for note in graph.notes)


def test_a_norm_without_statistics_is_told_by_the_version_that_torch_notes(tmp_path):
    """InstanceNorm has one, GroupNorm has none; their tensors are the same."""
    for made, name in ((nn.InstanceNorm2d(4, affine=True), "InstanceNorm2d"), (nn.GroupNorm(2, 4), "GroupNorm")):
        graph = read(saved(tmp_path / "a.pth", nn.Sequential(nn.Conv2d(3, 4, 3), made).state_dict()))
        assert [module.name for module in graph.modules] == ["Sequential", "Conv2d", name]


@pytest.mark.parametrize(
    ("tensors", "said", "sure"),
    [
        (shapes(body__weight=(8, 8), body__bias=(8,)), "Linear", True),
        (shapes(fc__weight=(8, 8)), "Linear", True),
        (shapes(body__weight=(8, 8)), "Linear", False),
        (shapes(body__weight=(80, 8)), "Embedding", False),
        (shapes(embed__weight=(80, 8)), "Embedding", True),
        (shapes(act__weight=(8,)), "PReLU", True),
        (shapes(body__weight=(1,)), "PReLU", False),
        (shapes(norm__weight=(8,)), "RMSNorm", False),
        (shapes(body__weight=(8,)), "RMSNorm", False),
        (shapes(bn__running_mean=(8,), bn__running_var=(8,), bn__num_batches_tracked=()), "BatchNorm1d", True),
        (shapes(bn__running_mean=(8,), bn__running_var=(8,)), "FrozenBatchNorm2d", False),
    ],
)
def test_a_class_that_may_be_another_has_a_question_mark(tensors, said, sure, tmp_path):
    """Where its tensors, or its name, leave no other class it has none."""
    module = read(saved(tmp_path / "a.pth", tensors)).modules[-1]
    assert guessed(module.name, module) == (said if sure else f"{said}?")
