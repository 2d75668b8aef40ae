"""Calls get signatures: two calls have the same number exactly if they are built alike, with all that is inside them.

Calls are alike if kind, name, constants, shapes and dtypes agree and, inside them, calls of the same numbers are wired
the same way. Each call is described by a tuple of what it is and of its children's numbers; equal tuples get equal
numbers, children first. Here both ReLU have number 1, each with a call of number 0 inside:

>>> import torch, torchatlas as ta
>>> graph = ta.capture(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.ReLU()), torch.zeros(8)).graph
>>> [call.name for call in graph.calls]
['Sequential', 'ReLU', 'F.relu', 'ReLU', 'F.relu']
>>> signatures = call_signatures(graph)
>>> signatures.number
[2, 1, 0, 1, 0]
>>> signatures.keys[1]  # kind, name, whether it failed, constants, children, values of its own, values returned
('module', 'ReLU', False, None, ((0, None),), ((0, -2),), (-2,))

This is hash consing; for trees, the algorithm of Aho, Hopcroft and Ullman for tree isomorphism (The design and analysis
of computer algorithms, 1974, section 3.2). Tuples are compared in full: unlike hashes, they cannot collide. Wires are
named after where they first end inside the call, so that equal calls name equal wires equally.

Only what a body really reads and makes counts: a cache that is handed through all layers and grows does not make the
layers differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from torchatlas.core.folding.backward_signature import node_kind
from torchatlas.core.folding.signature import constants, module_signatures, value_signatures, without_numbers
from torchatlas.core.folding.signature import without_sizes as constants_without_sizes

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from torchatlas.core.folding.signature import Atoms
    from torchatlas.core.graph import Call, Graph

AROUND = frozenset(("module", "group"))
"""Calls that do nothing themselves where something ran inside them."""

Touch: TypeAlias = "tuple[int, int, int]"
"""(value, name, count): a value that a call reads (name > 0) or makes (name < 0) and that others touch as well.

