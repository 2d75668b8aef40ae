"""The graph of a backward pass: every autograd node as a call, every edge as a gradient, in the order of the pass."""

from __future__ import annotations

import math
import platform
from typing import TYPE_CHECKING, Any

import torch

from torchatlas.capture.backward.attributes import attributes, name_of
from torchatlas.capture.backward.forward_link import UNSURE
from torchatlas.capture.backward.frames import CallInMaking, Frames, begin, connect
from torchatlas.capture.backward.named_tensors import known_tensors
from torchatlas.capture.backward.outputs import starts
from torchatlas.capture.backward.remarks import Remarks
from torchatlas.capture.backward.saved import is_freed, saved_by
from torchatlas.capture.backward.walk import depth_of, in_order
from torchatlas.capture.stored import dtype_name
from torchatlas.capture.torch_private import UNNUMBERED, gradient_forms
from torchatlas.capture.undo import undoing
from torchatlas.capture.unrecorded import keep_modes, unrecorded
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Graph, Node, Provenance, Slot, Text, Value
from torchatlas.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from torchatlas.capture.backward.forward_link import ForwardLink
    from torchatlas.capture.backward.named_tensors import KnownTensors
    from torchatlas.capture.backward.outputs import Start
    from torchatlas.capture.backward.saved import Saved
    from torchatlas.capture.backward.walk import AutogradNode
    from torchatlas.capture.torch_private import GradientForm
    from torchatlas.core.graph import Tree, ValueKind

_BOXES = 4  # gradients of leaves that are returned each by itself; more are returned as one structure
_LEAF = "AccumulateGrad"
_WORDS: dict[str, Tree] = {"freed": Text("freed"), "packed": Text("packed by a hook, not read"), "unneeded": None}
_KINDS: dict[str, ValueKind] = {"parameter": "parameter", "buffer": "buffer", "output": "output"}


def backward_graph(outputs: Any, params: Any, forward: Graph | None, link: ForwardLink | None, *, saved: bool) -> Graph:
    """The graph of the pass that ``backward`` would make from ``outputs``; nothing runs, nothing is changed.

    Args:
        outputs: a tensor, or any structure of tensors.
        params: names for leaves: a module, or a mapping of names to tensors.
        forward: the run that made the outputs.
        link: what that run left for this.
        saved: with the tensors that nodes keep.

    Raises:
        InputError: there is no graph behind the outputs, the run did not make it, or ``params`` is of another type.
    """
    with undoing() as undo:
        keep_modes(undo)
        with unrecorded():
            return _graph(outputs, params, forward, link, saved=saved)


def _graph(outputs: Any, params: Any, forward: Graph | None, link: ForwardLink | None, *, saved: bool) -> Graph:
    known = known_tensors(params, forward, link)
    roots, arguments = starts(outputs)
    for root in roots:
        known.call(root.tensor, "output", root.name)
    pass_ = _Pass(known, forward, link, saved=saved)
    return pass_.run(roots, arguments)


