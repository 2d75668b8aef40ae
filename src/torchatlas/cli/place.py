"""Where a command writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def check_place(output: Path | None) -> None:
    """Refuse, before the model runs, what could not be written after it."""
    if output is not None and output.is_dir():
        raise InputError(f"-o {output}: that is a folder. Wanted the name of a file.")
    if output is not None and not output.parent.is_dir():
        raise InputError(f"-o {output}: there is no folder {str(output.parent)!r}. Make it first.")
