"""``Picture``: what every drawing can do: show itself in a notebook, and write itself to a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.files import atomic
from torchatlas.files.filename import filename
from torchatlas.views.drawing.suffix import check_suffix

if TYPE_CHECKING:
    import os


class Picture(ABC):
    """A picture: leave it as the last line of a notebook cell, or `save` it.

    Attributes:
        svg: the picture as SVG text.
    """

    svg: str

    @property
    @abstractmethod
    def title(self) -> str:
        """What it shows, in a few words."""

    @abstractmethod
    def legible(self, *, outlines: bool) -> tuple[str, tuple[Path, ...]]:
        """The picture as SVG, and the fonts of the system that it needs beside the shipped one.

        Args:
            outlines: only fonts whose glyphs are outlines, not pictures.
        """

    @abstractmethod
    def dot(self) -> str:
        """The same as Graphviz text."""

    def save(self, path: str | os.PathLike[str], *, scale: float = 2.0) -> Path:
        """Write ``.svg``, ``.png``, ``.pdf`` or ``.dot``; what stood there is replaced only when all is written.

        Args:
            path: its suffix says the format.
            scale: pixels of a PNG per pixel of the drawing.

        Returns:
            The path.

        Raises:
            InputError: another suffix, or a scale that gives no picture.
            FileError: it cannot be written; what stood there still does.
        """
        return atomic.write(path, self._encode(check_suffix(Path(filename(path))), scale))

    def _encode(self, suffix: str, scale: float) -> bytes:
        """The bytes of a file of that suffix. Each writer is loaded when it is needed."""
        if suffix == ".png":
            from torchatlas.views.drawing.png import png  # noqa: PLC0415

            return png(self, scale)
        if suffix == ".pdf":
            from torchatlas.views.drawing.pdf import pdf  # noqa: PLC0415

            return pdf(self)
        return (self.dot() if suffix == ".dot" else self.svg).encode()

    def _repr_svg_(self) -> str:
        return self.svg
