"""The graph of a backward pass says what torch would do, and leaves everything as it was."""

from __future__ import annotations

import gc
import re
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass
from itertools import groupby

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_outputs import BaseModelOutputWithPooling

import torchatlas as ta
from torchatlas.capture.backward.walk import in_order
from torchatlas.core.check import check
from torchatlas.core.graph import Node, Slot, Text


def net() -> nn.Sequential:
    """Something of every kind that behaves specially: statistics, in place, a residual's sum further below."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 5))


def image() -> Tensor:
    """Two images of 8 by 8."""
    return torch.randn(2, 3, 8, 8)


def shared_weight():
    """One weight used twice, one tensor read three times."""
    weight = nn.Parameter(torch.randn(4, 4))
    x = torch.randn(2, 4, requires_grad=True)
    hidden = torch.tanh(x @ weight)
    return (hidden + hidden.exp() * hidden) @ weight


def branches():
    """Two results that share a part, one of which does not reach everything."""
    model = net()
    body = model[:4](image())
    return model[4](body), body.mean(), body.argmax()


def lstm():
    """Results in a nested tuple."""
    return nn.LSTM(3, 4, num_layers=2)(torch.randn(5, 2, 3))


def recurrent_by_hand():
    """A cell used four times."""
    cell, state = nn.GRUCell(3, 4), torch.zeros(2, 4)
    for _ in range(4):
        state = cell(torch.randn(2, 3), state)
    return state


def penalty():
    """A gradient's own gradient."""
    model = net()
    x = image().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    return gradient.norm()


PASSES = [shared_weight, branches, lstm, recurrent_by_hand, penalty]


def nodes_of(graph):
    """The calls that are autograd nodes."""
    return [call for call in graph.calls if call.kind == "backward"]


def given(call):
    """Arguments by name."""
    return dict(zip(call.arguments.keys, call.arguments.items, strict=True))


def texts(graph) -> str:
    """All notes."""
    return "\n".join(note.text for note in graph.notes)


def tensors_with_graph(outputs) -> list[Tensor]:
    """What a backward can start from."""
    each = outputs if isinstance(outputs, tuple) else (outputs,)
    flat = [item for one in each for item in (one if isinstance(one, tuple) else (one,))]
    return [tensor for tensor in flat if tensor.requires_grad]


@pytest.mark.parametrize("example", PASSES, ids=lambda example: example.__name__)
def test_the_pass_is_what_torch_runs(example):
    """Run with a hook on every node: the same nodes in the same order, handed gradients of the shapes said."""
    torch.manual_seed(0)
    outputs = example()
    graph = ta.backward(outputs).graph
    check(graph)
    roots = tensors_with_graph(outputs)
    ran: list[tuple[str, tuple[object, ...]]] = []

    def watch(node):
        def hook(gradients):
            ran.append((type(node).__name__, tuple(None if one is None else tuple(one.shape) for one in gradients)))

        return hook

    for found in in_order([root.grad_fn for root in roots]):
        found.node.register_prehook(watch(found.node))
    torch.autograd.backward(roots, [torch.ones_like(root) for root in roots])
    said = []
    for call in nodes_of(graph):
        arguments = given(call)
        inputs = arguments["gradients"].items if "gradients" in arguments else (arguments["gradient"],)
        said.append((call.name, tuple(shape_of(graph, call, tree) for tree in inputs)))
    assert sorted_leaves(said) == sorted_leaves(ran)


def sorted_leaves(calls):
    """Leaves that are ready at the same time are taken in any order."""
    runs = [list(run) for _, run in groupby(calls, key=lambda call: call[0] == "AccumulateGrad")]
    return [sorted(run, key=str) if run[0][0] == "AccumulateGrad" else run for run in runs]


