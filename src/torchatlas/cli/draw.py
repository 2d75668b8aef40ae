"""``torchatlas draw``: the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from torchatlas.api.atlas import PAGES
from torchatlas.cli.app import EXITS, app
from torchatlas.cli.exits import clean_exit, tell
from torchatlas.cli.options import drawing_of, run_of, taking
from torchatlas.cli.output import check_different, check_place
from torchatlas.cli.run import Run, obtain
from torchatlas.views.drawing.suffix import check_suffix

DRAW_EXAMPLES = """\b
Examples:
  torchatlas draw torchvision.models:resnet18 --input 1,3,224,224 -o net.svg -o net.pdf
  torchatlas draw model.py:GPT -i tokens=1,128:int64 --direction LR --theme dark -o gpt.png
  torchatlas draw bert.pt2 -o bert.svg
  torchatlas draw resnet.atlas --expand layer1.0 --labels shape,flops -o net.dot"""


@app.command(epilog=f"{DRAW_EXAMPLES}\n\n{EXITS}")
@taking(run=run_of, look=drawing_of)
def draw(
    run: Run,
    *,
    outputs: Annotated[
        list[Path],
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write to this file: .svg, .png, .pdf, .dot or .html. Repeatable."
        ),
    ],
    look: dict[str, Any],
    scale: Annotated[float, typer.Option(help="Pixels of a PNG per pixel of the drawing.")] = 2.0,
) -> None:
    """Draw one run of a model."""
    from torchatlas.views.page.page import page  # noqa: PLC0415  # the other commands do not wait for it

    with clean_exit():
        pages = [output for output in outputs if output.name.lower().endswith(PAGES)]
        pictures = [output for output in outputs if output not in pages]
        for output in outputs:
            check_place(output, [run.target])
        check_different(outputs)
        for output in pictures:
            check_suffix(output)
        atlas, failure = obtain(run)
        look["level"] = run.level
        drawing = atlas.draw(**look) if pictures else None
        for output in outputs:
            if drawing is None or output in pages:
                page(atlas.graph, **look | {"theme": "dark" if look["theme"] == "dark" else "light"}).save(output)
            else:
                drawing.save(output, scale=scale)
            typer.echo(f"{output}: {output.stat().st_size:,} bytes", err=True)
        for note in drawing.notes if drawing is not None else ():
            typer.echo(note, err=True)
        tell(failure, "picture")
