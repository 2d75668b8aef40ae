"""Models that are hard to draw, and graphs made by hand."""

from __future__ import annotations

import torch
from torch import nn

import torchatlas as ta

LONG = "x" * 10_000
NAMES = {
    "markup": "<script>alert('1')</script>",
    "quotes": "a\"b'c",
    "section": "]]><![CDATA[",
    "escape": "\\u4e2d \\n %s",
    "control": "a\nb\x00c\x1b[31m",
    "surrogate": "half \ud83d",
    "emoji": "\N{GRINNING FACE}",
    "family": "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}",
    "chinese": "\u7f51\u7edc",
    "hebrew": "\u05e9\u05dc\u05d5\u05dd",
    "greek": "\u0394\u03bb",
    "long": LONG,
}


class Named(nn.Module):
    """One layer, registered under a name of any kind, whose class has that name too, where Python lets it."""

    def __init__(self, name):
        super().__init__()
        try:
            kind = type(name, (nn.Linear,), {})
        except (ValueError, UnicodeEncodeError):
            kind = nn.Linear
        self.add_module(name, kind(2, 2))

    def forward(self, x):
        (layer,) = self.children()
        return {"out": layer(x).relu()}


def named(name: str) -> ta.Atlas:
    """A run of a model with a name of any kind."""
    return ta.capture(Named(name.replace(".", "_")), torch.zeros(1, 2))


class Loop(nn.Module):
    """The same cell, four times."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(3, 5)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        state = x.new_zeros(2, 5)
        for step in range(4):
            state = self.cell(x[:, step], state)
        return self.head(state)


class Residual(nn.Module):
    """A branch that goes around two layers."""

    def __init__(self, width=4):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x):
        return x + self.body(x)


class Stack(nn.Module):
    """Six residual blocks, which fold, and two results by name."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(*(Residual() for _ in range(6)))

    def forward(self, tokens, mask=None):
        hidden = self.blocks(tokens)
        if mask is not None:
            hidden = hidden * mask
        return {"hidden": hidden, "pooled": hidden.mean(1)}


class Masked(nn.Module):
    """Two tensors that many steps read, which are drawn as tunnels, and a list of results that begins with them."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(8))

    def forward(self, x):
        mask, shift = x.sigmoid(), x.tanh()
        found = [mask, shift]
        for layer in self.layers:
            x = (layer(x) + shift) * mask
            found.append(x.relu())
        return found


def stack() -> ta.Atlas:
    """A run of ``Stack``."""
    return ta.capture(Stack(), kwargs={"tokens": torch.zeros(2, 3, 4), "mask": torch.ones(2, 3, 1)})
