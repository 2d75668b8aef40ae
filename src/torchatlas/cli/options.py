"""What may be typed: the options that several commands share, what `--help` says of them, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial, wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from torchatlas.api.target import FORMS
from torchatlas.cli.run import Run
from torchatlas.views.table.options import SummaryOptions  # noqa: TC001 - read when the program runs


class Mode(str, Enum):
    """The training flag of the modules during the run."""

    EVAL = "eval"
    TRAIN = "train"
    SAME = "same"


class Level(str, Enum):
    """How deep the capture looks."""

    OP = "op"
    ATEN = "aten"


class Rows(str, Enum):
    """What has a row."""

    MODULES = "modules"
    OPS = "ops"


class Style(str, Enum):
    """Whose table it looks like."""

    TORCHATLAS = "torchatlas"
    TORCHINFO = "torchinfo"
    TORCHSUMMARY = "torchsummary"


class Direction(str, Enum):
    """Where data flows: to the bottom, or to the right."""

    TB = "TB"
    LR = "LR"


class Theme(str, Enum):
    """The colours of a drawing."""

    LIGHT = "light"
    DARK = "dark"
    PAPER = "paper"


class TableFormat(str, Enum):
    """What a table is written as."""

    TEXT = "text"
    HTML = "html"
    CSV = "csv"
    JSON = "json"


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
        help="Shape of an input tensor, such as 1,3,224,224 or input_ids=1,128:int64. An item of a dict or an"
        " attribute: batch.x=2,4. An item of a list: xs.0=1,3. Repeatable.",
    ),
]
DtypeOption = Annotated[
    list[str] | None,
    typer.Option("--dtype", metavar="DTYPE", help="Dtype of the inputs: one for all, or one for each. Repeatable."),
]
KwargsOption = Annotated[
    str | None, typer.Option(metavar="JSON", help='Further arguments of forward, such as {"use_cache": false}.')
]
ArgumentsOption = Annotated[
    str | None,
    typer.Option(metavar="JSON", help='Arguments of the class or factory, such as {"depth": 12} or [12, 768].'),
]
FakeOption = Annotated[
    bool,
    typer.Option("--fake", help="Run on fake tensors, which take no memory and no time; works for models of any size."),
]
DeviceOption = Annotated[str | None, typer.Option(metavar="DEVICE", help="Device to run on, such as cpu or cuda:0.")]
ModeOption = Annotated[Mode, typer.Option(help="Mode of the modules during the run.")]
LevelOption = Annotated[Level, typer.Option(help="What to record: functions (op), or ATen operators as well (aten).")]
KeyOption = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        help="Which set of weights to read from a checkpoint with several, such as model_ema or state.model.",
    ),
]
FoldOption = Annotated[bool, typer.Option("--fold/--no-fold", help="Show repeated blocks once.")]
RowsOption = Annotated[Rows, typer.Option(help="A row per module, or per function too.")]
StyleOption = Annotated[Style, typer.Option(help="Whose table it looks like.")]
LevelsOption = Annotated[int | None, typer.Option(min=0, help="How many levels of modules to show.")]
ColumnsOption = Annotated[str | None, typer.Option(metavar="A,B,C", help="Which columns, in order.")]
WidthOption = Annotated[int | None, typer.Option(min=1, help="Width of the table in characters.")]
BoxesOption = Annotated[int | None, typer.Option(min=1, help="How many levels of boxes to open.")]
ExpandOption = Annotated[list[str] | None, typer.Option(metavar="PATH", help="Open this module. Repeatable.")]
CollapseOption = Annotated[list[str] | None, typer.Option(metavar="PATH", help="Leave this module closed. Repeatable.")]
DirectionOption = Annotated[Direction, typer.Option(help="Where data flows: down or right.")]
ThemeOption = Annotated[Theme, typer.Option(help="The colours.")]
LabelsOption = Annotated[str, typer.Option(metavar="A,B,C", help="Of shape, params and flops.")]
ConstantsOption = Annotated[bool, typer.Option("--constants", help="Show what depends on no input.")]
ColorOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Colour by params, flops, time, dtype, … or an overlay.")
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there.")]


def words_of(text: str | None) -> list[str] | None:
    """What ``A,B,C`` says, as it is typed with spaces or without; None where nothing was given."""
    return [word.strip() for word in text.split(",")] if text else None


def run_of(
    target: TargetArgument,
    *,
    inputs: InputOption = None,
    dtypes: DtypeOption = None,
    kwargs: KwargsOption = None,
    arguments: ArgumentsOption = None,
    fake: FakeOption = False,
    device: DeviceOption = None,
    mode: ModeOption = Mode.EVAL,
    level: LevelOption = Level.OP,
    key: KeyOption = None,
) -> Run:
    """The run that the options ask for."""
    return Run(target, inputs or [], dtypes or [], kwargs, arguments, fake, device, mode.value, level.value, key)


def table_of(
    *,
    depth: LevelsOption = None,
    columns: ColumnsOption = None,
    rows: RowsOption = Rows.MODULES,
    fold: FoldOption = True,
    style: StyleOption = Style.TORCHATLAS,
    width: WidthOption = None,
) -> SummaryOptions:
    """How the table is to look, as `Atlas.summary` takes it."""
    return {
        "depth": depth,
        "columns": words_of(columns),
        "rows": rows.value,
        "fold": fold,
        "width": width,
        "style": None if style is Style.TORCHATLAS else style.value,
    }


def drawing_of(
    *,
    depth: BoxesOption = None,
    expand: ExpandOption = None,
    collapse: CollapseOption = None,
    fold: FoldOption = True,
    direction: DirectionOption = Direction.TB,
    theme: ThemeOption = Theme.LIGHT,
    labels: LabelsOption = "shape,params",
    constants: ConstantsOption = False,
    color_by: ColorOption = None,
) -> dict[str, Any]:
    """How the picture is to look, as `Atlas.draw` takes it; which level it shows is a matter of the run."""
    return {
        "depth": depth,
        "expand": expand or (),
        "collapse": collapse or (),
        "fold": fold,
        "direction": direction.value,
        "theme": theme.value,
        "labels": words_of(labels) or (),
        "constants": constants,
        "color_by": color_by,
    }


def taking(**makers: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that gives a command the options of a function in the place of one parameter.

    ``@taking(run=run_of)``: whoever calls the command gives what `run_of` takes, and its parameter ``run`` is what that
    returns. What a `functools.partial` fixes is no option: ``@taking(run=partial(run_of, key=None))``.
    """

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        every: list[Parameter] = []
        for parameter in signature(command, eval_str=True).parameters.values():
            every += _parameters(makers[parameter.name]) if parameter.name in makers else [parameter]
        every.sort(key=lambda parameter: parameter.kind)  # arguments first, then options; otherwise as they stand

        @wraps(command)
        def filled(**given: Any) -> None:
            for name, maker in makers.items():
                made = maker(**{each.name: given.pop(each.name) for each in _parameters(maker)})
                given[name] = made
            command(**given)

        filled.__signature__ = Signature(every)  # type: ignore[attr-defined]
        filled.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
        return filled

    return decorated


def _parameters(maker: Callable[..., Any]) -> list[Parameter]:
    """What is left to be given to a function, or to a part of one."""
    function, fixed = (maker.func, maker.keywords) if isinstance(maker, partial) else (maker, {})
    return [parameter for name, parameter in signature(function, eval_str=True).parameters.items() if name not in fixed]
