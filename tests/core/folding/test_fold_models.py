"""Folds of real models, from the full configurations of their libraries, captured without memory or arithmetic."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.folding.fold import fold_calls, fold_modules
from torchatlas.core.folding.label import path_range
from torchvision_cpu import torchvision_models
from zoo.transformers_models import transformers

TOKENS = {"input_ids": torch.zeros(1, 16, dtype=torch.long)}
BOTH = {**TOKENS, "decoder_input_ids": torch.zeros(1, 8, dtype=torch.long)}
PIXELS = {"pixel_values": torch.zeros(1, 3, 224, 224)}


def on_meta(build):
    """Build a model without memory."""
    with torch.device("meta"):
        return build().eval()


def stacks(graph):
    """Label and count of every fold of modules of a graph, in order of the calls."""
    return [
        (path_range([graph.calls[call].path for call in fold.calls]), fold.period, fold.count, fold.kind)
        for folds in fold_calls(graph).values()
        for fold in folds
        if all(graph.calls[call].path is not None for call in fold.calls)
    ]


def hugging(model, config, **options):
    """Build a model of transformers from its configuration."""
    library = transformers()
    return on_meta(lambda: getattr(library, model)(getattr(library, config)(**options)))


@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize(
    ("model", "config", "inputs", "folds"),
    [
        ("LlamaForCausalLM", "LlamaConfig", TOKENS, {"model.layers.0..31": 32}),
        ("GPT2LMHeadModel", "GPT2Config", TOKENS, {"transformer.h.0..11": 12}),
        ("BertModel", "BertConfig", TOKENS, {"encoder.layer.0..11": 12}),
        ("ViTModel", "ViTConfig", PIXELS, {"layers.0..11": 12}),
        ("T5ForConditionalGeneration", "T5Config", BOTH, {"encoder.block.1..5": 5, "decoder.block.1..5": 5}),
    ],
)
def test_layers_of_transformers_are_one_fold(model, config, inputs, folds, level):
    """All layers of each stack; T5's first block alone has the relative bias and stands apart."""
    graph = ta.capture(hugging(model, config), (), inputs, fake=True, level=level).graph
    assert stacks(graph) == [(label, 1, count, "stack") for label, count in folds.items()]


def test_layers_that_alternate_fold_in_pairs():
    """Gemma 2 turns between local and global attention."""
    model = hugging("Gemma2ForCausalLM", "Gemma2Config")
    graph = ta.capture(model, (), TOKENS, fake=True).graph
    assert stacks(graph) == [("model.layers.0..25", 2, 13, "stack")]


def test_shared_layers_are_a_loop():
    """ALBERT calls the same group of layers again and again."""
    graph = ta.capture(hugging("AlbertModel", "AlbertConfig"), (), TOKENS, fake=True).graph
    assert stacks(graph) == [("encoder.albert_layer_groups.0", 1, 12, "loop")]


def test_residual_blocks_of_a_stage_are_one_fold():
    """The first block of each stage of ResNet-152 has a downsample and stands apart."""
    model = on_meta(torchvision_models().resnet152)
    graph = ta.capture(model, torch.zeros(1, 3, 224, 224), fake=True).graph
    assert stacks(graph) == [
        ("layer1.1..2", 1, 2, "stack"),
        ("layer2.1..7", 1, 7, "stack"),
        ("layer3.1..35", 1, 35, "stack"),
        ("layer4.1..2", 1, 2, "stack"),
    ]


def test_convolutions_in_a_row_fold_from_their_convolution():
    """VGG's repeats are convolution, normalization and activation, not shifted by one."""
    model = on_meta(torchvision_models().vgg16_bn)
    graph = ta.capture(model, torch.zeros(1, 3, 224, 224), fake=True).graph
    assert stacks(graph) == [
        ("features.17..22", 3, 2, "stack"),
        ("features.27..32", 3, 2, "stack"),
        ("features.34..42", 3, 3, "stack"),
    ]


