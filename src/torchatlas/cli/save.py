"""``torchatlas save``: a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from torchatlas.cli.app import EXITS, app
from torchatlas.cli.exits import clean_exit, tell
from torchatlas.cli.options import (
    ArgumentsOption,
    DeviceOption,
    DtypeOption,
    FakeOption,
    InputOption,
    KwargsOption,
    Level,
    LevelOption,
    Mode,
    ModeOption,
    TargetArgument,
)
from torchatlas.cli.place import check_place
from torchatlas.core.errors import InputError
from torchatlas.run import ATLAS, Run, obtain

SAVE_EXAMPLES = """\b
Examples:
  torchatlas save torchvision.models:resnet18 --input 1,3,224,224 -o resnet.atlas
  torchatlas save model.py:GPT -i tokens=1,128:int64 --level aten -o gpt.atlas"""


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
