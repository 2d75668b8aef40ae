"""Pairs of models to compare: relatives as people meet them, built from configurations, with nothing downloaded."""

from __future__ import annotations

import importlib
import os
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

import torchatlas as ta
from torchvision_cpu import torchvision_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.core.graph import Graph


def image(name: str) -> Callable[[], Graph]:
    """A model of torchvision, run on fake tensors."""

    def build() -> Graph:
        with torch.device("meta"):  # nobody needs the weights
            model = getattr(torchvision_models(), name)(weights=None)
        return ta.capture(model, input_size=(1, 3, 64, 64), fake=True).graph

    return build


def language(name: str, **config: Any) -> Callable[[], Graph]:
    """A language model of transformers, small and on fake tensors."""

    def build() -> Graph:
        os.environ["HF_HUB_OFFLINE"] = "1"
        torchvision_models()
        library = importlib.import_module("transformers")
        library.logging.set_verbosity_error()
        sizes = {"hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 500}
        family = name.removesuffix("ForMaskedLM").removesuffix("ForCausalLM")
        made = getattr(library, f"{family}Config")(**{**sizes, "num_hidden_layers": 2, **config})
        with torch.device("meta"):
            model = getattr(library, name)(made)
        return ta.capture(model, torch.zeros(1, 8, dtype=torch.int64), kwargs={"use_cache": False}, fake=True).graph

    return build


class Tagger(nn.Module):
    """Words in, a class for each out."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.rnn = nn.LSTM(16, 8, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Logits of shape (words, 4)."""
        return self.head(self.rnn(self.embed(words))[0])


def tagger(change: Callable[[nn.Module], nn.Module] = lambda model: model) -> Callable[[], Graph]:
    """The tagger, changed in some way."""

    def build() -> Graph:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # quantization announces its successor
            model = change(Tagger())
        return ta.capture(model, torch.zeros(1, 5, dtype=torch.int64)).graph

    return build


def quantized(model: nn.Module) -> nn.Module:
    """The same with whole numbers for weights."""
    torch.manual_seed(0)  # scales are made from the weights
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return torch.ao.quantization.quantize_dynamic(model, {nn.Linear, nn.LSTM})


def halved(model: nn.Module) -> nn.Module:
    """The same in half precision."""
    return model.half()


def structure(name: str, around: Callable[[nn.Module], nn.Module] = lambda model: model) -> Callable[[], Graph]:
    """A model of torchvision that is not run."""

    def build() -> Graph:
        with torch.device("meta"):
            return ta.capture(around(getattr(torchvision_models(), name)(weights=None))).graph

    return build


PAIRS: dict[str, tuple[Callable[[], Graph], Callable[[], Graph]]] = {
    "resnet18-resnet34": (image("resnet18"), image("resnet34")),
    "resnet50-resnext50": (image("resnet50"), image("resnext50_32x4d")),
    "vgg11-vgg11_bn": (image("vgg11"), image("vgg11_bn")),
    "bert-roberta": (language("BertForMaskedLM"), language("RobertaForMaskedLM")),
    "bert-distilbert": (
        language("BertForMaskedLM"),
        language("DistilBertForMaskedLM", dim=64, n_heads=4, hidden_dim=128, n_layers=2),
    ),
    "llama-deeper": (language("LlamaForCausalLM"), language("LlamaForCausalLM", num_hidden_layers=3)),
    "llama-wider": (language("LlamaForCausalLM"), language("LlamaForCausalLM", hidden_size=128)),
    "tagger-quantized": (tagger(), tagger(quantized)),
    "tagger-half": (tagger(), tagger(halved)),
    "resnet18-itself": (image("resnet18"), image("resnet18")),
    "resnet18-parallel": (structure("resnet18"), structure("resnet18", nn.DataParallel)),
    "resnet18-bert": (image("resnet18"), language("BertForMaskedLM")),
}


@cache
def pair(name: str) -> tuple[Graph, Graph]:
    """Both graphs, captured once for all tests."""
    one, other = PAIRS[name]
    return one(), other()
