"""What rows count adds up to the total, whatever modules and parameters are shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import torchatlas as ta
from torchatlas.views.table.rows import cut, rows_of

if TYPE_CHECKING:
    from torchatlas.views.table.row import Row

WIDTH = 3


class Layer(nn.Module):
    """Adds one vector and multiplies by another, either of which other layers may have too."""

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter):
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, x):
        return x * self.weight.sum() + self.bias.sum()


@st.composite
def models(draw) -> nn.Module:
    """Trees of modules; parameters, layers and whole branches stand in them at several places, some in a row."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    pool = [nn.Parameter(torch.ones(size), requires_grad=draw(st.booleans())) for size in sizes]
    made: list[nn.Module] = [
        Layer(draw(st.sampled_from(pool)), draw(st.sampled_from(pool))) for _ in range(draw(st.integers(1, 4)))
    ]
    for _ in range(draw(st.integers(1, 5))):
        repeats = draw(st.integers(1, 3))
        made.append(nn.Sequential(*draw(st.lists(st.sampled_from(made), min_size=1, max_size=4)) * repeats))
    return nn.Sequential(*draw(st.lists(st.sampled_from(made), min_size=1, max_size=4)))


def numbers(row: Row) -> tuple[int, int, int]:
    """What a row counts: parameters, trainable ones, bytes."""
    assert row.counted is not None
    return row.counted.parameters, row.counted.trainable, row.counted.nbytes


def added(rows: list[Row]) -> tuple[int, ...]:
    """What rows count together."""
    return tuple(map(sum, zip((0, 0, 0), *map(numbers, rows), strict=True)))


def sizes_of(parameters: list[nn.Parameter]) -> tuple[int, int, int]:
    """The same of parameters, each once."""
    each = list({id(one): one for one in parameters}.values())
    trainable = sum(one.numel() for one in each if one.requires_grad)
    return sum(one.numel() for one in each), trainable, sum(4 * one.numel() for one in each)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_rows_sum_to_the_total_at_every_depth(model):
    """The last rows, and those at each depth: the sums are those of ``parameters()``, in elements and in bytes."""
    graph = ta.capture(model, torch.ones(WIDTH)).graph
    rows = rows_of(graph, fold=False)
    total = sizes_of(list(model.parameters()))
    assert numbers(rows[0]) == total
    for depth in range(max(row.depth for row in rows) + 1):
        shown = cut(rows, depth)
        last = [row for at, row in enumerate(shown) if at not in {other.parent for other in shown}]
        assert added(last) == total


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_the_first_row_of_a_parameter_counts_it(model):
    """Layers count, in the order of the rows, what no layer before them has."""
    rows = rows_of(ta.capture(model, torch.ones(WIDTH)).graph, fold=False)
    seen: set[int] = set()
    for row in rows:
        if row.type != "Layer":
            continue
        fresh = [one for one in model.get_submodule(row.path).parameters() if id(one) not in seen]
        assert numbers(row) == sizes_of(fresh)
        seen |= {id(one) for one in fresh}


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(models(), st.sampled_from(["modules", "ops"]))
def test_folded_rows_sum_to_the_total(model, mode):
    """A row that stands for repeats counts all of them; what is inside it is no more than that."""
    rows = rows_of(ta.capture(model, torch.ones(WIDTH)).graph, mode=mode)
    assert numbers(rows[0]) == sizes_of(list(model.parameters()))
    for at, row in enumerate(rows):
        inside = [other for other in rows if other.parent == at and other.counted is not None]
        if row.counted is None or not inside:
            continue
        assert all(one <= other for one, other in zip(added(inside), numbers(row), strict=True))
        if all(other.count == 1 for other in rows):
            assert added(inside) == numbers(row)


class HalfTied(nn.Module):
    """Two layers with one weight and a bias each."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(10, 10), nn.Linear(10, 10)
        self.other.weight = self.one.weight

    def forward(self, x):
        return self.other(self.one(x))


def test_a_half_tied_layer_counts_its_bias():
    """The cell says what it adds and that the rest stands in another row; the note says so to programs."""
    summary = ta.capture(HalfTied(), torch.ones(1, 10)).summary(columns=["name", "params", "share", "weights", "note"])
    lines = str(summary).splitlines()
    assert lines[2].split()[1:] == ["120", "100.0", "%", "480", "B", "-"]
    assert lines[3].split()[2:] == ["110", "91.7", "%", "440", "B", "-"]
    assert lines[4].split()[2:] == ["10", "(+", "tied)", "8.3", "%", "40", "B", "partly", "tied"]


class Borrowing(nn.Module):
    """Calls a layer that another module registers."""

    def __init__(self, layer):
        super().__init__()
        self.own = nn.Linear(4, 4)
        self.borrowed = [layer]

    def forward(self, x):
        return self.borrowed[0](self.own(x))


class Lending(nn.Module):
    """The owner of the layer is called after the one that borrows it."""

    def __init__(self):
        super().__init__()
        self.lender = nn.Sequential(nn.Linear(4, 4))
        self.borrower = Borrowing(self.lender[0])

    def forward(self, x):
        return self.lender(self.borrower(x))


def test_a_layer_that_another_module_calls_counts_where_it_is_registered():
    """Its row inside the caller says that its parameters stand elsewhere, and a note says where."""
    model = Lending()
    rows = rows_of(ta.capture(model, torch.ones(1, 4)).graph)
    assert [(row.label, row.again, numbers(row)[0]) for row in rows] == [
        ("Lending", "", 40),
        ("borrower", "", 20),
        ("own", "", 20),
        ("lender.0", "elsewhere", 0),
        ("lender", "", 20),
        ("0", "", 20),
    ]
    text = str(ta.capture(model, torch.ones(1, 4)).summary())
    assert "(elsewhere)" in text
    assert "are counted in the row of the module that registers them" in text
