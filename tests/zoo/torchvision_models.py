"""Models of torchvision, at the smallest image that each of them takes."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import Any

import torch

from torchvision_cpu import torchvision_models
from zoo.case import Built, Case


def build(name: str, *shapes: tuple[int, ...], **options: Any) -> Built:
    """``torchvision.models.<name>`` without weights, and one random input of each shape."""
    model = attrgetter(name)(torchvision_models())(weights=None, **options)
    return Built(model, tuple(torch.randn(shape) for shape in shapes))


def image(name: str, size: int = 64, **options: Any) -> Case:
    """A model of one square image."""
    return Case(partial(build, name, (1, 3, size, size), **options), "torchvision")


MODELS: dict[str, Case] = {
    "torchvision/alexnet": image("alexnet"),
    "torchvision/vgg11_bn": image("vgg11_bn", 32),
    "torchvision/resnet18": image("resnet18"),
    "torchvision/resnext50": image("resnext50_32x4d"),
    "torchvision/densenet121": image("densenet121"),
    "torchvision/inception_v3": image("inception_v3", 75, init_weights=False),
    "torchvision/googlenet": image("googlenet", init_weights=False),
    "torchvision/squeezenet": image("squeezenet1_1"),
    "torchvision/mobilenet_v3": image("mobilenet_v3_small"),
    "torchvision/efficientnet": image("efficientnet_b0"),
    "torchvision/shufflenet": image("shufflenet_v2_x0_5"),
    "torchvision/regnet": image("regnet_y_400mf"),
    "torchvision/convnext": image("convnext_tiny"),
    "torchvision/swin": image("swin_t"),
    "torchvision/swin_v2": image("swin_v2_t"),
    "torchvision/vit": image("vit_b_16", image_size=64),
    "torchvision/deeplab": image("segmentation.deeplabv3_mobilenet_v3_large", weights_backbone=None),
    "torchvision/fcn": image("segmentation.fcn_resnet50", weights_backbone=None, aux_loss=True),
    "torchvision/r3d": Case(partial(build, "video.r3d_18", (1, 3, 4, 32, 32)), "torchvision"),
    "torchvision/raft": Case(
        partial(build, "optical_flow.raft_small", (1, 3, 128, 128), (1, 3, 128, 128)),
        "torchvision",
    ),
}
