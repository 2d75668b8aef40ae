"""``torchatlas save``: a file."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from torchatlas.cli.app import EXITS, app
from torchatlas.cli.exits import clean_exit, tell
from torchatlas.cli.options import run_of, taking
from torchatlas.cli.output import check_place, check_sources
from torchatlas.cli.run import Run, obtain
from torchatlas.writers.formats import EVENTS, GRAPH, SUFFIXES, format_of

SAVE_EXAMPLES = """\b
Examples:
  torchatlas save torchvision.models:resnet18 --input 1,3,224,224 -o resnet.atlas
  torchatlas save model.py:GPT -i tokens=1,128:int64 --level aten -o gpt.atlas
  torchatlas save model.py:Net -i 1,3,32,32 -o net.onnx
  torchatlas save resnet.atlas -o resnet.model-explorer.json
  torchatlas save resnet.atlas -o runs/resnet --format tensorboard
  torchatlas save resnet.onnx -o resnet.atlas"""


class Format(str, Enum):
    """What is written."""

    ATLAS = "atlas"
    HTML = "html"
    SVG = "svg"
    PNG = "png"
    PDF = "pdf"
    DOT = "dot"
    MODEL_EXPLORER = "model-explorer"
    JSON = "json"
    ONNX = "onnx"
    TENSORBOARD = "tensorboard"


@app.command(epilog=f"{SAVE_EXAMPLES}\n\n{EXITS}")
@taking(run=run_of)
def save(
    run: Run,
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"Write to this file ({', '.join(SUFFIXES)}), or to a folder for TensorBoard.",
        ),
    ],
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="Format of the file; by default the suffix of -o decides. tensorboard needs a folder."
        ),
    ] = None,
) -> None:
    """Write one run of a model to a file: the record itself, a page or picture, or what other programs read."""
    with clean_exit():
        check_sources(output, [run.target])
        kind = format_of(output, form.value if form else None)
        if kind != EVENTS:  # for which folders are made, and found
            check_place(output, graph=kind == GRAPH)
        atlas, failure = obtain(run)
        written = atlas.save(output, format=kind)
        typer.echo(f"{written}: {len(atlas.graph.calls):,} calls, {written.stat().st_size:,} bytes", err=True)
        tell(failure, "file")
