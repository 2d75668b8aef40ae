"""One answer: which class a module most likely is, what its shapes say of its settings, and how sure both are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.graph import Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchatlas.core.graph import Tree

Shape: TypeAlias = "tuple[int, ...]"

UNKNOWN = "Module"
"""The class of what could be anything; that it is a module is sure."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What a module most likely is.

    Attributes:
        name: of the class, as torch calls it.
        confidence: above 0 and up to 1; held to by the tests over the state dicts of many models.
        settings: what the shapes say, by torch's names of the arguments; nothing that they do not.
        words: the same for people: ``64, 128, 3x3``.
    """

    name: str
    confidence: float
    settings: tuple[tuple[str, Tree], ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class StoredModule:
    """A module as a file of weights speaks of it.

    Attributes:
        path: its place.
        shapes: of its own tensors, by name; what stood for a weight (``weight_g`` and ``weight_v``) as that weight.
        dtypes: as ``shapes``.
        children: names of the modules directly inside.
        around: path of the module around it; None for the root.
        version: what ``state_dict`` noted of its class; None where the file does not say.
        how: by what means the weight is made of other tensors (``weight_norm``), empty where it is not.
    """

    path: str
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, str]
    children: tuple[str, ...]
    around: str | None
    version: int | None = None
    how: str = ""

    @property
    def name(self) -> str:
        """What the module around calls it, in small letters."""
        return self.path.rpartition(".")[2].lower()

    @property
    def weight(self) -> Shape:
        """The shape of its weight; empty if it has none."""
        return self.shapes.get("weight", ())

    def has(self, *names: str) -> bool:
        """Whether it has tensors of these names, and no others."""
        return set(names) == set(self.shapes)


def is_number(name: str) -> bool:
    """Whether a name is what a list of modules gives its members."""
    return name.isascii() and name.isdecimal()


def pair(sizes: Shape) -> Tree:
    """Sizes as the setting of a module."""
    return Node("tuple", (), tuple(sizes))


def by(sizes: Shape) -> str:
    """Sizes as people write them: ``3x3``."""
    return "x".join(map(str, sizes))


def listed(*words: str) -> str:
    """Words with commas, empty ones left out."""
    return ", ".join(filter(None, words))
