"""Nodes and scopes: every call is there, every wire leads to what made the tensor, scopes are the modules' paths."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import torch
from torch import nn

import torchatlas as ta
from core.graphs import irregular
from find import graph_of
from torchatlas.core.graph import Call, Graph, Node, Value
from torchatlas.writers.nodes import nodes_of
from work import lines_run

MODELS = [
    *("counted/gru", "counted/llama", "structures/nested", "structures/dictionary", "structures/closure"),
    *("structures/partial", "modules/shared", "modules/tree", "modules/calls_itself", "modules/some_never"),
    *("modules/hooked", "modules/checkpoint", "modules/scripted", "modules/reparametrized", "modules/lazy"),
    *("sequences/tagger", "sequences/seq2seq", "tensors/in_place", "tensors/into_out", "tensors/views"),
    *("tensors/nested", "tensors/subclass", "tensors/custom_function", "transforms/vmap", "transforms/grad"),
    *("transforms/threads", "torchvision/resnet18", "torchvision/googlenet", "transformers/t5"),
]


def plain(word: str) -> str:
    """Words as they are, but for slashes."""
    return word.replace("/", "|") or "_"


def names(graph: Graph) -> list[str]:
    """The names of all nodes."""
    return [node.name for node in nodes_of(graph, plain).nodes]


@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize("name", MODELS)
def test_every_call_is_a_node_or_a_scope_and_every_wire_leads_back(name, level):
    """Against the graph's own records, looked up another way."""
    graph = graph_of(name, level=level)
    found = nodes_of(graph, plain)
    assert max(Counter(node.name for node in found.nodes).values()) == 1
    assert not {node.name for node in found.nodes} & {*found.calls, *found.modules}
    nodes = {node.at: node for node in found.nodes if node.kind == "call"}
    leaves = {call.id for call in graph.calls if not graph.children[call.id]}
    assert leaves <= nodes.keys()
    assert {call for call in nodes if call not in leaves} <= {value.producer for value in graph.values}
    for position, node in enumerate(found.nodes):
        for edge in node.reads:
            assert edge.node < position
            made = graph.values[found.nodes[edge.node].makes[edge.slot]]
            assert made.id in versions(graph, edge.value)
    for call in leaves:
        assert [edge.value for edge in nodes[call].reads] == list(graph.calls[call].inputs)
        assert set(graph.calls[call].outputs) <= set(nodes[call].makes)
    results = [edge.value for node in found.nodes if node.kind == "output" for edge in node.reads]
    assert Counter(results) == Counter(graph.calls[0].outputs)


def versions(graph: Graph, value: int) -> set[int]:
    """A value, and what it is without having been computed anew."""
    known: set[int] = set()
    todo = [value]
    while todo:
        at = graph.values[todo.pop()]
        known.add(at.id)
        earlier = [at.alias_of] if at.producer is not None else [at.alias_of, at.view_of, at.previous]
        todo += [other for other in earlier if other is not None]
    return known


@pytest.mark.parametrize("name", MODELS)
def test_the_scopes_of_modules_are_their_paths(name):
    """The first call of a module has the scope of its path, and what ran in it is below."""
    graph = graph_of(name)
    found = nodes_of(graph, plain)
    paths = {scope: call for scope, call in found.calls.items() if graph.calls[call].path}
    for path, calls in graph.calls_of.items():
        if path:
            assert paths[path.replace(".", "/")] == calls[0]
    for node in found.nodes:
        if node.kind in {"parameter", "buffer"} and graph.modules:
            owners = [
                module.path
                for module in graph.modules
                if node.at in {value for _, value in (*module.parameters, *module.buffers)}
            ]
            assert not owners or node.scope.replace("/", ".") in owners


class Names(nn.Module):
    """Names that meet: a module called like a function, one called like a second call, and a slash."""

    def __init__(self):
        super().__init__()
        self.relu, self.relu_1 = nn.ReLU(), nn.ReLU()
        self.odd = nn.ModuleDict({"a/b": nn.Linear(2, 2)})

    def forward(self, relu):
        x = self.relu(self.relu(torch.relu(relu)))
        return {"y/z": self.relu_1(self.odd["a/b"](x)), "": (x, 1)}


