"""Small networks with everything a table has to say something about."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

import torchatlas as ta
from torchatlas.core.graph import Overlay

WORDS, WIDTH = 100, 32


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.drop = nn.Dropout()

    def forward(self, x):
        return self.proj(F.scaled_dot_product_attention(*self.qkv(x).chunk(3, -1)))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 64), nn.GELU(), nn.Linear(64, WIDTH))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Decoder(nn.Module):
    """Six equal layers, a module used twice, one never called, one whose weights alone are used, tied weights."""

    def __init__(self, *, fails=False):
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.layers = nn.ModuleList(Block() for _ in range(6))
        self.norm = nn.LayerNorm(WIDTH)
        self.spare = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU())
        self.twice = nn.Linear(WIDTH, WIDTH)
        self.lent = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.embed.weight
        self.fails = fails

    def forward(self, words):
        x = self.embed(words)
        for layer in self.layers:
            x = layer(x)
        if x.sum().item() > 1e9:
            return x
        x = F.linear(self.twice(self.twice(x)), self.lent.weight)
        if self.fails:
            x = x[..., :7]
        return self.head(self.norm(x))


class Unrolled(nn.Module):
    """A cell called once for every step."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(4, 5)
        self.out = nn.Linear(5, 2)

    def forward(self, x):
        state = x.new_zeros(x.shape[1], 5)
        for step in x:
            state = self.cell(step, state)
        return self.out(state)


class Mnist(nn.Module):
    """The two-convolution network of the MNIST tutorials: 21,840 parameters."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.drop(self.conv2(x)), 2))
        x = F.relu(self.fc1(x.flatten(1)))
        return F.log_softmax(self.fc2(F.dropout(x, training=self.training)), dim=1)


@cache
def decoder():
    """The graph of a run of Decoder on 2 x 16 words."""
    return ta.capture(Decoder(), torch.zeros(2, 16, dtype=torch.long)).graph


@cache
def failing():
    """The graph of a run of Decoder that ends in ``norm``."""
    with torch.no_grad():
        try:
            ta.capture(Decoder(fails=True), torch.zeros(2, 16, dtype=torch.long))
        except RuntimeError as error:
            return error.atlas.graph
    raise AssertionError


@cache
def structure():
    """The graph of Decoder that was not run."""
    return ta.capture(Decoder()).graph


@cache
def unrolled():
    """The graph of seven steps of Unrolled."""
    return ta.capture(Unrolled(), torch.rand(7, 3, 4)).graph


@cache
def mnist():
    """The graph of a run of Mnist on one image."""
    return ta.capture(Mnist(), torch.rand(1, 1, 28, 28)).graph


@cache
def profiled():
    """The decoder with times as if they had been measured: a tenth of a second, six layers of a hundredth each."""
    graph = decoder()
    given = {"": 0.1} | {f"layers.{number}": 0.01 for number in range(6)}
    given |= {f"layers.{number}.{part}": 0.006 - 0.001 * at for number in range(6) for at, part in PARTS}
    calls = tuple(replace(call, seconds=given.get(call.path)) for call in graph.calls)
    peaks = Overlay("peak memory", "B", ((0, 123456.0), *((call, 1e4 + call) for call in graph.calls_of["norm"])))
    known = replace(graph.provenance, timed_runs=10, plain_seconds=0.0987, plain_spread=0.0015)
    many = tuple(Overlay(name, "", ((0, 0.5),)) for name in ("mean", "std", "min", "max", "zeros"))
    return replace(graph, calls=calls, overlays=(peaks, *many), provenance=known)


PARTS = tuple(enumerate(("mlp", "attention", "norm1")))
