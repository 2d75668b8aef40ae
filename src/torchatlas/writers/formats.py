"""The formats that an atlas is saved in, by the end of a file's name or by their own."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError
from torchatlas.core.filename import filename

if TYPE_CHECKING:
    import os

SUFFIXES = {
    ".atlas": "atlas",
    ".html": "html",
    ".htm": "html",
    ".svg": "svg",
    ".png": "png",
    ".pdf": "pdf",
    ".dot": "dot",
    ".model-explorer.json": "model-explorer",
    ".json": "json",
    ".onnx": "onnx",
}
"""Longer ends before those that end them."""

EVENTS = "tensorboard"
"""The format that is told by no suffix: a folder of event files, or one whose name has ``tfevents``."""

FORMATS = (*dict.fromkeys(SUFFIXES.values()), EVENTS)


def format_of(path: str | os.PathLike[str], given: str | None = None) -> str:
    """The format that was asked for, or that the name of a file ends in.

    Raises:
        InputError: there is no such format, and the message lists those that there are; or the path is none.
    """
    stands = filename(path)
    if given is not None:
        if given not in FORMATS:
            raise InputError(f"format={given!r} is not one of {', '.join(FORMATS)}.{_near(str(given), FORMATS)}")
        return given
    name = Path(stands).name.lower()
    if "tfevents" in name:
        return EVENTS
    for suffix, found in SUFFIXES.items():
        if name.endswith(suffix):
            return found
    raise InputError(
        f"{stands}: wanted a name that ends in {', '.join(SUFFIXES)}; or, for a folder that"
        f" TensorBoard reads, the format {EVENTS!r}.{_near(Path(name).suffix, SUFFIXES)}"
    )


def _near(word: str, known: tuple[str, ...] | dict[str, str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f" Was {near[0]} meant?" if near else ""
