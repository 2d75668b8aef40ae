"""Model Explorer's JSON: of the form that its Python package's records say, with modules as layers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import torchatlas as ta
from core.graphs import llama_like
from find import graph_of
from torchatlas.core.graph import Call, Graph, Note, Overlay
from torchatlas.writers import model_explorer
from torchatlas.writers.nodes import nodes_of

# Of model_explorer/graph_builder.py of ai-edge-model-explorer 0.1.34: the fields that are written, and what they hold.
PAIR = {"key": str, "value": str}
METADATA = {"id": str, "attrs": [PAIR]}
EDGE = {"sourceNodeId": str, "sourceNodeOutputId": str, "targetNodeInputId": str}
NODE = {
    "id": str,
    "label": str,
    "namespace": str,
    "attrs": [PAIR],
    "incomingEdges": [EDGE],
    "inputsMetadata": [METADATA],
    "outputsMetadata": [METADATA],
}
COLLECTION = {"label": str, "graphs": [{"id": str, "nodes": [NODE], "groupNodeAttributes": dict}]}
MODELS = [
    *("counted/llama", "structures/nested", "modules/tree", "modules/scripted", "tensors/in_place", "tensors/nested"),
    *("sequences/tagger", "transforms/vmap", "torchvision/resnet18"),
]


def fits(given, form) -> bool:
    """Whether JSON has these fields and no other, of these types."""
    if isinstance(form, list):
        return isinstance(given, list) and all(fits(one, form[0]) for one in given)
    if isinstance(form, dict):
        return isinstance(given, dict) and given.keys() == form.keys() and all(fits(given[k], form[k]) for k in form)
    return isinstance(given, form)


def written(graph: Graph):
    """The records of a graph's file."""
    return json.loads(model_explorer.to_json(graph))


@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize("name", MODELS)
def test_the_records_are_those_of_model_explorer(name, level):
    """Field by field; ids are unique, edges lead to results that are there, attributes belong to layers."""
    graph = graph_of(name, level=level)
    record = written(graph)
    assert fits(record, COLLECTION)
    (made,) = record["graphs"]
    nodes = {node["id"]: node for node in made["nodes"]}
    assert len(nodes) == len(made["nodes"]) == len(nodes_of(graph, str).nodes)
    for node in made["nodes"]:
        inputs = {metadata["id"] for metadata in node["inputsMetadata"]}
        for edge in node["incomingEdges"]:
            outputs = [metadata["id"] for metadata in nodes[edge["sourceNodeId"]]["outputsMetadata"]]
            assert edge["sourceNodeOutputId"] in outputs
            assert edge["targetNodeInputId"] in inputs
    for scope, attributes in made["groupNodeAttributes"].items():
        assert fits([{"key": key, "value": value} for key, value in attributes.items()], [PAIR])
        assert scope == "" or not scope.startswith("/")
    namespaces = {node["namespace"] for node in made["nodes"]}
    ran = {path.replace(".", "/") for path in graph.calls_of if "/" not in path}
    assert ran - made["groupNodeAttributes"].keys() == set()
    assert {path for path in ran if any(space.startswith(path) for space in namespaces)} >= ran - {
        ""
    } or not graph.calls


def test_model_explorers_own_records_take_it():
    """Where its package is installed, which brings half a gigabyte that tests do without."""
    builder = pytest.importorskip("model_explorer.graph_builder")
    dacite = pytest.importorskip("dacite")
    record = written(graph_of("torchvision/resnet18"))
    made = dacite.from_dict(builder.GraphCollection, record, dacite.Config(strict=True))
    assert made.graphs[0].nodes[-1].incomingEdges


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())

    def forward(self, image, scale=2):
        return self.body(image) * scale


def test_nodes_and_layers_say_what_they_are():
    """Arguments by name, shapes, lines; parameters and FLOPs of each module; numbers laid over it."""
    graph = ta.capture(Net(), torch.zeros(1, 1, 5, 5)).graph
    conv = next(call.id for call in graph.calls if call.name.endswith("conv2d"))
    overlay = Overlay("time", "ms", calls=((conv, 1.25),), paths=(("body", 3.5),))
    (made,) = written(replace(graph, overlays=(overlay,), notes=(Note("only a guess"),)))["graphs"]
    nodes = {node["id"]: node for node in made["nodes"]}
    node = nodes["body/0/conv2d"]
    facts = {pair["key"]: pair["value"] for pair in node["attrs"]}
    assert (node["label"], node["namespace"]) == ("conv2d", "body/0")
    assert (facts["stride"], facts["flops"], facts["module"], facts["time"]) == ("(1, 1)", "324", "body.0", "1.25 ms")
    assert node["inputsMetadata"][1] == {
        "id": "1",
        "attrs": [{"key": "__tensor_tag", "value": "weight"}, {"key": "tensor_shape", "value": "float32[2, 1, 3, 3]"}],
    }
    assert node["outputsMetadata"][0]["attrs"][0] == {"key": "tensor_shape", "value": "float32[1, 2, 3, 3]"}
    assert node["incomingEdges"][1] == {
        "sourceNodeId": "body/0/weight",
        "sourceNodeOutputId": "0",
        "targetNodeInputId": "1",
    }
    groups = made["groupNodeAttributes"]
    assert (groups["body"]["parameters"], groups["body"]["flops"], groups["body"]["time"]) == ("20", "324", "3.5 ms")
    assert (groups[""]["class"], groups[""]["parameters"]) == ("Net", "20")
    assert groups[""]["note 1"] == "only a guess"


def test_a_backward_pass_comes_with_its_run():
    """Two graphs; a node says which call of the run it belongs to."""
    forward = llama_like(2, 9)
    graph = Graph("loss", (Call(0, "group", "loss"), Call(1, "backward", "MmBackward0", parent=0, forward=3)))
    backward, run = written(replace(graph, forward=forward))["graphs"]
    facts = {pair["key"]: pair["value"] for pair in backward["nodes"][0]["attrs"]}
    assert facts["forward"].split()[0] == forward.calls[3].name
    assert run["id"] == f"{forward.name} (forward)"


def test_a_model_that_was_not_run_has_layers_too(tmp_path):
    """Modules with what they hold."""
    path = ta.capture(Net()).save(tmp_path / "net.model-explorer.json")
    (made,) = json.loads(path.read_text())["graphs"]
    assert made["groupNodeAttributes"]["body"] == {"module": "body", "class": "Sequential", "mode": "training"} | {
        "parameters": "20",
        "flops": "0",
    }
    assert [node["id"] for node in made["nodes"]] == [
        *("body/0/weight", "body/0/bias", "body/0/Conv2d", "body/1/ReLU"),
    ]