The name says which one it is by its place inside the call, so equal calls name equal places equally. The count is how
many of the value's touches lie inside the call. Plain tuples, because there is one for every end of every wire.
"""


@dataclass(frozen=True, slots=True)
class CallSignatures:
    """What each call is built like, by call id; ATen calls have number -1 and nothing else.

    Attributes:
        number: equal for calls that are built alike.
        body: children that are not ATen calls, in order.
        touches: values that tie the call to others.
        pattern: for module calls, the path below the module it was called in, less its numbers.
        size: calls in the subtree, ATen calls not counted.
        weights: elements of the parameters it reads, each as often as it is read.
        made: values by the call that made them, ATen calls counted to the call they served.
        value_number: by value id, equal for values of equal shape, dtype and so on.
        keys: by number, the tuple that all calls of that number share; those of calls inside come first.
    """

    number: list[int]
    body: Sequence[Sequence[int]]
    touches: list[Sequence[Touch]]
    pattern: list[str | None]
    size: list[int]
    weights: list[int]
    made: Mapping[int, Sequence[int]]
    value_number: Sequence[int]
    keys: Sequence[Atoms] = ()


def call_signatures(graph: Graph) -> CallSignatures:
    """Number every call of the graph, children before parents; time is linear in the wires between calls."""
    return _Numbering(graph).run()


def without_sizes(graph: Graph, signatures: CallSignatures) -> CallSignatures:
    """The same without sizes: calls are alike too that differ in shapes of activations and in numeric arguments."""
    value_number = value_signatures(graph.values, sizes=False)
    value_numbers = dict(zip(signatures.value_number, value_number, strict=True))
    numbers: dict[Atoms, int] = {}
    known: list[int] = []
    for key in signatures.keys:
        known.append(numbers.setdefault(_loosened(key, value_numbers, known), len(numbers)))
    return replace(
        signatures, number=[-1 if one < 0 else known[one] for one in signatures.number], value_number=value_number
    )


def _loosened(key: Any, value_numbers: Mapping[int, int], known: Sequence[int]) -> Atoms:
    """The tuple of a call without sizes, as `_Numbering` builds it for a leaf or for a call with a body."""
    *head, given = key[:_HEAD]
    start = (*head, None if given is None else constants_without_sizes(given))
    if len(key) == _HEAD + 3:
        entries, own, handed = key[_HEAD:]
        return (*start, tuple([(known[number], *rest) for number, *rest in entries]), own, handed)
    module, inputs, made, outputs = key[_HEAD:]
    read = tuple([(value_numbers[value_number], name) for value_number, name in inputs])
    return (
        *start,
        module,
        read,
        tuple([(value_numbers[value_number], *rest) for value_number, *rest in made]),
        outputs,
    )


_HEAD = 4


def _bodies(graph: Graph) -> Sequence[Sequence[int]]:
    if all(call.kind != "aten" for call in graph.calls):
        return graph.children
    kept = [call.kind != "aten" for call in graph.calls]
    return [tuple([child for child in children if kept[child]]) for children in graph.children]


def _made(graph: Graph) -> Mapping[int, Sequence[int]]:
    """Values by the call that made them; what an ATen call made counts for the call it served."""
    made: dict[int, list[int]] = {}
    for value in graph.values:
        maker = value.producer
        while maker is not None and graph.calls[maker].kind == "aten":
            maker = graph.calls[maker].parent
        if maker is not None:
            made.setdefault(maker, []).append(value.id)
    return made


def _patterns(graph: Graph) -> list[str | None]:
    scopes: list[str] = []
    patterns: list[str | None] = []
    known: dict[str, str] = {}
    for call in graph.calls:
        scope = "" if call.parent is None else scopes[call.parent]
        scopes.append(scope if call.path is None else call.path)
        if call.path is None:
            patterns.append(None)
            continue
        inside = scope and call.path.startswith(scope + ".")
        below = call.path[len(scope) + 1 :] if inside else call.path
        patterns.append(known.setdefault(below, without_numbers(below)) if below not in known else known[below])
    return patterns


class _Numbering:
    """One pass over a graph from the last call to the first, with the tables that pass needs."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        count = len(graph.calls)
        self.out = CallSignatures(
            number=[-1] * count,
            body=_bodies(graph),
            touches=[()] * count,
            pattern=_patterns(graph),
            size=[1] * count,
            weights=[0] * count,
            made=_made(graph),
            value_number=value_signatures(graph.values),
        )
        self.made = self.out.made
        self.value_number = self.out.value_number
        self.weight = [value.numel if value.kind == "parameter" else 0 for value in graph.values]
        self.opaque = {module.path for module in graph.modules if module.opaque}
        self.modules = module_signatures(graph) if self.opaque else {}
        self.total = [0] * len(graph.values)
        self.numbers: dict[Atoms, int] = {}
        self.endpoints: dict[tuple[int, int], int] = {}

    def run(self) -> CallSignatures:
        """Fill the classes in."""
        calls = [call for call in self.graph.calls if call.kind != "aten"]
        for call in calls:
            for value in self._own(call):
                self.total[value] += 1
        for call in reversed(calls):
            key = self._composite(call) if self.out.body[call.id] else self._leaf(call)
            self.out.number[call.id] = self.numbers.setdefault(key, len(self.numbers))
        return replace(self.out, keys=list(self.numbers))

    def _own(self, call: Call) -> Iterable[int]:
        """Values the call itself touches, each once: what it makes and reads, and what its body hands out."""
        values = list(self.made.get(call.id, ()))
        if self.out.body[call.id]:
            values += call.outputs
        if self._reads(call):
            values += call.inputs
        return dict.fromkeys(values)

    def _reads(self, call: Call) -> bool:
        """Whether its inputs are its own; a module or group reads what its body reads, whatever it was handed."""
        return call.kind not in AROUND or not self.out.body[call.id]

    def _head(self, call: Call) -> Atoms:
        return (call.kind, node_kind(call), call.error is not None, constants(call) if self._reads(call) else None)

    def _leaf(self, call: Call) -> Atoms:
        inputs: dict[int, int] = {}
        for index, value in enumerate(call.inputs, start=1):
            inputs.setdefault(value, index)
        made = {value: -index for index, value in enumerate(self.made.get(call.id, ()), start=1)}
        names = inputs | made
        self.out.touches[call.id] = tuple([(value, name, 1) for value, name in names.items() if self.total[value] > 1])
        self.out.weights[call.id] = sum([self.weight[value] for value in inputs])
        return (
            *self._head(call),
            self.modules[call.path] if call.path in self.opaque else None,
            tuple([(self.value_number[value], inputs[value]) for value in call.inputs]),
            tuple([self._origin(value, inputs) for value in made]),
            tuple([names.get(value, 0) for value in call.outputs]),
        )

    def _origin(self, value: int, inputs: dict[int, int]) -> Atoms:
        """How a made value came to be: fresh, passed through, a view, or written over another."""
        made = self.graph.values[value]
        before = 0 if made.previous is None else inputs.get(made.previous, -1)
        same = 0 if made.alias_of is None else inputs.get(made.alias_of, -1)
        return (self.value_number[value], before, same, made.view_of is not None)

    def _composite(self, call: Call) -> Atoms:
        wires = _Wires(self.endpoints)
        called: dict[str, int] = {}
        entries: list[Atoms] = []
        out = self.out
        for position, child in enumerate(out.body[call.id]):
            path = self.graph.calls[child].path
            first = position if path is None else called.setdefault(path, position)
            callee = out.pattern[child] if first == position else first
            entries.append((out.number[child], callee, *wires.tie(position, out.touches[child])))
            out.size[call.id] += out.size[child]
            out.weights[call.id] += out.weights[child]
        own = wires.tie(-1, self._own_touches(call, wires))
        out.touches[call.id] = tuple(
            [(value, wires.name[value], count) for value, count in wires.count.items() if count < self.total[value]]
        )
        handed = tuple([wires.name[value] for value in call.outputs if value in wires.name])
        return (*self._head(call), tuple(entries), tuple(own), handed)

    def _own_touches(self, call: Call, wires: _Wires) -> list[Touch]:
        """What the call itself touches besides its body; values that it only passes along stay out."""
        own = {value: -index for index, value in enumerate(self.made.get(call.id, ()), start=1)}
        if self._reads(call):
            own |= {value: index for index, value in enumerate(dict.fromkeys(call.inputs), start=1)}
        own |= {value: 0 for value in call.outputs if value not in own and value in wires.count}
        return [(value, name, 1) for value, name in own.items()]


class _Wires:
    """Names, inside one body, for the values its calls share: each is named after the place that touched it first."""

    def __init__(self, endpoints: dict[tuple[int, int], int]) -> None:
        self.endpoints = endpoints
        self.name: dict[int, int] = {}
        self.count: dict[int, int] = {}

    def tie(self, position: int, touches: Iterable[Touch]) -> list[Hashable]:
        """Name what is touched here first; return (name there, name here) of what was touched before."""
        ties: list[Hashable] = []
        for value, name, count in touches:
            known = self.name.get(value)
            if known is None:
                number = self.endpoints.setdefault((position, name), len(self.endpoints) + 1)
                self.name[value] = number if name > 0 else -number
                self.count[value] = count
            else:
                self.count[value] += count
                ties.append((name, known))
        return ties
