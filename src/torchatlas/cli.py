"""The command line: ``torchatlas summary``, ``draw``, ``show`` and ``save``.

Nothing heavy is imported before it is needed, so that the views of an ``.atlas`` file do not wait for torch.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from torchatlas.atlas import ATTACHED, PAGES
from torchatlas.core.errors import AtlasError, InputError
from torchatlas.core.version import __version__
from torchatlas.run import ATLAS, Run, obtain
from torchatlas.target import user_traceback
from torchatlas.views.drawing.suffix import check_suffix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.views.table.summary import Summary

EXITS = """\b
Exit codes:
  0    done
  1    the model failed; the table goes up to the failing call
  2    wrong usage, target, input or file
  130  interrupted"""

SUMMARY_EXAMPLES = """\b
Examples:
  torchatlas summary torchvision.models:resnet18 --input 1,3,224,224
  torchatlas summary model.py:GPT -i tokens=1,128:int64 --arguments '{"depth": 12}'
  torchatlas summary model.py:net -i 1,3,32,32 --columns name,params -o net.csv
  torchatlas summary resnet.atlas --depth 2"""

DRAW_EXAMPLES = """\b
Examples:
  torchatlas draw torchvision.models:resnet18 --input 1,3,224,224 -o net.svg -o net.pdf
  torchatlas draw model.py:GPT -i tokens=1,128:int64 --direction LR --theme dark -o gpt.png
  torchatlas draw resnet.atlas --expand layer1.0 --labels shape,flops -o net.dot"""

SHOW_EXAMPLES = """\b
Examples:
  torchatlas show torchvision.models:resnet18 --input 1,3,224,224
  torchatlas show model.py:GPT -i tokens=1,128:int64 -o gpt.html
  torchatlas show resnet.atlas"""

SAVE_EXAMPLES = """\b
Examples:
  torchatlas save torchvision.models:resnet18 --input 1,3,224,224 -o resnet.atlas
  torchatlas save model.py:GPT -i tokens=1,128:int64 --level aten -o gpt.atlas"""

app = typer.Typer(
    help="See your PyTorch model.",
    epilog=EXITS,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help would double the time to the first line
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(str, Enum):
    """What a summary is written as."""

    TEXT = "text"
    HTML = "html"
    CSV = "csv"
    JSON = "json"


class Style(str, Enum):
    """Whose table it looks like."""

    TORCHATLAS = "torchatlas"
    TORCHINFO = "torchinfo"
    TORCHSUMMARY = "torchsummary"


class Rows(str, Enum):
    """What has a row."""

    MODULES = "modules"
    OPS = "ops"


class Mode(str, Enum):
    """The training flag of the modules during the run."""

    EVAL = "eval"
    TRAIN = "train"
    SAME = "same"


class Level(str, Enum):
    """How deep the capture looks."""

    OP = "op"
    ATEN = "aten"


class Direction(str, Enum):
    """Where data flows: to the bottom, or to the right."""

    TB = "TB"
    LR = "LR"


class Theme(str, Enum):
    """The colours of a drawing."""

    LIGHT = "light"
    DARK = "dark"
    PAPER = "paper"


SUFFIXES = {".txt": Format.TEXT, ".html": Format.HTML, ".htm": Format.HTML, ".csv": Format.CSV, ".json": Format.JSON}

TargetArgument = Annotated[
    str, typer.Argument(metavar="TARGET", help="package.module:attribute, file.py:attribute, or a file.atlas.")
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="[NAME=]SHAPE[:DTYPE]",
        help="Shape of one input, as 1,3,224,224 or input_ids=1,128:int64. Repeat it for more inputs.",
    ),
]
DtypeOption = Annotated[
    list[str] | None, typer.Option("--dtype", metavar="DTYPE", help="Of the inputs: one for all, or one for each.")
]
KwargsOption = Annotated[
    str | None, typer.Option(metavar="JSON", help='More arguments of forward, as {"use_cache": false}.')
]
ArgumentsOption = Annotated[
    str | None, typer.Option(metavar="JSON", help='Of the class or factory: {"depth": 12} or [12, 768].')
]
FakeOption = Annotated[bool, typer.Option("--fake", help="Run without memory or arithmetic: models of any size.")]
DeviceOption = Annotated[str | None, typer.Option(metavar="DEVICE", help="Where to run, as cpu or cuda:0.")]
ModeOption = Annotated[Mode, typer.Option(help="The training flag of the modules during the run.")]
LevelOption = Annotated[Level, typer.Option(help="Record functions, or ATen operators too.")]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there.")]


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"torchatlas {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")]


@app.callback()
def root(*, version: Version = False) -> None:
    """See your PyTorch model."""


@app.command(epilog=f"{SUMMARY_EXAMPLES}\n\n{EXITS}")
def summary(
    target: TargetArgument,
    *,
    inputs: InputOption = None,
    dtypes: DtypeOption = None,
    kwargs: KwargsOption = None,
    arguments: ArgumentsOption = None,
    depth: Annotated[int | None, typer.Option(min=0, help="How many levels of modules to show.")] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B,C", help="Which columns, in order.")] = None,
    rows: Annotated[Rows, typer.Option(help="A row per module, or per function too.")] = Rows.MODULES,
    fold: Annotated[bool, typer.Option("--fold/--no-fold", help="Show repeated blocks once.")] = True,
    style: Annotated[Style, typer.Option(help="Whose table it looks like.")] = Style.TORCHATLAS,
    width: Annotated[int | None, typer.Option(min=1, help="Of the text, in characters.")] = None,
    fake: FakeOption = False,
    device: DeviceOption = None,
    mode: ModeOption = Mode.EVAL,
    level: LevelOption = Level.OP,
    form: Annotated[Format | None, typer.Option("--format", help="By default what -o's suffix says, or text.")] = None,
    output: OutputOption = None,
) -> None:
    """Print the table of one run of a model."""
    run = Run(target, inputs or [], dtypes or [], kwargs, arguments, fake, device, mode.value, level.value)
    with clean_exit():
        kind = form or format_of(output)
        check_place(output)
        atlas, failure = obtain(run)
        table = atlas.summary(
            depth=depth,
            columns=columns.split(",") if columns else None,
            rows=rows.value,
            fold=fold,
            width=width,
            style=None if style is Style.TORCHATLAS else style.value,
        )
        deliver(table, kind, output)
        tell(failure)


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
        str | None, typer.Option(metavar="NAME", help="Colour by params, flops, activations, time, dtype or device.")
    ] = None,
    scale: Annotated[float, typer.Option(help="Pixels of a PNG per pixel of the drawing.")] = 2.0,
    fake: FakeOption = False,
    device: DeviceOption = None,
    mode: ModeOption = Mode.EVAL,
    level: LevelOption = Level.OP,
) -> None:
    """Draw one run of a model."""
    from torchatlas.views.page.page import page  # noqa: PLC0415  # the other commands do not wait for it

    run = Run(target, inputs or [], dtypes or [], kwargs, arguments, fake, device, mode.value, level.value)
    with clean_exit():
        pages = [output for output in outputs if output.name.lower().endswith(PAGES)]
        pictures = [output for output in outputs if output not in pages]
        for output in outputs:
            check_place(output)
        for output in pictures:
            check_suffix(output)
        atlas, failure = obtain(run)
        options: dict[str, Any] = {
            "depth": depth,
            "expand": expand or (),
            "collapse": collapse or (),
            "fold": fold,
            "direction": direction.value,
            "labels": labels.split(",") if labels else (),
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


@app.command(epilog=f"{SHOW_EXAMPLES}\n\n{EXITS}")
def show(
    target: TargetArgument,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.html", help="Write there, and open nothing.")
    ] = None,
    inputs: InputOption = None,
    dtypes: DtypeOption = None,
    kwargs: KwargsOption = None,
    arguments: ArgumentsOption = None,
    fake: FakeOption = False,
    device: DeviceOption = None,
    mode: ModeOption = Mode.EVAL,
    level: LevelOption = Level.OP,
) -> None:
    """Show one run of a model in the browser: a page that works offline."""
    from torchatlas.views.page.page import page  # noqa: PLC0415  # the other commands do not wait for it

    run = Run(target, inputs or [], dtypes or [], kwargs, arguments, fake, device, mode.value, level.value)
    with clean_exit():
        if output is not None and not output.name.lower().endswith(PAGES):
            raise InputError(f"-o {output}: wanted a name that ends in .html, as {output.with_suffix('.html')}.")
        check_place(output)
        atlas, failure = obtain(run)
        made = page(atlas.graph)
        written = made.open() if output is None else made.save(output)
        typer.echo(f"{written}: {written.stat().st_size:,} bytes", err=True)
        tell(failure, "page")


@app.command(epilog=f"{SAVE_EXAMPLES}\n\n{EXITS}")
def save(
    target: TargetArgument,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.atlas", help="Write there.")],
    inputs: InputOption = None,
    dtypes: DtypeOption = None,
    kwargs: KwargsOption = None,
    arguments: ArgumentsOption = None,
    fake: FakeOption = False,
    device: DeviceOption = None,
    mode: ModeOption = Mode.EVAL,
    level: LevelOption = Level.OP,
) -> None:
    """Record one run of a model in a file, which `torchatlas summary` reads without torch."""
    run = Run(target, inputs or [], dtypes or [], kwargs, arguments, fake, device, mode.value, level.value)
    with clean_exit():
        if output.suffix != ATLAS:
            raise InputError(f"-o {output}: wanted a name that ends in {ATLAS}, as {output.with_suffix(ATLAS)}.")
        check_place(output)
        atlas, failure = obtain(run)
        atlas.save(output)
        typer.echo(f"{output}: {len(atlas.graph.calls):,} calls, {output.stat().st_size:,} bytes", err=True)
        tell(failure)


@contextmanager
def clean_exit() -> Iterator[None]:
    """Turn what can go wrong into a clear line and an exit code."""
    try:
        yield
        sys.stdout.flush()
    except (AtlasError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # The reader (head, less) has seen enough. Nothing may be flushed into the pipe when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted.", err=True)
        raise typer.Exit(130) from None


def tell(failure: BaseException | None, shown: str = "table") -> None:
    """Show what the model raised, and where in its own code; end with exit code 1."""
    if failure is not None:
        notes = getattr(failure, "__notes__", [])
        notes[:] = [note for note in notes if note != ATTACHED]  # in Python it says what to do next, here it is done
        typer.echo(f"\nThe model failed; the {shown} goes up to the failing call.\n{user_traceback(failure)}", err=True)
        raise typer.Exit(1)


def format_of(output: Path | None) -> Format:
    """What the suffix of a file asks for; text if there is none."""
    if output is None:
        return Format.TEXT
    if output.suffix not in SUFFIXES:
        hint = "To keep the run itself, use torchatlas save" if output.suffix == ATLAS else "Or give --format"
        raise InputError(f"-o {output}: wanted a name that ends in {', '.join(SUFFIXES)}. {hint}.")
    return SUFFIXES[output.suffix]


def check_place(output: Path | None) -> None:
    """Refuse, before the model runs, what could not be written after it."""
    if output is not None and output.is_dir():
        raise InputError(f"-o {output}: that is a folder. Wanted the name of a file.")
    if output is not None and not output.parent.is_dir():
        raise InputError(f"-o {output}: there is no folder {str(output.parent)!r}. Make it first.")


def deliver(table: Summary, kind: Format, output: Path | None) -> None:
    """Print the table, or write it to a file, which then is the whole new one or still the old one."""
    if output is None and kind is Format.TEXT:
        table.print()
        return
    text = str(table) if kind is Format.TEXT else getattr(table, kind.value)()
    if output is None:
        typer.echo(text)
        return
    beside = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)


def main() -> None:
    """Run the command line."""
    app(prog_name="torchatlas")