class _Pass:
    """One backward pass in the making."""

    def __init__(self, known: KnownTensors, forward: Graph | None, link: ForwardLink | None, *, saved: bool) -> None:
        self.known, self.forward, self.saved = known, forward, saved
        self.makers = link.makers if link is not None else {}
        self.calls: list[CallInMaking] = []
        self.frames = Frames(forward, self.calls)
        self.arrived: dict[tuple[int, int], list[int]] = {}  # by node and input number: gradients
        self.tied: dict[int, int] = {}  # by leaf's node: the forward call of the last node that feeds it
        self.made: dict[int, int | None] = {}  # by gradient, its maker
        self.read: dict[int, list[int]] = {}  # by gradient, its readers
        self.leaves: list[tuple[str, int]] = []  # names and gradients of leaves that are no parameters
        self.remarks = Remarks()

    def run(self, roots: Sequence[Start], arguments: Node) -> Graph:
        names = ", ".join(list(dict.fromkeys(root.name for root in roots))[:_BOXES])
        whole = begin(self.calls, "function", f"backward of {self.known.name or names}", None)
        whole.arguments, whole.forward = arguments, 0 if self.forward is not None else None
        nodes = in_order([root.node for root in roots])
        place = {id(node.node): node for node in nodes}
        self.find_leaves(nodes)
        for root in roots:
            self.remarks.start(root)
            node = place[id(root.node)]
            form = gradient_forms(root.node)[root.input_number]
            value = self.gradient(form, None, kind="input", names=(root.name,))
            whole.inputs.append(value)
            self.arrived.setdefault((id(node), root.input_number), []).append(value)
        for node in nodes:
            self.node(node)
        self.remarks.depth = depth_of(nodes)
        self.check_tied(nodes)
        whole.returns = self.returns()
        whole.outputs = [value for _, value in self.leaves]
        for value in whole.outputs:
            self.read.setdefault(value, []).append(0)
        connect(self.calls, self.read, self.made)
        return Graph(
            whole.name,
            tuple([call.frozen(self.forward) for call in self.calls]),
            tuple(self.known.values),
            self.known.modules,
            self.remarks.notes(),
            provenance=self.provenance(),
            forward=self.forward,
        )

    def gradient(self, form: GradientForm, maker: int | None, **more: Any) -> int:
        value = Value(
            len(self.known.values),
            shape=form.shape,
            dtype=dtype_name(form.dtype),
            device=str(form.device),
            nbytes=math.prod(form.shape) * form.dtype.itemsize if min(form.shape, default=0) >= 0 else None,
            producer=maker,
            **{"kind": "activation", "names": ()} | more,
        )
        self.known.values.append(value)
        self.made[value.id] = maker
        return value.id

    def node(self, node: AutogradNode) -> None:
        """One node: what it keeps, itself, and the gradients it hands on."""
        name = name_of(node.node)
        made = self.forward_call(node, name)
        frame = 0 if name == _LEAF and not self.is_parameter(node.node.variable) else self.frames.around(made)
        kept = self.kept(node.node, frame, made) if self.saved else []
        call = begin(self.calls, "backward", name, frame, forward=made)
        forms = gradient_forms(node.node)
        items: list[tuple[str, Tree]] = [self.gradients(call, node, len(forms))]
        if name == _LEAF:
            items.append(("variable", self.leaf(call, node, forms)))
        else:
            drawn = {key for key, _ in kept}
            items += [(key, tree) for key, tree in attributes(node.node) if key not in drawn]
        for key, value in kept:
            call.inputs.append(value) if isinstance(value, int) else None
            items.append((key, Slot(len(call.inputs) - 1) if isinstance(value, int) else value))
        call.arguments = Node("arguments", tuple([key for key, _ in items]), tuple([item for _, item in items]))
        if not self.saved and is_freed(node.node):
            self.remarks.freed.append(call.id)
        if name == "CopySlices":
            self.remarks.copied.append(call.id)
        self.hand_on(call, node, made)

    def forward_call(self, node: AutogradNode, name: str) -> int | None:
        if node.number == UNNUMBERED:
            return self.tied.get(id(node)) if name == _LEAF else None
        made = self.makers.get(node.number)
        return None if made == UNSURE else made

    def gradients(self, call: CallInMaking, node: AutogradNode, count: int) -> tuple[str, Tree]:
        """What arrives at the inputs of a node; where several gradients do, they are summed."""
        items: list[Tree] = []
        for number in range(count):
            values = self.arrived.pop((id(node), number), ())
            first = len(call.inputs)
            call.inputs += values
            here = tuple(map(Slot, range(first, len(call.inputs))))
            items.append(here[0] if len(here) == 1 else Node("sum", (), here) if here else None)
        for value in call.inputs:
            self.read.setdefault(value, []).append(call.id)
        return ("gradient", items[0]) if count == 1 else ("gradients", Node("tuple", (), tuple(items)))

    def find_leaves(self, nodes: Sequence[AutogradNode]) -> None:
        """Values for all leaves, before nodes are asked what they keep: it may be a leaf."""
        leaves = [node.node.variable for node in nodes if name_of(node.node) == _LEAF]
        named = [self.leaf_value(leaf).names for leaf in leaves]
        given = self.known.given
        self.remarks.strange = bool(given) and not all(named) and given.isdisjoint(map(id, leaves))

    def is_parameter(self, tensor: Tensor) -> bool:
        """Whether a leaf is one; what is none belongs to no module, and its gradient leaves the whole pass."""
        return self.leaf_value(tensor).kind == "parameter"

    def leaf_value(self, tensor: Tensor) -> Value:
        """The value of a leaf; one that no model and no run knows gets one here."""
        value = self.known.value_of(tensor)
        if value is None:
            name, is_parameter = self.known.name_of(tensor), isinstance(tensor, torch.nn.Parameter)
            self.known.call(tensor, "parameter" if is_parameter else "leaf", name)
            value = self.known.add(tensor, "parameter" if is_parameter else "input", names=(name,) if name else ())
        return value

    def leaf(self, call: CallInMaking, node: AutogradNode, forms: Sequence[GradientForm]) -> Tree:
        """The tensor whose gradient is accumulated; what is no parameter has its gradient returned."""
        value = self.leaf_value(node.node.variable)
        call.inputs.append(value.id)
        if value.kind != "parameter":
            name = value.names[0] if value.names else f"leaf {1 + len(self.leaves)}"
            gradient = self.gradient(forms[0], call.id, kind="output", names=(f"{name}.grad",), slot=0)
            call.outputs, call.returns = [gradient], Slot(0)
            self.leaves.append((f"{name}.grad", gradient))
        return Slot(len(call.inputs) - 1)

    def hand_on(self, call: CallInMaking, node: AutogradNode, made: int | None) -> None:
        """A gradient along each edge."""
        items: list[Tree] = []
        for edge in node.edges:
            if edge is None:
                items.append(None)
                continue
            target, number = edge
            slot = len(call.outputs)
            value = self.gradient(gradient_forms(target.node)[number], call.id, slot=slot)
            call.outputs.append(value)
            self.arrived.setdefault((id(target), number), []).append(value)
            items.append(Slot(slot))
            if target.number == UNNUMBERED and made is not None:
                self.tied[id(target)] = made
        if items:
            call.returns = items[0] if len(items) == 1 else Node("tuple", (), tuple(items))

    def kept(self, node: Any, frame: int, made: int | None) -> list[tuple[str, int | Tree]]:
        """Calls for the tensors that a node keeps; for each its value, or what keeps it from being read."""
        found: list[tuple[str, int | Tree]] = []
        for one in saved_by(node):
            if one.state == "freed":
                self.remarks.freed.append(len(self.calls))
            if one.tensor is None:
                self.remarks.unread += one.state == "packed"
                found.append((one.name, _WORDS[one.state]))
            else:
                found.append((one.name, self.hold(one, one.tensor, frame, made)))
        return found

    def hold(self, one: Saved, tensor: Tensor, frame: int, made: int | None) -> int:
        """The value of a saved tensor; what several nodes keep is one."""
        held = self.known.saved(tensor)
        if held is not None:
            return held.id
        named = self.known.named(tensor)
        value = self.known.value_at(tensor)
        if value is None and named is not None:
            value = self.known.add(tensor, _KINDS.get(named.kind, "input"), names=(named.name,))
        call = begin(
            self.calls, "saved", named.name if named is not None and named.name else one.name, frame, forward=made
        )
        said = {"is": named.kind} if named is not None else {}
        if one.state == "written":
            said["state"] = "written in place since"
            self.remarks.written.append(call.id)
        call.arguments = Node("arguments", tuple(said), tuple(said.values()))
        same = {"alias_of": value.id, "view_of": None} if value is not None else {}
        new = self.known.add(tensor, "activation", names=(call.name,), producer=call.id, slot=0, **same)
        call.outputs, call.returns = [new.id], Slot(0)
        self.remarks.keep(new, tensor, is_new=named is None)
        return new.id

    def returns(self) -> Tree:
        if not self.leaves:
            return None
        names = tuple([name for name, _ in self.leaves])
        whole = Node("gradients", names, tuple(map(Slot, range(len(names)))))
        return whole if len(names) <= _BOXES else Node("gradients", ("gradients",), (whole,))

    def check_tied(self, nodes: Sequence[AutogradNode]) -> None:
        if self.forward is None:
            return
        if not any(call.kind == "backward" and call.forward is not None for call in self.calls):
            raise InputError(
                f"the run of {self.forward.name} in atlas made none of these {len(nodes)} autograd nodes. Compute"
                f" the loss from what that run returned, atlas.outputs, or leave out atlas."
            )
        self.remarks.threads = len({self.forward.calls[call].thread for call in self.makers.values() if call != UNSURE})
        self.remarks.unsure = sum(self.makers.get(node.number) == UNSURE for node in nodes)

    def provenance(self) -> Provenance:
        return Provenance(
            torchatlas=__version__,
            torch=str(torch.__version__),
            python=platform.python_version(),
            backward=True,
            saved_tensors=self.saved,
        )
