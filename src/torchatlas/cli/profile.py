"""``torchatlas profile``: the table of a run that was measured."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from torchatlas.api.profile import profiled
from torchatlas.api.target import is_file
from torchatlas.cli.app import EXITS, app
from torchatlas.cli.exits import clean_exit, tell
from torchatlas.cli.options import Level, Rows, Style, run_of, table_of, taking
from torchatlas.cli.output import check_place
from torchatlas.cli.run import ATLAS, Run, obtain
from torchatlas.core.errors import InputError
from torchatlas.views.table.options import SummaryOptions  # noqa: TC001 - read when the program runs

PROFILE_EXAMPLES = """\b
Examples:
  torchatlas profile torchvision.models:resnet18 --input 1,3,224,224
  torchatlas profile model.py:GPT -i tokens=1,128:int64 --mode train --columns name,time,self_time,zeros
  torchatlas profile model.py:net -i 1,3,32,32 -o net.atlas
  torchatlas draw net.atlas --color-by time -o net.svg"""


@app.command(epilog=f"{PROFILE_EXAMPLES}\n\n{EXITS}")
@taking(
    run=partial(run_of, fake=False, level=Level.OP, key=None),
    look=partial(table_of, rows=Rows.MODULES, fold=True, style=Style.TORCHATLAS),
)
def profile(
    run: Run,
    *,
    repeats: Annotated[int, typer.Option(min=1, help="How many times each call is timed.")] = 10,
    warmup: Annotated[int, typer.Option(min=0, help="Runs before that, which are not timed.")] = 3,
    memory: Annotated[bool, typer.Option("--memory/--no-memory", help="Peak memory of each call.")] = True,
    statistics: Annotated[
        bool,
        typer.Option("--statistics/--no-statistics", help="Measure mean, std, zeros, NaN, … of each call's outputs."),
    ] = True,
    look: SummaryOptions,
    ops: Annotated[bool, typer.Option("--ops", help="A row per function too.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.atlas", help="Write the run and its measurements to this file."),
    ] = None,
) -> None:
    """Print how long the parts of a model take, and how much memory."""
    with clean_exit():
        if is_file(run.target) and Path(run.target).exists():
            raise InputError(
                f"{run.target} is a file and is not run, so there is no time to measure. See torchatlas summary."
            )
        check_place(output, [run.target])
        if output is not None and output.suffix != ATLAS:
            raise InputError(f"-o {output}: give a name that ends in {ATLAS}, as {output.with_suffix(ATLAS)}.")
        how = partial(profiled, repeats=repeats, warmup=warmup, memory=memory, statistics=statistics)
        atlas, failure = obtain(run, how)
        if ops:
            look["rows"] = "ops"
        atlas.summary(**look).print()
        if output is not None:
            atlas.save(output)
            typer.echo(f"{output}: {len(atlas.graph.calls):,} calls, {output.stat().st_size:,} bytes", err=True)
        tell(failure)
