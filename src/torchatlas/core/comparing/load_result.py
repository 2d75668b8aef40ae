"""The result of ``load_state_dict``, tried on a copy of the model: whether it loaded, or which keys it listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """How ``load_state_dict(strict=True)`` ended.

    Attributes:
        taken: whether it loaded.
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
        """The keys that cannot be loaded at all: of another shape, or named in an error."""
        named = {key for key in keys if any(f'"{key}"' in error for error in self.errors)}
        return {key for key, _, _ in self.unfit} | named


@dataclass(frozen=True, slots=True)
class NotAsked:
    """``load_state_dict`` was not tried; ``why`` says it in words that follow "because"."""

    why: str
