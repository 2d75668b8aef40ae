"""Pairs of graphs for the tests in this folder: two versions compared by path, and a backward pass of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from torchatlas.core.graph import Call, Graph, Node, Slot, Value
from torchatlas.views.drawing.unrun import shown
from torchatlas.views.page.page import page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.views.page.page import Page


def compared(one: Graph, other: Graph) -> Page:
    """Modules of the same path belong together, and in them calls of the same name and turn."""
    keys = [dict(_keys(shown(graph))) for graph in (one, other)]
    pairs = [(call, keys[1][key]) for key, call in keys[0].items() if key in keys[1]]
    marks: tuple[dict[int, Any], dict[int, Any]] = ({}, {})
    for own, theirs, marked, lone in zip(keys, reversed(keys), marks, ("removed", "added"), strict=True):
        marked.update({call: lone for key, call in own.items() if key not in theirs})
    for a, b in pairs:
        same = _said(shown(one), a) == _said(shown(other), b)
        marks[0][a] = marks[1][b] = "same" if same else "changed"
    return page(one, beside=other, pairs=pairs, marks=marks, titles=("before", "after"))


def _keys(graph: Graph) -> Iterator[tuple[tuple[object, ...], int]]:
    known: dict[int | None, tuple[object, ...]] = {None: ()}
    turns: dict[tuple[object, ...], int] = {}
    for call in graph.calls:
        name = call.path if call.path is not None else call.name
        key = (*known[call.parent], name)
        turns[key] = turns.get(key, 0) + 1
        known[call.id] = (*key, turns[key])
        yield known[call.id], call.id


def _said(graph: Graph, call: int) -> object:
    known = graph.calls[call]
    module = graph.module_at[known.path] if known.path else None
    shapes = [graph.values[value].shape for value in known.outputs]
    return known.name, module and module.settings, shapes


class Steps(nn.Module):
    """A convolution, a norm, an activation, and a layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 1))
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (N, 2) of images (N, 3, H, W)."""
        x = self.body(self.body(self.norm(self.conv(x))))
        return self.head(x.mean((2, 3)))


def backward(run: Graph) -> Graph:
    """A graph of the form of a backward pass: a node per function of the run, each with a tensor that it keeps."""
    calls: list[Call] = [Call(0, "function", "backward of the loss", forward=0)]
    gradient = 0
    values = [Value(gradient, "input", ("loss.grad",), (), "float32", "cpu", 4)]
    frames: dict[int, int] = {0: 0}
    leaves = [call for call in run.calls if call.id and not run.children[call.id]]

    def tensor(like: Value, **more: Any) -> int:
        values.append(Value(len(values), "activation", (), like.shape, like.dtype, like.device, like.nbytes, **more))
        return values[-1].id

    for made in reversed(leaves):
        frame = _frame(run, made.parent or 0, calls, frames)
        result = run.values[made.outputs[0]]
        kept = tensor(result, producer=len(calls))
        calls.append(Call(len(calls), "saved", "result", None, frame, (), (kept,), returns=Slot(0), forward=made.id))
        node = len(calls)
        name = f"{made.name.rpartition('.')[2].strip('_').title().replace('_', '')}Backward0"
        arguments = Node("arguments", ("gradient", "result"), (Slot(0), Slot(1)))
        inputs, handed = (gradient, kept), tensor(result, producer=node, slot=0)
        calls.append(Call(node, "backward", name, None, frame, inputs, (handed,), arguments, Slot(0), forward=made.id))
        gradient = handed
    return Graph(calls[0].name, tuple(calls), tuple(values), (), forward=run)


def _frame(run: Graph, made: int, calls: list[Call], frames: dict[int, int]) -> int:
    """The frame of the backward pass for a module call of the run."""
    if made not in frames:
        around = _frame(run, run.calls[made].parent or 0, calls, frames)
        frames[made] = len(calls)
        calls.append(Call(len(calls), "module", run.calls[made].name, run.calls[made].path, around, forward=made))
    return frames[made]
