"""What a backward pass starts from: the tensors of any structure that have a graph behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge

from torchatlas.capture.objects.contents import class_name, is_a
from torchatlas.capture.objects.tree import describe_whole, places
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Node, Slot, Text

if TYPE_CHECKING:
    from torch import Tensor

    from torchatlas.core.graph import Tree

_SHOWN = 4
_NO_GRADIENT = Text("no gradient")


@dataclass(frozen=True, slots=True)
class Start:
    """One tensor that the pass starts from: its name in the user's structure, and where its gradient enters."""

    name: str
    tensor: Tensor
    node: Any
    input_number: int


def starts(outputs: Any) -> tuple[list[Start], Node]:
    """The tensors that have a graph, and the structure they stand in, as the arguments of a call.

    Raises:
        InputError: there is no tensor, or none that requires a gradient; says what to do.
    """
    found: list[Tensor] = []
    arguments = _as_arguments(describe_whole(outputs, found))
    if not found:
        raise InputError(_no_tensor(outputs))
    names = dict(places(arguments))
    slots = [slot for slot, tensor in enumerate(found) if tensor.requires_grad]
    if not slots:
        raise InputError(_no_gradient([(names[slot], tensor) for slot, tensor in enumerate(found)]))
    made = []
    for slot in slots:
        edge = get_gradient_edge(found[slot])
        made.append(Start(names[slot], found[slot], edge.node, edge.output_nr))
    kept = _keep(arguments, {slot: place for place, slot in enumerate(slots)})
    return made, kept if isinstance(kept, Node) else arguments


def _as_arguments(tree: Tree) -> Node:
    """Keys and fields name the tensors; what has none is numbered."""
    if not isinstance(tree, Node):
        return Node("arguments", ("output",), (tree,))
    keys = tree.keys or tuple([f"output[{number}]" for number in range(len(tree.items))])
    return Node("arguments", keys, tree.items)


def _keep(tree: Tree, slots: dict[int, int]) -> Tree:
    if isinstance(tree, Slot):
        return Slot(slots[tree.index]) if tree.index in slots else _NO_GRADIENT
    if isinstance(tree, Node):
        return Node(tree.type, tree.keys, tuple([_keep(item, slots) for item in tree.items]))
    return tree


def _no_tensor(outputs: Any) -> str:
    given = f"outputs={class_name(type(outputs))}"
    if is_a(outputs, nn.Module):
        return (
            f"{given} is a model; give backward what the model returned, or a loss computed from it. Run the model"
            f" first: "
            "backward(model(x), params=model), or atlas = capture(model, x, grad=True) and backward(atlas=atlas)."
        )
    return f"{given} holds no tensor. Give backward a tensor, or a structure of tensors, as a model returns it."


def _no_gradient(given: list[tuple[str, Tensor]]) -> str:
    said = ", ".join(f"{name} ({tensor.dtype}, {tuple(tensor.shape)})" for name, tensor in given[:_SHOWN])
    more = f" and {len(given) - _SHOWN} more" if len(given) > _SHOWN else ""
    off = " Gradients are off right now: leave torch.no_grad()." if not torch.is_grad_enabled() else ""
    return (
        f"There is no autograd graph behind {said}{more}: none requires a gradient.{off} Run the model outside"
        f" torch.no_grad() "
        "and torch.inference_mode(), on parameters or inputs with requires_grad=True, and do not detach its result; "
        "or capture it with capture(model, ..., grad=True)."
    )
