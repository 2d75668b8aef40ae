"""With the forward's atlas, every backward node belongs to the call and the module that made it."""

from __future__ import annotations

import copy
import gc
import weakref
from contextlib import suppress

import pytest
import torch
from torch import nn

import torchatlas as ta
from models import MODELS
from state import differences, fingerprint
from torchatlas.capture.backward.forward_link import UNSURE, makers
from torchatlas.capture.record.call_record import CallRecord
from torchatlas.capture.torch_private import node_number
from torchatlas.core.check import check
from torchatlas.core.folding.fold import fold_calls

ZOO = [
    "counted/gpt2",
    "counted/llama",
    "counted/lstm",
    "counted/resnet18",
    "modules/scripted",
    "modules/shared",
    "sequences/encoder",
    "tensors/custom_function",
    "tensors/in_place",
    "timm/vit",
    "torchvision/squeezenet",
    "transformers/mamba",
    "transformers/t5",
    "transformers/vit",
    "transforms/threads",
]


def tied(name: str, **options) -> tuple[ta.Atlas, ta.Atlas]:
    """A model of the zoo, and the pass from what it returned."""
    case = MODELS[name]
    with case.ready() as built:
        atlas = ta.capture(built.model, built.args, dict(built.kwargs), mode=case.mode, grad=True, **options)
    return atlas, ta.backward(atlas=atlas)


def around(graph, call: int) -> list[int]:
    """The calls around a call, innermost first."""
    found = []
    at = graph.calls[call].parent
    while at is not None:
        found.append(at)
        at = graph.calls[at].parent
    return found


@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize("name", [name for name in ZOO if name in MODELS])
def test_every_node_of_the_zoo_is_tied(name, level):
    """Nodes belong to functions of the forward, stand in frames nested as its modules are, and have their source."""
    atlas, backward = tied(name, level=level)
    graph, forward = backward.graph, backward.graph.forward
    check(graph)
    assert forward == atlas.graph
    nodes = [call for call in graph.calls if call.kind == "backward"]
    assert nodes
    assert all(call.forward is not None for call in nodes)
    for call in nodes:
        made = forward.calls[call.forward]
        assert made.kind != "aten"
        assert call.source == made.source
        frames = [graph.calls[at].forward for at in around(graph, call.id)]
        owner = [made.id] if made.kind == "module" and made.id else []
        modules = owner + [at for at in around(forward, made.id) if at and forward.calls[at].kind == "module"]
        assert frames == [*modules, 0]
    frames = [call for call in graph.calls if call.kind == "module"]
    assert len({call.forward for call in frames}) == len(frames)
    for call in frames:
        made = forward.calls[call.forward]
        assert (call.name, call.path) == (made.name, made.path)


@pytest.mark.parametrize("name", ["counted/resnet18", "transformers/t5", "counted/gpt2"])
def test_a_leaf_stands_where_its_parameter_is_read(name):
    """The call that a leaf is tied to has read the parameter, or what was made of it there."""
    _, backward = tied(name)
    graph, forward = backward.graph, backward.graph.forward
    leaves = [call for call in graph.calls if call.name == "AccumulateGrad"]
    assert len(leaves) == len({call.inputs[-1] for call in leaves})
    for call in leaves:
        value = graph.values[call.inputs[-1]]
        assert value == forward.values[value.id]  # parameters are the forward's own values
        assert value.id in forward.calls[call.forward].inputs


def test_the_gradient_of_an_input_leaves_all_modules():
    """The leaf of an input is no module's: it stands beside them, and what it accumulates is returned."""
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 4)), nn.Tanh())
    graph = ta.backward(atlas=ta.capture(model, torch.ones(1, 4, requires_grad=True), grad=True)).graph
    (leaf,) = [call for call in graph.calls if call.name == "AccumulateGrad" and call.outputs]
    assert leaf.parent == 0
    assert graph.calls[0].outputs == leaf.outputs
    assert graph.values[leaf.outputs[0]].names == ("input.grad",)


