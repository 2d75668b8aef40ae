"""``torchatlas skeleton``: Python code that has the parameters of a file of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from torchatlas.cli.app import EXITS, app
from torchatlas.cli.exits import clean_exit
from torchatlas.cli.options import KeyOption, OutputOption  # noqa: TC001 - read when the program runs
from torchatlas.cli.output import check_place, put
from torchatlas.core.errors import InputError
from torchatlas.readers.registry import WEIGHTS

SUFFIX = ".py"
SKELETON_EXAMPLES = """\b
Examples:
  torchatlas skeleton resnet50.pth
  torchatlas skeleton model.safetensors -o model.py
  torchatlas skeleton pytorch_model.bin.index.json"""


@app.command(epilog=f"{SKELETON_EXAMPLES}\n\n{EXITS}")
def skeleton(
    weights: Annotated[
        Path, typer.Argument(metavar="WEIGHTS", help=f"{', '.join(WEIGHTS.suffixes)}, an index, or a folder.")
    ],
    *,
    key: KeyOption = None,
    output: OutputOption = None,
) -> None:
    """Write the Python code of a module that loads a file of weights, as a start for rebuilding the network."""
    from torchatlas.api.files import skeleton as write  # noqa: PLC0415  # the other commands do not wait for it

    with clean_exit():
        check_place(output, [str(weights)])
        if output is not None and output.suffix.lower() != SUFFIX:
            raise InputError(f"-o {output}: give a name that ends in {SUFFIX}, as {output.with_suffix(SUFFIX)}.")
        text = write(weights, key=key)
        put(text, output)
        if output is not None:
            typer.echo(f"{output}: {len(text.splitlines()):,} lines", err=True)
