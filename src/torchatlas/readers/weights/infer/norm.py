"""Normalizations: told by the statistics that they keep, or by their names and what stands around them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer.guess import Guess, by, listed, pair
from torchatlas.readers.weights.infer.weightless import NORMS_VERSION

if TYPE_CHECKING:
    from torchatlas.readers.weights.infer.guess import StoredModule

STATISTICS = frozenset(("running_mean", "running_var"))
AFFINE = frozenset(("weight", "bias"))
LAYER = re.compile(r"ln|layer_?norm|(^|_)ln(_|\d|$)")
GROUP = re.compile(r"gn\d*|group_?norm")
ROOT = re.compile(r"rms|norm|(^|_)ln(_|\d|$)")
ACTIVATION = re.compile(r"prelu|relu|act")


def infer(part: StoredModule, dimensions: int, certain: bool, *, among: bool) -> Guess | None:
    """Tell a normalization, or a PReLU.

    Args:
        part: the module.
        dimensions: axes of the window of the convolutions around it; 0 where there are none.
        certain: whether one of these has as many channels.
        among: whether it stands among convolutions, and not among matrices.
    """
    if set(part.shapes) >= STATISTICS:
        return _with_statistics(part, dimensions, certain=certain)
    if part.has("weight", "bias") and part.shapes["weight"] == part.shapes["bias"]:
        return _affine(part, dimensions if certain else 0, among=among)
    if part.has("weight") and len(part.weight) == 1:
        return _scale(part)
    return None


def _with_statistics(part: StoredModule, dimensions: int, *, certain: bool) -> Guess | None:
    if len(part.shapes["running_mean"]) != 1 or set(part.shapes) - STATISTICS - AFFINE - {"num_batches_tracked"}:
        return None
    count, affine = part.shapes["running_mean"][0], "weight" in part.shapes
    settings = (("num_features", count), ("affine", affine), ("track_running_stats", True))
    words = listed(str(count), "" if affine else "affine=False")
    # Without its counter it is of torch before 0.4, or one that never learns; a state dict of today notes a version.
    counted = "num_batches_tracked" in part.shapes
    frozen = not counted and (part.version is not None or not dimensions)
    name = "FrozenBatchNorm2d" if frozen else f"BatchNorm{dimensions or 1}d"
    sure = 0.8 if not counted else 0.97 if certain else 0.85
    return Guess(name, sure, settings if not frozen else settings[:1], words)


def _affine(part: StoredModule, dimensions: int, *, among: bool) -> Guess:
    shape, name = part.weight, part.name
    layer = (("normalized_shape", pair(shape)), ("elementwise_affine", True))
    if len(shape) > 1:
        return Guess("LayerNorm", 0.9, layer, f"({', '.join(map(str, shape))})")
    channels = (("num_channels", shape[0]), ("affine", True))
    if GROUP.search(name):
        return Guess("GroupNorm", 0.95, channels, f"{shape[0]} channels")
    if part.version == NORMS_VERSION:
        features = (("num_features", shape[0]), ("affine", True), ("track_running_stats", False))
        return Guess(f"InstanceNorm{dimensions or 2}d", 0.6, features, str(shape[0]))
    if LAYER.search(name):
        return Guess("LayerNorm", 0.97, layer, by(shape))
    if among:  # where channels come first, a norm over the last axis is rare
        return Guess("GroupNorm", 0.7, channels, f"{shape[0]} channels")
    return Guess("LayerNorm", 0.7 if dimensions else 0.95, layer, by(shape))


def _scale(part: StoredModule) -> Guess | None:
    count, name = part.weight[0], part.name
    if count == 1 or ACTIVATION.search(name):
        return Guess("PReLU", 0.9 if ACTIVATION.search(name) else 0.6, (("num_parameters", count),), str(count))
    sure = 0.85 if ROOT.search(name) else 0.5
    return Guess("RMSNorm", sure, (("normalized_shape", pair(part.weight)),), str(count))
