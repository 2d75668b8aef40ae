"""A graph as nodes in scopes with edges between them, which is what TensorBoard and Model Explorer draw.

A node is a call inside which nothing was seen to run, or a tensor that no call made, or a result of the run; calls with
others inside are scopes. An edge leads to whatever made that version of a tensor. A scope that only passes a tensor
through is not on the way. Of a model that was not run, the nodes are its modules with what they hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from torchatlas.core.check import check
from torchatlas.core.graph import Node as Container
from torchatlas.core.graph import Slot
from torchatlas.writers.node_names import Names, label_of, scopes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torchatlas.core.graph import Graph, Module, Tree, Value

Kind: TypeAlias = Literal["call", "module", "input", "parameter", "buffer", "constant", "activation", "output"]
Key: TypeAlias = "tuple[Literal['call', 'value'], int]"

LEAVES = ("input", "parameter", "buffer")
ALWAYS = ("input", "parameter")
"""Tensors that are shown also where nothing reads them."""


class Edge(NamedTuple):
    """One tensor that a node reads: which node made it, which of that node's values it is, and the value's id."""

    node: int
    slot: int
    value: int


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    Attributes:
        name: unique, after the scopes it is in, by slashes.
        label: what is drawn on it.
        kind: ``call``; ``module`` where the model was not run; the kind of a tensor; ``output``, a result of the run.
        at: the call's id, the module's position in ``Graph.modules``, or the value's id.
        reads: the tensors that it reads, in the order of its arguments.
        makes: the values that it makes, in the order of its results, then those it wrote.
    """

    name: str
    label: str
    kind: Kind
    at: int
    reads: tuple[Edge, ...] = ()
    makes: tuple[int, ...] = ()

    @property
    def scope(self) -> str:
        """The scope that it is in; empty at the top."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Nodes:
    """All nodes, each after those it reads from.

    Attributes:
        nodes: tensors that no call made, then calls as they began, then results.
        calls: the call that each scope stands for.
        modules: the module's path that each scope stands for.
    """

    nodes: tuple[Node, ...]
    calls: dict[str, int]
    modules: dict[str, str]


def nodes_of(graph: Graph, clean: Callable[[str], str]) -> Nodes:
    """The nodes of a graph.

    Args:
        graph: what ran, or the structure of what did not.
        clean: gives what stands for a word in a name.

    Raises:
        InputError: the graph is not well formed.
    """
    check(graph)
    names = Names((module.path for module in graph.modules), clean)
    modules = {names.of_path(module.path): module.path for module in graph.modules}
    if not graph.calls:
        return Nodes(tuple(_structure(graph, names)), {}, modules)
    around, own = scopes_of(graph, names)
    scopes = {own[call.id]: call.id for call in graph.calls if call.path is not None or graph.children[call.id]}
    for scope, call in scopes.items():
        path = graph.calls[call].path
        if path is not None:
            modules[scope] = path
    return Nodes(tuple(_run(graph, names, around, own)), scopes, modules)


def _run(graph: Graph, names: Names, around: list[str], own: list[str]) -> Iterator[Node]:
    origins = _origins(graph)
    slots = _slots(graph, origins)
    keys = sorted(slots, key=lambda key: (key[0] == "call", key[1]))
    index = {key: position for position, key in enumerate(keys)}

    def edges(values: Iterable[int], reader: Key | None = None) -> tuple[Edge, ...]:
        found = [(value, *origins[value]) for value in values]
        return tuple([Edge(index[key], slots[key][origin], value) for value, key, origin in found if key != reader])

    yield from _tensors(graph, [value for kind, value in keys if kind == "value"], names, own)
    for call in [graph.calls[call] for kind, call in keys if kind == "call"]:
        inside = call.path is not None or graph.children[call.id]
        name = names.inside(own[call.id] if inside else around[call.id], label_of(call))
        key: Key = ("call", call.id)
        yield Node(name, label_of(call), "call", call.id, edges(call.inputs, key), tuple(slots[key]))
    root = graph.calls[0]
    for name, label, slot in _leaves(Container("results", ("output",), (root.returns,)), names):
        yield Node(name, label, "output", root.outputs[slot], edges((root.outputs[slot],)))


def _tensors(graph: Graph, values: list[int], names: Names, own: list[str]) -> Iterator[Node]:
    """The tensors that no call made: inputs as the arguments name them, the others in or near their modules."""
    root = graph.calls[0]
    given = {root.inputs[slot]: (name, label) for name, label, slot in _leaves(root.arguments, names)}
    holders = {value: module for module in reversed(graph.modules) for value in _held(module)}
    for value in [graph.values[value] for value in values]:
        if value.kind == "input" and value.id in given:
            name, label = given[value.id]
            yield Node(name, label, "input", value.id, makes=(value.id,))
        else:
            yield _tensor(value, holders, _near(graph, value.id, own), names)


def _origins(graph: Graph) -> list[tuple[Key, int]]:
    """For each value the node that made it, and the value that it is there."""
    found: list[tuple[Key, int]] = []
    for value in graph.values:
        producer, earlier = value.producer, value.alias_of
        if producer is None and earlier is None and value.kind not in LEAVES:
            earlier = value.previous if value.view_of is None else value.view_of
        if producer is not None and (earlier is None or not graph.children[producer]):
            found.append((("call", producer), value.id))
        elif earlier is not None:
            found.append(found[earlier])
        else:
            found.append((("value", value.id), value.id))
    return found


def _slots(graph: Graph, origins: list[tuple[Key, int]]) -> dict[Key, dict[int, int]]:
    """The nodes, and for each the values that it makes, with their positions."""
    slots: dict[Key, dict[int, int]] = {}
    for call in graph.calls:
        if not graph.children[call.id]:
            slots["call", call.id] = {
                value: at for at, value in enumerate(dict.fromkeys((*call.outputs, *call.writes)))
            }
    shown = {origins[value] for call in graph.calls for value in call.inputs}
    shown.update([origins[value] for value in graph.calls[0].outputs])
    shown.update([origins[value.id] for value in graph.values if value.producer is None and value.kind in ALWAYS])
    for key, value in sorted(shown, key=lambda pair: pair[1]):
        known = slots.setdefault(key, {})
        known.setdefault(value, len(known))
    return slots


def _held(module: Module) -> list[int]:
    return [value for _, value in (*module.parameters, *module.buffers)]


def _near(graph: Graph, value: int, own: list[str]) -> str:
    """The scope of the first call that reads a value."""
    first = next((call for call in graph.readers[value] if not graph.children[call]), None)
    return own[first] if first is not None else ""


def _tensor(value: Value, holders: dict[int, Module], near: str, names: Names) -> Node:
    """A tensor that no call made: weights in their module, inputs at the top, the rest beside whatever reads it."""
    holder = holders.get(value.id)
    label = value.names[0] if value.names else value.kind
    if holder is not None:
        held = dict((*holder.buffers, *holder.parameters))
        label = next(name for name, at in held.items() if at == value.id)
        name = names.inside(names.of_path(holder.path), label)
    else:
        name = names.inside("" if value.kind == "input" else near, label)
    kind: Kind = "activation" if value.kind == "output" else value.kind
    return Node(name, label, kind, value.id, makes=(value.id,))


def _leaves(structure: Container, names: Names) -> Iterator[tuple[str, str, int]]:
    """Name, label and slot of every tensor in a structure; the containers in it are scopes."""
    todo: list[tuple[str, str, Tree]] = [("", "", structure)]
    while todo:
        around, label, tree = todo.pop()
        if isinstance(tree, Slot):
            yield names.inside(around, label), label, tree.index
        elif isinstance(tree, Container):
            inner = names.inside(around, label) if tree is not structure else around
            keys = tree.keys or tuple(map(str, range(len(tree.items))))
            todo += reversed([(inner, key, item) for key, item in zip(keys, tree.items, strict=True)])


def _structure(graph: Graph, names: Names) -> Iterator[Node]:
    """Tensors in their modules, and in each module that holds some, or holds no module, a node that reads them."""
    scopes = {module.path: names.scope(names.of_path(module.path)) for module in graph.modules}
    above = {path.rpartition(".")[0] for path in scopes if path}
    holders = {value: module for module in reversed(graph.modules) for value in _held(module)}
    index: dict[int, int] = {}
    for value in graph.values:
        index[value.id] = len(index)
        yield _tensor(value, holders, "", names)
    for at, module in enumerate(graph.modules):
        if _held(module) or module.path not in above:
            reads = tuple([Edge(index[value], 0, value) for value in _held(module)])
            yield Node(names.inside(scopes[module.path], module.name), module.name, "module", at, reads)
