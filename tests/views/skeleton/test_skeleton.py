"""What a skeleton says, and that it takes weights of any names."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

import torchatlas as ta
from torchatlas.core.graph import Graph
from torchatlas.views.skeleton.python_names import TAKEN
from torchatlas.views.skeleton.skeleton import skeleton


def model_of(source: str) -> nn.Module:
    """The model that a skeleton describes."""
    space: dict[str, Any] = {}
    exec(compile(source, "skeleton", "exec"), space)  # noqa: S102 - it is what is tested
    return space["Model"]()


def rebuilt(state: dict[str, torch.Tensor], path) -> nn.Module:
    """Saved, read, written as a skeleton, run, and given its weights."""
    torch.save(state, path)
    model = model_of(ta.skeleton(path))
    model.load_state_dict(state, strict=True)
    assert set(model.state_dict()) == {name for name, thing in state.items() if isinstance(thing, torch.Tensor)}
    return model


MADE = nn.utils.parametrizations
NORMED = {
    "weight": (lambda: MADE.weight_norm(nn.Conv1d(3, 4, 5)), "weight_norm(nn.Conv1d(3, 4, 5))"),
    "other axis": (lambda: MADE.weight_norm(nn.Linear(3, 4), dim=1), "weight_norm(nn.Linear(3, 4), dim=1)"),
    "all axes": (lambda: MADE.weight_norm(nn.Linear(3, 4), dim=None), "weight_norm(nn.Linear(3, 4), dim=None)"),
    "other tensor": (
        lambda: MADE.weight_norm(MADE.weight_norm(nn.GRU(3, 4), "weight_hh_l0"), "weight_ih_l0"),
        '.weight_norm(nn.utils.parametrizations.weight_norm(nn.GRU(3, 4), "weight_ih_l0"), "weight_hh_l0")',
    ),
    "spectral": (lambda: MADE.spectral_norm(nn.Conv2d(3, 4, 5)), "spectral_norm(nn.Conv2d(3, 4, 5))"),
    "transposed": (
        lambda: MADE.spectral_norm(nn.ConvTranspose2d(3, 4, 2)),
        "nn.utils.parametrizations.spectral_norm(nn.ConvTranspose2d(3, 4, 2))",
    ),
    "inside": (
        lambda: MADE.spectral_norm(nn.MultiheadAttention(8, 1), "in_proj_weight"),
        'spectral_norm(nn.MultiheadAttention(8, 1), "in_proj_weight")',
    ),
    "old": (lambda: nn.utils.weight_norm(nn.Conv1d(3, 4, 5)), "= nn.utils.weight_norm(nn.Conv1d(3, 4, 5))"),
    "old spectral": (
        lambda: nn.utils.spectral_norm(nn.ConvTranspose1d(3, 4, 2)),
        "= nn.utils.spectral_norm(nn.ConvTranspose1d(3, 4, 2))",
    ),
}


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("name", NORMED)
def test_a_layer_under_a_norm_is_written_with_it(name, tmp_path):
    """Weight and spectral norm, on any tensor and axis: no class stands for what they keep, and the weights load."""
    make, code = NORMED[name]
    model = nn.ModuleDict({"layer": make()})
    rebuilt(model.state_dict(), tmp_path / "a.pth")
    source = ta.skeleton(tmp_path / "a.pth")
    assert code in source
    assert source.count("class ") == 1


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e8m0fnu, torch.float4_e2m1fn_x2])
def test_layers_in_dtypes_without_random_numbers_are_made(dtype, tmp_path):
    """Torch initializes no layer in 8 bits, and casts none to 4."""
    state = {"a.weight": torch.zeros(4, 3, dtype=torch.uint8).view(dtype), "b.weight": torch.ones(2, 3)}
    model = rebuilt(state, tmp_path / "a.pth")
    assert model.state_dict()["a.weight"].dtype == dtype


def runs_its_own_loading(source: str, folder, monkeypatch) -> nn.Module:
    """Run a skeleton, and then the function that it gives for loading the weights."""
    monkeypatch.chdir(folder)
    space: dict[str, Any] = {}
    exec(compile(source, "skeleton", "exec"), space)  # noqa: S102 - it is what is tested
    return space["load"]()


STATE = nn.Linear(3, 4).state_dict()
HELD = {
    "plain": STATE,
    "under keys": {"epoch": 3, "checkpoints": [1, {"state_dict": STATE}]},
    "in a list": {"models": [STATE]},
    "several": {
        "encoder": STATE,
        "decoder": {"a": STATE, "b": [torch.ones(2)]},
        "optimizer": {"state": [torch.ones(3)]},
    },
    "a list": {"ema": {"shadow_params": list(STATE.values())}},
    "beside others": {"weight": torch.ones(2), "best": 3},
    "a number as a key": {0: STATE},
    "one tensor": torch.ones(3),
}


@pytest.mark.parametrize("name", HELD)
def test_the_lines_that_load_the_weights_do_so(name, tmp_path, monkeypatch):
    """Whatever the tensors are wrapped in."""
    torch.save(HELD[name], tmp_path / "a.pth")
    model = runs_its_own_loading(ta.skeleton(tmp_path / "a.pth"), tmp_path, monkeypatch)
    expected = sum(value.numel for value in ta.open(tmp_path / "a.pth").graph.values)
    assert sum(tensor.numel() for tensor in model.state_dict().values()) == expected > 0


def test_the_lines_that_load_several_files_do_so(tmp_path, monkeypatch):
    """By their index, whose name is not that of the folder; what is missing is said."""
    index = {"weight_map": {"weight": "one.safetensors", "bias": "two.safetensors", "gone": "three.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    safetensors.torch.save_file({"weight": STATE["weight"]}, tmp_path / "one.safetensors")
    safetensors.torch.save_file({"bias": STATE["bias"]}, tmp_path / "two.safetensors")
    source = ta.skeleton(tmp_path)
    assert "1 of 3 files are missing (three.safetensors)" in source
    index["weight_map"].pop("gone")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    model = runs_its_own_loading(ta.skeleton(tmp_path), tmp_path, monkeypatch)
    assert torch.equal(model.weight, STATE["weight"])


@pytest.mark.filterwarnings("ignore")  # of quantized tensors, by torch itself
def test_tensors_are_quantized_as_they_were(tmp_path):
    """By one scale, or by one for each channel: torch copies only from like to like."""
    data, ones = torch.ones(3, 4), torch.ones(4)
    state = {
        "whole": torch.quantize_per_tensor(data, 0.1, 0, torch.qint8),
        "rows": torch.quantize_per_channel(data, ones[:3], torch.zeros(3, dtype=torch.int64), 0, torch.qint8),
        "columns": torch.quantize_per_channel(data, ones, torch.zeros(4, dtype=torch.int64), 1, torch.quint8),
        "floats": torch.quantize_per_channel(data, ones[:3], torch.zeros(3), 0, torch.quint8),
    }
    rebuilt(state, tmp_path / "a.pth")


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.gamma = nn.Parameter(torch.ones(width))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(100, 8)
        self.blocks = nn.ModuleList(Block(8) for _ in range(3))
        self.head = nn.Linear(8, 100, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("position_ids", torch.arange(5))


def test_a_skeleton_reads_as_it_should(tmp_path):
    """Equal blocks are one class and one line, tied weights are tied, guesses say how sure they are."""
    torch.save(Model().state_dict(), tmp_path / "small.pth")
    source = ta.skeleton(tmp_path / "small.pth")
    body = source[source.index("class Block(") :]
    assert (
        body
        == """class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(8))
        self.norm = nn.LayerNorm(8)  # 95% sure
        self.mlp = nn.Sequential(  # 95% sure
            nn.Linear(8, 32),  # 99% sure
            nn.Identity(),  # no weights
            nn.Linear(32, 8),  # 99% sure
        )


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("position_ids", torch.empty(5, dtype=torch.int64))
        self.embed = nn.Embedding(100, 8)  # 97% sure
        self.blocks = nn.Sequential(*[Block() for _ in range(3)])
        self.head = nn.Linear(8, 100, bias=False)  # 97% sure
        share(self, "head.weight", "embed.weight")

    def forward(self, *args, **kwargs):
        raise NotImplementedError(
            "The weights say which modules there are, not in which order they run, nor what stands between them"
            " (activations, dropout, pooling, residual sums): write it here."
        )


