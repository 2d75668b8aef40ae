"""What is said of a node or a scope beside its wires, as words for whatever program shows them."""

from __future__ import annotations

from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from torchatlas.core.graph import Node as Container
from torchatlas.core.graph import Slot, Text
from torchatlas.core.measure.cost import costs
from torchatlas.core.measure.numbers import figure, figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.core.graph import Call, Graph, Overlay, Tree, Value
    from torchatlas.core.measure.cost import Cost, Costs
    from torchatlas.writers.nodes import Node

LONGEST = 400
"""Characters of one fact; a longer one ends in ``…``."""


class Facts:
    """The facts of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._overlays = [(overlay, dict(overlay.calls), dict(overlay.paths)) for overlay in graph.overlays]

    @cached_property
    def _costs(self) -> Costs:
        return costs(self._graph)

    @cached_property
    def _inside(self) -> list[str]:
        """For each call, the path of the innermost module that it is, or is in."""
        found: list[str] = []
        for call in self._graph.calls:
            found.append(call.path if call.path is not None else found[call.parent] if call.parent is not None else "")
        return found

    def of_node(self, node: Node) -> dict[str, str]:
        """The facts of a node, by name."""
        if node.kind == "call":
            return self._of_call(self._graph.calls[node.at])
        if node.kind == "module":
            module = self._graph.modules[node.at]
            settings = {name: text(setting, ()) for name, setting in module.settings}
            return _short({"module": module.path, "settings": figures(module.extra), **settings})
        value = self._graph.values[node.at]
        facts = {"kind": node.kind, "names": ", ".join(value.names), "tensor": shaped(value), "device": value.device}
        return _short(facts | {"trained": "no"} if node.kind == "parameter" and not value.requires_grad else facts)

    def of_scope(self, call: int | None, path: str | None) -> dict[str, str]:
        """The facts of a scope: of a call, of a module that was not called, or of both."""
        facts = {}
        module = None if path is None else self._graph.module_at.get(path)
        if module is not None:
            sure = "" if module.confidence is None else f" (inferred, {module.confidence:.0%} sure)"
            facts = {"module": module.path, "class": f"{module.name}{sure}", "settings": figures(module.extra)}
            facts["mode"] = "training" if module.training else "evaluation"
        if call is not None:
            facts |= self._of_call(self._graph.calls[call])
            facts |= _counted(self._costs.call(call))
        elif module is not None:
            facts |= _counted(self._costs.module(module.path))
        return _short(facts | self._overlaid(call, path))

    def tensors(self, call: Call) -> list[str]:
        """For each input of a call, the name of the argument that it was."""
        found = [""] * len(call.inputs)
        for key, item in zip(call.arguments.keys, call.arguments.items, strict=False):
            for slot in _slots(item):
                found[slot] = found[slot] or key
        return found

    def _of_call(self, call: Call) -> dict[str, str]:
        values = [self._graph.values[value] for value in call.inputs]
        facts = {"call": call.label, "module": self._inside[call.id]}
        if call.flops or call.arithmetic != "movement":
            facts["flops"] = f"{call.flops:,}" if call.arithmetic == "counted" else f"not counted ({call.arithmetic})"
        if call.source is not None:
            facts["source"] = f"{call.source.file}:{call.source.line}"
        if call.seconds is not None:
            facts["seconds"] = f"{call.seconds:.6g}"
        if call.error is not None:
            facts["error"] = call.error
        if call.forward is not None and self._graph.forward is not None:
            forward = self._graph.forward.calls[call.forward]
            facts["forward"] = forward.name if forward.path is None else f"{forward.name} {forward.path}"
        facts |= self._overlaid(call.id, call.path)
        for key, item in zip(call.arguments.keys, call.arguments.items, strict=False):
            if not isinstance(item, Slot):
                facts[f"{key} (argument)" if key in facts else key] = text(item, values)
        return _short(facts)

    def _overlaid(self, call: int | None, path: str | None) -> dict[str, str]:
        found = {}
        for overlay, calls, paths in self._overlays:
            number = calls.get(call) if call is not None else None
            if number is None and path is not None:
                number = paths.get(path)
            if number is not None:
                found[overlay.name] = _united(overlay, number)
        return found


def shaped(value: Value) -> str:
    """Type and shape of a tensor: ``float32[1, 3, 224, 224]``, a size that varies as ``?``."""
    return f"{value.dtype}[{', '.join('?' if size < 0 else str(size) for size in value.shape)}]"


def text(tree: Tree, values: list[Value] | tuple[Value, ...]) -> str:
    """A tree in words, cut where it is long; ``values`` are the tensors that its slots name."""
    words: list[str] = []
    length = 0
    for word in _words(tree, values):
        words.append(word)
        length += len(word)
        if length > LONGEST:
            break
    return "".join(words)


def _words(tree: Tree, values: list[Value] | tuple[Value, ...]) -> Iterator[str]:
    if isinstance(tree, Slot):
        yield shaped(values[tree.index])
    elif isinstance(tree, Text):
        yield tree.text
    elif isinstance(tree, Container):
        opened, closed = ("[", "]") if tree.type == "list" else ("(", ")")
        yield opened if tree.type in {"list", "tuple", "dict"} else f"{tree.type}("
        for at, item in enumerate(tree.items):
            yield ", " if at else ""
            yield f"{tree.keys[at]}=" if tree.keys else ""
            yield from _words(item, values)
        yield closed
    elif isinstance(tree, float):
        yield figure(tree)
    else:
        yield repr(tree) if not isinstance(tree, int) or tree.bit_length() < LONGEST else hex(tree)


def _slots(tree: Tree) -> Iterator[int]:
    if isinstance(tree, Slot):
        yield tree.index
    elif isinstance(tree, Container):
        for item in tree.items:
            yield from _slots(item)


def _counted(cost: Cost) -> dict[str, str]:
    at_least = "" if cost.exact else "at least "
    return {"parameters": f"{cost.parameters:,}", "flops": f"{at_least}{cost.flops:,}"}


def _united(overlay: Overlay, number: float) -> str:
    return f"{number:.6g} {overlay.unit}".rstrip()


def _short(facts: dict[str, str]) -> dict[str, str]:
    """The facts that say something, none longer than can be read."""
    cut = {name: "".join(islice(fact, LONGEST + 1)) for name, fact in facts.items() if fact}
    return {name: f"{fact[:LONGEST]}…" if len(fact) > LONGEST else fact for name, fact in cut.items()}
