"""Programs of torch.export: what is easily lost on the way from a run to the file and back."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import torchatlas as ta
from torchatlas.core.check import check
from torchatlas.core.measure.cost import total


def opened(model, args, tmp_path, *, decomposed=False):
    """The graph of the model as a file."""
    path = tmp_path / "net.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model, args)
        torch.export.save(program.run_decompositions() if decomposed else program, path)
    graph = ta.open(path).graph
    check(graph)
    return graph


def call_of(graph, name):
    """The one call of a name."""
    (found,) = [call for call in graph.calls if call.name == name]
    return found


class Flat(nn.Module):
    """Weights that are pieces of one memory, as a flattened recurrent layer has them; and one of them twice."""

    def __init__(self):
        super().__init__()
        flat = torch.randn(20)
        self.weight = nn.Parameter(flat[:16].view(4, 4))
        self.bias = nn.Parameter(flat[16:])
        self.again = self.bias
        self.unused = nn.Parameter(flat[2:4])

    def forward(self, x):
        return F.linear(x, self.weight, self.bias) + self.again


def test_weights_that_share_memory_are_told_apart(tmp_path):
    """The archive keeps them in one file; those at the same place of it are tied, and no others."""
    graph = opened(Flat(), (torch.zeros(2, 4),), tmp_path)
    held = {value.names: value.shape for value in graph.values if value.kind == "parameter"}
    assert held == {("weight",): (4, 4), ("bias", "again"): (4,), ("unused",): (2,)}
    assert len({value.storage for value in graph.values if value.kind == "parameter"}) == 1
    shapes = [graph.values[value].shape for value in call_of(graph, "aten.linear.default").inputs]
    assert shapes == [(2, 4), (4, 4), (4,)]


class Layers(nn.Module):
    """Layers that decomposition replaces by other operators."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ConvTranspose2d(4, 6, 2, stride=2)
        self.fc = nn.Linear(6, 8)
        self.norm = nn.LayerNorm(8)
        self.cell = nn.LSTMCell(8, 4)

    def forward(self, x):
        x = self.up(self.pool(self.bn(self.conv(x))))
        x = self.norm(self.fc(x.flatten(2).mT))
        x = F.scaled_dot_product_attention(x, x, x)
        return self.cell(x[:, 0])


@pytest.mark.parametrize("decomposed", [False, True])
def test_a_decomposed_program_has_the_operations_and_layers_of_the_model(tmp_path, decomposed):
    """Convolutions in both directions, a linear layer of a product and reshapes, attention, a recurrent cell."""
    model = Layers().eval()
    args = (torch.zeros(2, 3, 16, 16),)
    graph = opened(model, args, tmp_path, decomposed=decomposed)
    mine, run = total(graph), total(ta.capture(model, args).graph)
    assert (mine.flops, mine.unknown, mine.parameters) == (run.flops, 0, run.parameters)
    for path, module in model.named_children():
        told = graph.module_at[path]
        assert told.name == type(module).__name__
        for name, value in told.settings:
            wanted = getattr(module, name)
            plain = value if isinstance(value, (int, float, str)) else value.items
            assert plain == wanted or set(plain) == {wanted}, (path, name)
        assert told.settings or path == "cell"


@torch.library.custom_op("torchatlas_tests::twice_", mutates_args={"x"})
def twice_(x: torch.Tensor) -> None:
    """Writes its argument and returns nothing."""
    x.mul_(2)


@torch.library.custom_op("torchatlas_tests::told", mutates_args={"x"})
def told(x: torch.Tensor) -> None:
    """The same, under a name that does not say so."""
    x.mul_(2)


def test_what_writes_and_returns_nothing_is_there(tmp_path):
    """Later readers read what it wrote, which its name tells; where it does not, that is said."""

    class Net(nn.Module):
        def forward(self, x):
            one, other = x.clone(), x.sin()
            torch._foreach_add_([one, other], 1.0)
            twice_(one)
            told(other)
            return one.add_(1) + other

    graph = opened(Net(), (torch.zeros(3),), tmp_path)
    pair, alone = call_of(graph, "aten._foreach_add_.Scalar"), call_of(graph, "torchatlas_tests.twice_.default")
    assert len(pair.writes) == 2
    assert alone.inputs == pair.writes[:1]
    assert [graph.values[value].previous for value in pair.writes] == list(pair.inputs)
    assert call_of(graph, "aten.add_.Tensor").inputs[0] == alone.writes[0]
    unsure = call_of(graph, "torchatlas_tests.told.default")
    assert unsure.inputs == pair.writes[1:]
    assert [note.call for note in graph.notes if "which tensors it writes" in note.text] == [unsure.id]


def test_a_write_into_a_piece_is_one_into_the_whole(tmp_path):
    """What reads the whole afterwards reads what was written into its view; so does whoever gets the result."""

    class Net(nn.Module):
        def forward(self, x):
            y = x.clone()
            y[0] += 1
            z = y * 2
            y.t().neg_()
            return y, z

    graph = opened(Net(), (torch.zeros(2, 2),), tmp_path)
    product, negation = call_of(graph, "aten.mul.Tensor"), call_of(graph, "aten.neg_.default")
    assert graph.values[product.inputs[0]].producer == call_of(graph, "aten.copy_.default").id
    assert graph.values[graph.calls[0].outputs[0]].producer == negation.id
    assert graph.values[graph.calls[0].outputs[0]].previous == product.inputs[0]