def test_frames_say_which_gradients_pass_their_border():
    """What a frame takes was made outside and is read inside; what it gives, the other way round."""
    _, backward = tied("counted/resnet18")
    graph = backward.graph
    inside = {call.id: {call.id, *around(graph, call.id)} for call in graph.calls}
    for frame in [call for call in graph.calls if call.kind == "module"]:
        for value in frame.inputs:
            assert frame.id not in inside.get(graph.values[value].producer, ())
            assert any(frame.id in inside[reader] for reader in graph.readers[value] if reader != frame.id)
        for value in frame.outputs:
            assert frame.id in inside[graph.values[value].producer]
            assert any(frame.id not in inside[reader] for reader in graph.readers[value])


def test_a_loss_made_of_the_outputs_is_tied_where_the_model_begins():
    """What the user adds after the run stands outside of all frames, and belongs to no call."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    atlas = ta.capture(model, torch.randn(2, 4), grad=True)
    loss = nn.functional.cross_entropy(atlas.outputs, torch.tensor([0, 2]))
    graph = ta.backward(loss, atlas=atlas).graph
    first = graph.calls[1:3]
    assert [(call.name, call.forward, call.parent) for call in first] == [
        ("NllLossBackward0", None, 0),
        ("LogSoftmaxBackward0", None, 0),
    ]
    assert [call.path for call in graph.calls if call.kind == "module"] == ["2", "1", "0"]


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_gradients_are_those_of_a_plain_run(mode):
    """A step from `atlas.outputs` gives the bits that a step without any capture gives."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 2))
    plain = copy.deepcopy(model).train(mode == "train")
    x = torch.randn(2, 3, 8, 8)
    plain(x).sum().backward()
    atlas = ta.capture(model, x, mode=mode, grad=True)
    ta.backward(atlas=atlas, saved=True)
    atlas.outputs.sum().backward()
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


