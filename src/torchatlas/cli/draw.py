"""``torchatlas draw``: the picture."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from torchatlas.api.atlas import PAGES
from torchatlas.cli.app import EXITS, app
from torchatlas.cli.exits import clean_exit, tell
from torchatlas.cli.options import (
    ArgumentsOption,
    DeviceOption,
    DtypeOption,
    FakeOption,
    InputOption,
    KeyOption,
    KwargsOption,
    Level,
    LevelOption,
    Mode,
    ModeOption,
    TargetArgument,
    words_of,
)
from torchatlas.cli.output import check_different, check_place
from torchatlas.cli.run import Run, obtain
from torchatlas.views.drawing.suffix import check_suffix

DRAW_EXAMPLES = """\b
Examples:
  torchatlas draw torchvision.models:resnet18 --input 1,3,224,224 -o net.svg -o net.pdf
  torchatlas draw model.py:GPT -i tokens=1,128:int64 --direction LR --theme dark -o gpt.png
  torchatlas draw bert.pt2 -o bert.svg
  torchatlas draw resnet.atlas --expand layer1.0 --labels shape,flops -o net.dot"""


class Direction(str, Enum):
    """Where data flows: to the bottom, or to the right."""

    TB = "TB"
    LR = "LR"


class Theme(str, Enum):
    """The colours of a drawing."""

    LIGHT = "light"
    DARK = "dark"
    PAPER = "paper"


@app.command(epilog=f"{DRAW_EXAMPLES}\n\n{EXITS}")
def draw(
    target: TargetArgument,
    *,
    outputs: Annotated[
        list[Path],
        typer.Option("--output", "-o", metavar="FILE", help="Write there: .svg, .png, .pdf, .dot, .html. Repeatable."),
    ],
    inputs: InputOption = None,
    dtypes: DtypeOption = None,
    kwargs: KwargsOption = None,
    arguments: ArgumentsOption = None,
    depth: Annotated[int | None, typer.Option(min=1, help="How many levels of boxes to open.")] = None,
    expand: Annotated[list[str] | None, typer.Option(metavar="PATH", help="Open this module. Repeatable.")] = None,
    collapse: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Leave this module closed. Repeatable.")
    ] = None,
    fold: Annotated[bool, typer.Option("--fold/--no-fold", help="Show repeated blocks once.")] = True,
    direction: Annotated[Direction, typer.Option(help="Where data flows: down or right.")] = Direction.TB,
    theme: Annotated[Theme, typer.Option(help="The colours.")] = Theme.LIGHT,
    labels: Annotated[str, typer.Option(metavar="A,B,C", help="Of shape, params and flops.")] = "shape,params",
    constants: Annotated[bool, typer.Option("--constants", help="Show what depends on no input.")] = False,
    color_by: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Colour by params, flops, time, dtype, … or an overlay.",
        ),
    ] = None,
    scale: Annotated[float, typer.Option(help="Pixels of a PNG per pixel of the drawing.")] = 2.0,
    fake: FakeOption = False,
    device: DeviceOption = None,
    mode: ModeOption = Mode.EVAL,
    level: LevelOption = Level.OP,
    key: KeyOption = None,
) -> None:
    """Draw one run of a model."""
    from torchatlas.views.page.page import page  # noqa: PLC0415  # the other commands do not wait for it

    run = Run(target, inputs or [], dtypes or [], kwargs, arguments, fake, device, mode.value, level.value, key)
    with clean_exit():
        pages = [output for output in outputs if output.name.lower().endswith(PAGES)]
        pictures = [output for output in outputs if output not in pages]
        for output in outputs:
            check_place(output, [target])
        check_different(outputs)
        for output in pictures:
            check_suffix(output)
        atlas, failure = obtain(run)
        options: dict[str, Any] = {
            "depth": depth,
            "expand": expand or (),
            "collapse": collapse or (),
            "fold": fold,
            "direction": direction.value,
            "labels": words_of(labels) or (),
            "constants": constants,
            "level": level.value,
            "color_by": color_by,
        }
        drawing = atlas.draw(theme=theme.value, **options) if pictures else None
        for output in outputs:
            if drawing is None or output in pages:
                page(atlas.graph, theme="dark" if theme is Theme.DARK else "light", **options).save(output)
            else:
                drawing.save(output, scale=scale)
            typer.echo(f"{output}: {output.stat().st_size:,} bytes", err=True)
        for note in drawing.notes if drawing is not None else ():
            typer.echo(note, err=True)
        tell(failure, "picture")
