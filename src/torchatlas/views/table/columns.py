"""The columns of the table: what each says about a row, as a value for programs and as text for people."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchatlas.core.errors import InputError
from torchatlas.core.measure.numbers import exact, figures, percent, quantity, short, size
from torchatlas.core.measure.overlay import PROFILE
from torchatlas.core.measure.timing import is_timed
from torchatlas.core.measure.weights import WeightSizes
from torchatlas.views.certainty import guessed
from torchatlas.views.table.facts import kernel_size
from torchatlas.views.table.stored import forms, stored_form, stored_text
from torchatlas.views.table.uncalled import UNCALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torchatlas.core.graph import Value
    from torchatlas.views.table.facts import Facts
    from torchatlas.views.table.row import Row

Plain: TypeAlias = "bool | int | float | str | tuple[Plain, ...] | None"

NOTHING = "-"
UNKNOWN = "?"
PREFIXED = ("s", "B", "%")


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: what the reader asks for it by, and the key in CSV, JSON and the DataFrame.
        title: what stands over it.
        value: full information, in exact units.
        text: the same for people.
        align: numbers stand right-aligned, and are never shortened.
    """

    name: str
    title: str
    value: Callable[[Facts, Row], Plain]
    text: Callable[[Facts, Row], str]
    align: Literal["left", "right"] = "left"


def _label(_: Facts, row: Row) -> str:
    return row.label


def _path(_: Facts, row: Row) -> str | None:
    return row.path


def _type(_: Facts, row: Row) -> str:
    return row.type


def _type_text(facts: Facts, row: Row) -> str:
    """The class; with a question mark where it was inferred and is not sure."""
    module = facts.module(row)
    return row.type if module is None else guessed(row.type, module)


def _details(facts: Facts, row: Row) -> str | None:
    module = facts.module(row)
    return (module.extra or None) if module else None


def _details_text(facts: Facts, row: Row) -> str:
    return figures(_details(facts, row) or NOTHING)


def _sure(facts: Facts, row: Row) -> float | None:
    module = facts.module(row)
    return module.confidence if module else None


def _sure_text(facts: Facts, row: Row) -> str:
    sure = _sure(facts, row)
    return NOTHING if sure is None else f"{sure:.0%}"


def _shapes(values: Sequence[Value]) -> Plain:
    if not values:
        return None
    return values[0].shape if len(values) == 1 else tuple(value.shape for value in values)


def _shapes_text(values: Sequence[Value]) -> str:
    """The first shape, and how many others there are."""
    if not values:
        return NOTHING
    more = f" +{len(values) - 1}" if len(values) > 1 else ""
    first = values[0]
    return f"{list(first.shape) if first.shape or first.nbytes is not None else UNKNOWN}{more}"


def _input(facts: Facts, row: Row) -> Plain:
    return _shapes(facts.inputs(row))


def _output(facts: Facts, row: Row) -> Plain:
    return _shapes(facts.outputs(row))


def _kernel(facts: Facts, row: Row) -> Plain:
    module = facts.module(row)
    return None if module is None else kernel_size(module)


def _kernel_text(facts: Facts, row: Row) -> str:
    kernel = _kernel(facts, row)
    return NOTHING if kernel is None else str(list(kernel) if isinstance(kernel, tuple) else kernel)


def _params(facts: Facts, row: Row) -> int | None:
    held = facts.held(row)
    return None if held is None else held.parameters


def _params_text(facts: Facts, row: Row) -> str:
    count = _params(facts, row)
    if not count:
        return NOTHING
    if row.again == "partly tied":
        return f"{exact(_counted(row).parameters)} (+ tied)"
    return f"({row.again})" if row.again else exact(count)


def _counted(row: Row) -> WeightSizes:
    """What the row adds to the total; nothing where that was not asked."""
    return row.counted or WeightSizes()


def _counted_params(_: Facts, row: Row) -> int | None:
    return None if row.counted is None else row.counted.parameters


def _counted_params_text(_: Facts, row: Row) -> str:
    return exact(_counted(row).parameters) if _counted(row).parameters else NOTHING


def _counted_weights(_: Facts, row: Row) -> int | None:
    return None if row.counted is None else row.counted.nbytes


def _share(facts: Facts, row: Row) -> float | None:
    count = _params(facts, row)
    whole = facts.total.parameters + facts.total.unregistered
    return None if count is None or not whole else 100 * count / whole


def _share_text(facts: Facts, row: Row) -> str:
    count = _counted(row).parameters
    whole = facts.total.parameters + facts.total.unregistered
    return percent(100 * count / whole) if count else NOTHING


def _flops(facts: Facts, row: Row) -> int | None:
    work = facts.work(row)
    return None if work is None else work.flops


def _mult_adds(facts: Facts, row: Row) -> int | None:
    work = facts.work(row)
    return None if work is None else work.flops // 2


def _bound(facts: Facts, row: Row, count: int | None) -> str:
    """A number of operations, marked where it is a lower bound."""
    work = facts.work(row)
    if work is None or count is None:
        return NOTHING
    if not work.exact:
        return f">={short(count)}" if count else "unknown"
    return short(count) if count else NOTHING


