"""Every module of a file: each by its own tensors first, then by its neighbours, then by what is inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer import attention, container, convolution, dense, norm, quantized, recurrent
from torchatlas.readers.weights.infer.convolution import Beside
from torchatlas.readers.weights.infer.guess import UNKNOWN, Guess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.readers.weights.infer.guess import Part, Shape

NEAR = 6
"""Layers before a normalization among which the one that it follows is looked for."""
MATRIX = 2


def infer(parts: Sequence[Part]) -> dict[str, Guess]:
    """Give for every path what the module there most likely is.

    Args:
        parts: the modules, each before those inside it, in the order of the file.
    """
    known = {part.path: part for part in parts}
    layers = [part for part in parts if part.shapes]
    guesses: dict[str, Guess] = {}
    for at, part in enumerate(layers):
        found = recurrent.infer(part) or attention.own(part) or dense.infer(part) or quantized.infer(part)
        found = found or norm.infer(part, _dimensions(layers, at)) or convolution.infer(part, _beside(layers, at))
        if found is not None:
            guesses[part.path] = found
    kinds: dict[str, int] = {}
    numbers: dict[object, int] = {}
    for part in reversed(parts):
        guess = guesses.get(part.path) or _around(part, known, guesses, kinds)
        guesses[part.path] = guess
        inside = tuple((name, kinds[_child(part, name)]) for name in part.children)
        key = (guess, tuple(part.shapes.items()), inside)
        kinds[part.path] = numbers.setdefault(key, len(numbers))
    return guesses


def _child(part: Part, name: str) -> str:
    return f"{part.path}.{name}" if part.path else name


def _around(part: Part, known: Mapping[str, Part], guesses: Mapping[str, Guess], kinds: Mapping[str, int]) -> Guess:
    """What a module is that no tensor of its own tells."""
    inside = [known[_child(part, name)] for name in part.children]
    weights = {child.path.rpartition(".")[2]: _matrix(child, guesses) for child in inside if len(child.weight) >= MATRIX}
    told = {child.path.rpartition(".")[2]: guesses[child.path] for child in inside}
    found = quantized.infer(part) or attention.around(part, weights, told)
    if found is None and part.children:
        empty = any(not child.shapes and not child.children for child in inside)
        digits = [int(name) for name in part.children if name.isdigit()]
        gaps = bool(digits) and sorted(digits) != list(range(len(digits)))
        found = container.infer(part, [kinds[child.path] for child in inside], weightless=empty or gaps)
    if found is None and not part.shapes and not part.children:
        found = norm.without_weights(part) or Guess(UNKNOWN, 1, (), "no weights")
    return found or Guess(UNKNOWN, 1)


def _matrix(part: Part, guesses: Mapping[str, Guess]) -> Shape:
    """The weight as (out, in), however the layer keeps it."""
    shape = part.weight[:2]
    return shape[::-1] if guesses[part.path].name == "Conv1D" else shape


def _dimensions(layers: Sequence[Part], at: int) -> int:
    """The axes of the window of the nearest convolution before that has as many channels; 0 where there is none."""
    count = next(iter(layers[at].shapes.values()), (0,))
    for part in layers[max(0, at - NEAR) : at][::-1]:
        if len(part.weight) >= MATRIX and count[:1] in (part.weight[:1], part.weight[1:2]):
            return len(part.weight) - MATRIX
    return 0


def _beside(layers: Sequence[Part], at: int) -> Beside:
    """The channels before and after a convolution, where the layers beside it stand in the same module."""
    part = layers[at]
    before = layers[at - 1] if at else None
    after = layers[at + 1] if at + 1 < len(layers) else None
    return Beside(
        before=_outward(before) if before and before.around == part.around else 0,
        after=_outward(after) if after and after.around == part.around and len(after.weight) == 1 else 0,
        first=at == 0,
    )


def _outward(part: Part) -> int:
    """The channels that a layer gives on."""
    shape = part.weight or part.shapes.get("running_mean", ())
    return shape[0] if shape else 0
