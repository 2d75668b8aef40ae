"""Modules without weights, which a state dict only names: what they are called is all there is to go by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer.guess import UNKNOWN, Guess

if TYPE_CHECKING:
    from torchatlas.readers.weights.infer.guess import StoredModule

NORMS_VERSION = 2
"""What ``state_dict`` notes of BatchNorm and InstanceNorm; of nearly everything else 1."""
CALLED = (
    (re.compile(r"relu\d*"), "ReLU", 0.85),
    (re.compile(r"gelu\d*"), "GELU", 0.9),
    (re.compile(r"silu\d*"), "SiLU", 0.9),
    (re.compile(r"tanh\d*"), "Tanh", 0.9),
    (re.compile(r"sigmoid\d*"), "Sigmoid", 0.9),
    (re.compile(r"(.*_)?drop(out)?\d*"), "Dropout", 0.8),
    (re.compile(r"max_?pool\d*"), "MaxPool2d", 0.8),
    (re.compile(r"avg_?pool\d*"), "AdaptiveAvgPool2d", 0.7),
    (re.compile(r"flatten\d*"), "Flatten", 0.55),
    (re.compile(r"softmax"), "Softmax", 0.8),
)


def infer(part: StoredModule) -> Guess:
    """Tell a module without weights."""
    if part.version == NORMS_VERSION:
        return Guess("InstanceNorm2d", 0.6, (("affine", False),), "no weights")
    for pattern, name, sure in CALLED:
        if pattern.fullmatch(part.name):
            return Guess(name, sure, (), "no weights, by its name")
    return Guess(UNKNOWN, 1, (), "no weights")