def _flops_text(facts: Facts, row: Row) -> str:
    return _bound(facts, row, _flops(facts, row))


def _mult_adds_text(facts: Facts, row: Row) -> str:
    return _bound(facts, row, _mult_adds(facts, row))


def _activation(facts: Facts, row: Row) -> int | None:
    work = facts.work(row)
    return None if work is None else work.activation_bytes


def _activation_text(facts: Facts, row: Row) -> str:
    nbytes = _activation(facts, row)
    return size(nbytes) if nbytes else NOTHING


def _weights(facts: Facts, row: Row) -> int | None:
    held = facts.held(row)
    return None if held is None else held.nbytes


def _weights_text(_: Facts, row: Row) -> str:
    return size(_counted(row).nbytes) if _counted(row).nbytes else NOTHING


def _time(facts: Facts, row: Row) -> float | None:
    return facts.seconds(row)


def _self_time(facts: Facts, row: Row) -> float | None:
    return facts.own_seconds(row)


def _time_share(facts: Facts, row: Row) -> float | None:
    seconds, whole = facts.seconds(row), _whole(facts)
    return None if seconds is None or not whole else 100 * seconds / whole


def _whole(facts: Facts) -> float | None:
    """The time of the run, in seconds."""
    return facts.graph.calls[0].seconds if facts.graph.calls else None


def _timed(value: Callable[[Facts, Row], Plain], unit: str) -> Callable[[Facts, Row], str]:
    """Text of a time, or of a share of it."""

    def text(facts: Facts, row: Row) -> str:
        found = value(facts, row)
        return quantity(found, unit) if isinstance(found, float) else NOTHING

    return text


def _dtype(facts: Facts, row: Row) -> str | None:
    return _distinct(value.dtype for value in facts.tensors(row))


def _device(facts: Facts, row: Row) -> str | None:
    return _distinct(value.device for value in facts.tensors(row))


def _distinct(words: Iterable[str]) -> str | None:
    return ", ".join(dict.fromkeys(words)) or None


def _trainable(facts: Facts, row: Row) -> str | None:
    held = facts.held(row)
    if held is None or not held.parameters:
        return None
    if not held.trainable:
        return "no"
    return "yes" if held.trainable == held.parameters else "partly"


def _own(facts: Facts, row: Row) -> list[tuple[str, Value]]:
    """The weights that the row's module registers itself, those that are stored in another form or place."""
    module = facts.module(row)
    own = (*module.parameters, *module.buffers) if module else ()
    named = [(name, facts.graph.values[value]) for name, value in own]
    return [(name, value) for name, value in named if value.is_packed or value.placements]


def _stored(facts: Facts, row: Row) -> Plain:
    """For each of these: its name, the weight's shape, its placements, and what it is stored as."""
    found = [
        (name, value.original or value.shape, value.placements, tuple(map(stored_form, forms(value))))
        for name, value in _own(facts, row)
    ]
    return tuple(found) or None


def _stored_text(facts: Facts, row: Row) -> str:
    """The largest of them, and how many others there are."""
    own = [value for _, value in _own(facts, row)]
    if not own:
        return NOTHING
    first = max(own, key=lambda value: value.nbytes or 0)
    more = f" +{len(own) - 1}" if len(own) > 1 else ""
    return f"{stored_text(first)}{more}"


def _calls(_: Facts, row: Row) -> int:
    return len(row.calls) if row.kind != "group" else row.count


def _source(facts: Facts, row: Row) -> str | None:
    call = facts.call(row)
    return f"{call.source.file}:{call.source.line}" if call and call.source else None


def _source_text(facts: Facts, row: Row) -> str:
    call = facts.call(row)
    return f"{PurePath(call.source.file).name}:{call.source.line}" if call and call.source else NOTHING


def _depth(_: Facts, row: Row) -> int:
    return row.depth


def _count(_: Facts, row: Row) -> int:
    return row.repeats * row.count


def _note(_: Facts, row: Row) -> str | None:
    state = "" if row.state in {"ran", "structure"} else row.state
    return ", ".join(filter(None, (state, row.again, "reads data" if row.reads_data else ""))) or None


def _worded(value: Callable[[Facts, Row], Plain]) -> Callable[[Facts, Row], str]:
    """Text of a value that reads as it is."""

    def text(facts: Facts, row: Row) -> str:
        found = value(facts, row)
        return NOTHING if found is None else str(found)

    return text


def _input_text(facts: Facts, row: Row) -> str:
    return _shapes_text(facts.inputs(row))


def _output_text(facts: Facts, row: Row) -> str:
    """The shape, or why there is none."""
    return mark(row) if mark(row) and not facts.outputs(row) else _shapes_text(facts.outputs(row))


def mark(row: Row) -> str:
    """What makes the row unlike others, in a word or two."""
    if row.state in UNCALLED:
        return row.state
    return "FAILED" if row.state == "failed" else "reads data" if row.reads_data else ""


