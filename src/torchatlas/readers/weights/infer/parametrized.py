"""Weights that are made of other tensors: weight and spectral norm, pruning, and what ``parametrize`` keeps aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer.guess import Guess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchatlas.readers.weights.infer.guess import Shape, StoredModule
    from torchatlas.readers.weights.stored import Stored


HELD = "parametrizations"


def infer(part: StoredModule) -> Guess | None:
    """Tell what ``torch.nn.utils.parametrize`` puts into a module."""
    if part.name == HELD and part.children and not part.shapes:
        return Guess("ModuleDict", 0.97)
    around = (part.around or "").split(".")
    if around[-1] == HELD and ("original" in part.shapes or {"original0", "original1"} <= set(part.shapes)):
        return Guess("ParametrizationList", 0.97)
    return Guess("_SpectralNorm", 0.97) if HELD in around[-2:-1] and part.has("_u", "_v") else None


def weights_of(own: Mapping[str, Stored], aside: Mapping[str, Mapping[str, Stored]]) -> tuple[dict[str, Shape], str]:
    """Give the shapes that a module's own tensors stand for, and by what means, empty for none.

    Args:
        own: its tensors.
        aside: for each of them that is parametrized, what is kept of it.
    """
    shapes = {name: stored.shape for name, stored in own.items()}
    how = ""
    for name in [name.removesuffix("_v") for name in own if name.endswith("_v") and f"{name[:-2]}_g" in own]:
        shapes[name] = shapes.pop(f"{name}_v")
        del shapes[f"{name}_g"]
        how = "weight_norm"
    for name in [name.removesuffix("_orig") for name in own if name.endswith("_orig")]:
        shapes[name] = shapes.pop(f"{name}_orig")
        how = "pruned" if f"{name}_mask" in own else "spectral_norm"
        for suffix in ("_mask", "_u", "_v"):
            shapes.pop(name + suffix, None)
    for name, kept in aside.items():
        shape, means = _original(kept)
        if shape is not None:
            shapes[name] = shape
            how = means
    return shapes, how


def _original(kept: Mapping[str, Stored]) -> tuple[Shape | None, str]:
    if {"original0", "original1"} <= set(kept):
        one, other = kept["original0"], kept["original1"]
        magnitude = not one.shape or (one.numel == max(one.shape) and len(one.shape) == len(other.shape))
        return (other.shape, "weight_norm") if magnitude else (None, "")
    return (kept["original"].shape, "parametrized") if "original" in kept else (None, "")