class Steps(nn.Module):
    """A cell called in a Python loop, operations between."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(8, 8)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        hidden = x.new_zeros(x.shape[0], 8)
        cell = hidden.clone()
        outputs = []
        for t in range(x.shape[1]):
            hidden, cell = self.cell(x[:, t], (hidden, cell))
            outputs.append(self.head(torch.tanh(hidden)))
        return torch.stack(outputs, 1)


class Elements(nn.Module):
    """A cell called for each element of a sequence, its state written into a buffer."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(8, 8)

    def forward(self, x):
        written = torch.zeros_like(x)
        state = x.new_zeros(x.shape[0], 8)
        for t, element in enumerate(x.unbind(1)):
            state = self.cell(element, state)
            written[:, t] = state
        return written


@pytest.mark.parametrize(("module", "calls", "carried"), [(Steps, 4, 2), (Elements, 2, 2)])
@pytest.mark.parametrize("length", [5, 40])
def test_a_cell_in_a_python_loop_is_one_fold(module, calls, carried, length):
    """One row, times the length of the sequence."""
    graph = ta.capture(module(), torch.zeros(2, length, 8)).graph
    (fold,) = fold_calls(graph)[0]
    assert (fold.period, fold.count, fold.kind, fold.carried) == (calls, length, "loop", carried)


class OneState(nn.Module):
    """A cell whose two states start as the same tensor."""

    def __init__(self, *, between=False):
        super().__init__()
        self.between = between
        self.cell = nn.LSTMCell(8, 8)

    def forward(self, x):
        hidden = cell = torch.zeros(x.shape[0], 8)
        for t in range(x.shape[1]):
            step = torch.relu(x[:, t]) if self.between else x[:, t]
            hidden, cell = self.cell(step, (hidden, cell))
            hidden = torch.tanh(hidden) if self.between else hidden
        return hidden


@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize(("between", "calls"), [(False, 2), (True, 4)])
@pytest.mark.parametrize("length", [3, 20])
def test_one_tensor_for_both_states_does_not_part_the_first_step(between, calls, length, level):
    """``h = c = zeros`` is the usual start of an LSTM written by hand: one row, times the length of the sequence."""
    atlas = ta.capture(OneState(between=between), torch.zeros(2, length, 8), level=level)
    (fold,) = fold_calls(atlas.graph)[0]
    assert (fold.period, fold.count, fold.kind, fold.carried) == (calls, length, "loop", 2)
    assert [line.split()[1:3] for line in str(atlas.summary()).splitlines() if " LSTMCell " in line] == [
        ["cell", f"x{length}"]
    ]


def test_each_step_of_a_generation_folds_its_layers():
    """A cache that grows from step to step parts neither the layers nor hides them."""

    class Generation(nn.Module):
        def __init__(self):
            super().__init__()
            library = transformers()
            config = library.LlamaConfig(
                hidden_size=32, num_attention_heads=4, intermediate_size=64, vocab_size=99, num_hidden_layers=3
            )
            self.model = library.LlamaForCausalLM(config)

        def forward(self, tokens):
            cache = None
            for _ in range(3):
                step = tokens if cache is None else tokens[:, -1:]
                result = self.model(input_ids=step, past_key_values=cache, use_cache=True)
                cache = result.past_key_values
                tokens = torch.cat([tokens, result.logits[:, -1:].argmax(-1)], 1)
            return tokens

    graph = ta.capture(Generation(), TOKENS["input_ids"]).graph
    assert stacks(graph) == [("model.model.layers.0..2", 1, 3, "stack")] * 3


def test_modules_fold_without_a_run():
    """The structure alone shows the same stacks: the layers, and blocks alike in each stage."""
    graph = ta.capture(hugging("LlamaForCausalLM", "LlamaConfig")).graph
    (fold,) = fold_modules(graph)["model.layers"]
    assert (path_range(fold.paths), fold.count) == ("model.layers.0..31", 32)
    stages = fold_modules(ta.capture(on_meta(torchvision_models().resnet152)).graph)
    assert [path_range(fold.paths) for folds in stages.values() for fold in folds] == [
        "layer1.1..2",
        "layer2.1..7",
        "layer3.1..35",
        "layer4.1..2",
    ]