COLUMNS = {
    column.name: column
    for column in (
        Column("name", "name", _label, _label),
        Column("path", "path", _path, _worded(_path)),
        Column("type", "type", _type, _type_text),
        Column("details", "details", _details, _details_text),
        Column("sure", "sure", _sure, _sure_text, "right"),
        Column("input", "input", _input, _input_text),
        Column("output", "output", _output, _output_text),
        Column("kernel", "kernel", _kernel, _kernel_text),
        Column("params", "params", _params, _params_text, "right"),
        Column("counted", "counted", _counted_params, _counted_params_text, "right"),
        Column("share", "share", _share, _share_text, "right"),
        Column("flops", "FLOPs", _flops, _flops_text, "right"),
        Column("mult_adds", "mult-adds", _mult_adds, _mult_adds_text, "right"),
        Column("activation", "activation", _activation, _activation_text, "right"),
        Column("weights", "weights", _weights, _weights_text, "right"),
        Column("counted_weights", "counted weights", _counted_weights, _weights_text, "right"),
        Column("time", "time", _time, _timed(_time, "s"), "right"),
        Column("self_time", "self time", _self_time, _timed(_self_time, "s"), "right"),
        Column("time_share", "of time", _time_share, _timed(_time_share, "%"), "right"),
        Column("dtype", "dtype", _dtype, _worded(_dtype)),
        Column("stored", "weight, as stored", _stored, _stored_text),
        Column("device", "device", _device, _worded(_device)),
        Column("trainable", "trainable", _trainable, _worded(_trainable)),
        Column("calls", "calls", _calls, _worded(_calls), "right"),
        Column("source", "source", _source, _source_text),
        Column("depth", "depth", _depth, _worded(_depth), "right"),
        Column("repeats", "repeats", _count, _worded(_count), "right"),
        Column("note", "note", _note, _worded(_note)),
    )
}

OF_A_RUN = ("name", "type", "input", "output", "params", "share", "mult_adds")
OF_A_PROFILE = ("name", "type", "output", "time", "time_share", "peak memory", "params", "mult_adds")
OF_WEIGHTS = ("name", "type", "details", "params", "share", "dtype")
OF_A_STRUCTURE = ("name", "type", "params", "share", "trainable")
OF_A_FILE = ("name", "type", "details", "params", "share", "trainable")
FEW = 5
"""So many overlays of a graph are columns without being asked for; of more, none."""

EVERYTHING = ("depth", "name", "path", *(name for name in COLUMNS if name not in {"depth", "name", "path"}))


def default_columns(facts: Facts) -> tuple[str, ...]:
    """What is worth showing: shapes and work for a run, weights for a structure; times where they were measured.

    Overlays that were given for this table, and those of the graph where they are few.
    """
    graph = facts.graph
    names: tuple[str, ...]
    if not graph.calls:
        stored = OF_A_FILE if graph.provenance.weights_format is not None else OF_A_STRUCTURE
        names = OF_WEIGHTS if any(module.confidence is not None for module in graph.modules) else stored
    elif is_timed(graph):
        names = tuple(name for name in OF_A_PROFILE if name in COLUMNS or name in facts.overlays)
    else:
        names = OF_A_RUN
    if graph.calls and not graph.modules:
        names = tuple(name for name in names if name not in {"params", "share"})
    if any(value.is_packed or value.placements for value in graph.values if value.is_weight):
        names = (*names, "stored")
    measured = PROFILE if is_timed(graph) else ()
    kept = [name for name in facts.overlays if name not in measured and name not in facts.given]
    shown = [*(kept if len(kept) <= FEW else ()), *facts.given]
    return (*names, *(name for name in shown if name not in names))


def choose(names: Sequence[str], facts: Facts) -> tuple[Column, ...]:
    """The columns asked for, in that order; overlays go by their own names.

    Raises:
        InputError: a name is not a column; the message lists all, and the nearest first.
    """
    if not names:
        raise InputError(f"columns is empty. Leave it out, or choose from {', '.join(COLUMNS)}.")
    if isinstance(names, str):
        raise InputError(f"columns={names!r} is one string; columns takes a list of names, such as [{names!r}]")
    return tuple(_find(name, facts) for name in names)


def _find(name: str, facts: Facts) -> Column:
    if name in facts.overlays:
        return overlay(name, facts.overlays[name].unit)
    if name in COLUMNS:
        return COLUMNS[name]
    known = [*COLUMNS, *facts.overlays]
    near = get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise InputError(f"no column {name!r}{hint} The columns are: {', '.join(known)}")


def overlay(name: str, unit: str = "") -> Column:
    """The column of one overlay: its number for a row, or the lowest and highest of the repeats the row stands for.

    A unit with prefixes (``s``, ``B``) or ``%`` stands in the cells, any other in the title.
    """
    shown = unit if unit in PREFIXED else ""

    def value(facts: Facts, row: Row) -> Plain:
        found = facts.numbers(row, name)
        if not found:
            return None
        return found[0] if min(found) == max(found) else (min(found), max(found))

    def text(facts: Facts, row: Row) -> str:
        found = facts.numbers(row, name)
        if not found:
            return NOTHING
        return "..".join(quantity(number, shown) for number in dict.fromkeys((min(found), max(found))))

    return Column(name, f"{name} ({unit})" if unit and not shown else name, value, text, "right")
