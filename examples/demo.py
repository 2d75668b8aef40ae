"""Capture one run of a ResNet-18 and of a small GPT, and print what ran."""

from __future__ import annotations

import torch
from gpt import GPT
from resnet import ResNet

import torchatlas as ta


def main() -> None:
    """Print both summaries."""
    print(ta.summary(ResNet(), input_size=(1, 3, 224, 224)))
    print()
    print(ta.summary(GPT(), torch.randint(8192, (1, 64))))


if __name__ == "__main__":
    main()
