"""Every module of a file: each by its own tensors first, then by its neighbours, then by what is inside."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer import (
    attention,
    container,
    convolution,
    dense,
    norm,
    parametrized,
    quantized,
    recurrent,
    weightless,
)
from torchatlas.readers.weights.infer.convolution import Neighbours
from torchatlas.readers.weights.infer.guess import UNKNOWN, Guess, is_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.readers.weights.infer.guess import Shape, StoredModule

NEAR = 6
"""Layers before a normalization among which the one that it follows is looked for."""
AFTER = 2
"""Layers after it, where it comes before the convolution."""
MATRIX = 2


def infer(parts: Sequence[StoredModule], *, ordered: bool = True) -> dict[str, Guess]:
    """Give for every path what the module there most likely is.

    Args:
        parts: the modules, each before those inside it, in the order of the file.
        ordered: whether that is the order of the model; a file may have them by the alphabet.
    """
    known = {part.path: part for part in parts}
    own = [part for part in parts if part.shapes]
    layers = _Layers(own, ordered=ordered)
    guesses: dict[str, Guess] = {}
    for at, part in enumerate(own):
        if not set(part.children).isdisjoint(part.shapes):  # what belongs to a tensor stands beside it: it is packed
            guesses[part.path] = quantized.packed(part)
            continue
        found = quantized.of_rows(part) or parametrized.infer(part) or recurrent.infer(part) or attention.own(part)
        found = found or dense.infer(part) or quantized.infer(part)
        found = (
            found
            or norm.infer(part, *layers.dimensions(at), among=layers.among(at))
            or convolution.infer(part, layers.beside(at))
        )
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


def _child(part: StoredModule, name: str) -> str:
    return f"{part.path}.{name}" if part.path else name


def _around(
    part: StoredModule, known: Mapping[str, StoredModule], guesses: Mapping[str, Guess], kinds: Mapping[str, int]
) -> Guess:
    """What a module is that no tensor of its own tells."""
    inside = [known[_child(part, name)] for name in part.children]
    weights = {
        child.path.rpartition(".")[2]: _matrix(child, guesses) for child in inside if len(child.weight) >= MATRIX
    }
    told = {child.path.rpartition(".")[2]: guesses[child.path] for child in inside}
    found = parametrized.infer(part) or quantized.around(told) or quantized.infer(part)
    found = found or attention.around(part, weights, told)
    if found is None and part.children:
        empty = any(not child.shapes and not child.children for child in inside)
        digits = [int(name) for name in part.children if is_number(name)]
        gaps = bool(digits) and sorted(digits) != list(range(len(digits)))
        found = container.infer(part, [kinds[child.path] for child in inside], weightless=empty or gaps)
    if found is None and not part.shapes and not part.children:
        found = weightless.infer(part)
    return found or Guess(UNKNOWN, 1)


def _matrix(part: StoredModule, guesses: Mapping[str, Guess]) -> Shape:
    """The weight as (out, in), however the layer keeps it."""
    shape = part.weight[:2]
    return shape[::-1] if guesses[part.path].name == "Conv1D" else shape


class _Layers:
    """The modules that have tensors, in the order of the file, and what they tell of each other."""

    def __init__(self, layers: Sequence[StoredModule], *, ordered: bool) -> None:
        self._layers, self._ordered = layers, ordered
        self._known = {part.path: part for part in layers}
        axes = Counter(len(part.weight) - MATRIX for part in layers if MATRIX < len(part.weight) <= MATRIX + 3)
        self._beside: dict[str | None, list[StoredModule]] = {}
        for part in layers:
            self._beside.setdefault(part.around, []).append(part)
        self._windows = sum(map(_is_window, layers)) > sum(len(part.weight) == MATRIX for part in layers)
        self._entry = self._first() if ordered else self._colourless()
        self._usual = axes.most_common(1)[0][0] if axes else 0

    def _first(self) -> StoredModule | None:
        """The first layer of a file in the order of the model."""
        return next((part for part in self._layers[:NEAR] if len(part.weight) >= MATRIX), None)

    def _colourless(self) -> StoredModule | None:
        """Of a file in another order, where none reads colours or words: what may read pictures of one, or sounds."""
        windows = [part for part in self._layers if len(part.weight) > MATRIX]
        words = any(dense.TABLE.search(part.name) for part in self._layers if len(part.weight) == MATRIX)
        if words or any(part.weight[1] in (3, 4) for part in windows):
            return None
        single = [
            part for part in windows if part.weight[1] == 1 < part.weight[0] == part.shapes.get("bias", part.weight)[0]
        ]
        return min(single, key=lambda part: (part.path.count("."), _number(part)), default=None)

    def _is_near(self, one: StoredModule, other: StoredModule) -> bool:
        """Whether what stands side by side in the file does so in the model."""
        return one.around == other.around if not self._ordered else _near(one, other)

    def dimensions(self, at: int) -> tuple[int, bool]:
        """The axes of what a normalization normalizes, and whether a layer of as many channels says so."""
        count = next(iter(self._layers[at].shapes.values()), (0,))[:1]
        before = [part for part in self._layers[max(0, at - NEAR) : at][::-1] if _has(part, count)]
        after = [part for part in self._layers[at + 1 : at + 1 + AFTER] if _has(part, count)]
        for part in (*before, *after):
            # A matrix that does not come right before says little: it may read what convolutions gave, pooled.
            if len(part.weight) > MATRIX or (self._ordered and any(part is other for other in before)):
                return len(part.weight) - MATRIX, True
        return self._usual, not self._usual

    def beside(self, at: int) -> Neighbours:
        """The channels before and after a convolution, where the layers beside it stand near in the tree."""
        part = self._layers[at]
        if not self._ordered and not is_number(part.name):
            before = self._known.get(_one_less(part.path))
            return Neighbours(before=_outward(before), alike=_window(before), first=part is self._entry)
        start = self._layers[max(0, at - NEAR) : at]
        earlier = [other if self._is_near(other, part) else None for other in start[-2:]]
        following = next(iter(self._layers[at + 1 : at + 2]), None)
        later = following if following and self._is_near(following, part) else None
        return Neighbours(
            before=_outward(earlier[-1]) if earlier else 0,
            after=_outward(later) if later and len(later.weight) == 1 else 0,
            alike=next(filter(None, map(_window, earlier[::-1])), 0),
            first=part is self._entry,
            last=following is None or following.around != part.around,
        )

    def among(self, at: int) -> bool:
        """Whether a normalization of channels stands among convolutions, and not among matrices."""
        part = self._layers[at]
        count = next(iter(part.shapes.values()), (0,))[:1]
        around = [other for other in self._beside[part.around] if _has(other, count)]
        matrices = sum(other.weight[1:2] == count for other in around if len(other.weight) == MATRIX)
        windows = [other for other in around if _is_window(other)]
        if any(other.weight[1:2] == count for other in windows):
            return len(windows) >= matrices
        return not matrices and self._windows and any(len(other.weight) > MATRIX for other in around)


NUMBERED = re.compile(r"(.*[^\d.])(\d+)((?:\.[a-z]+)?)")


def _one_less(path: str) -> str:
    """What stands before ``conv2`` by its number: ``conv1``; a path that no module has where there is none."""
    found = NUMBERED.fullmatch(path)
    return f"{found[1]}{int(found[2]) - 1}{found[3]}" if found and len(found[2]) < 4 else "."  # noqa: PLR2004 - a count


def _has(part: StoredModule, count: Shape) -> bool:
    """Whether a layer reads or gives so many channels."""
    return len(part.weight) >= MATRIX and count in (part.weight[:1], part.weight[1:2])


def _number(part: StoredModule) -> int:
    """The number that it has among those beside it; 0 for none."""
    return int(part.name) if is_number(part.name) and len(part.name) < 10 else 0  # noqa: PLR2004 - an int


def _is_window(part: StoredModule) -> bool:
    """Whether it is a convolution that sees neighbours and mixes channels; even windows cut a picture into patches."""
    _, each, *window = part.weight if len(part.weight) > MATRIX else (0, 0)
    return each > 1 and max(window) > 1 and all(size % 2 for size in window)


def _near(one: StoredModule, other: StoredModule) -> bool:
    """Whether two modules stand in one, or in two that stand in one."""
    above = one.around, other.around
    return above[0] == above[1] or (
        None not in above and str(above[0]).rpartition(".")[0] == str(above[1]).rpartition(".")[0]
    )


def _outward(part: StoredModule | None) -> int:
    """The channels that a layer gives on; 0 where there is none."""
    shape = (part.weight or part.shapes.get("running_mean", ())) if part else ()
    return shape[0] if shape else 0


def _window(part: StoredModule | None) -> int:
    """The channels that each group of a convolution reads; 0 where it is none."""
    return part.weight[1] if part and len(part.weight) > MATRIX else 0
