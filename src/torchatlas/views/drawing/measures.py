"""What colours and columns can show of every call: its costs, times and types, and what was laid over the graph."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, NamedTuple

from torchatlas.core.errors import InputError
from torchatlas.core.measure.cost import Costs, costs
from torchatlas.core.measure.overlay import MEASURES, by_call
from torchatlas.core.measure.timing import is_timed, own_seconds
from torchatlas.views.contract import Measure, Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from torchatlas.core.graph import Graph, Overlay
    from torchatlas.views.contract import Said


class _Kind(NamedTuple):
    """A measure without its values, as `contract.Measure`."""

    title: str
    unit: str = ""
    together: Literal["sum", "first"] = "sum"
    held: bool = False
    even: bool = False


KINDS = {
    "params": _Kind("Parameters", held=True),
    "weights": _Kind("Weight bytes", "B", held=True),
    "flops": _Kind("FLOPs"),
    "activations": _Kind("Activation bytes", "B"),
    "time": _Kind("Time", "s", even=True),
    "self_time": _Kind("Self time", "s", even=True),
    "dtype": _Kind("Dtype", together="first"),
    "device": _Kind("Device", together="first"),
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


def numbers_of(known: Costs, labels: Collection[str] = ("params", "flops")) -> Numbers:
    """What is counted of every call, as far as it is to be shown."""
    return Numbers(
        parameters=tuple(known.parameters_by_call()) if "params" in labels else (),
        flops=tuple(known.flops_by_call()) if "flops" in labels else (),
        at_least=tuple(known.inexact_calls()) if "flops" in labels else (),
    )


def check_name(name: str, overlays: Iterable[str], more: Iterable[str] = ()) -> str:
    """The name of a measure, of an overlay, or of what else there is to colour by.

    Raises:
        InputError: it is none of those; the message lists them.
    """
    known = (*MEASURES, *more, *overlays)
    if name in known:
        return name
    near = get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(f"color_by={name!r} is unknown; color_by is one of {', '.join(known)}.{hint}")


def measure(graph: Graph, name: str, overlays: Mapping[str, Overlay]) -> Measure:
    """The measure of that name.

    Args:
        graph: what is drawn.
        name: one of ``MEASURES`` or of ``overlays``.
        overlays: those of the graph and those given, by name.

    Raises:
        InputError: the name is none of those.
    """
    check_name(name, overlays)
    if name in overlays:
        return _laid(graph, overlays[name])
    return _measure(name, _counted(costs(graph), name) if name in COUNTED else _seen(graph, name))


def all_measures(known: Costs, overlays: Mapping[str, Overlay]) -> tuple[Measure, ...]:
    """Every measure that says something of a graph, and every overlay."""
    graph = known.graph
    others = [name for name in KINDS if name not in COUNTED and (name not in TIMES or is_timed(graph))]
    return (
        *(_measure(name, _counted(known, name)) for name in COUNTED),
        *(_measure(name, _seen(graph, name)) for name in others),
        *(_laid(graph, overlay) for overlay in overlays.values()),
    )


def _measure(name: str, values: tuple[Said, ...]) -> Measure:
    kind = KINDS[name]
    return Measure(name, kind.title, kind.unit, kind.together, kind.held, kind.even, given=False, values=values)


def _counted(known: Costs, name: str) -> tuple[Said, ...]:
    return tuple(COUNTED[name](known))


def _seen(graph: Graph, name: str) -> tuple[Said, ...]:
    if name == "time":
        return tuple(call.seconds for call in graph.calls)
    if name == "self_time":
        return tuple(own_seconds(graph)) if is_timed(graph) else (None,) * len(graph.calls)
    firsts = (next(iter(call.outputs), None) for call in graph.calls)
    return tuple(None if value is None else getattr(graph.values[value], name) for value in firsts)


def _laid(graph: Graph, overlay: Overlay) -> Measure:
    """Numbers of an overlay cannot be added up: they may be means, or peaks."""
    said = by_call(graph, overlay)
    values = tuple(said.get(call.id) for call in graph.calls)
    return Measure(overlay.name, overlay.name, overlay.unit, "most", held=False, even=False, given=True, values=values)