def test_names_that_meet_are_told_apart():
    """Modules keep their paths; second calls, functions and inputs take the next number."""
    found = set(names(ta.capture(Names(), torch.zeros(1, 2)).graph))
    assert found == {
        *("relu/relu", "relu_1/relu", "relu_2/relu", "relu_3", "relu_4"),
        *("odd/a|b/linear", "odd/a|b/weight", "odd/a|b/bias", "output/y|z", "output/_/0"),
    }


@pytest.mark.parametrize("ran", [True, False])
def test_modules_whose_names_become_one_keep_their_own_weights(ran):
    """Of ``a b`` and ``a_b`` the second has another scope, for its calls and for what it holds."""
    net = nn.Sequential()
    for name in ("a b", "a_b"):
        net.add_module(name, nn.Sequential(nn.Linear(2, 2, bias=False)))
    graph = ta.capture(net, torch.ones(1, 2)).graph if ran else ta.capture(net).graph
    found = nodes_of(graph, lambda word: word.replace(" ", "_"))
    assert {"a_b/0/weight", "a_b_1/0/weight"} <= {node.name for node in found.nodes}
    assert (found.modules["a_b/0"], found.modules["a_b_1/0"]) == ("a b.0", "a_b.0")
    if ran:
        assert {"a_b/0/linear", "a_b_1/0/linear"} <= {node.name for node in found.nodes}


def test_a_model_that_was_not_run_shows_its_modules():
    """One node for each that holds tensors or no other module; it reads what it holds."""
    graph = ta.capture(nn.Sequential(nn.Linear(2, 3), nn.ReLU())).graph
    found = nodes_of(graph, plain)
    reads = {node.name: [found.nodes[edge.node].name for edge in node.reads] for node in found.nodes}
    assert reads == {"0/weight": [], "0/bias": [], "0/Linear": ["0/weight", "0/bias"], "1/ReLU": []}


def test_a_failed_run_goes_up_to_the_failing_call():
    """The call that raised is a node like others, without results."""
    with pytest.raises(RuntimeError) as caught:
        ta.capture(nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 3)), torch.zeros(1, 2))
    found = nodes_of(caught.value.atlas.graph, plain).nodes
    (failed,) = [node for node in found if node.name == "1/linear"]
    assert [found[edge.node].name for edge in failed.reads] == ["0/linear", "1/weight", "1/bias"]
    assert not [node for node in found if node.kind == "output"]


def test_groups_backward_nodes_and_saved_tensors_have_their_names():
    """The kinds that are made from a record, not captured: a scope for the group, nodes for the others."""
    value = Value(0, "activation", (), (2,), "float32", "cpu", 8, producer=2, slot=0)
    calls = (
        Call(0, "function", "backward"),
        Call(1, "group", "Block (×3)", parent=0),
        Call(2, "saved", "saved.self", parent=1, outputs=(0,)),
        Call(3, "backward", "MulBackward0", parent=1, inputs=(0,), arguments=Node("arguments", (), ())),
    )
    found = nodes_of(Graph("loss", calls, (value,)), plain)
    assert [node.name for node in found.nodes] == ["Block (×3)/saved.self", "Block (×3)/MulBackward0"]
    assert [edge.node for edge in found.nodes[1].reads] == [0]


def test_a_structure_of_any_depth_and_width_is_named():
    """1,500 levels of modules take no recursion, 20,000 calls of one name no search through the numbers."""
    deep = [Call(0, "module", "Net", "")]
    deep += [Call(at, "module", "Net", ".".join("a" * at), at - 1) for at in range(1, 1500)]
    assert len(nodes_of(Graph("deep", tuple(deep)), plain).nodes[0].name) > 2 * 1499
    wide = [Call(0, "module", "Net", ""), *(Call(at, "function", "torch.add", parent=0) for at in range(1, 20_000))]
    assert nodes_of(Graph("wide", tuple(wide)), plain).nodes[-1].name == "add_19998"
    assert lines_run(lambda: nodes_of(Graph("wide", tuple(wide)), plain)) < 11 * lines_run(
        lambda: nodes_of(Graph("less", tuple(wide[:2000])), plain)
    )
    small, large = irregular(2000), irregular(20_000)
    assert lines_run(lambda: nodes_of(large, plain)) < 11 * lines_run(lambda: nodes_of(small, plain))
    assert re.fullmatch(r"[a/]+/Net", nodes_of(Graph("deep", tuple(deep)), plain).nodes[0].name)
