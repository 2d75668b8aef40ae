"""Functions that an ONNX model defines itself: which there are, how far they unfold, and the shapes inside them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import onnx
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, TypeProto, helper

from torchatlas.core.errors import FileError
from torchatlas.readers.onnx.types import dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onnx import FunctionProto, GraphProto

Key = tuple[str, str, str]
MOST_NODES = 200_000
"""Nodes that functions may unfold to; beyond, they stay closed."""
MOST_INFERRED = 2000
"""Calls of functions whose inside is given shapes."""


class Functions:
    """The functions of one model."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self._known = {(one.domain, one.name, one.overload): one for one in model.functions}
        self._numbers = {dtype(number): number for number in TensorProto.DataType.values()}
        self._inferred: dict[tuple[Key, bytes], tuple[list[NodeProto], dict[str, TypeProto]]] = {}
        self.unfolds = True
        if self._known:
            self.unfolds = self.check()

    def of(self, node: NodeProto) -> FunctionProto | None:
        """The function that a node calls; None where it is an operator."""
        return self._known.get(_key(node))

    def check(self) -> bool:
        """Whether what they unfold to is of a size that can be read.

        Raises:
            FileError: one of them calls itself, directly or through others.
        """
        sizes: dict[Key, int] = {}
        for key in self._known:
            self._measure(key, sizes)
        count = sum(1 + sizes.get(_key(node), 0) for node in all_nodes(self._model.graph.node))
        return count <= MOST_NODES

    def _measure(self, start: Key, sizes: dict[Key, int]) -> None:
        """How many nodes a call of it is, those that it calls first."""
        pending, opened = [start], set[Key]()
        while pending:
            key = pending[-1]
            if key in sizes:
                pending.pop()
                continue
            called = [_key(node) for node in all_nodes(self._known[key].node)]
            inner = {one for one in called if one in self._known and one not in sizes}
            if key in opened:
                if inner:
                    raise FileError(f"its function {key[1][:200]!r} calls itself, so that a run would never end.")
                sizes[key] = min(len(called) + sum(sizes.get(one, 0) for one in called), MOST_NODES + 1)
                pending.pop()
                continue
            opened.add(key)
            if inner & opened:
                raise FileError(f"its function {key[1][:200]!r} calls itself, so that a run would never end.")
            pending += sorted(inner)

    def body(
        self,
        function: FunctionProto,
        node: NodeProto,
        given: Mapping[str, TypeProto | None],
        _: Mapping[str, TypeProto],
    ) -> tuple[list[NodeProto], dict[str, TypeProto]]:
        """The nodes of a call, with the attributes that it passes; and the types of the tensors in it."""
        attributes = {one.name: one for one in (*function.attribute_proto, *node.attribute)}
        nodes = [_filled(inner, attributes) for inner in function.node]
        return self._infer(function, nodes, given)

    def _infer(
        self, function: FunctionProto, nodes: list[NodeProto], given: Mapping[str, TypeProto | None]
    ) -> tuple[list[NodeProto], dict[str, TypeProto]]:
        """Nodes and types by inference over the body as if it were a model; no types where that fails.

        The nodes are the same, but that graphs inside them have types.
        """
        if len(self._inferred) >= MOST_INFERRED:
            return nodes, {}
        inputs = [onnx.ValueInfoProto(name=name, type=told) for name, told in given.items() if told is not None]
        graph = helper.make_graph(nodes, function.name or "function", inputs, [])
        key = (_known_as(function), graph.SerializeToString(deterministic=True))
        known = self._inferred.get(key)
        if known is None:
            model = ModelProto(ir_version=self._model.ir_version, graph=graph)
            model.opset_import.extend(function.opset_import or self._model.opset_import)
            model.functions.extend(self._model.functions)
            with suppress(Exception):  # shapes are a gift; without them the graph is as right
                graph = onnx.shape_inference.infer_shapes(model, strict_mode=False).graph
            types = {one.name: one.type for one in graph.value_info}
            known = self._inferred[key] = list(graph.node), types
        return known

    def spoken(self, name: str, shape: tuple[int, ...] | None) -> TypeProto | None:
        """A type in ONNX's words; None where nothing is known."""
        number = self._numbers.get(name)
        if not number:
            return None
        sizes = None if shape is None else [size if size >= 0 else None for size in shape]
        found: TypeProto = helper.make_tensor_type_proto(number, sizes)
        return found


def _key(node: NodeProto) -> Key:
    return (node.domain, node.op_type, node.overload)


def _known_as(function: FunctionProto) -> Key:
    return (function.domain, function.name, function.overload)


def all_nodes(nodes: object) -> Iterator[NodeProto]:
    """Nodes, and those of the graphs inside them."""
    pending = [nodes]
    while pending:
        for node in pending.pop():  # type: ignore[attr-defined]  # a repeated field has no type of its own
            yield node
            pending += [graph.node for one in node.attribute for graph in _graphs(one)]


def _graphs(attribute: AttributeProto) -> list[GraphProto]:
    return [attribute.g] if attribute.type == AttributeProto.GRAPH else list(attribute.graphs)


def _filled(node: NodeProto, attributes: Mapping[str, AttributeProto]) -> NodeProto:
    """A node whose references to attributes of its function are what the caller gave, in the graphs inside it too."""
    if not any(one.ref_attr_name for inner in all_nodes([node]) for one in inner.attribute):
        return node
    made = NodeProto()
    made.CopyFrom(node)
    for inner in reversed(list(all_nodes([made]))):  # what is inside first: attributes are copied as they are put back
        known = [*inner.attribute]
        del inner.attribute[:]
        for one in known:
            if not one.ref_attr_name:
                inner.attribute.append(one)
            elif one.ref_attr_name in attributes:
                inner.attribute.append(attributes[one.ref_attr_name])
                inner.attribute[-1].name = one.name
    return made
