"""The models that benches run, each with the inputs of one run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from torchvision_cpu import torchvision_models

VISION = torchvision_models()  # now, for transformers imports torchvision too, and fails where its operators are not


class Built(NamedTuple):
    """A model in evaluation mode, and the tensor it runs on."""

    model: nn.Module
    x: Tensor


def resnet152() -> Built:
    """60 million parameters, images of 224 x 224."""
    return Built(VISION.resnet152().eval(), torch.randn(1, 3, 224, 224))


def vit_b_16() -> Built:
    """86 million parameters, images of 224 x 224."""
    return Built(VISION.vit_b_16().eval(), torch.randn(1, 3, 224, 224))


def gpt2_tiny() -> Built:
    """GPT-2 of two layers, width 32: almost no arithmetic, so that what capturing costs stands out."""
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=100, n_positions=64, bos_token_id=0, eos_token_id=0)
    return Built(GPT2Model(config).eval(), torch.zeros(1, 16, dtype=torch.int64))


def bert_tiny() -> Built:
    """BERT of two layers, width 32."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        num_hidden_layers=2, hidden_size=32, num_attention_heads=2, intermediate_size=64, vocab_size=100
    )
    return Built(BertModel(config).eval(), torch.zeros(1, 16, dtype=torch.int64))


class Tagger(nn.Module):
    """An embedding, two LSTM layers, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 32)
        self.lstm = nn.LSTM(32, 32, num_layers=2, batch_first=True)
        self.tag = nn.Linear(32, 10)

    def forward(self, ids: Tensor) -> Tensor:
        """Scores of 10 tags for each of (N, T) words."""
        return self.tag(self.lstm(self.embed(ids))[0])


def lstm_tiny() -> Built:
    """A tagger over 16 words."""
    return Built(Tagger().eval(), torch.zeros(1, 16, dtype=torch.int64))


LARGE: dict[str, Callable[[], Built]] = {"ResNet-152": resnet152, "ViT-B/16": vit_b_16}
SMALL: dict[str, Callable[[], Built]] = {"GPT-2 tiny": gpt2_tiny, "BERT tiny": bert_tiny, "LSTM tagger": lstm_tiny}
