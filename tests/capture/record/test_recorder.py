"""What a graph says of a run, on models small enough to know every call and value by hand."""

from __future__ import annotations

import inspect
import threading
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torchatlas as ta
from torchatlas.core.check import check
from torchatlas.core.graph import Node, Slot, Text


def captured(model, *args, **options):
    """The graph of one run, well formed."""
    graph = ta.capture(model, args, **options).graph
    check(graph)
    return graph


def named(graph, name):
    """The calls of this name."""
    return [call for call in graph.calls if call.name == name]


def test_calls_nest_as_they_ran():
    """The root, its modules, the functions they call."""
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    graph = captured(model, torch.zeros(1, 3))
    assert [(call.kind, call.name, call.path, call.parent) for call in graph.calls] == [
        ("module", "Sequential", "", None),
        ("module", "Linear", "0", 0),
        ("function", "F.linear", None, 1),
        ("module", "ReLU", "1", 0),
        ("function", "F.relu", None, 3),
    ]


def test_aten_operations_stand_inside_the_function_that_made_them():
    """The level below, on request."""
    graph = captured(nn.Linear(3, 2), torch.zeros(1, 3), level="aten")
    assert [(call.kind, call.name, call.parent) for call in graph.calls] == [
        ("module", "Linear", None),
        ("function", "F.linear", 0),
        ("aten", "aten.t.default", 1),
        ("aten", "aten.addmm.default", 1),
    ]
    assert [call.flops for call in graph.calls] == [0, 0, 0, 2 * 3 * 2]


def test_arguments_keep_their_names_and_constants():
    """Tensors are slots of the inputs; what is plain is there as it is."""
    convolution = nn.Conv2d(2, 4, 3, stride=2, bias=False)
    graph = captured(convolution, torch.zeros(1, 2, 8, 8))
    call = named(graph, "F.conv2d")[0]
    found = dict(zip(call.arguments.keys, call.arguments.items, strict=True))
    assert found["input"] == Slot(0)
    assert found["weight"] == Slot(1)
    assert found["bias"] is None
    assert found["stride"] == Node("tuple", (), (2, 2))
    assert found["groups"] == 1
    assert [graph.values[value].kind for value in call.inputs] == ["input", "parameter"]


@dataclass
class Batch:
    """An input with names of its own."""

    image: Tensor
    extra: dict


def test_inputs_and_outputs_keep_their_structure():
    """Argument names, dictionary keys and dataclass fields lead to the tensors."""

    def forward(batch, scale, *, words):
        return {"double": batch.image * 2, "rest": (batch.extra["mask"], words, scale)}

    batch = Batch(torch.zeros(2), {"mask": torch.ones(3), "kind": torch.float16})
    graph = ta.capture(forward, (batch, 3), {"words": "some words"}).graph
    root = graph.calls[0]
    assert root.arguments == Node(
        "arguments",
        ("batch", "scale", "words"),
        (
            Node(
                "Batch", ("image", "extra"), (Slot(0), Node("dict", ("mask", "kind"), (Slot(1), Text("torch.float16"))))
            ),
            3,
            "some words",
        ),
    )
    assert [graph.values[value].names for value in root.inputs] == [("batch.image",), ("batch.extra.mask",)]
    assert root.returns == Node("dict", ("double", "rest"), (Slot(0), Node("tuple", (), (Slot(1), "some words", 3))))
    double, mask = (graph.values[value] for value in root.outputs)
    assert (double.kind, graph.calls[double.producer].name) == ("output", "Tensor.mul")
    assert mask.alias_of == root.inputs[1]


def test_a_tied_weight_is_one_value_with_both_names():
    """Counted once, found under every name."""
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    graph = captured(model, torch.zeros(1, 3))
    parameters = [value for value in graph.values if value.kind == "parameter"]
    assert [value.names for value in parameters] == [("0.weight", "1.weight")]
    assert [dict(module.parameters) for module in graph.modules] == [{}, {"weight": 0}, {"weight": 0}]


def test_a_shared_module_is_one_module_with_both_paths_called_twice():
    """The second path is an alias; both calls carry the first."""
    graph = captured(Twice(nn.Linear(2, 2)), torch.zeros(1, 2))
    module = graph.module_at["second"]
    assert (module.path, module.aliases) == ("first", ("second",))
    assert len(graph.calls_of["first"]) == 2