@pytest.mark.parametrize("fake", [False, True])
@pytest.mark.parametrize("mode", ["eval", "train", "same"])
def test_no_trace_is_left_in_the_model(mode, fake):
    """Weights, statistics, flags, hooks, gradients and modes are as before, also after an exception."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
            self.fails = False

        def forward(self, x):
            y = self.body(x)
            if self.fails:
                raise ArithmeticError
            return y

    model, x = Net(), torch.randn(3, 4)
    model.body[0].weight.grad = torch.ones(4, 4)
    for fails in (False, True):
        model.fails = fails
        before = fingerprint(model, x)
        with torch.no_grad(), suppress(ArithmeticError):
            atlas = ta.capture(model, x, mode=mode, fake=fake, grad=True)
            check(ta.backward(atlas=atlas).graph)
        assert not differences(before, fingerprint(model, x))


def test_gradients_are_on_whatever_is_around():
    """The user asked for them, so neither `no_grad` nor `inference_mode` around the capture takes them away."""
    model, x = nn.Linear(2, 2), torch.ones(1, 2)
    for around_it in (torch.no_grad(), torch.inference_mode()):
        with around_it:
            atlas = ta.capture(model, x, grad=True)
        assert atlas.outputs.requires_grad
    assert not model.training or atlas.graph.modules[0].training


def test_fake_runs_have_a_backward_too():
    """Shapes alone, for a model of any size."""
    atlas = ta.capture(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), torch.randn(2, 4), fake=True, grad=True)
    graph = ta.backward(atlas=atlas, saved=True).graph
    check(graph)
    assert {graph.values[call.inputs[-1]].names for call in graph.calls if call.name == "AccumulateGrad"} == {
        ("0.weight",),
        ("0.bias",),
    }


def test_another_runs_outputs_are_an_error():
    """Numbers of another run would tie its nodes to nothing, or to the wrong calls."""
    model, x = nn.Linear(2, 2), torch.ones(1, 2)
    before = model(x)
    atlas = ta.capture(model, x, grad=True)
    for outputs in (before, model(x)):
        with pytest.raises(ta.InputError, match=r"made none of these 4 autograd nodes.*atlas\.outputs"):
            ta.backward(outputs, atlas=atlas)


def test_params_name_what_the_run_does_not_have():
    """A head after the run has its names, and the run keeps its modules, whatever else is named."""
    body, head = nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.Linear(2, 1)
    atlas = ta.capture(body, torch.ones(1, 2), grad=True)
    loss = head(atlas.outputs).sum()
    for params in (head, nn.ModuleDict({"body": body, "head": head}), dict(head.named_parameters())):
        graph = ta.backward(loss, params, atlas=atlas).graph
        check(graph)
        assert graph.modules == atlas.graph.modules
        names = [graph.values[call.inputs[-1]].names for call in graph.calls if call.name == "AccumulateGrad"]
        assert sorted(name[0].removeprefix("head.") for name in names) == ["0.bias", "0.weight", "bias", "weight"]


@pytest.mark.parametrize("params", [nn.Linear(3, 3), nn.Linear(2, 1).state_dict()], ids=["another", "state_dict"])
def test_names_that_no_leaf_has_are_noted(params):
    """Leaves are found by identity, and state_dict() holds tensors of its own."""
    loss = nn.Linear(2, 1)(torch.ones(1, 2)).sum()
    assert [note.text for note in ta.backward(loss, params).graph.notes if "No tensor in params is a leaf" in note.text]


def test_an_atlas_that_keeps_no_graph_says_how_to_get_one(tmp_path):
    """Without grad=True nothing is kept, nor in a file."""
    model, x = nn.Linear(2, 2), torch.ones(1, 2)
    ta.capture(model, x, grad=True).save(tmp_path / "net.atlas")
    pruned = ta.capture(nn.Sequential(model, nn.ReLU()), x, grad=True).prune("Relu")
    for atlas in (ta.capture(model, x), ta.load(tmp_path / "net.atlas"), pruned):
        with pytest.raises(ta.InputError, match="Capture with grad=True"):
            ta.backward(atlas=atlas)
        with pytest.raises(ta.InputError, match="Capture with grad=True"):
            _ = atlas.outputs


def test_the_pass_survives_a_file(tmp_path):
    """An atlas of a backward pass holds its forward, and both are the same after reading."""
    atlas = ta.capture(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), torch.randn(2, 4), grad=True)
    graph = ta.backward(atlas=atlas, saved=True).graph
    ta.Atlas(graph).save(tmp_path / "pass.atlas")
    assert ta.load(tmp_path / "pass.atlas").graph == graph


def test_numbers_that_two_threads_gave_are_tied_to_neither():
    """Each thread counts for itself, so a number can be that of two nodes."""

    def call(number, thread, nodes, kind="function"):
        record = CallRecord(number, kind, "f", None, None)
        record.thread, record.nodes = thread, nodes
        return record

    found = makers([call(0, 0, (0, 9), "module"), call(1, 0, (2, 4)), call(2, 0, (3, 4), "aten"), call(3, 1, (3, 12))])
    assert found == {
        0: 0,
        1: 0,
        2: 1,
        **dict.fromkeys(range(3, 9), UNSURE),
        **dict.fromkeys(range(9, 12), 3),
    }


def test_nothing_is_kept_without_being_asked_for():
    """A capture without grad=True lets the outputs go, and asks for no numbers."""
    kept = []

    class Net(nn.Module):
        def forward(self, x):
            y = x.exp()
            kept.append(weakref.ref(y))
            return y

    atlas = ta.capture(Net(), torch.ones(2, requires_grad=True), mode="train")
    gc.collect()
    assert kept[0]() is None
    assert not atlas.graph.provenance.grad
    atlas = ta.capture(Net(), torch.ones(2, requires_grad=True), grad=True)
    assert kept[1]() is atlas.outputs
    assert node_number(atlas.outputs.grad_fn) in atlas.kept.makers


@pytest.mark.parametrize("saved", [False, True])
def test_layers_fold_also_with_what_they_save(saved):
    """A saved parameter is named by its path, and layers differ in nothing else."""
    layers = [nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4), nn.Tanh()) for _ in range(5)]
    model = nn.Sequential(nn.Linear(4, 4), *layers, nn.Linear(4, 4))
    atlas = ta.capture(model, torch.randn(2, 4), grad=True)
    folds = fold_calls(ta.backward(atlas=atlas, saved=saved).graph)[0]
    assert [(fold.period, fold.count) for fold in folds] == [(1, 5)]
