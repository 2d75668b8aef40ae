"""The tensors that an ONNX file holds: which are parameters, which buffers, which constants, and whose they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchatlas.readers.module_scopes import Scope
from torchatlas.readers.onnx import operators, types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onnx import GraphProto, ModelProto, NodeProto

    from torchatlas.core.graph import ValueKind
    from torchatlas.readers.graph_builder import GraphBuilder, Step

SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
LISTED = re.compile(r"(PARAMETER|BUFFER) target='([^'\n]*)'")
DOTTED = re.compile(r"[A-Za-z_]\w*(\.\w+)+")
ENDS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
"""What torch calls tensors of modules."""
SUMS = frozenset({"Add", "Sub", "Mul", "Div"})
"""Where a matrix is rather a mask than a bias."""
OPERATION = {"Conv": "weight", "Gemm": "weight", "MatMul": "weight", "ConvTranspose": "weight"}


class Weights:
    """The tensors of one model."""

    def __init__(self, builder: GraphBuilder, model: ModelProto) -> None:
        self._builder = builder
        props = (*model.graph.metadata_props, *model.metadata_props)
        told = next((prop.value for prop in props if prop.key == SIGNATURE), "")
        self._listed: dict[str, ValueKind] = {
            name: "parameter" if kind == "PARAMETER" else "buffer" for kind, name in LISTED.findall(told)
        }
        self._open: dict[int, str] = {}
        """By value: the name of a tensor of which only its readers will tell what it is."""

    def read(self, graph: GraphProto, *, inner: bool = False) -> dict[str, int]:
        """A value for every initializer, by name."""
        found: dict[str, int] = {}
        tensors = [(one.name, one) for one in graph.initializer]
        tensors += [(one.values.name, one.values) for one in graph.sparse_initializer]
        sparse = {one.values.name: tuple(one.dims) for one in graph.sparse_initializer}
        for name, tensor in tensors:
            if name in found:
                self._builder.note(f"The file holds two tensors named {name[:200]!r}; the last one is used.")
            known = types.of_tensor(tensor)
            if name in sparse:
                known = {**known, "shape": sparse[name], "nbytes": None}
            kind = self._kind(name, inner=inner)
            learned = kind == "parameter"
            found[name] = value = self._builder.value(kind or "constant", (name,), **known, requires_grad=learned)
            if kind is None:
                self._open[value] = name
            elif kind != "constant":
                path, _, own = name.rpartition(".")
                self._builder.own(path, own, value)
        return found

    def _kind(self, name: str, *, inner: bool) -> ValueKind | None:
        """What the name alone tells; None where readers must."""
        if name in self._listed:
            return self._listed[name]
        own = name.rpartition(".")[2]
        if not inner and DOTTED.fullmatch(name) and own in ENDS:
            return "buffer" if own in ENDS[2:] else "parameter"
        return None

    def renames(self, node: NodeProto, names: dict[str, int]) -> bool:
        """Whether a node only gives a tensor of the file another name, as exporters do with equal ones."""
        if node.op_type != "Identity" or node.domain not in operators.OWN or len(node.input) != 1:
            return False
        value = names.get(node.input[0])
        if (
            value is None
            or len(node.output) != 1
            or self._builder.values[value].kind not in {"parameter", "buffer", "constant"}
        ):
            return False
        if self._builder.makers[value] is not None or value in self._builder.homes:
            return False
        names[node.output[0]] = value
        return True

    def place(self, node: NodeProto, names: Mapping[str, int], scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
        """The modules of a node; of a convolution that took in the normalization after it, those of the convolution."""
        if node.op_type not in OPERATION or len(node.input) < 2 or not scopes:  # noqa: PLR2004 - an input and a weight
            return scopes
        value = names.get(node.input[1])
        path = self._builder.values[value].names[0].rpartition(".")[0] if value is not None else ""
        last = scopes[-1]
        beside = path.rpartition(".")[0] == last.path.rpartition(".")[0]
        if not path or path == last.path or not beside or path not in self._builder.parts:
            return scopes
        return (*scopes[:-1], Scope(path, path))

    def settle(self, told: Mapping[int, tuple[NodeProto, Sequence[int | None]]]) -> None:
        """Decide, by what reads it, what each tensor is whose name did not tell; and which module holds it."""
        readers: dict[int, tuple[Step, NodeProto, int]] = {}
        for step, around in _walk(self._builder.root):
            if id(step) not in told:
                continue
            node, given = told[id(step)]
            for at, value in enumerate(given):
                if value in self._open and value is not None:
                    known = readers.get(value)
                    if known is None or not operators.WEIGHTS.get(known[1].op_type):
                        readers[value] = (around, node, at)
        for value, (around, node, at) in readers.items():
            self._decide(value, around, node, at)
        there = {name for value in self._builder.values for name in value.names}
        absent = sum(name not in there for name, kind in self._listed.items() if kind == "parameter")
        if absent:
            self._builder.note(
                f"{absent} of the {sum(kind == 'parameter' for kind in self._listed.values())} parameters of the model"
                " are not in the file under their names: the exporter merged them into others, or kept one of"
                " several equal ones."
            )

    def _decide(self, value: int, around: Step, node: NodeProto, at: int) -> None:
        known = self._builder.values[value]
        roles = operators.WEIGHTS.get(node.op_type, ())
        role = roles[at] if at < len(roles) else ""
        name = self._open[value]
        torch = DOTTED.fullmatch(name) is not None
        matrix = len(known.shape) > 1 and (role != "bias" or node.op_type not in SUMS)
        vector = len(known.shape) == 1 and known.numel > 1
        quantized = node.op_type in operators.QUANTIZED
        numbers = known.dtype.startswith(types.FLOATING) or (quantized and role == "weight")
        if not (numbers and role and (matrix or vector)) and not (torch and known.dtype.startswith(types.FLOATING)):
            return
        kind: ValueKind = "buffer" if role in operators.BUFFERS else "parameter"
        self._builder.change(value, kind=kind, requires_grad=kind == "parameter")
        path, own = self._home(name, around, role)
        self._builder.own(path, own, value)

    def _home(self, name: str, around: Step, role: str) -> tuple[str, str]:
        """The module that a tensor is named after, where there is such a one; else the one that reads it."""
        spelled = name.replace("/", ".").strip(".")
        path, _, own = spelled.rpartition(".")
        if path and path in self._builder.parts:
            return path, own
        path = around.path or ""
        part = self._builder.part(path)
        taken = part.parameters.keys() | part.buffers.keys()
        return path, role if path and role and role not in taken else name


def _walk(root: Step) -> list[tuple[Step, Step]]:
    """All calls, each with the innermost module call around it."""
    found: list[tuple[Step, Step]] = []
    pending = [(root, root)]
    while pending:
        step, around = pending.pop()
        for child in reversed(step.children):
            found.append((child, around))
            pending.append((child, child if child.kind == "module" else around))
    return found