class Twice(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.first = layer
        self.second = layer
        self.never = nn.ReLU()

    def forward(self, x):
        return self.second(self.first(x))


def test_a_module_inside_itself_is_recorded_as_often_as_it_runs():
    """Recursive modules, and modules shared so often that their paths cannot all be named."""

    class Recursive(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.again = self

        def forward(self, x, depth=2):
            return self.again(self.layer(x), depth - 1) if depth else x

    graph = captured(Recursive(), torch.zeros(1, 2))
    assert graph.modules[0].aliases == ("again",)
    assert len(graph.calls_of["layer"]) == 2
    inner = nn.Linear(2, 2)
    for _ in range(30):
        inner = nn.Sequential(inner, inner)
    assert len(ta.capture(inner).graph.modules) == 31


def test_a_module_that_never_ran_has_no_calls():
    """It is there, with its parameters, and absent from the calls by path."""
    graph = captured(Twice(nn.Linear(2, 2)), torch.zeros(1, 2))
    assert "never" in graph.module_at
    assert "never" not in graph.calls_of


def test_views_and_writes_are_versions_of_one_memory():
    """A write through a view makes a new version of what it views."""

    def forward(x):
        y = x.clone()
        row = y[0]
        row.add_(1)
        return y * 1

    graph = captured(forward, torch.zeros(2, 2))
    clone, index, add, product = (graph.calls[number] for number in (1, 2, 3, 4))
    base, view = clone.outputs[0], index.outputs[0]
    assert graph.values[view].view_of == base
    assert graph.values[add.outputs[0]].previous == view
    seen = graph.values[product.inputs[0]]
    assert (seen.previous, seen.producer) == (base, add.id)
    assert set(add.writes) == {add.outputs[0], seen.id}
    assert len({graph.values[value].storage for value in (base, view, seen.id)}) == 1


def test_a_tensor_passed_through_is_a_value_of_its_own():
    """Identity and dropout in eval keep the chain visible."""
    graph = captured(nn.Sequential(nn.Identity(), nn.Dropout()), torch.zeros(2))
    identity = graph.calls[graph.calls_of["0"][0]]
    through = graph.values[identity.outputs[0]]
    assert through.producer == identity.id
    assert graph.values[through.alias_of].kind == "input"


def test_constants_made_inside_and_held_outside_are_told_apart():
    """What the run makes has a producer; what it finds has none, and a name if a module holds it."""

    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = [torch.ones(2)]

        def forward(self, x):
            return x + torch.arange(2) + self.table[0] + outside

    outside = torch.full((2,), 3.0)
    graph = captured(Holder(), torch.zeros(2))
    made = graph.values[named(graph, "torch.arange")[0].outputs[0]]
    assert (made.kind, made.names) == ("activation", ())
    constants = [value for value in graph.values if value.kind == "constant"]
    assert [value.names for value in constants] == [("table[0]",), ()]


@pytest.mark.parametrize("read", [bool, float, torch.Tensor.item, torch.Tensor.tolist], ids=lambda read: read.__name__)
def test_reading_the_content_is_marked(read):
    """The graph may be another one for other data."""
    graph = captured(lambda x: x * bool(read(x)), torch.ones(1))
    assert [call.name for call in graph.calls if call.reads_data] == [graph.calls[1].name]


def test_every_call_knows_the_users_line():
    """The line of the user's code, also for functions that a torch module calls on its behalf."""
    layer = nn.Linear(2, 2)

    def forward(x):
        x = layer(x)
        return x.relu()

    graph = captured(forward, torch.zeros(1, 2))
    first = inspect.getsourcelines(forward)[1]
    assert {call.name: call.source.line - first for call in graph.calls[1:]} == {
        "Linear": 1,
        "F.linear": 1,
        "Tensor.relu": 2,
    }
    assert {call.source.file for call in graph.calls[1:]} == {__file__}
    assert all(call.source is None for call in captured(forward, torch.zeros(1, 2), source=False).calls)


def test_attention_shows_what_happens_inside():
    """F.multi_head_attention_forward is opened: its products are there to be seen and counted."""
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    graph = captured(lambda x: attention(x, x, x, need_weights=False)[0], torch.zeros(1, 3, 8))
    outer = named(graph, "F.multi_head_attention_forward")[0]
    inside = [graph.calls[call].name for call in graph.children[outer.id]]
    assert inside.count("F.linear") == 2
    assert "F.scaled_dot_product_attention" in inside
    assert any(note.code == "fused path" for note in graph.notes)


def test_without_inputs_there_are_modules_and_no_calls():
    """The structure and the parameters of a model that is not run."""
    graph = ta.capture(nn.Linear(2, 3)).graph
    assert graph.calls == ()
    assert [value.shape for value in graph.values] == [(3, 2), (3,)]


def test_two_threads_capture_at_once_and_stay_apart():
    """Each graph holds its own run, and nothing is left patched."""
    models = [nn.Sequential(*(nn.Linear(4, 4) for _ in range(depth))) for depth in (5, 50)]
    graphs = {}
    barrier = threading.Barrier(2)

    def capture(number):
        barrier.wait()
        for _ in range(5):
            graphs[number] = ta.capture(models[number], torch.zeros(1, 4)).graph

    threads = [threading.Thread(target=capture, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(graphs[number].calls) for number in (0, 1)] == [1 + 2 * 5, 1 + 2 * 50]
    assert nn.Module.__call__.__name__ == "_wrapped_call_impl"


def test_a_capture_inside_a_capture_is_refused():
    """One run at a time in a thread; the message says so."""
    with pytest.raises(ta.InputError, match="already capturing"):
        ta.capture(lambda x: ta.capture(nn.ReLU(), x).graph and x, torch.zeros(1))


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (nn.Linear, {}, "Linear is a class"),
        ({"weight": torch.zeros(1)}, {}, "model is a dict; give an nn.Module"),
        (nn.ReLU(), {"mode": "evaluation"}, "mode='evaluation'"),
        (nn.ReLU(), {"level": "ops"}, "level='ops'"),
        (nn.ReLU(), {"fake": True, "replay": True}, "replay=True needs real tensors"),
    ],
)
def test_what_cannot_be_captured_is_refused(model, options, said):
    """What was given, and what to give instead."""
    with pytest.raises(ta.InputError, match=said.replace("(", r"\(")):
        ta.capture(model, torch.zeros(1), **options)


def test_compiled_models_are_captured_as_their_python():
    """No call of the compiler's; paths without its wrapper."""
    model = torch.compile(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), backend=pytest.fail)
    graph = captured(model, torch.zeros(1, 2))
    assert [call.path for call in graph.calls if call.kind == "module"] == ["", "0", "1"]


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_scripted_models_are_opaque_and_counted():
    """Their inside is not recorded; their parameters and FLOPs are there."""
    graph = captured(torch.jit.script(nn.Linear(3, 2)), torch.zeros(1, 3))
    assert [(call.name, call.flops) for call in graph.calls] == [("Linear", 2 * 3 * 2)]
    assert graph.modules[0].opaque
    assert {value.names for value in graph.values[:2]} == {("weight",), ("bias",)}


