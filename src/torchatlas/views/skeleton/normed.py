"""Layers whose weights are made of other tensors: weight and spectral norm, the old functions of torch and the new.

Source: ``torch/nn/utils/weight_norm.py``, ``spectral_norm.py``, ``parametrizations.py``.
"""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchatlas.views.skeleton.constructors import Shape

NEW = "nn.utils.parametrizations"
OLD = "nn.utils"


class Norm(NamedTuple):
    """A function that puts other tensors in the place of one.

    Attributes:
        function: its name, with where it stands.
        tensor: the name of the tensor that it replaces.
        axis: the one that it norms; None for a weight norm over all of them.
    """

    function: str
    tensor: str
    axis: int | None

    def around(self, code: str, kind: str) -> str:
        """The layer with this norm, as it is written.

        Args:
            code: the layer.
            kind: its class, on which depends what axis is usual.
        """
        words = [code]
        if self.tensor != "weight":
            words.append(f'"{self.tensor}"')
        usual = 1 if self.function.endswith("spectral_norm") and "Transpose" in kind else 0
        if self.axis != usual:
            words.append(f"dim={self.axis}")
        return f"{self.function}({', '.join(words)})"


class Parts(NamedTuple):
    """How one norm names its tensors, ``{}`` for the name of what they make; ``first`` is shaped like that."""

    function: str
    first: str
    others: tuple[str, ...]


KNOWN = (
    Parts(f"{NEW}.weight_norm", "parametrizations.{}.original1", ("parametrizations.{}.original0",)),
    Parts(
        f"{NEW}.spectral_norm",
        "parametrizations.{}.original",
        ("parametrizations.{}.0._u", "parametrizations.{}.0._v"),
    ),
    Parts(f"{OLD}.weight_norm", "{}_v", ("{}_g",)),
    Parts(f"{OLD}.spectral_norm", "{}_orig", ("{}_u", "{}_v")),
)


def seen_through(shapes: Mapping[str, Shape], kind: str) -> tuple[dict[str, Shape], tuple[Norm, ...]]:
    """Give the shapes that tensors of a layer stand for, and the norms that make them.

    Args:
        shapes: of its tensors, by name.
        kind: its class.
    """
    found, norms = dict(shapes), []
    for function, first, others in KNOWN:
        pattern = re.compile(re.escape(first).replace(r"\{\}", r"(\w+)"))
        for match in [match for name in shapes if (match := pattern.fullmatch(name))]:
            tensor = match[1]
            beside = [other.format(tensor) for other in others]
            if tensor in found or match[0] not in found or not found.keys() >= set(beside):
                continue
            whole = found[match[0]]
            axes = [axis for axis in _axes(whole, kind) if _fits(whole, axis, [found[name] for name in beside])]
            if axes:
                norms.append(Norm(function, tensor, axes[0]))
                for name in (match[0], *beside):
                    del found[name]
                found[tensor] = whole
    return found, tuple(norms)


def _axes(shape: Shape, kind: str) -> list[int | None]:
    """Axes that may be normed, the usual one first."""
    axes = [*range(len(shape))]
    return [*(axes[1::-1] if "Transpose" in kind else axes[:2]), *axes[2:], None]


def _fits(shape: Shape, axis: int | None, beside: list[Shape]) -> bool:
    """Whether the tensors beside a weight are those of a norm over this axis."""
    if len(beside) == 1:  # of weight norm: magnitudes
        kept = () if axis is None else tuple(size if at == axis else 1 for at, size in enumerate(shape))
        return beside == [kept]
    # of spectral norm: two singular vectors
    return axis is not None and beside == [(shape[axis],), (prod(shape) // max(shape[axis], 1),)]