def shape_of(graph, call, tree):
    """The shape of a gradient, or of the gradients that are summed, all alike."""
    slots = [tree] if isinstance(tree, Slot) else list(tree.items) if isinstance(tree, Node) else []
    shapes = {graph.values[call.inputs[slot.index]].shape for slot in slots}
    assert len(shapes) <= 1
    return shapes.pop() if shapes else None


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("example", PASSES, ids=lambda example: example.__name__)
def test_gradients_are_equal_afterwards(example, saved):
    """Looked at or not, the user's backward works and gives the same bits; no hook is left."""
    found = []
    for looks in (False, True):
        torch.manual_seed(0)
        roots = tensors_with_graph(example())
        if looks:
            ta.backward(roots, saved=saved)
        nodes = in_order([root.grad_fn for root in roots])
        leaves = [one.node.variable for one in nodes if type(one.node).__name__ == "AccumulateGrad"]
        assert not any(
            getattr(one.node, "_backward_hooks", None) or one.node._register_hook_dict is None for one in nodes
        )
        torch.autograd.backward(roots, [torch.ones_like(root) for root in roots])
        found.append([leaf.grad for leaf in leaves])
    assert found[0]
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@dataclass
class Result:
    """What a model may return."""

    logits: Tensor
    states: list[Tensor]
    count: int


def test_outputs_are_named_as_the_user_named_them():
    """Keys, fields and positions, however nested; what has no graph is said to have none."""
    x = torch.randn(3, requires_grad=True)
    a, b = x * 2, x.exp()
    mask = x > 0
    for outputs, names in [
        (a, ["output"]),
        ([a, b], ["output[0]", "output[1]"]),
        (deque([a, {"b": b}]), ["output[0]", "output[1].b"]),
        ({"loss": a.sum(), "mask": mask, "deep": {"in": (a, [b])}}, ["loss", "deep.in[0]", "deep.in[1][0]"]),
        (Result(a, [b, a], 3), ["logits", "states[0]", "states[1]"]),
        (
            BaseModelOutputWithPooling(last_hidden_state=a, pooler_output=b, hidden_states=(a, b)),
            ["last_hidden_state", "pooler_output", "hidden_states[0]", "hidden_states[1]"],
        ),
    ]:
        graph = ta.backward(outputs).graph
        check(graph)
        starts = [graph.values[value] for value in graph.calls[0].inputs]
        assert [value.names[0] for value in starts] == names
        assert {value.kind for value in starts} == {"input"}
    assert Text("no gradient") in ta.backward({"a": a, "mask": mask}).graph.calls[0].arguments.items


def test_gradients_that_meet_are_summed():
    """Every edge is a value of its own; those that arrive together stand together."""
    x = torch.randn(3, requires_grad=True)
    y = x * 2
    graph = ta.backward(y + y.exp() * y).graph
    mul = next(call for call in nodes_of(graph) if len(call.inputs) == 3)
    assert mul.name == "MulBackward0"
    assert given(mul)["gradient"] == Node("sum", (), (Slot(0), Slot(1), Slot(2)))
    assert {graph.calls[graph.values[value].producer].name for value in mul.inputs} == {
        "AddBackward0",
        "MulBackward0",
        "ExpBackward0",
    }


def test_a_module_names_the_leaves_and_counts():
    """Parameters are values of the modules that own them, so that numbers of parameters are right."""
    model = net()
    x = image().requires_grad_()
    graph = ta.backward(model(x), params=model).graph
    leaves = [graph.values[call.inputs[-1]] for call in nodes_of(graph) if call.name == "AccumulateGrad"]
    names = {name for name, _ in model.named_parameters()}
    assert {value.names[0] for value in leaves if value.kind == "parameter"} == names
    assert [module.path for module in graph.modules] == [name for name, _ in model.named_modules()]
    assert graph.name == "backward of Sequential"
    count = sum(map(torch.numel, model.parameters()))
    assert re.search(rf"^parameters +{count} ", str(ta.backward(model(x), model).summary()), re.MULTILINE)
    assert ta.backward(model(x), {"picture": x}).graph.calls[0].returns.keys == ("picture.grad",)


def test_gradients_of_leaves_are_returned():
    """What is no parameter gives its gradient back; many of them as one structure, so that few boxes are drawn."""
    x = torch.randn(3, requires_grad=True)
    graph = ta.backward(x * 2, {"x": x}).graph
    assert graph.calls[0].returns == Node("gradients", ("x.grad",), (Slot(0),))
    assert graph.values[graph.calls[0].outputs[0]].kind == "output"
    many = {f"w{number}": torch.randn(3, requires_grad=True) for number in range(6)}
    returns = ta.backward(torch.stack(list(many.values())), many).graph.calls[0].returns
    assert returns.keys == ("gradients",)
    assert sorted(returns.items[0].keys) == [f"w{number}.grad" for number in range(6)]
    assert ta.backward(torch.stack(list(many.values()))).graph.calls[0].returns.items[0].keys[0] == "leaf 1.grad"


