"""What stands under the table: totals, estimates, the failure if there was one, and what the reader must know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.graph import Node, Slot
from torchatlas.core.measure.numbers import duration, exact, short, size
from torchatlas.views.table.stored import stored_notes, stored_totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.core.graph import Call, Graph, Provenance, Tree
    from torchatlas.views.table.facts import Facts
    from torchatlas.views.table.row import Row

_NAMES = 56  # characters of the names and shapes of inputs


@dataclass(frozen=True, slots=True)
class Line:
    """One total: the number for people, and what it is made of."""

    label: str
    number: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Where the run ended: the call, the user's line, the message, and the tensors the call met."""

    call: str
    place: str
    message: str
    met: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """As it is told to people."""
        where = f" at {self.place}" if self.place else ""
        return (
            f"FAILED in {self.call}{where}",
            *self.message.splitlines(),
            *(f"Its input was {met}" for met in self.met),
        )


def totals(facts: Facts) -> tuple[Line, ...]:
    """The sums over the whole graph; each parameter counts once however often it is used."""
    total = facts.total
    lines: list[Line] = []
    if facts.graph.modules:
        split = f"trainable {exact(total.trainable)}, frozen {exact(total.frozen)}"
        lines.append(Line("parameters", exact(total.parameters), split))
        lines += [Line(*line) for line in stored_totals(facts.costs)]
    if total.unregistered:
        lines.append(Line("not held", exact(total.unregistered), "parameters of modules outside of the model"))
    if total.buffers:
        lines.append(Line("buffers", exact(total.buffers)))
    if facts.graph.calls:
        bound = "" if total.exact else ">="
        flops = f"{exact(total.macs)}; {bound}{short(total.flops)} FLOPs"
        lines.append(Line("mult-adds", f"{bound}{short(total.macs)}", flops))
        if total.elementwise:
            lines.append(Line("elementwise", short(total.elementwise), "elements computed outside the mult-adds"))
    lines.extend(_bytes(facts))
    if facts.graph.calls and facts.graph.calls[0].seconds is not None:
        lines.append(Line("time", duration(facts.graph.calls[0].seconds), _timing(facts.graph.provenance)))
    return tuple(lines)


def _timing(provenance: Provenance) -> str:
    runs, plain, spread = provenance.timed_runs, provenance.plain_seconds, provenance.plain_spread
    if runs is None or plain is None:
        return ""
    width = "" if spread is None else f", spread {1e3 * spread:.3g} ms"
    return f"median of {runs} runs; {1e3 * plain:.4g} ms without any marks{width}"


def _bytes(facts: Facts) -> Iterator[Line]:
    total = facts.total
    if facts.graph.modules:
        held = "parameters and buffers" if total.buffers else "parameters"
        held += ", including those not held" if total.unregistered_bytes else ""
        yield Line("weights", size(total.weight_bytes), f"{held}; 1 MB is 1,000,000 bytes")
    if facts.graph.calls:
        yield Line("input", size(total.input_bytes), _inputs(facts.graph))
        yield Line("activations", size(total.activation_bytes), "all tensors made during the run")
    peak = facts.memory()
    if peak is not None:
        yield Line("inference", f"~{size(peak.inference)}", "estimated peak, weights and input included")
        yield Line("training", f"~{size(peak.training)}", "estimated peak of one step, without optimizer state")


def _inputs(graph: Graph) -> str:
    """Names and shapes of the tensors that went in, where they are several: ``batch.x [5, 4], mask [2] and 3 more``."""
    values = [graph.values[value] for value in dict.fromkeys(graph.calls[0].inputs)]
    named = [f"{value.names[0]} {list(value.shape)}" for value in values if value.kind == "input" and value.names]
    if len(named) <= 1:
        return ""
    shown = next((count for count in range(len(named), 1, -1) if len(", ".join(named[:count])) <= _NAMES), 1)
    more = f" and {len(named) - shown} more" if shown < len(named) else ""
    return ", ".join(named[:shown]) + more


def notes(facts: Facts, rows: Sequence[Row]) -> tuple[str, ...]:
    """What must be said beside the numbers."""
    graph = facts.graph
    found = [_located(note.text, note.call, graph) for note in graph.notes]
    found += stored_notes(facts.costs)
    if not facts.total.exact:
        found.append(f"Mult-adds are a lower bound: the arithmetic of {facts.total.unknown} calls is unknown.")
    if facts.total.unmeasured:
        found.append(f"Bytes are lower bounds: the size of {facts.total.unmeasured} tensors is unknown.")
    reads = sum(call.reads_data for call in graph.calls)
    if reads:
        times = "once" if reads == 1 else f"{reads} times"
        found.append(f"The run read tensor contents {times} (.item(), if tensor): other data may take another path.")
    if any(row.count > 1 for row in rows):
        found.append("A row marked xN is the total of N repeats; the rows inside it show one of them.")
    if any(row.grows for row in rows):
        found.append("Repeats that grow in size are not equal; the rows inside show the first.")
    if any(row.again in {"reused", "tied", "partly tied"} for row in rows):
        found.append("Parameters marked (reused) or (tied) are counted once, in an earlier row.")
    if any(row.again == "elsewhere" for row in rows):
        found.append("Parameters marked (elsewhere) are counted in the row of the module that registers them.")
    return tuple(dict.fromkeys(found))


def _located(text: str, call: int | None, graph: Graph) -> str:
    source = None if call is None else graph.calls[call].source
    if source is None:
        return text
    end = "." if text.endswith(".") else ""
    return f"{text.removesuffix('.')} ({source.file}:{source.line}){end}"


def failure(graph: Graph, rows: Sequence[Row]) -> Failure | None:
    """What is known of the call that ended the run."""
    if graph.error is None:
        return None
    failed = next((row.calls[0] for row in rows if row.state == "failed"), graph.error)
    call = graph.calls[failed]
    source = next((c.source for c in _outwards(graph, graph.error) if c.source), None)
    return Failure(
        call=f"{call.path} ({call.name})" if call.path else call.name,
        place=f"{source.file}:{source.line}" if source else "",
        message=graph.calls[graph.error].error or call.error or "",
        met=tuple(_met(graph, call)),
    )


def _outwards(graph: Graph, call: int | None) -> Iterator[Call]:
    while call is not None:
        yield graph.calls[call]
        call = graph.calls[call].parent


def _met(graph: Graph, call: Call) -> Iterator[str]:
    """The tensors among the arguments, by name."""
    names: dict[int, str] = {}
    stack: list[tuple[str, Tree]] = [("", call.arguments)]
    while stack:
        name, tree = stack.pop()
        if isinstance(tree, Slot):
            names[tree.index] = name
        elif isinstance(tree, Node):
            keys = [f"{name}.{key}".strip(".") for key in tree.keys] or [
                f"{name}[{at}]" for at in range(len(tree.items))
            ]
            stack.extend(zip(keys, tree.items, strict=True))
    for index, value in enumerate(call.inputs):
        met = graph.values[value]
        yield f"{names.get(index, index)}: {met.dtype}{list(met.shape)} on {met.device}"
