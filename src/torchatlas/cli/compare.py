"""``torchatlas compare``: two models, or a model and its weights."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from torchatlas.api.target import is_file
from torchatlas.api.verdict import opened
from torchatlas.cli.app import app
from torchatlas.cli.exits import clean_exit, tell
from torchatlas.cli.options import (
    ArgumentsOption,
    DeviceOption,
    DtypeOption,
    InputOption,
    KwargsOption,
    Level,
    Mode,
    ModeOption,
    OutputOption,
)
from torchatlas.cli.output import check_place, put
from torchatlas.cli.run import Run, obtain, waiting
from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from torchatlas.api.atlas import Atlas
    from torchatlas.api.comparison import Comparison
    from torchatlas.api.verdict import Opened

COMPARE_EXAMPLES = """\b
Examples:
  torchatlas compare torchvision.models:resnet18 torchvision.models:resnet34 -i 1,3,224,224
  torchatlas compare model.py:Old model.py:New -i 1,3,224,224 -o changed.svg
  torchatlas compare model.py:Net weights.pth"""

COMPARE_EXITS = """\b
Exit codes, as those of diff:
  0    the same; of weights: load_state_dict takes them
  1    they differ; of weights: it does not
  2    wrong usage, target, input or file; or a model failed
  130  interrupted"""

WRITTEN = (".txt", ".csv", ".json", ".html", ".htm", ".svg", ".png", ".pdf", ".dot")


class Format(str, Enum):
    """What a comparison is printed as."""

    TEXT = "text"
    HTML = "html"
    CSV = "csv"
    JSON = "json"


Side = Annotated[
    str, typer.Argument(metavar="A", help="package.module:attribute, file.py:attribute, or a file of a model.")
]


@app.command(epilog=f"{COMPARE_EXAMPLES}\n\n{COMPARE_EXITS}")
def compare(
    a: Side,
    b: Annotated[str, typer.Argument(metavar="B", help="The same; of another kind if need be, as weights.")],
    *,
    inputs: InputOption = None,
    dtypes: DtypeOption = None,
    kwargs: KwargsOption = None,
    arguments: ArgumentsOption = None,
    depth: Annotated[int | None, typer.Option(min=0, help="How many levels of modules to show.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Of the text, in characters.")] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key", metavar="KEY", help="Of a file with several sets of weights: which. Twice, for A and for B."
        ),
    ] = None,
    real: Annotated[bool, typer.Option("--real", help="Run on real tensors; without, on fake ones.")] = False,
    device: DeviceOption = None,
    mode: ModeOption = Mode.EVAL,
    form: Annotated[Format | None, typer.Option("--format", help="Of what is printed.")] = None,
    output: OutputOption = None,
) -> None:
    """Compare two models, or a model and its weights: what was added, removed and changed."""
    with clean_exit():
        check_place(output, [a, b])
        if output is not None and output.suffix.lower() not in WRITTEN:
            raise InputError(f"-o {output}: wanted a name that ends in {', '.join(WRITTEN)}.")
        if output is not None and form is not None:
            raise InputError(f"--format {form.value} -o {output}: the name of the file says the format; leave one out.")
        if is_file(a) and is_file(b) and (inputs or dtypes or kwargs or arguments or device):
            raise InputError("both are files, which hold a run or none: inputs and options of a run have no effect.")
        chosen = _keys(keys or [], a, b)
        sides = [
            _side(text, inputs or [], dtypes or [], kwargs, arguments, real, device, mode, key)
            for text, key in zip((a, b), chosen, strict=True)
        ]
        _deliver(_compared(a, b, sides[0], sides[1]), form or Format.TEXT, output, depth, width)


def _keys(keys: list[str], a: str, b: str) -> tuple[str | None, str | None]:
    """The key of each of the two, which must be a file."""
    files = (is_file(a), is_file(b))
    if len(keys) > 2:  # noqa: PLR2004 - one for each
        raise InputError(f"{len(keys)} --key: give one, or one for A and one for B.")
    if len(keys) > sum(files):
        raise InputError(f"{len(keys)} --key for {sum(files)} files: a key chooses among the weights in a file.")
    if len(keys) == 2:  # noqa: PLR2004 - as above
        return keys[0], keys[1]
    return (keys[0] if files[0] else None, keys[0] if files[1] else None) if keys else (None, None)


def _side(
    text: str,
    inputs: list[str],
    dtypes: list[str],
    kwargs: str | None,
    arguments: str | None,
    real: bool,
    device: str | None,
    mode: Mode,
    key: str | None,
) -> Atlas | Opened:
    """One of the two; files have their run in them, if any, so that inputs are for models alone."""
    if is_file(text):
        with waiting(f"Reading {text}"):
            return opened(text, key)
    fake = not real and bool(inputs or kwargs)
    run = Run(text, inputs, dtypes, kwargs, arguments, fake, device, mode.value, Level.OP.value)
    atlas, failure = obtain(run)
    if failure is not None:
        try:
            tell(failure, f"run of {text}")
        except typer.Exit:
            raise typer.Exit(2) from None
    return atlas


def _compared(a: str, b: str, one: Atlas | Opened, other: Atlas | Opened) -> Comparison:
    from torchatlas.api.comparison import compare as hold_against  # noqa: PLC0415  # the other commands do not wait for it

    titles = [Path(text).name if is_file(text) else text for text in (a, b)]
    with redirect_stdout(sys.stderr):  # hooks of the user's print as they load
        return hold_against(one, other, titles=(titles[0], titles[1]))


def _deliver(found: Comparison, form: Format, output: Path | None, depth: int | None, width: int | None) -> None:
    if output is not None:
        found.save(output)
        typer.echo(f"{output}: {output.stat().st_size:,} bytes\n{found.verdict}", err=True)
    elif form is Format.TEXT:
        found.print(width=width, depth=depth)
    else:
        put(getattr(found, form.value)(), None)
    if not found.same:
        raise typer.Exit(1)