def test_saved_tensors_have_shapes_and_bytes_and_are_one_where_shared():
    """The result of exp is kept once although two nodes read it; a parameter that is kept says which it is."""
    weight = nn.Parameter(torch.randn(4, 5))
    x = torch.randn(3, 4, requires_grad=True)
    hidden = (x @ weight).exp()
    graph = ta.backward(hidden * hidden.sin(), {"weight": weight, "x": x}, saved=True).graph
    check(graph)
    saved = [call for call in graph.calls if call.kind == "saved"]
    values = [graph.values[call.outputs[0]] for call in saved]
    assert sorted((value.shape, value.nbytes) for value in values) == [
        *[((3, 4), 48), ((3, 5), 60), ((3, 5), 60), ((4, 5), 80)]
    ]
    assert all(not call.inputs and len(call.outputs) == 1 for call in saved)
    exp = next(call for call in nodes_of(graph) if call.name == "ExpBackward0")
    (kept,) = [value for value in exp.inputs if graph.values[value].producer in {call.id for call in saved}]
    assert {graph.calls[reader].name for reader in graph.readers[kept]} == {
        "MulBackward0",
        "SinBackward0",
        "ExpBackward0",
    }
    by_name = {call.name: call for call in saved}
    for name, kind in (("weight", "parameter"), ("x", "leaf")):
        assert by_name[name].arguments == Node("arguments", ("is",), (kind,))
        same = graph.values[graph.values[by_name[name].outputs[0]].alias_of]
        assert same.names == (name,)
    assert "4 tensors saved for the backward pass take 248 B; 120 B" in texts(graph)


def test_parts_of_one_memory_are_added_up_and_no_more_than_it():
    """Two halves are the whole; a tensor beside its own transpose, or spread out, takes no more than once."""
    x = torch.randn(4, 4, requires_grad=True)
    hidden = x + 1
    one, other = hidden.chunk(2)
    assert "2 tensors saved for the backward pass take 64 B; 64 B" in texts(ta.backward(one * other, saved=True).graph)
    spread = {"square": hidden @ hidden.t(), "spread": hidden[:, :1].expand(4, 9).sin()}
    assert "3 tensors saved for the backward pass take 64 B; 64 B" in texts(ta.backward(spread, saved=True).graph)
    sparse = [torch.eye(3).to_sparse().requires_grad_() for _ in range(2)]
    each = sum(torch.sparse.mm(one, torch.ones(3, 2)) for one in sparse)
    assert "4 tensors saved for the backward pass take 120 B; 48 B" in texts(ta.backward(each, saved=True).graph)


def test_a_detached_twin_of_a_parameter_is_not_taken_for_it():
    """Leaves are found by identity: what shares memory with a named tensor has a gradient of its own."""
    model = nn.Linear(3, 1)
    twin = model.weight.detach().requires_grad_()
    graph = ta.backward(torch.randn(2, 3) @ twin.t() * model.weight.sum(), model, saved=True).graph
    check(graph)
    leaves = [call for call in nodes_of(graph) if call.name == "AccumulateGrad"]
    variables = [graph.values[call.inputs[given(call)["variable"].index]] for call in leaves]
    assert sorted((value.kind, value.names) for value in variables) == [("input", ()), ("parameter", ("weight",))]
    assert graph.values[graph.calls[0].outputs[0]].names == ("leaf 1.grad",)
    (inner,) = [value for value in variables if value.kind == "input"]
    assert graph.values[inner.view_of].names == ("weight",)


def test_a_leaf_without_a_name_that_a_node_keeps_is_that_leaf():
    """It is no memory of the backward's own, and what is drawn as saved does not flow on into the leaf."""
    x = torch.randn(3, requires_grad=True)
    graph = ta.backward(x * x.sin(), saved=True).graph
    check(graph)
    (kept,) = [call for call in graph.calls if call.kind == "saved" and given(call) == {"is": "leaf"}]
    (leaf,) = [call for call in nodes_of(graph) if call.name == "AccumulateGrad"]
    variable = graph.values[leaf.inputs[given(leaf)["variable"].index]]
    assert (variable.view_of, graph.values[kept.outputs[0]].alias_of) == (None, variable.id)
    assert "2 tensors saved for the backward pass take 24 B; 12 B" in texts(graph)


