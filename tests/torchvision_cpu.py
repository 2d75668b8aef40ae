"""Makes torchvision importable beside a torch without CUDA.

torchvision's wheel is built for CUDA, so its compiled operators do not load here; its Python code registers kernels
for them on import and fails where they were never declared. Declaring them is enough for every model but the
detection ones, whose operators would still have no kernel.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from types import ModuleType

POOLED = "Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width"
UNPOOLED = "float spatial_scale, SymInt pooled_height, SymInt pooled_width"
MAPPED = "Tensor grad, Tensor rois, Tensor channel_mapping"
SIZES = "SymInt batch_size, SymInt channels, SymInt height, SymInt width"
DEFORMED = (
    "Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, SymInt stride_w, "
    "SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, SymInt offset_groups, "
    "bool use_mask"
)
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    f"roi_align({POOLED}, int sampling_ratio, bool aligned) -> Tensor",
    f"_roi_align_backward(Tensor grad, Tensor rois, {UNPOOLED}, {SIZES}, int sampling_ratio, bool aligned) -> Tensor",
    f"roi_pool({POOLED}) -> (Tensor, Tensor)",
    f"_roi_pool_backward(Tensor grad, Tensor rois, Tensor argmax, {UNPOOLED}, {SIZES}) -> Tensor",
    f"ps_roi_align({POOLED}, int sampling_ratio) -> (Tensor, Tensor)",
    f"_ps_roi_align_backward({MAPPED}, {UNPOOLED}, int sampling_ratio, {SIZES}) -> Tensor",
    f"ps_roi_pool({POOLED}) -> (Tensor, Tensor)",
    f"_ps_roi_pool_backward({MAPPED}, {UNPOOLED}, {SIZES}) -> Tensor",
    f"deform_conv2d({DEFORMED}) -> Tensor",
    f"_deform_conv2d_backward(Tensor grad, {DEFORMED}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)


@cache
def torchvision_models() -> ModuleType:
    """``torchvision.models``, with the operators declared where torchvision could not load its own."""
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for schema in SCHEMAS:
        if not hasattr(torch.ops.torchvision, schema.partition("(")[0]):
            operators.define(schema)
    _keep.append(operators)
    return importlib.import_module("torchvision.models")


# A declaration lasts as long as the Library object that made it.
_keep: list[torch.library.Library] = []
