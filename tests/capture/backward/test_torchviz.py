"""What torchviz draws has its equal: each of its nodes, edges, names, attributes and saved tensors is in our graph.

The examples are of the kinds that torchviz's documentation shows. Nodes are matched by identity, so nothing is taken
for something that merely looks like it.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.capture.backward.walk import in_order
from torchatlas.core.check import check
from torchatlas.core.graph import Node, Slot, Text
from torchvision_cpu import torchvision_models

WRAPPED = 2**64


def mlp():
    """A perceptron, as in torchviz's README."""
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    return model(torch.randn(1, 8)).mean(), dict(model.named_parameters())


def lstm():
    """Results in a nested tuple, of which two are stacks."""
    model = nn.LSTM(3, 4)
    output, (hidden, cell) = model(torch.randn(5, 2, 3))
    return (output, hidden, cell), dict(model.named_parameters())


def lstm_cell():
    """A cell by itself."""
    cell = nn.LSTMCell(3, 4)
    return cell(torch.randn(2, 3), (torch.randn(2, 4), torch.randn(2, 4))), dict(cell.named_parameters())


def double_backward():
    """The gradient of a gradient's norm, as for a gradient penalty."""
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    x = torch.randn(1, 8, requires_grad=True)
    gradients = torch.autograd.grad(model(x).mean(), x, create_graph=True)
    loss = (gradients[0].norm() - 1) ** 2
    return loss, {**dict(model.named_parameters()), "x": x}


class Scale(torch.autograd.Function):
    """Keeps an input, a result, a tensor on its context and two plain attributes."""

    @staticmethod
    def forward(ctx, x, scale):
        y = x.exp() * scale
        ctx.save_for_backward(x, y)
        ctx.scale, ctx.how = scale, "exp"
        return y

    @staticmethod
    def backward(ctx, gradient):
        _, y = ctx.saved_tensors
        return gradient * y, None


def custom_function():
    """A function of the user's own."""
    x = torch.randn(3, requires_grad=True)
    return Scale.apply(x * 2, 3.0).sum(), {"x": x}


def convolutions():
    """Convolution, batch norm in training, in-place ReLU, pooling, dropout, a residual."""
    body = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Dropout(0.5))
    x = torch.randn(2, 3, 8, 8)
    y = nn.functional.max_pool2d(x + body(x), 2).flatten(1)
    return y, dict(body.named_parameters())


def resnet():
    """The whole of a ResNet-18, on small images."""
    model = torchvision_models().resnet18(num_classes=10)
    return model(torch.randn(2, 3, 32, 32)), dict(model.named_parameters())


def alexnet():
    """The whole of an AlexNet's features, with a small head."""
    model = nn.Sequential(torchvision_models().alexnet().features, nn.Flatten(), nn.Linear(256, 10))
    return model(torch.randn(1, 3, 64, 64)), dict(model.named_parameters())


def in_place_through_a_view():
    """A write into a part, and a view of the whole that is asked for afterwards."""
    x = torch.randn(4, 4, requires_grad=True)
    y = x * 2
    y[1:3].mul_(3)
    return (y.view(2, 8), y[0]), {"x": x}


def indexed():
    """Lists of saved tensors, sizes, strides, dimensions that count from the end, several results of one node."""
    x = torch.randn(4, 6, requires_grad=True)
    y = x * 2
    first, second = y.softmax(-1).split(3, -1)
    picked = first[torch.tensor([0, 2]), torch.tensor([1, 1])]
    return (torch.stack([picked, second.unbind()[0][:2]], -1).logsumexp(-1).cumsum(0), y.std(-1)), {"x": x}


EXAMPLES = [
    mlp,
    lstm,
    lstm_cell,
    double_backward,
    custom_function,
    convolutions,
    resnet,
    alexnet,
    in_place_through_a_view,
    indexed,
]


@dataclass
class Told:
    """What is said of a graph: names, attributes and saved shapes by node, edges, and leaves with their names."""

    names: dict[int, str] = field(default_factory=dict)
    attributes: dict[int, dict[str, str]] = field(default_factory=dict)
    saved: dict[int, Counter] = field(default_factory=dict)
    edges: Counter = field(default_factory=Counter)
    leaves: dict[int, tuple[str, str]] = field(default_factory=dict)


