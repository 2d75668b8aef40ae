"""Where a command writes."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import typer

from torchatlas.api.target import files_of
from torchatlas.core.errors import InputError
from torchatlas.files import atomic
from torchatlas.files.overwriting import check_overwriting, same_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def check_place(output: Path | None, targets: Iterable[str] = (), *, graph: bool = False) -> None:
    """Refuse, before the model runs, what could not be written after it, or would be written over what is read.

    Args:
        output: where the command writes.
        targets: what it reads, as it was typed.
        graph: whether a graph is written, which may replace another.

    Raises:
        InputError: it is a folder, in none, or one of the files that the command reads.
        FileError: a model or something else of another kind stands there.
    """
    if output is None:
        return
    check_sources(output, targets)
    if output.is_dir():
        raise InputError(f"-o {output}: that is a folder. Give the name of a file.")
    if not output.parent.is_dir():
        raise InputError(f"-o {output}: there is no folder {str(output.parent)!r}. Make it first.")
    check_overwriting(output, graph=graph)


def check_sources(output: Path, targets: Iterable[str]) -> None:
    """Refuse to write over a file that the command reads.

    Raises:
        InputError: one of them leads to it.
    """
    for target in targets:
        for source in files_of(target):
            if same_file(output, source):
                raise InputError(f"-o {output}: that is {source}, which this command reads. Give another name.")


def check_different(outputs: Iterable[Path]) -> None:
    """Refuse two outputs that are one file.

    Raises:
        InputError: they lead to the same file.
    """
    for one, other in combinations(outputs, 2):
        if same_file(one, other):
            raise InputError(f"-o {one} -o {other}: both are the same file. Give each picture a name of its own.")


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
