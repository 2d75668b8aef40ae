"""The formats of a drawing, by the end of a file's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".svg", ".png", ".pdf", ".dot")


def check_suffix(path: Path) -> str:
    """The format in lower case.

    Raises:
        InputError: the name ends otherwise; the message lists how it may end.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: a drawing is written as {', '.join(SUFFIXES)}. End the name with one of these.")
    return suffix
