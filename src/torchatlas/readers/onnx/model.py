"""The graph of an ONNX model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import onnx
from onnx import AttributeProto, ModelProto

from torchatlas.core.errors import FileError
from torchatlas.core.graph import Node, Provenance, Slot
from torchatlas.readers.graph_builder import CONTROL_FLOW, GraphBuilder, structured
from torchatlas.readers.layers import describe
from torchatlas.readers.module_scopes import nest
from torchatlas.readers.onnx import operators, types
from torchatlas.readers.onnx.functions import Functions, all_nodes
from torchatlas.readers.onnx.hierarchy import Hierarchy
from torchatlas.readers.onnx.layers import Layers
from torchatlas.readers.onnx.order import in_order
from torchatlas.readers.onnx.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onnx import GraphProto, NodeProto, TypeProto

    from torchatlas.core.graph import Graph, Tree, ValueKind
    from torchatlas.readers.graph_builder import Step
    from torchatlas.readers.module_scopes import Scope

GENERIC = re.compile(r"main_graph|torch[-_]jit[-_]export|graph|main|tf2onnx|model|", re.IGNORECASE)
"""Names of graphs that exporters give by themselves."""
DEEPEST = 60
"""Graphs and functions one inside another that are followed."""


class Names:
    """What the names of tensors stand for, in one graph and those around it."""

    def __init__(self, outer: Names | None = None) -> None:
        self.own: dict[str, int] = {}
        self.types: dict[str, TypeProto] = {}
        self._outer = outer

    def find(self, name: str) -> int | None:
        """The value of a name; None where there is none."""
        at: Names | None = self
        while at is not None:
            if name in at.own:
                return at.own[name]
            at = at._outer  # noqa: SLF001 - of the same class
        return None


class Model:
    """One model as it is read."""

    def __init__(self, model: ModelProto, stem: str) -> None:
        self._model = model
        self._versions = {one.domain: one.version for one in model.opset_import}
        self._stem = stem
        self.functions = Functions(model)
        graph = model.graph
        names = [*(one.name for one in graph.initializer), *(one.values.name for one in graph.sparse_initializer)]
        self._hierarchy = Hierarchy(list(all_nodes(graph.node)), names)
        self._told: dict[int, tuple[NodeProto, list[int | None]]] = {}
        self.builder = GraphBuilder(stem)

    @classmethod
    def of(cls, data: bytes, stem: str) -> Model:
        """Parse a model and infer its shapes.

        Raises:
            DecodeError: it is no protocol buffer of ONNX.
            FileError: functions of it call each other in circles.
        """
        model = ModelProto()
        model.ParseFromString(data)
        if not model.HasField("graph"):
            raise FileError("it is an ONNX model without a graph.")
        small = Functions(model).check()
        fault = "" if small else "its functions unfold to too many nodes"
        if small:
            try:
                inferred = ModelProto()
                inferred.CopyFrom(onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=True))
                model = inferred
            except Exception as error:  # noqa: BLE001 - whatever inference stumbles over, the graph can be read
                fault = str(error).partition("\n")[0][:200]
        made = cls(model, stem)
        if fault:
            made.builder.note(f"Shapes could not be inferred: {fault}.")
        return made

    def origin(self) -> Provenance:
        """What made the file."""
        model = self._model
        opsets = ", ".join(f"{one.domain or 'ai.onnx'} {one.version}" for one in model.opset_import)
        producer = f"{model.producer_name} {model.producer_version}".strip() or "unknown"
        version = f"IR {model.ir_version}"
        return Provenance(producer=producer[:200], format_version=version, opsets=opsets[:1000])

    def graph(self, provenance: Provenance) -> Graph:
        """Read all of it."""
        graph, builder, names = self._model.graph, self.builder, Names()
        self.weights = Weights(builder, self._model)
        names.own |= self.weights.read(graph)
        self._types(graph, names)
        self._inputs(graph, names)
        self._nodes(graph.node, names, builder.root, 0, ())
        self._outputs(graph, names)
        self.weights.settle(self._told)
        describe(builder, Layers(builder).of)
        self._name()
        self._say(graph)
        return builder.graph(provenance)

    # What goes in and out.

    def _types(self, graph: GraphProto, names: Names) -> None:
        for one in (*graph.value_info, *graph.output, *graph.input):
            if one.HasField("type"):
                names.types[one.name] = one.type

    def _inputs(self, graph: GraphProto, names: Names) -> None:
        root = self.builder.root
        for one in graph.input:
            if one.name not in names.own:
                names.own[one.name] = self.builder.value("input", (one.name,), **types.of_type(one.type))
                root.inputs.append(names.own[one.name])
        keys = tuple(self.builder.values[value].names[0] for value in root.inputs)
        root.arguments = Node("arguments", keys, tuple(map(Slot, range(len(keys)))))

    def _outputs(self, graph: GraphProto, names: Names) -> None:
        root = self.builder.root
        keys = []
        for one in graph.output:
            value = names.find(one.name)
            if value is None:
                self.builder.note(f"No node in the file produces the output {one.name!r}.")
                continue
            root.outputs.append(value)
            keys.append(one.name)
        slots = tuple(map(Slot, range(len(keys))))
        root.returns = Node("dict", tuple(keys), slots) if len(set(keys)) == len(keys) > 1 else structured(root.outputs)

    # What runs.

    def _nodes(
        self, nodes: Iterable[NodeProto], names: Names, around: Step, depth: int, stack: Sequence[Scope]
    ) -> None:
        """Hang the calls of nodes below ``around``, which itself stands in the modules ``stack``."""
        if depth > DEEPEST:
            raise FileError(f"its graphs stand one inside another, more than {DEEPEST} deep.")
        placed: list[tuple[Step, Sequence[Scope]]] = []
        ordered = in_order(list(nodes), self.builder)
        for node, modules in zip(ordered, self._hierarchy.along(ordered), strict=True):
            if self.weights.renames(node, names.own):
                continue
            own = self.weights.place(node, names.own, modules)
            step = self._step(node, names, depth, own or stack)
            inside = own[len(stack) :] if own[: len(stack)] == tuple(stack) else ()
            placed.append((step, inside))
        nest(self.builder, around, placed)

    def _step(self, node: NodeProto, names: Names, depth: int, stack: Sequence[Scope]) -> Step:
        step = self.builder.step("function", operators.full_name(node.domain, node.op_type))
        given = [self._read(name, names, step) if name else None for name in node.input]
        step.inputs = [value for value in given if value is not None]
        attributes = {one.name: types.attribute(one) for one in node.attribute}
        self._arguments(step, node, given, attributes)
        self._told[id(step)] = (node, given)
        ends = self._inside(step, node, given, names, depth, stack)
        body = None if ends else self._function(step, node, given, names, depth, stack)
        for at, name in enumerate(node.output):
            if name:
                names.own[name] = self._made(step, name, at, names, ends, body)
        step.returns = structured(step.outputs)
        if not ends and body is None:
            shapes = [self._shape(value) for value in given]
            made = [self._shape(value) for value in step.outputs]
            step.flops, step.arithmetic = operators.work(node.domain, node.op_type, shapes, made, attributes)
        return step

    def _read(self, name: str, names: Names, step: Step) -> int:
        value = names.find(name)
        if value is None:
            self.builder.note(f"No node in the file produces the tensor {name[:200]!r}, which is read here.", step)
            value = names.own[name] = self.builder.value("constant", (name,), **types.of_type(names.types.get(name)))
        return value

    def _arguments(self, step: Step, node: NodeProto, given: list[int | None], attributes: dict[str, Tree]) -> None:
        version = self._versions.get(node.domain, self._versions.get("", 1))
        keys = operators.keys(node.domain, node.op_type, version, len(given))
        slots = iter(range(len(given)))
        items = [None if value is None else Slot(next(slots)) for value in given]
        step.arguments = Node("arguments", (*keys, *attributes), (*items, *attributes.values()))

    def _shape(self, value: int | None) -> tuple[int, ...] | None:
        if value is None:
            return None
        known = self.builder.values[value]
        return known.shape if known.shape or known.nbytes is not None else None

    def _made(
        self,
        step: Step,
        name: str,
        at: int,
        names: Names,
        ends: Sequence[Sequence[int]],
        body: Sequence[int | None] | None,
    ) -> int:
        """A result: of a function what it ends with, of control flow what comes of the graphs inside."""
        if name in names.own:
            said = f"Two nodes produce the tensor {name[:200]!r}; each reader is linked to the last one before it."
            self.builder.note(said, step)
        known = types.of_type(names.types.get(name))
        if body is not None and at < len(body) and body[at] is not None:
            inner = body[at]
            assert inner is not None  # noqa: S101  # said above, which a type checker does not follow
            if self.builder.makers[inner] is not None and inner not in step.inputs:
                step.outputs.append(inner)
                self._tell(inner, known)
                return inner
            return self.builder.made(step, self.builder.value("activation", (name,), **known, alias_of=inner))
        found = [end[at] for end in ends if at < len(end)]
        if len(found) > 1:
            return self.builder.made(step, self._merge(step, found, name, known))
        if found:
            word = "alias_of" if self._shape(found[0]) == known.get("shape") else "view_of"
            return self.builder.made(step, self.builder.value("activation", (name,), **{**known, word: found[0]}))
        return self.builder.made(step, self.builder.value("activation", (name,), **known))

    def _tell(self, value: int, known: dict[str, Any]) -> None:
        """What the outer graph knows of a result that the function itself did not."""
        if known and self._shape(value) is None:
            self.builder.change(value, **known)

    def _merge(self, step: Step, found: Sequence[int], name: str, known: dict[str, Any]) -> int:
        """What comes of either branch; ``merge`` stands where the branches meet again."""
        merge = self.builder.step("function", "merge")
        merge.inputs = [*step.inputs[:1], *found]
        merge.arguments = Node("arguments", (), tuple(map(Slot, range(len(merge.inputs)))))
        merge.returns = Slot(0)
        step.children.append(merge)
        inner = self.builder.made(merge, self.builder.value("activation", (), **known))
        return self.builder.value("activation", (name,), **known, alias_of=inner)

    # Graphs inside nodes.

    def _inside(
        self,
        step: Step,
        node: NodeProto,
        given: list[int | None],
        names: Names,
        depth: int,
        stack: Sequence[Scope],
    ) -> list[list[int]]:
        """Read the graphs that are attributes of a node; for each, by output of the node, what it ends with."""
        graphs = [
            (one.name, graph)
            for one in node.attribute
            for graph in ((one.g,) if one.type == AttributeProto.GRAPH else tuple(one.graphs))
        ]
        if node.op_type == "If":
            graphs.sort(key=lambda pair: pair[0] != "then_branch")
        ends = []
        for label, graph in graphs:
            around = step
            if len(graphs) > 1:
                around = self.builder.step("group", label, derived=True)
                step.children.append(around)
            ends.append(self._body(around, node, graph, given, Names(names), depth, stack))
        if graphs:
            self.builder.note(CONTROL_FLOW)
        return ends

    def _body(
        self,
        around: Step,
        node: NodeProto,
        graph: GraphProto,
        given: list[int | None],
        names: Names,
        depth: int,
        stack: Sequence[Scope],
    ) -> list[int]:
        names.own |= self.weights.read(graph, inner=True)
        self._types(graph, names)
        outer = _outer(node, given)
        for at, one in enumerate(graph.input):
            known = types.of_type(one.type if one.HasField("type") else None)
            actual = outer[at] if at < len(outer) else None
            more: dict[str, Any] = {}
            if actual is not None:
                known = known if "shape" in known else self._like(actual, known)
                more["alias_of" if self._shape(actual) == known.get("shape") else "view_of"] = actual
            # The number of a turn, and a condition that is not given, depend on nothing outside.
            kind: ValueKind = "activation" if actual is not None else "constant"
            names.own[one.name] = value = self.builder.value(kind, (one.name,), **known, **more)
            self.builder.homes[value] = around
        self._nodes(graph.node, names, around, depth + 1, stack)
        made = [names.find(one.name) for one in graph.output]
        if node.op_type == "Loop":
            made = made[1:]
        return [value for value in made if value is not None]

    def _like(self, actual: int, known: dict[str, Any]) -> dict[str, Any]:
        value = self.builder.values[actual]
        if self._shape(actual) is None or "type" in known:
            return known
        return {"shape": value.shape, "dtype": value.dtype, "nbytes": value.nbytes}

    # Functions of the model.

    def _function(
        self,
        step: Step,
        node: NodeProto,
        given: list[int | None],
        names: Names,
        depth: int,
        stack: Sequence[Scope],
    ) -> list[int | None] | None:
        """Read the body of a function that the model itself defines; None where the node is an operator."""
        function = self.functions.of(node)
        if function is None:
            return None
        if not self.functions.unfolds or depth >= DEEPEST:
            self.builder.note("Some functions are shown closed: expanded, they would have too many nodes.")
            step.arithmetic = "unknown"
            return None
        inner = Names()
        for name, value in zip(function.input, given, strict=False):
            if value is not None:
                inner.own[name] = value
        typed = {name: self._spoken(value) for name, value in inner.own.items()}
        nodes, inner.types = self.functions.body(function, node, typed, names.types)
        self._nodes(nodes, inner, step, depth + 1, stack)
        return [inner.find(name) for name in function.output]

    def _spoken(self, value: int) -> TypeProto | None:
        """The type of a value in ONNX's words."""
        known = self.builder.values[value]
        return self.functions.spoken(known.dtype, self._shape(value))

    # What is to be said.

    def _name(self) -> None:
        builder, name = self.builder, self._model.graph.name
        found = self._hierarchy.root or (self._stem if GENERIC.fullmatch(name) else name)
        builder.name = builder.root.name = builder.parts[""].name = found[:200] or "model"

    def _say(self, graph: GraphProto) -> None:
        found = {symbol: None for one in graph.input for symbol in types.symbols(one.type)}
        if found:
            self.builder.note(f"Sizes shown as -1 are dynamic: {', '.join(list(found)[:8])}."[:500])
        if self._model.training_info:
            self.builder.note("The file also holds training information, which is not shown.")


def _outer(node: NodeProto, given: list[int | None]) -> list[int | None]:
    """By input of the graph inside, the value outside that it begins with, or that it runs along."""
    if node.op_type == "Loop":
        return [None, *given[1:]]
    if node.op_type == "Scan":
        counts = [one.i for one in node.attribute if one.name == "num_scan_inputs"]
        inside = [one.g for one in node.attribute if one.name == "body"]
        lengths = bool(counts and inside) and len(given) > len(inside[0].input)
        return given[1:] if lengths else given
    return given