class Forks(nn.Module):
    """Starts a module, a method that starts another, a function and closures, and waits for them."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)

    def nested(self, x):
        return torch.jit.wait(torch.jit.fork(self.b, x)).relu()

    def forward(self, x):
        first = torch.jit.fork(self.a, x)
        others = [torch.jit.fork(self.nested, x), torch.jit.fork(torch.sin, x), torch.jit.fork(lambda y: y * x, x)]
        return torch.stack([self.c(first.wait()), *map(torch.jit.wait, others)])


@pytest.mark.filterwarnings("ignore:.torch.jit.fork. is deprecated", "ignore:.torch.jit.wait. is deprecated")
@pytest.mark.parametrize(
    ("level", "names"),
    [
        ("op", ["F.linear", "F.linear", "Tensor.relu", "torch.sin", "Tensor.mul", "F.linear", "torch.stack"]),
        ("aten", ["addmm", "addmm", "relu", "sin", "mul", "addmm", "stack"]),
    ],
)
def test_forked_work_is_recorded_where_it_is_started(level, names):
    """Python runs it at once, and what it makes reaches those that wait."""
    graph = captured(Forks(), torch.ones(1, 2), level=level)
    assert [call.path for call in graph.calls if call.kind == "module"] == ["", "a", "b", "c"]
    calls = [call for call in graph.calls if call.kind == ("function" if level == "op" else "aten")]
    short = {call.id: call.name if level == "op" else call.name.split(".")[1] for call in calls}
    assert [name for name in short.values() if name != "t"] == names
    stacked = calls[-1]
    makers = [short[call.id] for call in calls for value in stacked.inputs if value in call.outputs]
    assert sorted(makers) == sorted([names[5], *names[2:5]])
    assert sum(call.flops for call in graph.calls) == 3 * 2 * 2 * 2


class Starts(nn.Module):
    """Gives what it started to others, who wait."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)

    def forward(self, x):
        return torch.jit.fork(self.inner, x)


