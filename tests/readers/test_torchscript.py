"""TorchScript archives: what followed code must not lose."""

from __future__ import annotations

import warnings

import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.check import check
from torchatlas.core.cost import total


def scripted(model, tmp_path, *, frozen=False):
    """The graph of the scripted model as a file."""
    path = tmp_path / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.script(model.eval())
        torch.jit.save(torch.jit.freeze(made) if frozen else made, path)
    graph = ta.open(path).graph
    check(graph)
    return graph


def history(graph, value):
    """The names of the calls that made a value, and the versions before it, the newest first."""
    found = []
    while value is not None:
        known = graph.values[value]
        if known.producer is not None:
            found.append(graph.calls[known.producer].name)
        value = known.previous if known.previous is not None else known.same_as
    return found


class Writes(nn.Module):
    """Writes whose results nobody keeps: into a piece, both sides of a condition, and a loop."""

    def forward(self, x, n: int):
        y = x.clone()
        y[0] = 1.0
        if bool(x.sum() > 0):
            y.view(-1).add_(1)
        else:
            y.mul_(2)
        for _ in range(n):
            y.sub_(x)
        return y


def test_what_is_written_in_place_reaches_its_later_readers(tmp_path):
    """A call whose result has no name still changes its tensor, and what that is a view of."""
    graph = scripted(Writes(), tmp_path)
    (result,) = graph.calls[0].outputs
    assert history(graph, result) == ["prim.Loop", "aten.sub_", "prim.If", "merge"]
    (merge,) = [call for call in graph.calls if call.name == "merge"]
    then, otherwise = (history(graph, value) for value in merge.inputs[1:])
    assert then == ["aten.add_", "aten.copy_", "aten.clone"]
    assert otherwise == ["aten.mul_", "aten.copy_", "aten.clone"]


class Recurrent(nn.Module):
    """Layers of every kind of argument in which weights stand."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.lstm = nn.LSTM(4, 5, 2)
        self.conv = nn.ConvTranspose1d(5, 3, 2)
        self.norm = nn.BatchNorm1d(5)
        self.out = nn.Linear(3, 2)
        self.scale = nn.Parameter(torch.randn(2))

    def forward(self, ids):
        x = self.norm(self.lstm(self.embed(ids))[0].permute(1, 2, 0))
        return self.out(self.conv(x).mT) * self.scale


def test_the_weights_of_a_frozen_model_are_its_parameters(tmp_path):
    """They are constants of its code; what layers read is counted, and anything else stays a constant."""
    torch.manual_seed(0)
    model = Recurrent()
    for tensor in (*model.parameters(), *model.buffers()):  # equal ones would become one constant
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 1, 2)
    graph = scripted(model, tmp_path, frozen=True)
    elements = sum(parameter.numel() for parameter in model.parameters()) - model.scale.numel()
    assert (total(graph).parameters, total(graph).buffers) == (elements, 10)
    assert any("frozen" in note.text for note in graph.notes)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")

    @torch.jit.interface
    class Step(nn.Module):
        """What a layer that is chosen in the run can do."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            pass  # the one statement that an interface may hold


class Double(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


class Chosen(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList([Double(), Double()])

    def forward(self, x, which: int):
        step: Step = self.steps[which]
        return step.forward(x).relu()


def test_a_layer_that_the_run_chooses_is_a_call_of_unknown_arithmetic(tmp_path):
    """The way from input to output is whole, and what is not known is said."""
    graph = scripted(Chosen(), tmp_path)
    chosen, relu = [call for call in graph.calls if call.kind == "function"]
    assert (chosen.name, chosen.arithmetic, relu.name) == ("forward", "unknown", "aten.relu")
    assert (chosen.inputs, relu.inputs) == (graph.calls[0].inputs, chosen.outputs)
    assert [note.call for note in graph.notes] == [chosen.id]


class Asks(nn.Module):
    def forward(self, x):
        if bool(x.sum() > 0):
            x = x.sin()
        while bool(x.max() < 1):
            x = x * 2
        return x


def test_what_decides_a_condition_and_a_loop_goes_into_them(tmp_path):
    """The comparison is read by what it decides."""
    graph = scripted(Asks(), tmp_path)
    condition, loop = (call for call in graph.calls if call.name in {"prim.If", "prim.Loop"})
    (merge,) = [call for call in graph.calls if call.name == "merge"]
    deciders = [graph.calls[graph.values[call.inputs[0]].producer].name for call in (condition, merge, loop)]
    assert deciders == ["aten.gt", "aten.gt", "aten.lt"]


class Raising(nn.Module):
    """Writes in a branch inside a branch, and raises there."""

    def forward(self, x):
        if bool(x.sum() > 0):  # noqa: SIM102 - a branch in a branch is what is asked
            if bool(x.sum() > 1):
                x.mul_(2)
                raise ValueError
        return x + 1


class Counting(nn.Module):
    """A loop that writes into what decides whether it goes on."""

    def forward(self, x):
        c = x.sum()
        while bool(c > 0):
            c.sub_(1)
        return c


def test_what_a_branch_wrote_before_it_raised_is_taken_back(tmp_path):
    """Also for the branch around it, which is left as if nothing had been written."""
    graph = scripted(Raising(), tmp_path)
    (added,) = [call for call in graph.calls if call.name == "aten.add"]
    assert history(graph, added.inputs[0]) == []


def test_a_loop_reads_what_was_there_before_it(tmp_path):
    """What its body writes comes out of it, and does not go into it."""
    graph = scripted(Counting(), tmp_path)
    loop = next(call for call in graph.calls if call.name == "prim.Loop")
    assert loop.inputs
    assert not set(loop.inputs) & set(loop.outputs)
    assert all(value < min(loop.outputs) for value in loop.inputs)
