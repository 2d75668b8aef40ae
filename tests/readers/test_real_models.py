"""Models that torch has exported: what a file says is what a run of the model shows."""

from __future__ import annotations

import warnings

import onnx
import pytest
import torch
from torch import nn

import torchatlas as ta
from models import MODELS as ZOO
from readers.files import PICTURES, WORDS, Pictures, Turns, Words, made, write
from torchatlas.core.check import check
from torchatlas.core.measure.cost import total

MODELS = {"pictures": (Pictures, PICTURES), "words": (Words, WORDS)}
KINDS = ("onnx", "old.onnx", "pt2", "traced", "scripted")
CHANGED = {"pictures": -2 * 8, "words": 20 * 16}
"""Elements that an export to ONNX adds: a normalization is folded away, a tied weight is kept transposed too."""
SHAPED = ("onnx", "old.onnx", "pt2")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Each model and form, opened once: model, path of the file, graph."""
    known = {}

    def of(name, kind):
        if (name, kind) not in known:
            build, args = MODELS[name]
            model = made(build())
            path = write(kind, model, args, tmp_path_factory.mktemp(name))
            known[name, kind] = model, path, ta.open(path).graph
        return known[name, kind]

    return of


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_a_file_opens_as_a_well_formed_graph_with_the_parameters_of_the_model(opened, name, kind):
    """Every weight is there once, tied ones too, but for what the exporters of ONNX do to them."""
    model, _, graph = opened(name, kind)
    check(graph)
    elements = sum(parameter.numel() for parameter in model.parameters())
    assert total(graph).parameters == elements + (CHANGED[name] if kind.endswith("onnx") else 0)


@pytest.mark.parametrize("kind", SHAPED)
@pytest.mark.parametrize("name", MODELS)
def test_operations_and_shapes_are_those_of_a_run(opened, name, kind):
    """What the file says of shapes is enough to count what a capture counts."""
    model, _, graph = opened(name, kind)
    run = ta.capture(model, MODELS[name][1]).graph
    assert total(graph).flops == total(run).flops
    assert total(graph).unknown == 0
    shapes = [[one.values[value].shape for value in one.calls[0].outputs] for one in (graph, run)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_modules_have_the_paths_of_the_model(opened, name, kind):
    """The hierarchy is the model's; a module that the exporter folded into another may be absent."""
    model, _, graph = opened(name, kind)
    paths = dict(model.named_modules())
    found = {module.path for module in graph.modules}
    absent = paths.keys() - found
    assert found <= paths.keys()
    assert all(isinstance(paths[path], torch.nn.BatchNorm2d) for path in absent if kind.endswith("onnx"))
    assert kind.endswith("onnx") or not absent
    called = {call.path for call in graph.calls if call.path}
    assert {"layers.0.conv1", "stem", "fc"} <= called if name == "pictures" else {"embed", "qkv", "head"} <= called


@pytest.mark.parametrize("kind", KINDS)
def test_layers_have_the_classes_and_settings_of_torch(opened, kind):
    """A convolution says its kernel and stride, whoever wrote the file."""
    _, _, graph = opened("pictures", kind)
    stem, fc = graph.module_at["stem"], graph.module_at["fc"]
    settings = dict(stem.settings)
    assert (stem.name, settings["kernel_size"].items, settings["stride"].items) == ("Conv2d", (3, 3), (2, 2))
    assert (settings["in_channels"], settings["out_channels"]) == (3, 8)
    assert (fc.name, dict(fc.settings)["out_features"]) == ("Linear", 5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_that_runs_twice_is_called_twice(opened, kind):
    """The ReLU of a block is one module with two calls, told apart by every exporter in its own way."""
    _, _, graph = opened("pictures", kind)
    assert len(graph.calls_of["layers.0.relu"]) == 2


@pytest.mark.parametrize("kind", ["pt2", "traced", "scripted"])
def test_tied_weights_are_one_value_with_both_names(opened, kind):
    """The file holds them once."""
    _, _, graph = opened("words", kind)
    tied = [value for value in graph.values if len(value.names) > 1 and value.kind == "parameter"]
    assert [set(value.names) for value in tied] == [{"embed.weight", "head.weight"}]


@pytest.mark.parametrize("kind", ["onnx", "old.onnx"])
def test_every_node_and_edge_of_an_onnx_file_is_in_the_graph(opened, kind):
    """Counted beside the graph with the package onnx; nodes that only rename a weight are its names instead."""
    _, path, graph = opened("words", kind)
    file = onnx.load(path).graph
    held = {one.name for one in file.initializer}
    nodes = [node for node in file.node if not (node.op_type == "Identity" and node.input[0] in held)]
    calls = [call for call in graph.calls if call.kind == "function"]
    assert sorted(call.name for call in calls) == sorted(node.op_type for node in nodes)
    assert sum(len(call.inputs) for call in calls) == sum(bool(name) for node in nodes for name in node.input)


@pytest.mark.parametrize("kind", KINDS)
def test_every_view_shows_it(opened, kind, tmp_path):
    """Table, picture, page and .atlas file."""
    _, path, graph = opened("words", kind)
    atlas = ta.open(path)
    assert "embed" in str(atlas.summary())
    for suffix in ("svg", "html", "atlas"):
        target = tmp_path / f"model.{suffix}"
        (atlas.draw() if suffix == "svg" else atlas).save(target)
        assert target.stat().st_size > 0
    assert ta.load(tmp_path / "model.atlas").graph == graph


def test_the_name_of_a_file_does_not_matter(opened, tmp_path):
    """What it is, its content says."""
    _, path, graph = opened("words", "pt2")
    other = tmp_path / "model.pth"
    other.write_bytes(path.read_bytes())
    assert ta.open(other).graph == graph


def test_scripted_control_flow_is_a_call_with_the_branches_inside(tmp_path):
    """A condition holds both ways and where they meet; a loop its body once."""
    graph = ta.open(write("scripted", made(Turns()), (), tmp_path)).graph
    by_name = {call.name: call for call in graph.calls}
    condition, loop = by_name["prim.If"], by_name["prim.Loop"]
    assert [graph.calls[child].name for child in graph.children[condition.id]] == ["then", "else", "merge"]
    inside = [graph.calls[child] for child in graph.children[loop.id]]
    assert [call.path or call.name for call in inside] == ["layer", "aten.relu"]
    carried = graph.values[inside[0].inputs[0]]
    assert carried.alias_of == condition.outputs[0]
    assert len(graph.calls_of["layer"]) == 2
    assert any("Both branches" in note.text for note in graph.notes)


def test_the_sizes_of_a_scripted_model_are_unknown_and_its_table_says_so(tmp_path):
    """Scripting keeps no shapes: what recurrent layers and attention take in memory cannot be told."""
    model = nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.GRU(8, 8)).eval()
    atlas = ta.open(write("scripted", model, (), tmp_path))
    assert {"aten.gru", "aten.scaled_dot_product_attention"} <= {call.name for call in atlas.graph.calls}
    assert "Bytes are lower bounds" in str(atlas.summary())


