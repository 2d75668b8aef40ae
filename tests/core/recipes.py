"""Recipes of patterns, as people use them."""

from __future__ import annotations

RESNET = (
    ("Conv > BatchNorm > Relu", "ConvBnRelu"),
    ("Conv > BatchNorm", "ConvBn"),
    ("((ConvBnRelu > ConvBnRelu > ConvBn) | ConvBn) > Add > Relu", "Bottleneck"),
    ("ConvBnRelu > ConvBnRelu > ConvBn > Add > Relu", "Residual"),
)
"""ResNet-50 and deeper: pattern and name, one after the other."""

BASIC = (
    *RESNET[:2],
    ("((ConvBnRelu > ConvBn) | ConvBn) > Add > Relu", "Downsampling"),
    ("ConvBnRelu > ConvBn > Add > Relu", "Residual"),
)
"""ResNet-18 and -34."""