def load(file="small.pth"):
    \"\"\"Give the model with the weights of the file.\"\"\"
    model = Model()
    model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return model
"""
    )
    model = model_of(source)
    assert model.head.weight is model.embed.weight
    with pytest.raises(NotImplementedError, match="write it here"):
        model(torch.ones(1))


def test_the_same_weights_give_the_same_text(tmp_path):
    """A skeleton is kept under version control, and read as a difference."""
    torch.save(Model().state_dict(), tmp_path / "a.pth")
    assert ta.skeleton(tmp_path / "a.pth") == ta.skeleton(tmp_path / "a.pth")


def test_the_text_is_formatted(tmp_path):
    """As ruff formats, at the width of this project."""
    torch.save({**Model().state_dict(), "1a": torch.ones(1), "forward.weight": torch.ones(2, 2)}, tmp_path / "a.pth")
    (tmp_path / "a.py").write_text(ta.skeleton(tmp_path / "a.pth"))
    formatted = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--isolated",
        "--line-length",
        "120",
        "--diff",
        str(tmp_path / "a.py"),
    ]
    done = subprocess.run(formatted, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


AWKWARD = {
    "numbers": ["0.weight", "2.weight", "2.bias"],
    "numbers far apart": ["layers.7.weight", "layers.1000000.weight"],
    "numbers with zeros": ["layers.00.weight", "layers.01.weight", "layers.1.weight"],
    "keywords": ["class.weight", "for", "None.bias", "lambda.0.weight"],
    "what every module has": ["forward.weight", "training", "T_destination.x", "train.bias", "_modules.w", "_buffers"],
    "what Python rewrites": ["\ufb01.weight", "\u2460.weight", "__private.weight", "__x"],
    "no identifiers": ["a b.weight", "a-b", "1a.w", "'quoted\".w", "back\\slash", "new\nline.w", "émile.w", "\x00"],
    "a tensor and a module of one name": ["q.weight", "q.weight.absmax", "q.weight.quant_map", "q.weight.a.b"],
    "empty parts": ["", ".", "..", "a..weight", ".weight", "weight.", "a.b..c."],
    "what the skeleton uses": [
        "nn.weight",
        "torch.weight",
        "share.weight",
        "Model.weight",
        "self",
        "super.weight",
        "not_tensors",
    ],
    "classes that clash": ["a.Conv.x", "a.conv.y", "a.Model.z", "a.nn.x", "b.model.x.0.w", "b.model.y.0.v"],
}


NOT_ASSIGNED = ("a tensor and a module of one name", "empty parts")
"""Torch itself assigns by setattr, which takes no empty name, and lets no module keep the name of a tensor."""


@pytest.mark.parametrize("name", AWKWARD)
def test_any_names_can_be_loaded(name, tmp_path):
    """Names that are no attributes, that every module has, that are empty, that clash: strictly, and with assign."""
    state = {key: torch.full((number + 1,), float(number)) for number, key in enumerate(AWKWARD[name])}
    model = rebuilt(state, tmp_path / "a.pth")
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())
    if name not in NOT_ASSIGNED:
        model.load_state_dict(state, strict=True, assign=True)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(
    st.text(st.sampled_from("ab0.1_ é'\"\\\n") | st.characters(codec="utf-8"), max_size=8)
    | st.lists(st.sampled_from(["0", "1", "weight", "bias", "forward", "class", "q", ""]), max_size=4).map(".".join),
    st.tuples(st.sampled_from([(), (2,), (2, 3), (4, 1, 3), (0, 2)]), st.sampled_from(["float32", "int64", "float16"])),
    min_size=1, max_size=8,
))  # fmt: skip
def test_names_and_shapes_at_random_can_be_loaded(tmp_path_factory, described):
    """Whatever the names, shapes and dtypes: the skeleton has exactly them."""
    state = {name: torch.zeros(shape, dtype=getattr(torch, dtype)) for name, (shape, dtype) in described.items()}
    model = rebuilt(state, tmp_path_factory.mktemp("random") / "a.pth")
    for name, tensor in model.state_dict().items():
        assert (tensor.shape, tensor.dtype) == (state[name].shape, state[name].dtype)


LAYERS = {
    "grouped": nn.Conv2d(8, 8, 3, groups=2, bias=False),
    "transposed": nn.ConvTranspose3d(4, 6, 2),
    "window": nn.Conv2d(3, 5, (1, 7)),
    "half": nn.Linear(3, 4).half(),
    "mixed": nn.BatchNorm2d(3).bfloat16(),
    "plain norm": nn.BatchNorm1d(3, affine=False),
    "gru": nn.GRU(3, 4, 2, bidirectional=True, bias=False),
    "lstm": nn.LSTM(3, 8, proj_size=2),
    "cell": nn.LSTMCell(3, 4),
    "attention": nn.MultiheadAttention(8, 2, kdim=4, vdim=6, add_bias_kv=True),
    "encoder": nn.TransformerEncoderLayer(8, 2, 16),
    "transformer": nn.Transformer(8, 2, 1, 1, 16, batch_first=True),
    "bilinear": nn.Bilinear(3, 4, 5),
    "prelu": nn.PReLU(3),
    "weight norm": nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 5)),
    "spectral norm": nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)),
    "orthogonal": nn.utils.parametrizations.orthogonal(nn.Linear(3, 4)),
    "pruned": prune.identity(nn.Linear(3, 4), "weight"),
    "instance": nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
    "layers": nn.Sequential(*[nn.Sequential(nn.Linear(2, 2), nn.ReLU()) for _ in range(3)]),
    "dictionary": nn.ModuleDict({"relu": nn.ReLU(), "a-b": nn.Linear(1, 1)}),
    "parameters": nn.ParameterList([torch.ones(2), torch.ones(3)]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_is_loaded(name, tmp_path):
    """Inside a module and as the module itself."""
    rebuilt(nn.ModuleDict({"layer": LAYERS[name]}).state_dict(), tmp_path / "a.pth")
    rebuilt(LAYERS[name].state_dict(), tmp_path / "b.pth")


def test_what_is_no_tensor_is_kept_aside(tmp_path):
    """Extra state, and the packed weights of quantized layers, do not stop the skeleton from loading."""

    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"seen": 3}

    rebuilt(nn.Sequential(Extra(2, 3), nn.ReLU()).state_dict(), tmp_path / "a.pth")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_extra_state_that_is_a_tensor_is_no_parameter(dtype, tmp_path):
    """It is handed to the module, as torch does; the layer beside it is told as without it."""

    class Extra(nn.Linear):
        def get_extra_state(self):
            return torch.zeros(5, dtype=dtype)

    state = nn.Sequential(Extra(2, 3), nn.ReLU()).state_dict()
    torch.save(state, tmp_path / "a.pth")
    model = model_of(ta.skeleton(tmp_path / "a.pth"))
    model.load_state_dict(state, strict=True)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    assert not list(model.buffers())
    assert ta.open(tmp_path / "a.pth").graph.module_at["0"].name == "Linear"


def test_a_captured_model_gives_its_own_layers(tmp_path):
    """What is known is written without doubt, with stride and padding."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU())
    ta.capture(model).save(tmp_path / "a.atlas")
    source = ta.skeleton(tmp_path / "a.atlas")
    assert "nn.Conv2d(3, 4, 3, stride=2, padding=1)" in source
    assert "sure" not in source[source.index("class ") :]


def test_a_graph_without_weights_is_refused():
    """It says what is wanted."""
    with pytest.raises(ta.InputError, match="no named parameters"):
        skeleton(Graph("nothing"))


def test_what_modules_have_is_known():
    """Every public attribute of ``nn.Module`` is taken, but what other libraries have put there."""
    public = {name: getattr(nn.Module(), name) for name in dir(nn.Module()) if not name.startswith("_")}
    assert {name for name, own in public.items() if getattr(own, "__module__", "torch").startswith("torch")} <= TAKEN
