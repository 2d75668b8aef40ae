"""``Picture``: what every drawing can do: show itself in a notebook, and write itself to a file."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torchatlas.files import atomic
from torchatlas.files.filename import filename
from torchatlas.views.drawing.engine import Drawn, render
from torchatlas.views.drawing.fonts import fonts_for, foreign
from torchatlas.views.drawing.payload import with_escapes
from torchatlas.views.drawing.scene import letters_of, read_scene
from torchatlas.views.drawing.suffix import check_suffix

if TYPE_CHECKING:
    import os

    from torchatlas.views.contract import Scene


class Legible(NamedTuple):
    """A picture whose every character has a font.

    Attributes:
        drawn: the picture; characters that no font has are written as numbers in it, and have the room for that.
        fonts: those of the system that it needs beside the shipped one.
    """

    drawn: Drawn
    fonts: tuple[Path, ...]


class Picture:
    """A picture: leave it as the last line of a notebook cell, or `save` it.

    Attributes:
        title: what it shows, in a few words.
        svg: the picture as SVG text; the same graphs and options always give the same.
    """

    def __init__(self, payload: str, title: str) -> None:
        self.title = title
        self._payload = payload
        self._drawn = render(payload)
        self.svg = self._drawn.svg

    @cached_property
    def scene(self) -> Scene:
        """The picture as plain shapes and places."""
        return read_scene(self._drawn.scene)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the picture leaves out, in words."""
        return self.scene.notes

    def save(self, path: str | os.PathLike[str], *, scale: float = 2.0) -> Path:
        """Write ``.svg``, ``.png``, ``.pdf`` or ``.dot``; what stood there is replaced only when all is written.

        Args:
            path: its suffix says the format.
            scale: pixels of a PNG per pixel of the drawing.

        Returns:
            The path.

        Raises:
            InputError: another suffix, or a scale that gives no picture.
            FileError: it cannot be written; the old file is left unchanged.
        """
        return atomic.write(path, self._encode(check_suffix(Path(filename(path))), scale))

    def _encode(self, suffix: str, scale: float) -> bytes:
        """The bytes of a file of that suffix. Each writer is loaded when it is needed."""
        if suffix == ".png":
            from torchatlas.views.drawing.png import png  # noqa: PLC0415

            drawn, fonts = self._legible(outlines=False)
            return png(drawn.svg, fonts, scale)
        if suffix == ".pdf":
            from torchatlas.views.drawing.pdf import pdf  # noqa: PLC0415

            drawn, fonts = self._legible(outlines=True)
            return pdf(read_scene(drawn.scene), self.title, fonts)
        if suffix == ".dot":
            return self.dot().encode()
        return self.svg.encode()

    def dot(self) -> str:
        """The same as Graphviz text, which is on white paper."""
        from torchatlas.views.drawing.dot import dot  # noqa: PLC0415 - loaded when it is needed

        given = json.loads(self._payload)
        sides = given.get("sides", [given])
        view = sides[0]["view"]
        scene = self.scene
        if scene.legend is not None and view["theme"] != "paper":
            for side in sides:
                side["view"]["theme"] = "paper"
            scene = read_scene(render(json.dumps(given)).scene)
        return dot(scene, self.title, view["direction"], given.get("titles", ()))

    def _legible(self, *, outlines: bool) -> Legible:
        """The picture with fonts for its characters; `outlines`: only fonts whose glyphs are outlines, not pictures."""
        fonts, missing = fonts_for(foreign(letters_of(self.scene)), outlines=outlines)
        return Legible(render(with_escapes(self._payload, missing)) if missing else self._drawn, fonts)

    def _repr_svg_(self) -> str:
        return self.svg
