"""One small model of each of many timm families."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import torch

from torchvision_cpu import torchvision_models
from zoo.case import Built, Case


def build(name: str, size: int, **options: Any) -> Built:
    """``timm.create_model(name)`` without weights, and one random image of ``size`` squared."""
    torchvision_models()
    model = importlib.import_module("timm").create_model(name, pretrained=False, **options)
    return Built(model, (torch.randn(1, 3, size, size),))


def image(name: str, size: int = 64, **options: Any) -> Case:
    """A model that takes an image of any size."""
    return Case(partial(build, name, size, **options), "timm")


def sized(name: str, size: int = 64, **options: Any) -> Case:
    """A model that is built for one size of image."""
    return image(name, size, img_size=size, **options)


MODELS: dict[str, Case] = {
    "timm/resnet": image("resnet10t"),
    "timm/resnetv2": image("resnetv2_50"),
    "timm/res2net": image("res2net50_26w_4s"),
    "timm/regnet": image("regnety_002"),
    "timm/nfnet": image("nfnet_l0"),
    "timm/hrnet": image("hrnet_w18_small"),
    "timm/dla": image("dla34"),
    "timm/efficientnet": image("efficientnet_lite0"),
    "timm/ghostnet": image("ghostnet_050"),
    "timm/convnext": image("convnext_atto"),
    "timm/convnextv2": image("convnextv2_atto"),
    "timm/vit": sized("vit_tiny_patch16_224"),
    "timm/deit": sized("deit_tiny_distilled_patch16_224"),
    "timm/eva": sized("eva02_tiny_patch14_224", 56),
    "timm/beit": sized("beit_base_patch16_224", depth=2, embed_dim=96, num_heads=4),
    "timm/swin": sized("swin_tiny_patch4_window7_224", window_size=4),
    "timm/mixer": sized("mixer_s32_224"),
    "timm/gmlp": sized("gmlp_ti16_224"),
    "timm/levit": image("levit_128s", 224),
    "timm/tiny_vit": image("tiny_vit_5m_224", 224),
    "timm/coat": sized("coat_tiny"),
    "timm/cait": sized("cait_xxs24_224"),
    "timm/xcit": image("xcit_nano_12_p16_224"),
    "timm/maxvit": sized("maxxvit_rmlp_nano_rw_256"),
    "timm/mobilevit": image("mobilevit_xxs"),
    "timm/poolformer": image("poolformer_s12"),
    "timm/pvt": image("pvt_v2_b0"),
    "timm/convit": sized("convit_tiny"),
    "timm/hiera": sized("hiera_tiny_224"),
    "timm/sequencer": sized("sequencer2d_s"),
}
