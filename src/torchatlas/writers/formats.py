"""The formats that an atlas is saved in, by the end of a file's name or by their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError
from torchatlas.core.options import did_you_mean
from torchatlas.files.filename import filename

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

GRAPH = "json"
"""The format in which a graph is JSON."""

FORMATS = (*dict.fromkeys(SUFFIXES.values()), EVENTS)


def format_of(path: str | os.PathLike[str], given: str | None = None) -> str:
    """The format that was asked for, or that the name of a file ends in.

    Raises:
        InputError: there is no such format, and the message lists those that there are; the name ends in another
            one's way; or the path is none.
    """
    stands = filename(path)
    if given is not None:
        if given not in FORMATS:
            raise InputError(f"format={given!r} is not one of {', '.join(FORMATS)}.{did_you_mean(str(given), FORMATS)}")
        _check_ending(stands, given)
        return given
    name = Path(stands).name.lower()
    if "tfevents" in name:
        return EVENTS
    for suffix, found in SUFFIXES.items():
        if name.endswith(suffix):
            return found
    raise InputError(
        f"{stands}: give a name that ends in {', '.join(SUFFIXES)}; or, for a folder that"
        f" TensorBoard reads, the format {EVENTS!r}.{did_you_mean(Path(name).suffix, SUFFIXES)}"
    )


def _check_ending(stands: str, given: str) -> None:
    """Only a file of that kind has such a name, lest one replace a file of another."""
    if given == EVENTS:
        return
    name = Path(stands).name.lower()
    said = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    wanted = [suffix for suffix, form in SUFFIXES.items() if form == given]
    if given == "model-explorer":
        wanted.append(".json")
    if said not in wanted:
        raise InputError(f"{stands}, format={given!r}: give a name that ends in {', '.join(wanted)}.")
