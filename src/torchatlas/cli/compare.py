"""``torchatlas compare``: two models, or a model and its weights."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from torchatlas.api.target import is_file
from torchatlas.api.verdict import opened
from torchatlas.cli.app import app
from torchatlas.cli.exits import clean_exit, tell
from torchatlas.cli.options import Level, LevelsOption, OutputOption, TableFormat, WidthOption, run_of, taking
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


@app.command(epilog=f"{COMPARE_EXAMPLES}\n\n{COMPARE_EXITS}")
@taking(run=partial(run_of, target="", fake=False, level=Level.OP, key=None))
def compare(
    a: Annotated[
        str,
        typer.Argument(metavar="A", help="The first model: package.module:attribute, file.py:attribute, or a file."),
    ],
    b: Annotated[
        str, typer.Argument(metavar="B", help="The second model, or weights for the first; given in the same way.")
    ],
    *,
    run: Run,
    depth: LevelsOption = None,
    width: WidthOption = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help="Which set of weights to read from a file with several. Give it twice for A and B.",
        ),
    ] = None,
    real: Annotated[bool, typer.Option("--real", help="Run on real tensors (the default is fake ones).")] = False,
    form: Annotated[TableFormat | None, typer.Option("--format", help="Of what is printed.")] = None,
    output: OutputOption = None,
) -> None:
    """Compare two models, or a model and its weights: what was added, removed and changed."""
    with clean_exit():
        check_place(output, [a, b])
        if output is not None and output.suffix.lower() not in WRITTEN:
            raise InputError(f"-o {output}: give a name that ends in {', '.join(WRITTEN)}.")
        if output is not None and form is not None:
            raise InputError(f"--format {form.value} -o {output}: the name of the file says the format; leave one out.")
        if is_file(a) and is_file(b) and (run.inputs or run.dtypes or run.kwargs or run.arguments or run.device):
            raise InputError("both are files, which hold a run or none: inputs and options of a run have no effect.")
        chosen = _keys(keys or [], a, b)
        run = replace(run, fake=not real and bool(run.inputs or run.kwargs))
        one, other = (_side(replace(run, target=text), key) for text, key in zip((a, b), chosen, strict=True))
        _deliver(_compared(a, b, one, other), form or TableFormat.TEXT, output, depth, width)


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


def _side(run: Run, key: str | None) -> Atlas | Opened:
    """One of the two; files have their run in them, if any, so that inputs are for models alone."""
    if is_file(run.target):
        with waiting(f"Reading {run.target}"):
            return opened(run.target, key)
    atlas, failure = obtain(run)
    if failure is not None:
        try:
            tell(failure, f"run of {run.target}")
        except typer.Exit:
            raise typer.Exit(2) from None
    return atlas


def _compared(a: str, b: str, one: Atlas | Opened, other: Atlas | Opened) -> Comparison:
    from torchatlas.api.comparison import compare as hold_against  # noqa: PLC0415  # the other commands do not wait for it

    titles = [Path(text).name if is_file(text) else text for text in (a, b)]
    with redirect_stdout(sys.stderr):  # hooks of the user's print as they load
        return hold_against(one, other, titles=(titles[0], titles[1]))


def _deliver(found: Comparison, form: TableFormat, output: Path | None, depth: int | None, width: int | None) -> None:
    if output is not None:
        found.save(output)
        typer.echo(f"{output}: {output.stat().st_size:,} bytes\n{found.verdict}", err=True)
    elif form is TableFormat.TEXT:
        found.print(width=width, depth=depth)
    else:
        put(getattr(found, form.value)(), None)
    if not found.same:
        raise typer.Exit(1)
