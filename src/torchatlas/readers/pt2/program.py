"""The graph of an exported program, from its JSON."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import FileError
from torchatlas.core.graph import Node, Slot
from torchatlas.core.operators.arithmetic import VIEWS
from torchatlas.core.operators.names import in_place, operator
from torchatlas.readers.aten import work
from torchatlas.readers.graph_builder import CONTROL_FLOW, GraphBuilder, structured
from torchatlas.readers.layers import describe
from torchatlas.readers.module_scopes import Scope, nest
from torchatlas.readers.pt2 import terms
from torchatlas.readers.pt2.layers import Layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchatlas.core.graph import Graph, Provenance, Tree, ValueKind
    from torchatlas.readers.graph_builder import Step

OPERATORS = "torch.ops."
SCALARS = frozenset(
    {"as_sym_int", "as_sym_ints", "as_sym_bool", "as_sym_float", "as_none", "as_int", "as_bool", "as_float"}
)
CHECK = re.compile(r"^aten\.(_assert|sym_constrain)")
"""What stops a run, or not, and makes nothing."""
CONTROL = {"cond": ("true_fn", "false_fn"), "while_loop": ("cond_fn", "body_fn")}
"""The names of the functions that operators of control flow are given, in order."""


class Program:
    """One program as it is read.

    Args:
        told: the content of ``models/model.json``.
        weights: what the archive says of its weights, by name.
    """

    def __init__(self, told: dict[str, Any], weights: Mapping[str, Any]) -> None:
        self._module = told["graph_module"]
        self._weights = weights
        self._scalars = 0
        self._files: dict[str, int] = {}
        self._examples: dict[int, tuple[int, ...]] = {}
        self._symbols: dict[str, int] = {}
        self._scopes: dict[str, tuple[Scope, ...]] = {}
        self.builder = GraphBuilder(self._class_of_root())

    def graph(self, provenance: Provenance) -> Graph:
        """Read all of it."""
        graph, builder = self._module["graph"], self.builder
        self._classes()
        values = self._given(graph)
        self._unused()
        root = builder.root
        order = [values[name] for name in self._inputs]
        root.inputs = order
        names = tuple(builder.values[value].names[0] for value in order)
        root.arguments = Node("arguments", names, tuple(map(Slot, range(len(order)))))
        self._body(graph, values, root, 0)
        self._results(values)
        self._say()
        describe(builder, Layers(builder).of)
        return builder.graph(provenance)

    # What goes in.

    def _given(self, graph: Mapping[str, Any]) -> dict[str, int]:
        """A value for everything that the signature lists."""
        found: dict[str, int] = {}
        shared: dict[tuple[str, ...], int] = {}
        self._inputs: list[str] = []
        for spec in self._module["signature"]["input_specs"]:
            ((kind, held),) = spec.items()
            for name in terms.tensors(held["arg"]) if kind == "user_input" else [held.get("arg", {}).get("name")]:
                if name is None or name not in graph["tensor_values"]:
                    continue
                full = held.get(f"{kind}_name", name)
                place = self._place(full)
                if place is not None and place in shared:
                    self._tie(shared[place], full)
                    found[name] = shared[place]
                    continue
                found[name] = self._leaf(kind, full, graph["tensor_values"][name])
                if place is not None:
                    shared[place] = found[name]
                if kind == "user_input":
                    self._inputs.append(name)
        self._shared = shared
        return found

    def _leaf(self, kind: str, name: str, meta: Mapping[str, Any]) -> int:
        kinds: dict[str, ValueKind] = {"user_input": "input", "parameter": "parameter", "buffer": "buffer"}
        file = self._weights.get(name, {}).get("path_name")
        memory = self._files.setdefault(file, len(self._files)) if file is not None else None
        value = self._value(kinds.get(kind, "constant"), meta, (name,), storage=memory)
        if kind in {"parameter", "buffer"}:
            path, _, own = name.rpartition(".")
            self.builder.own(path, own, value)
        return value

    def _place(self, name: str) -> tuple[str, ...] | None:
        """Where in the archive a weight lies: the same place for tied ones; views of one memory lie in one file."""
        held = self._weights.get(name, {})
        meta = held.get("tensor_meta") or {}
        if held.get("path_name") is None:
            return None
        return (
            str(held["path_name"]),
            *(str(meta.get(key)) for key in ("storage_offset", "sizes", "strides", "dtype")),
        )

    def _tie(self, value: int, name: str) -> None:
        known = self.builder.values[value].names
        if name not in known:
            self.builder.change(value, names=(*known, name))
            path, _, own = name.rpartition(".")
            self.builder.own(path, own, value)

    def _unused(self) -> None:
        """Weights that the archive holds and the program does not read."""
        known = {name for value in self.builder.values for name in value.names}
        for name, held in self._weights.items():
            if name in known:
                continue
            place = self._place(name)
            if place in self._shared:
                self._tie(self._shared[place], name)
                continue
            value = self._leaf("parameter" if held.get("is_param") else "buffer", name, held["tensor_meta"])
            if place is not None:
                self._shared[place] = value

    def _value(self, kind: ValueKind, meta: Mapping[str, Any], names: Sequence[str] = (), **more: Any) -> int:
        value = self.builder.value(kind, names, **terms.tensor(meta), **more)
        symbols = terms.symbols(meta)
        if symbols:
            self._symbols.update(symbols)
            self._examples[value] = terms.example(meta)
        return value

    # What runs.

    def _body(self, graph: Mapping[str, Any], values: dict[str, int], around: Step, depth: int) -> None:
        """Hang the calls of a graph below ``around``."""
        if depth > terms.DEEPEST:
            raise FileError(f"its graphs stand one inside another, more than {terms.DEEPEST} deep.")
        placed = []
        for node in graph["nodes"]:
            step = self._step(node, graph, values, depth)
            if step is not None:
                placed.append((step, self._stack(node) if depth == 0 else ()))
        nest(self.builder, around, placed)

    def _step(
        self, node: Mapping[str, Any], graph: Mapping[str, Any], values: dict[str, int], depth: int
    ) -> Step | None:
        """A call; None where a node computes with sizes, which are no tensors."""
        outputs = node["outputs"]
        name = _name(node["target"])
        if all(SCALARS.issuperset(output) for output in outputs) and (outputs or CHECK.search(name)):
            self._scalars += 1
            return None
        step = self.builder.step("function", name)
        self._arguments(step, node, values)
        inside = [found for named in node["inputs"] for found in terms.graphs(named["arg"])]
        ends = [self._inside(step, node, told, values, at, depth) for at, told in enumerate(inside)]
        names = [name for output in outputs for name in terms.tensors(output)]
        for at, name in enumerate(names):
            if depth == 0 or name not in values:
                meta = graph["tensor_values"][name]
                values[name] = self._made(step, at, meta, ends)
        self._writes(step, node, values)
        step.returns = _returned(outputs, step)
        step.source = terms.source(node["metadata"].get("stack_trace", ""))
        if inside:
            self.builder.note(CONTROL_FLOW)
        else:
            self._work(step, node)
        return step

    def _arguments(self, step: Step, node: Mapping[str, Any], values: dict[str, int]) -> None:
        def slot(name: str) -> Tree:
            step.inputs.append(self.builder.latest(values[name]))
            return Slot(len(step.inputs) - 1)

        keys, items = [], []
        for at, named in enumerate(node["inputs"]):
            keys.append(named["name"] or f"args[{at}]")
            items.append(terms.argument(named["arg"], slot))
        step.arguments = Node("arguments", tuple(keys), tuple(items))

    def _made(self, step: Step, at: int, meta: Mapping[str, Any], ends: Sequence[Sequence[int]]) -> int:
        """A result; of control flow it is what the functions inside end with, of a write it is a new version."""
        op = operator(step.name)
        more: dict[str, Any] = {}
        body = [end[at] for end in ends if at < len(end)]
        if len(ends) == 1 and body:
            more["alias_of"] = body[0]
        elif op == "while_loop" and body:
            more["alias_of"] = body[-1]
        first = step.inputs[0] if step.inputs else None
        if first is not None and not ends:
            if in_place(op) and not step.writes:
                value = self.builder.made(step, self.builder.write(step, first))
                self._examples.update({value: self._examples[first]} if first in self._examples else {})
                return value
            if op in VIEWS:
                more["view_of"] = first
        if len(body) > 1 and op == "cond":
            return self.builder.made(step, self._merge(step, body, meta))
        return self.builder.made(step, self._value("activation", meta, **more))

    def _writes(self, step: Step, node: Mapping[str, Any], values: Mapping[str, int]) -> None:
        """What an operator writes that returns nothing: its name says that it is the first argument."""
        if node["outputs"]:
            return
        if in_place(operator(step.name)):
            for name in [name for named in node["inputs"][:1] for name in terms.tensors(named["arg"])]:
                self.builder.write(step, values[name])
        else:
            self.builder.note(f"{step.name} returns nothing; the file does not say which tensors it writes.", step)

    def _merge(self, step: Step, ends: Sequence[int], meta: Mapping[str, Any]) -> int:
        """What comes of either branch."""
        merge = self.builder.step("function", "merge")
        merge.inputs = [*step.inputs[:1], *ends]
        merge.arguments = Node("arguments", (), tuple(map(Slot, range(len(merge.inputs)))))
        merge.returns = Slot(0)
        step.children.append(merge)
        inner = self.builder.made(merge, self._value("activation", meta))
        return self._value("activation", meta, alias_of=inner)

    def _inside(
        self,
        step: Step,
        node: Mapping[str, Any],
        told: Mapping[str, Any],
        values: dict[str, int],
        at: int,
        depth: int,
    ) -> list[int]:
        """The calls of a function that an operator of control flow was given; its results."""
        graph = told["graph"]
        labels = CONTROL.get(operator(step.name), ())
        group = self.builder.step("group", labels[at] if at < len(labels) else str(told.get("name", "body")))
        step.children.append(group)
        outer = [name for named in node["inputs"] for name in terms.tensors(named["arg"])]
        if operator(step.name) == "cond":
            outer = outer[1:]
        inner: dict[str, int] = {}
        for place, held in enumerate(graph["inputs"]):
            for name in terms.tensors(held):
                inner[name] = self._formal(group, graph["tensor_values"][name], outer, place, values, step)
        group.derived = True
        self._body(graph, inner, group, depth + 1)
        return [inner[name] for output in graph["outputs"] for name in terms.tensors(output)]

    def _formal(
        self,
        group: Step,
        meta: Mapping[str, Any],
        outer: Sequence[str],
        place: int,
        values: dict[str, int],
        step: Step,
    ) -> int:
        """What a function inside is given: the tensor of outside, where it is one of the same shape."""
        known = terms.tensor(meta)
        actual = values[outer[place]] if place < len(outer) else None
        loops = operator(step.name) != "cond"
        if actual is not None and (
            not loops or self.builder.values[actual].kind in {"parameter", "buffer", "constant"}
        ):
            return actual
        more: dict[str, Any] = {}
        if actual is not None:
            more["alias_of" if self.builder.values[actual].shape == known["shape"] else "view_of"] = actual
        value = self._value("activation", meta, **more)
        self.builder.homes[value] = group
        return value

    def _example(self, value: int) -> tuple[int, ...]:
        """Its shape in the run that was exported."""
        return self._examples.get(value, self.builder.values[value].shape)

    def _work(self, step: Step, node: Mapping[str, Any]) -> None:
        shapes = {}
        weights: list[tuple[int, ...]] = []
        slots = iter(step.inputs)
        for named in node["inputs"]:
            found = [self._example(next(slots)) for _ in terms.tensors(named["arg"])]
            if "as_tensor" in named["arg"]:
                shapes[named["name"]] = found[0]
            elif named["name"] == "params":
                weights = found
        made = [self._example(value) for value in step.outputs]
        told = dict(zip(step.arguments.keys, step.arguments.items, strict=True))
        if step.name.startswith(("aten.", "prims.")):
            op = "conv_transpose2d" if told.get("transposed") is True else operator(step.name)
            step.flops, step.arithmetic = work(op, shapes, made, weights)
        else:
            step.arithmetic = "unknown"

    # Modules.

    def _class_of_root(self) -> str:
        for node in self._module["graph"]["nodes"]:
            for scope in self._stack(node, whole=True)[:1]:
                if scope.path == "":
                    return scope.name
        return "ExportedProgram"

    def _classes(self) -> None:
        for entry in self._module.get("module_call_graph", ()):
            if entry["fqn"] and "@" not in entry["fqn"]:
                self.builder.part(entry["fqn"])

    def _stack(self, node: Mapping[str, Any], *, whole: bool = False) -> tuple[Scope, ...]:
        """The modules around a node, the model itself left out."""
        told = node["metadata"].get("nn_module_stack", "")
        known = self._scopes.get(told)
        if known is None:
            known = self._scopes[told] = tuple(_scopes(told))
        return known if whole else tuple(scope for scope in known if scope.path)

    # What comes out, and what is to be said.

    def _results(self, values: dict[str, int]) -> None:
        root, builder = self.builder.root, self.builder
        for spec in self._module["signature"]["output_specs"]:
            ((kind, held),) = spec.items()
            if kind in {"user_output", "loss_output"}:
                arg = held["arg"] if kind == "user_output" else {"as_tensor": held["arg"]}
                root.outputs += [builder.latest(values[name]) for name in terms.tensors(arg)]
            elif kind.endswith("_mutation"):
                changed = held.get("buffer_name") or held.get("parameter_name") or held.get("user_input_name")
                builder.note(f"A run changes the content of {changed}.")
        root.returns = self._structure() or structured(root.outputs)

    def _structure(self) -> Tree:
        """The containers that the model returns, where they hold tensors alone."""
        signature = (self._module.get("module_call_graph") or [{}])[0].get("signature") or {}
        told = json.loads(signature.get("out_spec") or "null")
        if not isinstance(told, list) or len(told) != 2:  # noqa: PLR2004 - protocol and structure
            return None
        slots = deque(range(len(self.builder.root.outputs)))
        tree = terms.container(told[1], slots, 0)
        return None if slots else tree

    def _say(self) -> None:
        builder = self.builder
        if self._symbols:
            names = [name for name in self._symbols if name.isidentifier()] or list(self._symbols)
            builder.note(f"Sizes shown as -1 are dynamic: {', '.join(names[:8])}.")
            known = [f"{name} = {self._symbols[name]}" for name in names[:8] if self._symbols[name] >= 0]
            if known:
                builder.note(f"Operations are counted for the sizes used at export: {', '.join(known)}.")
        if self._scalars:
            builder.note(f"{self._scalars} computations that involve only sizes are not shown.")


def _scopes(told: str) -> Iterable[Scope]:
    for item in told.split(";") if told else ():
        key, _, rest = item.partition(",")
        path, _, name = rest.partition(",")
        yield Scope(key, path.partition("@")[0], name.rpartition(".")[2])


def _name(target: str) -> str:
    return target.removeprefix(OPERATORS)


def _returned(outputs: Sequence[Mapping[str, Any]], step: Step) -> Tree:
    slots = iter(range(len(step.outputs)))
    trees = tuple(terms.argument(output, lambda _: Slot(next(slots))) for output in outputs)
    return trees[0] if len(trees) == 1 else Node("tuple", (), trees)