def by_torchviz(outputs, params) -> Told:
    """Read from the text that torchviz writes for Graphviz."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports distutils
        from torchviz import make_dot  # noqa: PLC0415  # as above

        source = make_dot(outputs, params=params, show_attrs=True, show_saved=True, max_attr_chars=10**6)
    boxes, lines = {}, []
    for line in source.body:
        edge = re.match(r"\t(\d+) -> (\d+)(.*)", line)
        if edge:
            lines.append((int(edge[1]), int(edge[2]), edge[3]))
        else:
            box = re.match(r'\t(\d+) \[label=(?:"(.*?)"|(\w+))(?: fillcolor=(\w+))?\]', line, re.DOTALL)
            boxes[int(box[1])] = box[2] or box[3], box[4]
    told = Told()
    for number, (label, colour) in boxes.items():
        if colour is not None:
            continue
        name, *rest = label.split("\n")
        told.names[number] = name
        pairs = [line.partition(":") for line in rest[1:]]
        told.attributes[number] = {
            key.strip(): value.strip() for key, _, value in pairs if not value.strip().startswith("[saved")
        }
        told.saved[number] = Counter()
    for one, other, style in lines:
        if "none" in style:  # between a node and a tensor, either way
            node, tensor = (one, other) if one in told.names else (other, one)
            told.saved[node][boxes[tensor][0].split("\n")[-1].strip()] += 1
        elif one in told.names and other in told.names:
            told.edges[other, one] += 1
        elif boxes[one][1] == "lightblue" and other in told.names:
            name, size = boxes[one][0].split("\n")
            told.leaves[other] = name.strip(), size.strip()
    return told


def by_us(outputs, params, nodes) -> Told:
    """Read from our graph; its backward calls are the nodes, in that order."""
    graph = ta.backward(outputs, params=params, saved=True).graph
    check(graph)
    calls = [call for call in graph.calls if call.kind == "backward"]
    number = {call.id: id(node) for call, node in zip(calls, nodes, strict=True)}
    told = Told()
    for call in calls:
        here = number[call.id]
        told.names[here] = call.name
        given = dict(zip(call.arguments.keys, call.arguments.items, strict=True))
        told.saved[here] = Counter(
            size(graph.values[value])
            for value in call.inputs
            if graph.values[value].producer is not None and graph.calls[graph.values[value].producer].kind == "saved"
        )
        if call.name == "AccumulateGrad":
            value = graph.values[call.inputs[given["variable"].index]]
            told.leaves[here] = value.names[0], size(value)
        told.attributes[here] = {
            key: str(plain(tree))
            for key, tree in given.items()
            if key not in ("gradient", "gradients", "variable") and not holds_tensor(tree)
        }
        for value in call.outputs:
            for reader in graph.readers[value]:
                if reader:
                    told.edges[here, number[reader]] += call.outputs.count(value)
    return told


def size(value) -> str:
    """As torchviz writes it."""
    return f"({', '.join(map(str, value.shape))})"


def holds_tensor(tree) -> bool:
    """Whether a tensor stands somewhere in it, or a word in the place of one."""
    if isinstance(tree, Node):
        return any(map(holds_tensor, tree.items))
    return isinstance(tree, Slot) or tree == Text("tensor")


def plain(tree):
    """A tree as the Python object it was."""
    if isinstance(tree, Node):
        return tuple(map(plain, tree.items))
    return tree.text if isinstance(tree, Text) else tree


def signed(text: str) -> str:
    """Torchviz prints a dimension that counts from the end as torch keeps it, without its sign."""
    return re.sub(
        r"\d{19,}", lambda found: str(int(found[0]) - WRAPPED if int(found[0]) >= WRAPPED // 2 else found[0]), text
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_everything_that_torchviz_draws_is_in_the_graph(example):
    """Node by node: name, attributes, saved tensors, leaf; and edge by edge."""
    torch.manual_seed(0)
    outputs, params = example()
    each = outputs if isinstance(outputs, tuple) else (outputs,)
    nodes = [found.node for found in in_order([output.grad_fn for output in each])]  # alive, so that ids stay theirs
    ours, theirs = by_us(outputs, params, nodes), by_torchviz(outputs, params)
    assert ours.names == theirs.names
    assert ours.edges == theirs.edges
    assert ours.leaves == theirs.leaves
    assert ours.saved == theirs.saved
    function = {id(node) for node in nodes if hasattr(node, "saved_tensors")}
    for node, told in theirs.attributes.items():
        if node not in function:  # of those, torchviz shows no attribute at all
            assert {key: ours.attributes[node].get(key) for key in told} == {
                key: signed(value) for key, value in told.items()
            }
