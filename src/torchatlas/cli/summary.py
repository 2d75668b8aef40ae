"""``torchatlas summary``: the table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from torchatlas.cli.app import EXITS, app
from torchatlas.cli.exits import clean_exit, tell
from torchatlas.cli.options import OutputOption, TableFormat, run_of, table_of, taking
from torchatlas.cli.output import check_place, put
from torchatlas.cli.run import ATLAS, Run, obtain
from torchatlas.core.errors import InputError
from torchatlas.views.table.options import SummaryOptions  # noqa: TC001 - read when the program runs

if TYPE_CHECKING:
    from torchatlas.views.table.summary import Summary

SUMMARY_EXAMPLES = """\b
Examples:
  torchatlas summary torchvision.models:resnet18 --input 1,3,224,224
  torchatlas summary model.py:GPT -i tokens=1,128:int64 --arguments '{"depth": 12}'
  torchatlas summary model.py:net -i 1,3,32,32 --columns name,params -o net.csv
  torchatlas summary resnet.atlas --depth 2
  torchatlas summary resnet.onnx"""


SUFFIXES = {
    ".txt": TableFormat.TEXT,
    ".html": TableFormat.HTML,
    ".htm": TableFormat.HTML,
    ".csv": TableFormat.CSV,
    ".json": TableFormat.JSON,
}


@app.command(epilog=f"{SUMMARY_EXAMPLES}\n\n{EXITS}")
@taking(run=run_of, look=table_of)
def summary(
    run: Run,
    *,
    look: SummaryOptions,
    form: Annotated[
        TableFormat | None, typer.Option("--format", help="By default what -o's suffix says, or text.")
    ] = None,
    output: OutputOption = None,
) -> None:
    """Print the table of one run of a model."""
    with clean_exit():
        check_place(output, [run.target])
        kind = format_of(output, form)
        atlas, failure = obtain(run)
        deliver(atlas.summary(**look), kind, output)
        tell(failure)


def format_of(output: Path | None, given: TableFormat | None) -> TableFormat:
    """What the suffix of a file asks for; without a file what was given, or text.

    Raises:
        InputError: the suffix is that of no table, or of another than what was given.
    """
    if output is None:
        return given or TableFormat.TEXT
    wanted = [suffix for suffix, kind in SUFFIXES.items() if given in (None, kind)]
    suffix = output.suffix.lower()
    if suffix not in wanted:
        hint = " To keep the run itself, use torchatlas save." if suffix == ATLAS else ""
        what = f"--format {given.value} -o {output}" if given else f"-o {output}"
        raise InputError(f"{what}: give a name that ends in {', '.join(wanted)}.{hint}")
    return SUFFIXES[suffix]


def deliver(table: Summary, kind: TableFormat, output: Path | None) -> None:
    """Print the table, or write it to a file."""
    if output is None and kind is TableFormat.TEXT:
        table.print()
        return
    put(str(table) if kind is TableFormat.TEXT else getattr(table, kind.value)(), output)
