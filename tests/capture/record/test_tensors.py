"""Which tensor is which: versions, aliases, views, constants and lifetimes in the record."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torchatlas as ta
from find import calls, capture, graph_of, names, only


def test_writes_make_versions():
    """An in-place write gives a new version that knows the one before; a later read through a view has its own."""

    def program(x: Tensor) -> Tensor:
        y = x * 2
        view = y[0]
        y.add_(1)
        return view + 0

    graph = capture(program, torch.ones(2, 3))
    write, read = only(graph, "Tensor.add_"), calls(graph, "Tensor.add")[-1]
    version, alias = write.writes
    assert graph.values[version].previous == only(graph, "Tensor.mul").outputs[0]
    assert read.inputs[0] == alias
    seen = graph.values[read.inputs[0]]
    assert seen.producer == write.id
    assert seen.previous == only(graph, "Tensor.__getitem__").outputs[0]


@pytest.mark.parametrize("mode", ["grad", "no_grad", "inference_mode"])
@pytest.mark.parametrize(
    "write",
    [
        lambda y: y.add_(1),
        lambda y: y.data.add_(1),
        lambda y: y.detach().zero_(),
        lambda y: y.__setitem__(0, 5.0),
        lambda y: torch.add(y.detach(), 1, out=y.data),
        lambda y: F.relu(y, inplace=True),
        lambda y: y.view(-1)[1:].mul_(2),
        lambda y: y.uniform_(),
        lambda y: torch._foreach_add_([y], 1),
    ],
    ids=["method", "data", "detach", "index", "out", "inplace", "view", "random", "foreach"],
)
def test_a_write_is_the_producer_of_what_is_read_after_it(write, mode):
    """By whatever means and in whatever gradient mode, the next read of the tensor depends on the write."""
    entered = {"grad": torch.enable_grad, "no_grad": torch.no_grad, "inference_mode": torch.inference_mode}[mode]

    def program(x: Tensor) -> Tensor:
        with entered():
            y = x * 2
            write(y)
            return y.exp()

    graph = capture(program, torch.ones(2, 3))
    producer = graph.calls[graph.values[only(graph, "Tensor.exp").inputs[0]].producer]
    assert producer.writes
    assert producer.id > only(graph, "Tensor.mul").id


@pytest.mark.parametrize("level", ["op", "aten"])
def test_what_is_returned_after_a_write_through_a_view_is_the_writers(level):
    """By the run, by a module in it, and when a later module hands on what was written before it."""

    class Write(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.clone()
            y.t().add_(1)
            return y

    class Held(nn.Module):
        def __init__(self, held: list[Tensor]) -> None:
            super().__init__()
            self.held = held

        def forward(self, x: Tensor) -> Tensor:
            return self.held[0]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            held: list[Tensor] = []
            self.write, self.hand = Write(), Held(held)
            self.held = held

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            self.held[:] = [x * 2]
            self.held[0][0].zero_()
            return self.write(x), self.hand(x)

    graph = capture(Net(), torch.ones(2, 3), level=level)
    written, held = graph.calls[0].outputs
    assert written in only(graph, "Write").outputs
    assert graph.calls[graph.values[written].producer].name in {"Tensor.add_", "aten.add_.Tensor"}
    assert graph.values[held].producer == only(graph, "Held").id
    zeroed = graph.values[graph.values[held].alias_of]
    assert graph.calls[zeroed.producer].name in {"Tensor.zero_", "aten.zero_.default"}


def test_batch_norm_in_training_writes_its_statistics():
    """The buffers get new versions from it, though C++ writes them; in eval they do not."""
    model = nn.BatchNorm1d(4)
    for mode, written in (("train", {"running_mean", "running_var"}), ("eval", set())):
        graph = ta.capture(model, torch.randn(3, 4), mode=mode).graph
        call = only(graph, "F.batch_norm")
        assert {graph.values[value].names[0] for value in call.writes} == written


def test_what_passes_through_is_linked():
    """Identity, dropout in eval, ``contiguous``: a new value that is the same as the one before."""
    model = nn.Sequential(nn.Identity(), nn.Dropout(0.5), nn.Flatten(0))
    graph = ta.capture(model, torch.ones(4)).graph
    root, output = graph.calls[0], graph.values[graph.calls[0].outputs[0]]
    chain = [output.id]
    while graph.values[chain[-1]].alias_of is not None:
        chain.append(graph.values[chain[-1]].alias_of)
    assert chain[-1] == root.inputs[0]
    assert len(chain) > 1


def test_views_are_known_and_copies_are_not():
    """A view names what it views and shares its storage; a copy does neither."""

    def program(x: Tensor) -> tuple[Tensor, ...]:
        return x.T, x[1:], x.reshape(-1), x.clone(), x.T.reshape(-1)

    graph = capture(program, torch.ones(2, 3))
    source = graph.values[graph.calls[0].inputs[0]]
    values = [graph.values[value] for value in graph.calls[0].outputs]
    assert [value.view_of is not None for value in values] == [True, True, True, False, False]
    assert [value.storage == source.storage for value in values] == [True, True, True, False, False]


def test_tensors_made_inside_have_a_maker():
    """``arange``, ``zeros``, ``tensor``: results of calls, not constants; a tensor from around the model is one."""
    outside = torch.ones(3)
    graph = capture(lambda x: x + torch.arange(3) + torch.tensor([1, 2, 3]) + torch.zeros(3) + outside, torch.ones(3))
    assert [value.shape for value in graph.values if value.kind == "constant"] == [(3,)]
    assert {"torch.arange", "torch.tensor", "torch.zeros"} <= {call.name for call in graph.calls}


def test_tensors_held_as_attributes_have_their_path():
    """A tensor that is neither parameter nor buffer is a constant with the name of its attribute."""
    graph = graph_of("modules/plain_tensors")
    assert {"scale", "shifts[0]", "shifts[1]", "table.last"} <= names(graph, "constant")


def test_lifetimes_are_true():
    """A temporary is freed when the next call no longer holds it; inputs and outputs outlive the run."""
    graph = capture(lambda x: ((x + 1) * 2).exp(), torch.ones(3))
    add, mul, exp = (only(graph, f"Tensor.{name}") for name in ("add", "mul", "exp"))
    assert graph.values[add.outputs[0]].freed <= exp.id
    assert graph.values[mul.outputs[0]].freed == len(graph.calls)
    assert graph.values[exp.outputs[0]].freed is None
    assert graph.values[graph.calls[0].inputs[0]].freed is None


def test_gradient_saves_keep_memory_alive():
    """What autograd saves outlives the run as long as the graph is held by the output."""
    weight = torch.ones(3, requires_grad=True)
    kept: list[Tensor] = []

    def program(x: Tensor) -> Tensor:
        kept.append((x * weight).exp().sin())
        return kept[0]

    graph = capture(program, torch.ones(3))
    assert graph.values[only(graph, "Tensor.exp").outputs[0]].freed is None  # sin saved its input
    assert graph.values[only(graph, "Tensor.mul").outputs[0]].freed is not None