def test_exported_control_flow_holds_its_functions(tmp_path):
    """The functions of torch.cond and while_loop are groups inside the call."""

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 4)

        def forward(self, x):
            y = torch.cond(x.sum() > 0, lambda x: self.layer(x).sin(), lambda x: x.cos(), (x,))
            turn = torch._higher_order_ops.while_loop(
                lambda i, _: i < 3, lambda i, y: (i + 1, self.layer(y)), (torch.tensor(0), y)
            )
            return {"y": y, "z": turn[1]}

    path = tmp_path / "net.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(Net().eval(), (torch.randn(2, 4),)), path)
    graph = ta.open(path).graph
    groups = [call.name for call in graph.calls if call.kind == "group"]
    assert groups == ["true_fn", "false_fn", "cond_fn", "body_fn"]
    assert graph.calls[0].returns.keys == ("y", "z")
    assert [value for value in graph.calls[0].outputs if graph.values[value].shape == (2, 4)] == [
        *graph.calls[0].outputs
    ]


def test_sizes_that_vary_are_said(tmp_path):
    """-1 in the shapes, their names in a note, and operations for the sizes of the export."""
    model = made(Pictures())
    path = tmp_path / "net.pt2"
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(model, PICTURES, dynamic_shapes={"x": {0: batch}}), path)
    graph = ta.open(path).graph
    assert graph.values[graph.calls[0].inputs[0]].shape == (-1, 3, 16, 16)
    assert total(graph).flops == total(ta.capture(model, PICTURES).graph).flops
    assert any("are dynamic" in note.text for note in graph.notes)
    assert any("= 2" in note.text for note in graph.notes)


def test_a_traced_file_names_its_inputs_and_their_shapes(opened):
    """The tensors that it was traced with are in the archive, without their elements."""
    _, _, graph = opened("pictures", "traced")
    (value,) = graph.calls[0].inputs
    assert (graph.values[value].names, graph.values[value].shape) == (("x",), (2, 3, 16, 16))


EXPORTED = (
    *("counted/linear", "counted/conv", "counted/separable", "counted/waves", "counted/transposed", "counted/lstm"),
    *("counted/cross_attention", "counted/attention", "counted/encoder", "counted/gru", "counted/rnn"),
    *("structures/keywords_only", "structures/dictionary", "structures/model_output"),
)


@pytest.mark.parametrize("name", EXPORTED)
def test_a_program_of_the_zoo_is_what_a_run_of_it_shows(name, tmp_path):
    """Parameters, buffers, operations, and the paths of all modules, of models that were exported as they are."""
    path = tmp_path / "net.pt2"
    with ZOO[name].ready() as (model, args, kwargs):
        run = ta.capture(model, args, kwargs).graph
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(torch.export.export(model, args, dict(kwargs)), path)
    graph = ta.open(path).graph
    mine, theirs = total(graph), total(run)
    assert (mine.parameters, mine.buffers) == (theirs.parameters, theirs.buffers)
    assert (mine.flops, mine.unknown) == (theirs.flops, theirs.unknown)
    assert {module.path for module in graph.modules} == set(run.module_at)
    assert [call.path for call in graph.calls if call.path] == [call.path for call in run.calls if call.path]