def test_attributes_are_plain_and_signed():
    """A dimension that counts from the end is -1, not 2**64 - 1; a context's own attributes are there too."""
    x = torch.randn(2, 3, requires_grad=True)
    (node, *_) = nodes_of(ta.backward(x.cumsum(-1)).graph)
    assert given(node)["dim"] == -1
    (node, *_) = nodes_of(
        ta.backward(torch.nn.functional.conv1d(x[None], torch.randn(4, 2, 3), stride=2, padding=1)).graph
    )
    assert given(node)["stride"] == Node("tuple", (), (2,))
    (node, *_) = nodes_of(ta.backward(torch.add(x.to(torch.complex64), x, alpha=2j)).graph)
    assert given(node)["alpha"] == Text("2j")


class Keeps(torch.autograd.Function):
    """Keeps a number, a tensor as an attribute, and a tensor as it should be kept."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.factor, ctx.table, ctx.seed = 3, torch.ones(7), 2**64 - 1
        return x * 3

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.factor


def test_a_function_of_the_users_shows_what_it_keeps():
    """Its name, the plain attributes of its context, and every tensor that it holds."""
    x = torch.randn(5, requires_grad=True)
    graph = ta.backward(Keeps.apply(x), {"x": x}, saved=True).graph
    node = nodes_of(graph)[0]
    assert node.name == "KeepsBackward"
    assert (given(node)["factor"], given(node)["seed"]) == (3, 2**64 - 1)
    assert node.arguments.keys.count("table") == 1
    kept = {call.name: graph.values[call.outputs[0]].shape for call in graph.calls if call.kind == "saved"}
    assert kept == {"x": (5,), "table": (7,)}
    assert given(nodes_of(ta.backward(Keeps.apply(x)).graph)[0])["table"] == Text("tensor")


def test_hooks_of_the_user_are_not_run():
    """What was packed is not unpacked: neither the user's hooks run nor a checkpointed forward; a note says so."""
    ran = []
    x = torch.randn(3, requires_grad=True)

    def segment(y: Tensor) -> Tensor:
        ran.append("segment")
        return (y * y).exp()

    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: tensor.numpy(force=True), lambda _: ran.append("unpack")
    ):
        packed = (x * x).exp()
    for outputs, hooks in ((packed, 3), (checkpoint(segment, x, use_reentrant=False), 3), (Keeps.apply(x), 0)):
        ran.clear()
        graph = ta.backward(outputs, saved=True).graph
        assert not ran
        assert (f"{hooks} saved tensors were packed by hooks" in texts(graph)) == bool(hooks)
    reentrant = nodes_of(ta.backward(checkpoint(segment, x, use_reentrant=True), saved=True).graph)
    assert reentrant[0].name == "CheckpointFunctionBackward"


@pytest.mark.parametrize("saved", [False, True])
def test_what_a_backward_has_freed_is_still_drawn(saved):
    """The nodes are there after `.backward()`, and a note says that they cannot run again."""
    model = net()
    loss = model(image()).sum()
    fresh = ta.backward(loss, model, saved).graph
    loss.backward()
    graph = ta.backward(loss, model, saved).graph
    check(graph)
    assert [call.name for call in nodes_of(graph)] == [call.name for call in nodes_of(fresh)]
    assert "freed what was saved" in texts(graph)
    assert "freed" not in texts(fresh)
    assert "cannot run again" in str(ta.backward(loss, model, saved).summary())


def test_a_function_that_was_freed_is_noted_too():
    """A node of the user's own keeps its tensors elsewhere."""
    x = torch.randn(3, requires_grad=True)
    y = Keeps.apply(x)
    y.sum().backward()
    assert "freed" in texts(ta.backward(y).graph)
    assert "freed" in texts(ta.backward(y, saved=True).graph)


def test_a_saved_tensor_that_was_written_is_shown_and_noted():
    """Its backward would fail; its shape is known all the same."""
    x = torch.randn(3, requires_grad=True)
    y = x.exp()
    z = y * 2
    y.add_(1)
    atlas = ta.backward(z, saved=True)
    check(atlas.graph)
    assert "changed in place since the forward: backward would fail" in texts(atlas.graph)
    saved = next(call for call in atlas.graph.calls if call.kind == "saved" and call.name == "result")
    assert atlas.graph.values[saved.outputs[0]].shape == (3,)
    with pytest.raises(RuntimeError, match="inplace"):
        z.sum().backward()


