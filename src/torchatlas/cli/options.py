"""What several commands are told alike: the model, its inputs, how it is run."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from torchatlas.api.target import FORMS


class Mode(str, Enum):
    """The training flag of the modules during the run."""

    EVAL = "eval"
    TRAIN = "train"
    SAME = "same"


class Level(str, Enum):
    """How deep the capture looks."""

    OP = "op"
    ATEN = "aten"


TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help=f"{FORMS}.",
    ),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="[NAME=]SHAPE[:DTYPE]",
        help="Shape of one tensor, as 1,3,224,224 or input_ids=1,128:int64; of an item of a dict or an attribute, as"
        " batch.x=2,4, or of a list, as xs.0=1,3. Repeat it for more.",
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
KeyOption = Annotated[
    str | None,
    typer.Option(
        metavar="KEY", help="Of a checkpoint with several sets of weights: which, as model_ema or state.model."
    ),
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there.")]


def words_of(text: str | None) -> list[str] | None:
    """What ``A,B,C`` says, as it is typed with spaces or without; None where nothing was given."""
    return [word.strip() for word in text.split(",")] if text else None
