"""Event files: TensorBoard's own readers find the graph, its nodes and scopes, and serve it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest
import torch
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from torch import nn

import torchatlas as ta
from core.graphs import llama_like
from find import graph_of
from torchatlas.core.errors import FileError, MissingError
from torchatlas.core.graph import Call, Graph, Node, Value
from torchatlas.writers import tensorboard
from torchatlas.writers.nodes import nodes_of

NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
MODELS = [
    *("counted/llama", "structures/nested", "modules/tree", "modules/scripted", "tensors/in_place", "tensors/nested"),
    *("sequences/tagger", "transforms/vmap", "torchvision/resnet18"),
]


def read(path):
    """The GraphDef, as TensorBoard's accumulator reads it."""
    return EventAccumulator(str(path)).Reload().Graph()


def checked(graph: Graph, made) -> None:
    """Names are TensorFlow's, unique, and each input is a result of a node before it."""
    nodes = {}
    for node in made.node:
        assert NAME.fullmatch(node.name)
        assert node.name not in nodes
        for source in node.input:
            name, _, slot = source.partition(":")
            assert int(slot or 0) < len(nodes[name].attr["_output_shapes"].list.shape)
        nodes[node.name] = node
    scopes = {name[:at] for name in nodes for at, sign in enumerate(name) if sign == "/"}
    assert not scopes & nodes.keys()
    calls = [call for call in graph.calls if not graph.children[call.id]]
    names = Counter(node.op for node in made.node)
    for name, count in Counter(call.name for call in calls).items():
        assert names[name] >= count
    assert sum(len(node.input) for node in made.node) >= sum(len(call.inputs) for call in calls)


@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize("name", MODELS)
def test_tensorboard_reads_every_node_and_wire(tmp_path, name, level):
    """Through its event reader, against the calls of the graph."""
    graph = graph_of(name, level=level)
    written = tensorboard.write(graph, tmp_path / "logs")
    assert list((tmp_path / "logs").iterdir()) == [written]
    made = read(tmp_path / "logs")
    checked(graph, made)
    paths = {module.path.replace(".", "/") for module in graph.modules if module.path in graph.calls_of}
    scopes = {node.name[:at] for node in made.node for at, sign in enumerate(node.name) if sign == "/"}
    assert {path for path in paths if path and NAME.fullmatch(path)} <= scopes


@pytest.mark.filterwarnings("ignore:html5lib")
def test_the_plugin_serves_the_graph(tmp_path):
    """What the page of TensorBoard asks for, of 32 layers: that there is a graph, and its text."""
    from tensorboard.plugins.graph.graphs_plugin import GraphsPlugin  # noqa: PLC0415 - what it imports warns

    graph = llama_like(32, 18)
    ta.Atlas(graph).save(tmp_path / "llama", format="tensorboard")
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(tmp_path))
    multiplexer.Reload()
    plugin = GraphsPlugin(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(tmp_path))))
    assert plugin.info_impl(RequestContext(), "1") == {"llama": {"run": "llama", "tags": {}, "run_graph": True}}
    text, kind = plugin.graph_impl(RequestContext(), "llama", None, is_conceptual=False, experiment="1")
    assert kind == "text/x-protobuf"
    assert text.count("\nnode {") + text.startswith("node {") == len(nodes_of(graph, str).nodes)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.table = nn.Buffer(torch.zeros(2))

    def forward(self, image):
        return self.conv(image).relu_() + self.table[:, None, None]


def test_a_node_says_what_it_was():
    """Shapes, device, operation, arguments, module and line; the version written in place is the next reader's."""
    made = tensorboard.graph_def(ta.capture(Net(), torch.zeros(1, 1, 5, 5)).graph)
    nodes = {node.name: node for node in made.node}
    assert [(node.name, node.op) for node in made.node] == [
        ("conv/weight", "Parameter"),
        ("conv/bias", "Parameter"),
        ("table", "Buffer"),
        ("image", "Placeholder"),
        ("conv/conv2d", "F.conv2d"),
        ("relu", "Tensor.relu_"),
        ("index", "Tensor.__getitem__"),
        ("add", "Tensor.add"),
        ("output", "Output"),
    ]
    conv = nodes["conv/conv2d"]
    assert list(conv.input) == ["image", "conv/weight", "conv/bias"]
    assert [dim.size for dim in conv.attr["_output_shapes"].list.shape[0].dim] == [1, 2, 3, 3]
    assert conv.device == "cpu"
    facts = {key: value.s.decode() for key, value in conv.attr.items() if value.s}
    assert facts["module"] == "conv"
    assert facts["stride"] == "(1, 1)"
    assert facts["flops"] == "324"
    assert re.search(r"test_tensorboard\.py:\d+$", facts["source"])
    assert list(nodes["relu"].input) == ["conv/conv2d"]
    assert list(nodes["add"].input) == ["relu", "index"]


def test_the_second_result_is_read_from_its_slot():
    """``name:1``, as TensorFlow writes it."""
    graph = ta.capture(lambda x: x.max(0)[1] + 1, torch.zeros(2, 3)).graph
    nodes = {node.name: node for node in tensorboard.graph_def(graph).node}
    assert list(nodes["add"].input) == ["max:1"]


def test_odd_names_and_sizes_are_written_as_far_as_tensorboard_can():
    """Letters of other scripts, halves of characters, leading signs, sizes that vary or that no int64 holds."""
    values = (
        Value(0, "input", ("_\u7f51\ud800",), (-1, 2**70), "float32\udfff", "cpu", None),
        Value(1, "activation", (), (), "float32", "cpu", None, producer=1, slot=0),
    )
    arguments = Node("arguments", ("text\ud800", "call"), ("\ud800" * 1000, 10**6000))
    calls = (
        Call(0, "function", "f"),
        Call(1, "function", "a/b\ud800", parent=0, inputs=(0,), outputs=(1,), arguments=arguments),
    )
    graph = Graph("\ud800", calls, values)
    made = tensorboard.graph_def(graph)
    assert made.SerializeToString()
    assert [dim.size for dim in made.node[0].attr["_output_shapes"].list.shape[0].dim] == [-1, 2**63 - 1]
    assert made.node[1].attr["call (argument)"].s


def test_a_file_of_its_own_name_is_written_where_it_is_asked_for(tmp_path):
    """A name that TensorBoard would find; a second file in a folder stands beside the first."""
    graph = Graph("f", (Call(0, "function", "f"),))
    path = tmp_path / "events.out.tfevents.1.mine"
    assert ta.Atlas(graph).save(path) == path
    assert [node.name for node in read(path).node] == ["f"]
    assert len({ta.Atlas(graph).save(tmp_path, format="tensorboard") for _ in range(3)}) == 3


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    """The message says what to give."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match=r"file cannot be made a folder: .*Give one for event files"):
        tensorboard.write(Graph("f"), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    """And nothing is written."""
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(MissingError, match=r"pip install torchatlas\[tensorboard\]"):
        tensorboard.write(Graph("f"), tmp_path / "logs")
    assert not list(tmp_path.iterdir())


def test_torch_and_tensorflow_are_not_imported(tmp_path):
    """A record is written on a machine that has neither."""
    ta.Atlas(llama_like(2, 9)).save(tmp_path / "net.atlas")
    code = (
        "import sys; sys.modules.update(torch=None, tensorflow=None); import torchatlas as ta;"
        f"ta.load({str(tmp_path / 'net.atlas')!r}).save({str(tmp_path / 'logs')!r}, format='tensorboard')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert read(tmp_path / "logs").node