@pytest.mark.filterwarnings("ignore:.torch.jit.fork. is deprecated")
def test_a_future_hands_on_what_its_work_returned():
    """Of a module that returns one, the tensor comes out; a model may return one too."""
    graph = captured(Starts(), torch.ones(1, 2))
    inner = next(call for call in graph.calls if call.path == "inner")
    assert graph.calls[0].outputs == inner.outputs
    assert graph.calls[0].returns == Node("Future", ("value",), (Slot(0),))


def test_a_future_that_failed_is_named():
    """What it would raise is nobody's error here."""
    failed = torch.futures.Future()
    failed.set_exception(ValueError("no"))
    graph = captured(lambda x: (x + 1, failed), torch.ones(1))
    assert graph.calls[0].returns == Node("tuple", (), (Slot(0), Text("Future")))


def test_a_whole_training_step_is_captured_replayed_and_undone():
    """A function that trains: its graph is complete, and neither weights, gradients nor optimizer have moved."""
    layer = nn.Linear(3, 1)
    optimizer = torch.optim.AdamW(layer.parameters(), foreach=False)
    before = [tensor.detach().clone() for tensor in layer.parameters()]

    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(layer(x), y)
        loss.backward()
        optimizer.step()
        return loss, layer.weight * 1

    atlas = ta.capture(step, (torch.randn(4, 3), torch.randn(4, 1)), mode="train", replay=True)
    check(atlas.graph)
    assert {"F.mse_loss", "Tensor.backward", "Tensor.addcdiv_"} <= {call.name for call in atlas.graph.calls}
    assert atlas.replay().equal
    assert all(map(torch.equal, layer.parameters(), before))
    assert all(parameter.grad is None for parameter in layer.parameters())
    assert not optimizer.state


def test_memory_that_is_released_says_when():
    """A temporary dies as soon as the run drops it; what the run returns outlives it."""
    graph = captured(lambda x: F.relu(x + 1).sum(), torch.zeros(8))
    added, rectified, result = (graph.values[graph.calls[number].outputs[0]] for number in (1, 2, 3))
    assert (added.freed, rectified.freed, result.freed) == (3, 4, None)


def test_every_tensor_that_goes_in_and_comes_out_is_seen():
    """However many an object holds; a call inside the run lists the first of them."""

    class Many:
        def __init__(self, tensors):
            self.__dict__.update({f"t{number}": tensor for number, tensor in enumerate(tensors)})

    layer = nn.Identity()
    graph = captured(lambda given: Many([one + 1 for one in vars(layer(given)).values()]), Many(torch.rand(100, 1)))
    assert len(graph.calls[0].inputs) == len(graph.calls[0].outputs) == 100
    assert [value.names for value in graph.values if value.kind == "input"][99] == ("given.t99",)
    (inner,) = [call for call in graph.calls if call.name == "Identity"]
    assert inner.arguments.items[0].keys[-1] == "…"


@dataclass
class Guarded:
    """An argument that answers a question about itself with an exception, as some configurations do."""

    tensor: Tensor

    def __getattribute__(self, name):
        if name == "tensor":
            raise LookupError(name)
        return super().__getattribute__(name)


def test_an_object_that_refuses_to_be_read_is_not_asked():
    """Reading the arguments must never be what makes a run fail: what it stores is read, not what it answers."""
    graph = captured(lambda x, guarded: x + 1, torch.zeros(1), Guarded(torch.zeros(1)))
    assert graph.calls[0].arguments.items[1] == Node("Guarded", ("tensor",), (Slot(1),))
