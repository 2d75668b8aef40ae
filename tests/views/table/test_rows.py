"""Which rows a graph gets, nested how, folded where, and that what they stand for adds up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn

import torchatlas as ta
from core.graphs import build, irregular, llama_like
from torchatlas.core.graph import Call, Graph, Module
from torchatlas.views.table.facts import Facts
from torchatlas.views.table.rows import cut, fitting_depth, rows_of
from views.table import nets

GRAPHS = {
    "decoder": nets.decoder,
    "unrolled": nets.unrolled,
    "mnist": nets.mnist,
    "failing": nets.failing,
    "llama": lambda: llama_like(5, 12),
    "irregular": lambda: irregular(400),
}


def tree(rows):
    """Labels with repeats, indented by depth."""
    return [f"{'  ' * row.depth}{row.label}{f' x{row.count}' if row.count > 1 else ''}" for row in rows]


def row(rows, label):
    """The only row of that name."""
    (found,) = [row for row in rows if row.label == label]
    return found


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_every_call_has_one_row(graph):
    """Unfolded, with functions, each call but the ATen ones stands in the table once, in the order they began."""
    rows = rows_of(graph(), mode="ops", fold=False)
    calls = [call for row in rows for call in row.calls]
    assert calls == [call.id for call in graph().calls if call.kind != "aten"]


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_folded_rows_stand_for_the_same_work(graph):
    """A row does what the rows inside it do, as often as it repeats, beside what it does itself."""
    rows = rows_of(graph(), mode="ops")
    facts = Facts(graph(), {})
    inside = Counter()
    for each in rows:
        if each.parent is not None and each.calls:
            inside[each.parent] += facts.work(each).flops * rows[each.parent].count
    for index, each in enumerate(rows):
        if each.calls and index in inside:
            own = 0 if each.kind == "group" else sum(graph().calls[call].flops for call in each.calls)
            assert facts.work(each).flops == inside[index] + own


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("mode", ["modules", "ops"])
def test_rows_are_a_tree(graph, mode):
    """A parent stands before its rows, one level less deep; the model stands first."""
    rows = rows_of(graph(), mode=mode)
    assert rows[0].parent is None
    for index, each in enumerate(rows[1:], start=1):
        assert 0 <= each.parent < index
        assert each.depth == rows[each.parent].depth + 1


def test_equal_layers_are_one_row():
    """With one layer inside, parts that never ran included."""
    assert tree(rows_of(nets.decoder())) == [
        "Decoder",
        "  embed",
        "  layers.0..5 x6",
        "    norm1",
        "    attention",
        "      qkv",
        "      proj",
        "      drop",
        "    norm2",
        "    mlp",
        "      0",
        "      1",
        "      2",
        "  twice",
        "  twice",
        "  lent",
        "  norm",
        "  spare",
        "    0",
        "    1",
        "  head",
    ]


def test_unfolded_layers_are_all_there():
    """Each by its own name."""
    labels = [each.label for each in rows_of(nets.decoder(), fold=False) if each.depth == 1]
    assert labels[1:7] == [f"layers.{number}" for number in range(6)]


def test_a_loop_is_one_row():
    """The same module seven times: its path, its count, its parameters once."""
    rows = rows_of(nets.unrolled())
    cell = row(rows, "cell")
    assert (cell.count, len(cell.calls), cell.paths, cell.again) == (7, 7, ("cell",), "")
    assert Facts(nets.unrolled(), {}).held(cell).parameters == 3 * 5 * (4 + 5) + 2 * 3 * 5


def test_several_modules_that_repeat_together_are_a_group():
    """Three times convolution and activation: one row around both, for all repeats; both inside, for one."""
    net = nn.Sequential(*(part for _ in range(3) for part in (nn.Conv2d(2, 2, 3, padding=1), nn.Tanh())))
    rows = rows_of(ta.capture(net, torch.rand(1, 2, 5, 5)).graph)
    group, conv, tanh = rows[1:]
    assert (group.kind, group.count, group.path, len(group.paths)) == ("group", 3, None, 6)
    assert (conv.label, conv.type, conv.count, conv.parent) == ("0", "Conv2d", 1, 1)
    assert (tanh.label, tanh.type, tanh.count, tanh.parent) == ("1", "Tanh", 1, 1)


def test_modules_inside_functions_keep_their_repeats():
    """A function that is no row itself gives its place to the modules in it, in every repeat."""

    class Rerun(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, layer):
            return layer(x)

        @staticmethod
        def backward(ctx, grad):
            return grad, None

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(5))

        def forward(self, x):
            for layer in self.layers:
                x = Rerun.apply(x, layer)
            return x

    graph = ta.capture(Net(), torch.rand(2, 4)).graph
    assert tree(rows_of(graph)) == ["Net", "  layers.0..4 x5", "    0", "    1"]
    assert row(rows_of(graph), "layers.0..4").calls == tuple(c for i in range(5) for c in graph.calls_of[f"layers.{i}"])
    assert tree(rows_of(graph, mode="ops"))[1] == "  Rerun x5"


def test_a_module_that_ran_before_is_reused():
    """Its parameters stand in the first row."""
    rows = [each for each in rows_of(nets.decoder()) if each.label == "twice"]
    assert [each.again for each in rows] == ["", "reused"]


def test_tied_weights_stand_in_the_first_row():
    """The head has the weights of the embedding."""
    rows = rows_of(nets.decoder())
    assert (row(rows, "embed").again, row(rows, "head").again) == ("", "tied")


def test_modules_that_never_ran_stand_in_their_place():
    """After what precedes them in the structure; where others read their weights, the row says so."""
    rows = rows_of(nets.decoder())
    labels = [each.label for each in rows if each.depth == 1]
    assert labels.index("spare") == labels.index("norm") + 1
    assert {each.label: each.state for each in rows if each.state != "ran"} == {
        "drop": "never ran",
        "spare": "never ran",
        "0": "never ran",
        "1": "never ran",
        "lent": "weights used",
    }


def test_functions_stand_between_the_modules():
    """In the order they ran; the one that handed data to Python says so."""
    rows = rows_of(nets.decoder(), mode="ops")
    block = [each.label for each in rows if each.parent == [r.label for r in rows].index("layers.0..5")]
    assert block == ["norm1", "attention", "Tensor.add", "norm2", "mlp", "Tensor.add"]
    assert [each.label for each in rows if each.reads_data] == ["Tensor.item"]
    assert row(rows, "F.scaled_dot_product_attention").type == "function"


def test_what_failed_is_shown_however_deep():
    """With the calls around it, but not what is beside them; in module rows too."""
    rows = cut(rows_of(nets.failing()), 0)
    assert [(each.label, each.state) for each in rows] == [
        ("Decoder", "stopped"),
        ("norm", "stopped"),
        ("F.layer_norm", "failed"),
    ]


def test_a_failure_in_an_aten_call_is_the_functions():
    """The user knows the function that they called."""
    graph = build("""
        input x 2,3
        Net x -> y
          F.linear x -> y 2,3
            aten.mm x -> z 2,3
    """)
    failed = replace(graph, error=2, calls=(*graph.calls[:2], replace(graph.calls[2], error="RuntimeError: no")))
    assert [(each.label, each.state) for each in rows_of(failed)] == [("Net", "stopped"), ("F.linear", "failed")]


def test_a_failing_repeat_is_not_folded_away():
    """Layers that end differently are told apart."""

    class Layer(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.inner = nn.Linear(4, width)

        def forward(self, x):
            return self.inner(x).tanh()

    net = nn.Sequential(*(Layer(4) for _ in range(5)), Layer(3), Layer(4))
    with pytest.raises(RuntimeError) as caught:
        ta.capture(net, torch.rand(2, 4))
    rows = rows_of(caught.value.atlas.graph)
    assert tree(cut(rows, 1)) == ["Sequential", "  0..4 x5", "  5", "  6", "    inner", "      F.linear"]


def test_modules_called_without_being_registered_go_by_where_they_are():
    """A variable of the function around the forward holds them."""
    hidden = [nn.Tanh(), nn.ReLU()]

    class Net(nn.Module):
        def forward(self, x):
            return hidden[1](hidden[0](x))

    rows = rows_of(ta.capture(Net(), torch.rand(2)).graph)
    assert [(each.label, each.path, each.again) for each in rows[1:]] == [
        ("hidden[0]", "hidden[0]", ""),
        ("hidden[1]", "hidden[1]", ""),
    ]


def test_a_shared_module_goes_by_the_name_its_parent_knows():
    """Not by the path under which it was met first."""

    class Half(nn.Module):
        def __init__(self, norm):
            super().__init__()
            self.mine = norm

        def forward(self, x):
            return self.mine(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            norm = nn.LayerNorm(4)
            self.left, self.right = Half(norm), Half(norm)

        def forward(self, x):
            return self.left(x) + self.right(x)

    rows = rows_of(ta.capture(Net(), torch.rand(2, 4)).graph, fold=False)
    assert tree(rows) == ["Net", "  left", "    mine", "  right", "    mine"]
    assert [each.again for each in rows] == ["", "", "", "tied", "reused"]


def test_a_structure_without_a_run_is_folded_too():
    """Named through the lists that hold the layers, as in a run."""
    assert tree(cut(rows_of(nets.structure()), 1)) == [
        "Decoder",
        "  embed",
        "  layers.0..5 x6",
        "  norm",
        "  spare",
        "  twice",
        "  lent",
        "  head",
    ]
    assert {each.state for each in rows_of(nets.structure())} == {"structure"}


def test_an_empty_graph_has_no_rows():
    """Nothing ran, and there is nothing that could."""
    assert rows_of(Graph("nothing")) == ()


def test_depth_does_not_exhaust_the_stack():
    """20,000 modules, each called in the one before."""
    paths = [".".join(["m"] * depth) for depth in range(3)]
    calls = [Call(0, "module", "Net", path="")]
    calls += [Call(at, "module", "Deep", path="m", parent=at - 1) for at in range(1, 20_000)]
    graph = Graph("Net", tuple(calls), (), tuple(Module(path, "Deep") for path in paths[:2]))
    assert rows_of(graph, fold=False)[-1].depth == 19_999


def test_depth_by_default_keeps_the_table_short():
    """As deep as 60 rows allow, and one level at least."""
    rows = rows_of(nets.decoder(), fold=False)
    assert len(cut(rows, None)) <= 60 < len(rows)
    wide = rows_of(ta.capture(nn.Sequential(*(nn.Linear(1, number + 1) for number in range(80)))).graph, fold=False)
    assert len(cut(wide, None)) == 81


def test_a_limit_above_all_rows_opens_every_level():
    """And one below the first level opens that."""
    rows = rows_of(nets.decoder())
    assert (fitting_depth(rows, 1000), fitting_depth(rows, 1)) == (3, 1)


def test_cut_rows_know_their_new_parents():
    """Indices are those of the shorter table."""
    rows = cut(rows_of(nets.decoder(), mode="ops"), 2)
    assert all(rows[each.parent].depth == each.depth - 1 for each in rows if each.parent is not None)
