"""What a model itself said when it was asked to load weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """How ``load_state_dict(strict=True)`` ended.

    Attributes:
        taken: it loaded.
        missing: keys that it lists as missing.
        unexpected: keys that it lists as unexpected.
        unfit: (key, shape in the model, shape in the weights) of each size mismatch that it lists.
        errors: all else that it says, or what the model's own code raised.
        saved: the keys of the model's ``state_dict()``, with the shapes of those that are tensors.
    """

    taken: bool
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    unfit: tuple[tuple[str, Shape, Shape], ...] = ()
    errors: tuple[str, ...] = ()
    saved: tuple[tuple[str, Shape | None], ...] = ()

    def refused(self, keys: Iterable[str]) -> set[str]:
        """Those that it takes in no form: of another shape, or named in an error."""
        named = {key for key in keys if any(f'"{key}"' in error for error in self.errors)}
        return {key for key, _, _ in self.unfit} | named


@dataclass(frozen=True, slots=True)
class Unasked:
    """There was no answer; ``why`` says it in words that follow "because"."""

    why: str
