"""Models as files, for the tests of the readers: exported once, in every form."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from pathlib import Path


class Block(nn.Module):
    def __init__(self, width, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, groups=2)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.conv2(out) + x)


class Pictures(nn.Module):
    """A small residual network; its ReLU runs twice in each block."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2)
        self.layers = nn.Sequential(Block(8), Block(8))
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        x = self.up(self.layers(self.stem(x)))
        return self.fc(x.mean((2, 3)))


class Words(nn.Module):
    """An encoder with attention written out, and a head that shares the embedding's weight."""

    def __init__(self, width=16, heads=2):
        super().__init__()
        self.embed = nn.Embedding(20, width)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.head = nn.Linear(width, 20, bias=False)
        self.head.weight = self.embed.weight
        self.heads = heads

    def forward(self, ids):
        x = self.norm(self.embed(ids))
        batch, length, width = x.shape
        q, k, v = (
            self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        )
        y = F.softmax(q @ k.transpose(-2, -1), dim=-1) @ v
        return self.head(x + self.proj(y.transpose(1, 2).reshape(batch, length, width)))


class Turns(nn.Module):
    """A condition and a loop, which scripting keeps."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

    def forward(self, x, n: int):
        if x.sum() > 0:  # noqa: SIM108 - a condition as users write it
            x = self.layer(x)
        else:
            x = x * 2
        for _ in range(n):
            x = torch.relu(self.layer(x))
        for layer in self.layers:
            x = layer(x)
        return x


def made(model: nn.Module) -> nn.Module:
    """The model with weights that no exporter can take for equal ones, ready to be exported."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


PICTURES = (torch.zeros(2, 3, 16, 16),)
WORDS = (torch.arange(6)[None],)


def write(kind: str, model: nn.Module, args: tuple[Any, ...], path: Path) -> Path:
    """Write a model as a file: ``onnx``, ``old.onnx`` (the older exporter), ``pt2``, ``traced`` or ``scripted``."""
    path = path / f"model.{kind}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            if kind == "pt2":
                torch.export.save(torch.export.export(model, args), path)
            elif kind in {"traced", "scripted"}:
                (torch.jit.script(model) if kind == "scripted" else torch.jit.trace(model, args)).save(path)
            elif kind == "old.onnx":
                torch.onnx.export(model, args, path, dynamo=False)
            else:
                torch.onnx.export(model, args, path, dynamo=True, verbose=False, external_data=False)
        finally:
            logging.disable(logging.NOTSET)
    return path
