"""What labels, colours and columns can show of every call: costs, times, types, and what was laid over the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from torchatlas.core.measure.cost import Costs, costs
from torchatlas.core.measure.overlay import MEASURES, by_call
from torchatlas.core.measure.timing import is_timed, own_seconds
from torchatlas.views.choices import check_choice
from torchatlas.views.contract import Measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torchatlas.core.graph import Graph, Overlay
    from torchatlas.views.contract import Datum, View


class _Kind(NamedTuple):
    """A measure without its values, as `contract.Measure`."""

    title: str
    unit: str = ""
    aggregate: Literal["sum", "first"] = "sum"
    of_weights: bool = False
    linear: bool = False


KINDS = {
    "params": _Kind("Parameters", of_weights=True),
    "weights": _Kind("Weight bytes", "B", of_weights=True),
    "flops": _Kind("FLOPs"),
    "activations": _Kind("Activation bytes", "B"),
    "time": _Kind("Time", "s", linear=True),
    "self_time": _Kind("Self time", "s", linear=True),
    "dtype": _Kind("Dtype", aggregate="first"),
    "device": _Kind("Device", aggregate="first"),
}
"""The measures that every graph has, by the names that `core.measure.overlay.MEASURES` lists."""

COUNTED: dict[str, Callable[[Costs], list[int]]] = {
    "params": Costs.parameters_by_call,
    "weights": Costs.weight_bytes_by_call,
    "flops": Costs.flops_by_call,
    "activations": Costs.activation_bytes_by_call,
}
"""Those that `core.measure.cost` counts."""

TIMES = ("time", "self_time")


def check_color_by(name: str, overlays: Iterable[str], more: Iterable[str] = ()) -> None:
    """Hold a name to the measures, the overlays, and what else there is to colour by.

    Raises:
        InputError: it is none of those; the message lists them.
    """
    check_choice("color_by", name, (*MEASURES, *more, *overlays))


def measures_in(view: View, graph: Graph, overlays: Mapping[str, Overlay]) -> tuple[Measure, ...]:
    """The measures that the labels and the colours of a view show, each once.

    Args:
        view: what is shown; its `color_by` may name none.
        graph: what is drawn.
        overlays: those of the graph and those given, by name.
    """
    names = dict.fromkeys([name for name in COUNTED if name in view.labels] + [view.color_by or ""])
    known = None if COUNTED.keys().isdisjoint(names) else costs(graph)
    own = [_measure(graph, known, name) for name in names if name in KINDS]
    return (*own, *(_laid(graph, overlays[name]) for name in names if name in overlays))


def all_measures(known: Costs, overlays: Mapping[str, Overlay]) -> tuple[Measure, ...]:
    """Every measure that says something of a graph, and every overlay."""
    names = [name for name in KINDS if name not in TIMES or is_timed(known.graph)]
    own = [_measure(known.graph, known, name) for name in names]
    return (*own, *(_laid(known.graph, overlay) for overlay in overlays.values()))


def _measure(graph: Graph, known: Costs | None, name: str) -> Measure:
    """One of `KINDS`; `known` are the costs of the graph, for one of `COUNTED`."""
    kind = KINDS[name]
    return Measure(
        name,
        kind.title,
        kind.unit,
        kind.aggregate,
        kind.of_weights,
        kind.linear,
        overlay=False,
        values=tuple(COUNTED[name](known)) if known is not None and name in COUNTED else _seen(graph, name),
        at_least=tuple(known.inexact_calls()) if known is not None and name == "flops" else (),
    )


def _seen(graph: Graph, name: str) -> tuple[Datum, ...]:
    if name == "time":
        return tuple(call.seconds for call in graph.calls)
    if name == "self_time":
        return tuple(own_seconds(graph)) if is_timed(graph) else (None,) * len(graph.calls)
    firsts = (next(iter(call.outputs), None) for call in graph.calls)
    return tuple(None if value is None else getattr(graph.values[value], name) for value in firsts)


def _laid(graph: Graph, overlay: Overlay) -> Measure:
    """Numbers of an overlay cannot be added up: they may be means, or peaks."""
    of_call = by_call(graph, overlay)
    return Measure(
        overlay.name,
        overlay.name,
        overlay.unit,
        "max",
        of_weights=False,
        linear=False,
        overlay=True,
        values=tuple(of_call.get(call.id) for call in graph.calls),
        at_least=(),
    )