def test_views_and_writes_into_them_are_seen():
    """An output that is a view says of what; a write through a view is a node of its own."""
    x = torch.randn(4, 4, requires_grad=True)
    y = x * 2
    y[1:3].mul_(3)
    graph = ta.backward({"row": y[0], "all": y}).graph
    assert "row is a view of a tensor of shape (4, 4)" in texts(graph)
    assert "all is" not in texts(graph)
    assert "row was changed in place after it was made, and 1 more output likewise." in texts(graph)
    assert "changed in place" not in texts(ta.backward([x * 2, x]).graph)
    assert "went through a view (CopySlices)." in texts(graph)
    assert "CopySlices" in [call.name for call in nodes_of(graph)]


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (torch.ones(2, 3), r"output \(torch.float32, \(2, 3\)\): none requires a gradient"),
        ({"a": torch.ones(1), "b": torch.tensor(3)}, r"a \(torch.float32, \(1,\)\), b \(torch.int64, \(\)\)"),
        (3, "outputs=int holds no tensor"),
        ([], "outputs=list holds no tensor"),
        (nn.Linear(2, 2), r"is a model; .* Run the model first"),
        (None, r"or atlas=capture\(model, ..., grad=True\)"),
    ],
    ids=["no gradient", "two", "number", "nothing", "model", "none"],
)
def test_what_has_no_graph_is_an_error_that_helps(outputs, said):
    """It repeats what was given and says what to do."""
    with pytest.raises(ta.InputError, match=said):
        ta.backward(outputs)


def test_no_grad_is_named_as_the_reason():
    """Inside of it, nothing has a graph."""
    model = nn.Linear(2, 2)
    with torch.no_grad(), pytest.raises(ta.InputError, match="Gradients are off right now"):
        ta.backward(model(torch.ones(1, 2)))


@pytest.mark.parametrize("params", [3, [nn.Parameter(torch.ones(1))], {"w": 3}, {1: torch.ones(1)}])
def test_params_of_another_kind_are_an_error(params):
    """A list of parameters has no names."""
    with pytest.raises(ta.InputError, match=r"params is a module, or a mapping|params has a"):
        ta.backward(torch.ones(1, requires_grad=True) * 2, params)


def test_a_leaf_by_itself_is_a_pass():
    """A parameter, taken for an output, has its gradient accumulated and nothing else."""
    weight = nn.Parameter(torch.ones(2))
    graph = ta.backward(weight, {"weight": weight}).graph
    assert [call.name for call in graph.calls[1:]] == ["AccumulateGrad"]


def test_a_chain_of_100_000_nodes_is_walked():
    """Neither recursion nor anything quadratic. Torch frees what Python has looked at by recursion: a note says so."""
    found = []

    def walk():
        x = torch.zeros(1, requires_grad=True)
        y = x
        for _ in range(100_000):
            y = y + 1
        begun = time.thread_time()
        found.append(ta.backward(y, {"x": x}).graph)
        found.append(time.thread_time() - begun)

    before = threading.stack_size(1 << 29)
    try:
        thread = threading.Thread(target=walk)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    graph, taken = found
    assert len(nodes_of(graph)) == 100_001
    assert "100001 nodes deep" in texts(graph)
    assert taken < 20


def test_the_atlas_keeps_nothing_of_the_graph_alive():
    """When the user lets go of the outputs, their memory is free, whatever the atlas still shows."""
    x = torch.randn(1000, requires_grad=True)
    hidden = x.exp()
    y = hidden.sin()
    reference = weakref.ref(hidden.untyped_storage())
    gc.disable()
    try:
        atlas = ta.backward(y, saved=True)
        del y, hidden
        assert reference() is None  # at once: nothing stands in a circle
    finally:
        gc.enable()
    assert nodes_of(atlas.graph)


def test_sparse_complex_and_nested_gradients_are_described():
    """Types whose tensors have no plain memory or shape."""
    table = nn.Embedding(10, 4, sparse=True)
    wave = torch.fft.rfft(torch.randn(8, requires_grad=True)).abs()
    nested = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)], layout=torch.jagged, requires_grad=True)
    for outputs in (table(torch.tensor([1, 1])), wave, nested * 2):
        graph = ta.backward(outputs, saved=True).graph
        check(graph)
    assert -1 in graph.values[graph.calls[0].inputs[0]].shape
