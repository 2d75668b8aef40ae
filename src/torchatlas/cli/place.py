"""Where a command writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from torchatlas.core import atomic
from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def check_place(output: Path | None) -> None:
    """Refuse, before the model runs, what could not be written after it."""
    if output is not None and output.is_dir():
        raise InputError(f"-o {output}: that is a folder. Wanted the name of a file.")
    if output is not None and not output.parent.is_dir():
        raise InputError(f"-o {output}: there is no folder {str(output.parent)!r}. Make it first.")


def put(text: str, output: Path | None) -> None:
    r"""Write what programs read: to a file, which then is the whole new one or still the old one; without, print it.

    Either way it is UTF-8; halves of characters, which that has not, are written as ``\ud800``.
    """
    data = text.encode(errors="backslashreplace")
    if output is not None:
        atomic.write(output, data)
    else:
        out = typer.get_binary_stream("stdout")
        out.write(data if data.endswith(b"\n") else data + b"\n")
        out.flush()
