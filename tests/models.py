"""The zoo: every model that capture, replay, cost and the views are tried on, by name.

A name is ``family/model``; ``zoo`` holds one file for each family. Nothing is built, and no library of models is
imported, before a case is asked for.
"""

from __future__ import annotations

from zoo import (
    counted,
    modules,
    sequences,
    structures,
    tensors,
    timm_models,
    torchvision_models,
    transformers_models,
    transforms,
)
from zoo.case import Built, Case

__all__ = ["MODELS", "Built", "Case"]

FAMILIES = (
    counted,
    structures,
    modules,
    sequences,
    tensors,
    transforms,
    torchvision_models,
    timm_models,
    transformers_models,
)
MODELS: dict[str, Case] = {name: case for family in FAMILIES for name, case in family.MODELS.items()}
