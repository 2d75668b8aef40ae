"""``torchatlas profile``: the table of a run that was measured."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from torchatlas.api.profile import profiled
from torchatlas.api.target import is_file
from torchatlas.cli.app import EXITS, app
from torchatlas.cli.exits import clean_exit, tell
from torchatlas.cli.options import (
    ArgumentsOption,
    DeviceOption,
    DtypeOption,
    InputOption,
    KwargsOption,
    Mode,
    ModeOption,
    TargetArgument,
    words_of,
)
from torchatlas.cli.output import check_place
from torchatlas.cli.run import ATLAS, Run, obtain
from torchatlas.core.errors import InputError

PROFILE_EXAMPLES = """\b
Examples:
  torchatlas profile torchvision.models:resnet18 --input 1,3,224,224
  torchatlas profile model.py:GPT -i tokens=1,128:int64 --mode train --columns name,time,self_time,zeros
  torchatlas profile model.py:net -i 1,3,32,32 -o net.atlas
  torchatlas draw net.atlas --color-by time -o net.svg"""


@app.command(epilog=f"{PROFILE_EXAMPLES}\n\n{EXITS}")
def profile(
    target: TargetArgument,
    *,
    inputs: InputOption = None,
    dtypes: DtypeOption = None,
    kwargs: KwargsOption = None,
    arguments: ArgumentsOption = None,
    repeats: Annotated[int, typer.Option(min=1, help="How many times each call is timed.")] = 10,
    warmup: Annotated[int, typer.Option(min=0, help="Runs before that, which are not timed.")] = 3,
    memory: Annotated[bool, typer.Option("--memory/--no-memory", help="Peak memory of each call.")] = True,
    statistics: Annotated[
        bool, typer.Option("--statistics/--no-statistics", help="Mean, spread, zeros, NaN, … of each call's outputs.")
    ] = True,
    depth: Annotated[int | None, typer.Option(min=0, help="How many levels of modules to show.")] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B,C", help="Which columns, in order.")] = None,
    ops: Annotated[bool, typer.Option("--ops", help="A row per function too.")] = False,
    width: Annotated[int | None, typer.Option(min=1, help="Of the text, in characters.")] = None,
    device: DeviceOption = None,
    mode: ModeOption = Mode.EVAL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.atlas", help="Keep the run and its numbers there.")
    ] = None,
) -> None:
    """Print how long the parts of a model take, and how much memory."""
    run = Run(
        target, inputs or [], dtypes or [], kwargs, arguments, fake=False, device=device, mode=mode.value, level="op"
    )
    with clean_exit():
        if is_file(target) and Path(target).exists():
            raise InputError(f"{target} is a file and is not run: there is no time to measure. See torchatlas summary.")
        check_place(output, [target])
        if output is not None and output.suffix != ATLAS:
            raise InputError(f"-o {output}: wanted a name that ends in {ATLAS}, as {output.with_suffix(ATLAS)}.")
        how = partial(profiled, repeats=repeats, warmup=warmup, memory=memory, statistics=statistics)
        atlas, failure = obtain(run, how)
        rows: Literal["ops", "modules"] = "ops" if ops else "modules"
        table = atlas.summary(depth=depth, columns=words_of(columns), rows=rows, width=width)
        table.print()
        if output is not None:
            atlas.save(output)
            typer.echo(f"{output}: {len(atlas.graph.calls):,} calls, {output.stat().st_size:,} bytes", err=True)
        tell(failure)
