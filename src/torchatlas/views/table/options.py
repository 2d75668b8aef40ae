"""The options of the table: which there are, and how they are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from torchatlas.core.errors import InputError
from torchatlas.core.options import Option
from torchatlas.views.choices import check_choice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.core.measure.overlay import Overlays
    from torchatlas.views.table.rows import Mode

Style: TypeAlias = Literal["torchinfo", "torchsummary"]

MODES = ("modules", "ops")
STYLES = ("torchinfo", "torchsummary")


class SummaryOptions(TypedDict, total=False):
    """What the table shows, and how."""

    depth: int | None
    columns: Sequence[str] | None
    rows: Mode
    fold: bool
    width: int | None
    style: Style | None
    overlays: Overlays | None


SUMMARY: Mapping[str, Option] = {
    "depth": Option(None, "levels below the model; by default as many as make a table that is read at a glance"),
    "columns": Option(None, "names of columns and overlays, in order; by default what fits the run and the width"),
    "rows": Option("modules", "``ops`` adds a row for every function called"),
    "fold": Option(default=True, text="show what repeats once, with the sum of its repeats"),
    "width": Option(None, "terminal cells; by default the terminal's"),
    "style": Option(None, "print the table of ``torchinfo`` or ``torchsummary``"),
    "overlays": Option(
        None, "beside those of the atlas, numbers for module paths or call ids, by name: one more column each"
    ),
}


def check_options(options: Mapping[str, Any], titles: Sequence[str]) -> None:
    """Hold what was given for all of `SUMMARY` to what there is.

    Args:
        options: all of them.
        titles: the columns of torchinfo's table.

    Raises:
        InputError: an option is not one of those; the message lists them.
    """
    check_choice("rows", options["rows"], MODES)
    if options["style"] is not None:
        check_choice("style", options["style"], STYLES)
        _check_style(options["style"], options["depth"], options["columns"], titles)
    for name, least in (("depth", 0), ("width", 1)):
        number = options[name]
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
            raise InputError(f"{name}={number!r}; {name} is a whole number from {least}, or None")


def _check_style(style: Style, depth: int | None, columns: Sequence[str] | None, titles: Sequence[str]) -> None:
    if style == "torchsummary" and (depth is not None or columns is not None):
        raise InputError("style='torchsummary' has fixed columns and depth; leave depth and columns out.")
    unknown = [name for name in columns or () if name not in titles]
    if unknown:
        raise InputError(f"style='torchinfo' has no column {unknown[0]!r}; it has {', '.join(titles)}")
