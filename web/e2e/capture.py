"""Capture networks and write them as pages, for the tests in this folder to open.

Usage: python capture.py FOLDER    (needs torchatlas with torch)
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1] / "test" / "fixtures"))
import models
import pairs
import torchatlas as ta
from torchatlas.views.page.page import Page, page

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.core.graph import Graph

HOSTILE = '</script><img src=x onerror="document.title=1">&<b>'
LONG = "long" * 2500
RIGHT_TO_LEFT = "\u05e9\u05db\u05d1\u05d4 \u0634\u0628\u0643\u0629"


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        query, key, value = (self.split(layer(x)) for layer in (self.q_proj, self.k_proj, self.v_proj))
        query, key = turned(query, cos, sin), turned(key, cos, sin)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Feed(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(width, heads), Feed(width, inner)
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(width), nn.RMSNorm(width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """The architecture of LLaMA, with the embedding tied to the head."""

    def __init__(self, depth: int, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(32000, width)
        self.layers = nn.ModuleList(Layer(width, inner, heads) for _ in range(depth))
        self.norm = nn.RMSNorm(width)
        self.lm_head = nn.Linear(width, 32000, bias=False)
        self.lm_head.weight = self.embed_tokens.weight
        self.size = width // heads

    def forward(self, input_ids: Tensor) -> dict[str, Tensor]:
        x = self.embed_tokens(input_ids)
        places = torch.arange(input_ids.shape[1], dtype=torch.float32)
        turns = places[:, None] * 10000 ** (-torch.arange(0, self.size, 2) / self.size)
        turns = torch.cat([turns, turns], dim=-1)
        cos, sin = turns.cos(), turns.sin()
        for layer in self.layers:
            x = layer(x, cos, sin)
        return {"logits": self.lm_head(self.norm(x))}


class Hostile(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name in (HOSTILE, LONG, RIGHT_TO_LEFT, "\U0001f525\u5c42", "quote'\"\\"):
            self.add_module(name.replace(".", "_"), type(name[:2000], (nn.Linear,), {})(4, 4))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        for module in self.children():
            x = module(x)
        return {HOSTILE: x, "half": x.half()}


class Wide(nn.Module):
    """Many boxes side by side and below each other."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth

    def forward(self, x: Tensor) -> Tensor:
        for step in range(self.depth):
            x = torch.sin(x) + torch.cos(x) * step if step % 3 else torch.relu(x - step)
        return x


def llama(depth: int, width: int, inner: int, heads: int) -> Graph:
    with torch.device("meta"):
        model = Llama(depth, width, inner, heads)
    return ta.capture(model, models.tokens(1, 64), fake=True).graph


def fixture(made: tuple[nn.Module, tuple[Any, ...]]) -> Graph:
    model, args = made
    return ta.capture(model, args).graph


def failing() -> Graph:
    try:
        return fixture((models.Failing(), (torch.zeros(2, 8),)))
    except RuntimeError as error:
        return error.atlas.graph  # type: ignore[attr-defined]


def resnet() -> Page:
    graph = fixture((models.ResNet(models.Bottleneck, (3, 8, 36, 3)), models.image(32)))
    return page(graph, overlays={"gradient": {"layer1": 0.25, "layer2": -0.5, "fc": 3.0}})


def changed() -> Page:
    """A small network, and the same with a wider stem, a block more in one stage and one less in another."""
    one, other = (models.ResNet(models.Basic, depths) for depths in ((2, 3, 2, 2), (2, 4, 1, 2)))
    other.conv1 = nn.Conv2d(3, 64, 5, 2, 2, bias=False)
    return pairs.compared(fixture((one, models.image(64))), fixture((other, models.image(64))))


def resnets() -> Page:
    deep, less = (models.ResNet(models.Bottleneck, (3, *depths, 3)) for depths in ((8, 36), (4, 23)))
    return pairs.compared(fixture((deep, models.image(32))), fixture((less, models.image(32))))


def unrun() -> Page:
    one, other = (models.ResNet(models.Basic, depths) for depths in ((1, 1, 1, 1), (1, 2, 1, 1)))
    return pairs.compared(ta.capture(one).graph, ta.capture(other).graph)


PAGES: dict[str, Callable[[], Page]] = {
    "resnet152": resnet,
    "llama32": lambda: page(llama(32, 4096, 11008, 32)),
    "llama126": lambda: page(llama(126, 16384, 53248, 128)),
    "lstm": lambda: page(fixture((models.LSTMClassifier(), (models.tokens(2, 12),)))),
    "failing": lambda: page(failing()),
    "hostile": lambda: page(fixture((Hostile(), (torch.zeros(2, 4),)))),
    "unet": lambda: page(fixture((models.UNet(), models.image()))),
    "seq2seq": lambda: page(fixture((models.Seq2Seq(), (models.tokens(2, 10), models.tokens(2, 7))))),
    "changed": changed,
    "resnets": resnets,
    "llamas": lambda: pairs.compared(llama(80, 8192, 28672, 64), llama(32, 4096, 11008, 32)),
    "unrun": unrun,
    "backward": lambda: page(pairs.backward(fixture((pairs.Steps(), (torch.zeros(1, 3, 16, 16),))))),
    "wide": lambda: page(ta.capture(Wide(1700), torch.zeros(4)).graph),
}


def main() -> None:
    """Write the pages into the folder given."""
    logging.disable()
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or PAGES:
        made = PAGES[name]()
        made.save(folder / f"{name}.html")
        (folder / f"{name}.frame.html").write_text(f"<!doctype html>{made._repr_html_()}", encoding="utf-8")


if __name__ == "__main__":
    main()
