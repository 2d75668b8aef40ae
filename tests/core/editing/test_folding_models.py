"""Folding of real models: recipes of the field, and patterns over the zoo."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, reduce

import pytest
import torch

import torchatlas as ta
from core.recipes import BASIC, RESNET
from models import MODELS
from torchatlas.core.check import problems
from torchatlas.core.editing.folding import fold, fold_repeats, unfold
from torchatlas.core.editing.prune import prune
from torchatlas.core.measure.cost import total
from torchatlas.core.measure.memory import memory
from torchvision_cpu import torchvision_models

PATTERNS = (
    "Conv > BatchNorm > Activation?",
    "Linear > Activation",
    "Norm > Attention",
    "(Linear | Linear) > Mul",
    "Add > Norm?",
)
ZOO = (
    "torchvision/mobilenet_v3", "torchvision/googlenet", "torchvision/vit", "timm/resnet", "timm/regnet", "timm/mixer",
    "timm/xcit", "timm/convit", "transformers/bert", "transformers/gpt2_cache", "transformers/llama", "transformers/t5",
    "transformers/albert", "transformers/mamba", "transformers/clip", "transformers/qwen3",
)  # fmt: skip


@cache
def resnet(name):
    """A ResNet of torchvision, captured without memory or arithmetic."""
    model = getattr(torchvision_models(), name)()
    return ta.capture(model, torch.zeros(1, 3, 224, 224), fake=True, source=False)


def folded(atlas, recipe):
    """Every step of a recipe, one after the other."""
    return reduce(lambda made, step: made.fold(*step), recipe, atlas)


def names(graph):
    """The names of all groups that are inside no other group."""
    return [
        call.label
        for call in graph.calls
        if call.kind == "group" and not any(graph.calls[around].kind == "group" for around in outwards(graph, call.id))
    ]


def outwards(graph, call):
    """The calls around a call."""
    while (call := graph.calls[call].parent) is not None:
        yield call


@pytest.mark.parametrize(
    ("name", "recipe", "first", "repeats"),
    [
        ("resnet18", BASIC, ["Residual ×2"], [("Downsampling", 1)] * 3),
        ("resnet34", BASIC, ["Residual ×3"], [("Downsampling", 3), ("Downsampling", 5), ("Downsampling", 2)]),
        ("resnet50", RESNET, [], [("Bottleneck", 2), ("Bottleneck", 3), ("Bottleneck", 5), ("Bottleneck", 2)]),
        ("resnet152", RESNET, [], [("Bottleneck", 2), ("Bottleneck", 7), ("Bottleneck", 35), ("Bottleneck", 2)]),
    ],
)
def test_the_recipe_of_resnets(name, recipe, first, repeats):
    """The network is a chain of few boxes, and nothing of it is lost."""
    atlas = resnet(name)
    made = folded(atlas, recipe).fold_repeats()
    chain = [part for block, count in repeats for part in (block, f"Residual ×{count}" if count > 1 else "Residual")]
    assert names(made.graph) == ["ConvBnRelu", *first, *chain]
    assert len(made.graph.children[0]) < 20
    closed = [place for place in made.draw().scene.boxes if not place.open]
    assert len(closed) < 20
    assert total(made.graph) == total(atlas.graph)
    assert made.unfold().graph == atlas.graph


def test_a_transformer_is_folded_by_its_norms():
    """ViT: each block is a norm with its attention, and a norm with its layers."""
    model = torchvision_models().vit_b_16()
    atlas = ta.capture(model, torch.zeros(1, 3, 224, 224), fake=True, source=False)
    made = atlas.fold("Norm > Attention", "NormAttention").fold("Linear > Gelu > Linear", "Mlp")
    assert names(made.graph) == ["NormAttention", "Mlp"] * 12


def estimate(graph):
    """The memory estimate without the calls at which it peaks: groups move their ids."""
    return replace(memory(graph), inference_at=None, training_at=None)


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo_is_folded_and_restored(name):
    """Well formed, with the same totals, and all of it back again; what is pruned is well formed."""
    case = MODELS[name]
    with case.ready() as built:
        graph = ta.capture(built.model, built.args, built.kwargs, mode=case.mode, fake=case.fake, source=False).graph
    made = fold_repeats(reduce(lambda made, pattern: fold(made, pattern, f"<{pattern}>"), PATTERNS, graph))
    assert any(call.kind == "group" for call in made.calls)
    assert list(problems(made)) == []
    assert total(made) == total(graph)
    assert estimate(made) == estimate(graph)
    assert unfold(made) == graph
    assert list(problems(prune(graph, PATTERNS[0], upstream=True))) == []
    assert list(problems(prune(made, PATTERNS[-1]))) == []
