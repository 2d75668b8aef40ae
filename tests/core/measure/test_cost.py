"""Costs of subtrees, checked against sums made again by other code: walks with sets instead of running sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tensors import tensor
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Call, Graph, Module
from torchatlas.core.measure.cost import Cost, costs, total
from work import lines_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.core.graph import Value


def _mlp() -> Graph:
    """Build two linear layers with tied weights, a relu in place between them, a view, and a layer that never runs."""
    values = (
        tensor(0, "parameter", (3, 3), names=("one.weight", "two.weight"), requires_grad=True),
        tensor(1, "parameter", (3,), names=("one.bias",)),
        tensor(2, "parameter", (5,), names=("idle.weight",), requires_grad=True),
        tensor(3, "buffer", (7,), names=("table",)),
        tensor(4, "input", (2, 3), names=("x",), storage=0),
        tensor(5, shape=(2, 3), producer=2, storage=1),
        tensor(6, shape=(2, 3), producer=3, storage=1, previous=5),
        tensor(7, "output", shape=(2, 3), producer=5, storage=2),
        tensor(8, "output", shape=(3, 2), producer=6, storage=2, view_of=7),
    )
    calls = (
        Call(0, "module", "Net", "", inputs=(4,), outputs=(8,)),
        Call(1, "module", "Linear", "one", 0, inputs=(4,), outputs=(5,)),
        Call(2, "function", "F.linear", None, 1, (4, 0, 1), (5,), flops=36, arithmetic="counted"),
        Call(3, "function", "Tensor.relu_", None, 0, (5,), (6,), writes=(6,), arithmetic="elementwise"),
        Call(4, "module", "Linear", "two", 0, inputs=(6,), outputs=(7,)),
        Call(5, "function", "F.linear", None, 4, (6, 0), (7,), flops=36, arithmetic="counted"),
        Call(6, "function", "Tensor.t", None, 0, (7,), (8,)),
    )
    modules = (
        Module("", "Net", buffers=(("table", 3),)),
        Module("one", "Linear", parameters=(("weight", 0), ("bias", 1))),
        Module("two", "Linear", parameters=(("weight", 0),)),
        Module("idle", "Linear", parameters=(("weight", 2),)),
    )
    return Graph("Net", calls, values, modules)


def test_total_counts_every_tensor_once() -> None:
    """Tied weights, a write in place and a view add nothing; what never ran is still counted."""
    assert total(_mlp()) == Cost(
        parameters=17,
        trainable=14,
        buffers=7,
        parameter_bytes=68,
        buffer_bytes=28,
        input_bytes=24,
        activation_bytes=48,
        flops=72,
        elementwise=6,
    )


def test_frozen_macs_and_exact_follow_from_the_sums() -> None:
    """The derived quantities are what their names say."""
    cost = total(_mlp())
    assert (cost.frozen, cost.macs, cost.exact) == (3, 36, True)
    assert not Cost(unknown=1).exact


def test_module_and_function_rows_count_what_they_use() -> None:
    """A module has what is registered in it, a function what it reads."""
    all_costs = costs(_mlp())
    assert all_costs.module("one") == all_costs.call(1)
    assert all_costs.module("one").parameters == 12
    assert all_costs.module("two").parameters == all_costs.call(5).parameters == 9
    assert all_costs.call(2).parameters == 12
    assert all_costs.call(3).parameters == 0


def test_a_module_that_never_ran_has_parameters_and_no_work() -> None:
    """Structure counts without a call."""
    assert costs(_mlp()).module("idle") == Cost(parameters=5, trainable=5, parameter_bytes=20)


def test_a_graph_without_calls_has_its_parameters() -> None:
    """A model that was not run costs what it holds."""
    ran = _mlp()
    cost = total(Graph("Net", values=ran.values[:4], modules=ran.modules))
    assert cost == Cost(parameters=17, trainable=14, buffers=7, parameter_bytes=68, buffer_bytes=28)
    assert total(Graph("empty")) == Cost()


def test_a_module_called_twice_works_twice_and_holds_once() -> None:
    """Repeated calls add FLOPs and memory, not parameters; what one call hands the next does not enter."""
    values = (
        tensor(0, "parameter", (2, 2)),
        tensor(1, "input", (1, 2)),
        tensor(2, shape=(1, 2), producer=2),
        tensor(3, "output", shape=(1, 2), producer=4),
    )
    calls = (
        Call(0, "module", "Net", "", inputs=(1,), outputs=(3,)),
        Call(1, "module", "Cell", "cell", 0, (1,), (2,)),
        Call(2, "function", "F.linear", None, 1, (1, 0), (2,), flops=8, arithmetic="counted"),
        Call(3, "module", "Cell", "cell", 0, (2,), (3,)),
        Call(4, "function", "F.linear", None, 3, (2, 0), (3,), flops=8, arithmetic="counted"),
    )
    modules = (Module("", "Net"), Module("cell", "Cell", parameters=(("w", 0),)))
    expected = Cost(parameters=4, parameter_bytes=16, input_bytes=8, activation_bytes=16, flops=16)
    assert costs(Graph("Net", calls, values, modules)).module("cell") == expected


def test_a_container_that_is_never_called_costs_what_its_items_cost() -> None:
    """A ModuleList has no call of its own: its items' outermost calls stand for it, also when they recurse."""
    values = (tensor(0, "parameter", (4,)), tensor(1, "input", (4,)), tensor(2, "output", (4,), producer=3))
    calls = (
        Call(0, "module", "Net", "", inputs=(1,), outputs=(2,)),
        Call(1, "module", "Block", "blocks.0", 0, (1,), (2,)),
        Call(2, "module", "Block", "blocks.0", 1, (1,), (2,)),
        Call(3, "function", "Tensor.mul", None, 2, (1, 0), (2,), arithmetic="elementwise"),
    )
    modules = (Module("", "Net"), Module("blocks", "ModuleList"), Module("blocks.0", "Block", parameters=(("w", 0),)))
    all_costs = costs(Graph("Net", calls, values, modules))
    assert all_costs.module("blocks") == all_costs.module("blocks.0") == all_costs.call(1)
    assert all_costs.module("blocks").elementwise == 4


def test_a_shared_module_belongs_to_every_module_that_holds_it() -> None:
    """Each holder has the shared parameters; the whole has them once."""
    values = (tensor(0, "parameter", (4,)), tensor(1, "parameter", (2,)))
    modules = (
        Module("", "Net"),
        Module("a", "Half"),
        Module("a.s", "Shared", ("b.s",), parameters=(("w", 0),)),
        Module("a.s.deep", "Deep", ("b.s.deep",), parameters=(("w", 1),)),
        Module("b", "Half"),
    )
    all_costs = costs(Graph("Net", values=values, modules=modules))
    assert all_costs.module("a").parameters == all_costs.module("b").parameters == 6
    assert all_costs.module("b.s.deep").parameters == 2
    assert all_costs.total.parameters == 6


def test_a_module_below_itself_ends() -> None:
    """A module registered inside itself is counted once, without an endless walk."""
    modules = (Module("", "Net"), Module("a", "Loop", ("a.b.a",), parameters=(("w", 0),)), Module("a.b", "Inner"))
    all_costs = costs(Graph("Net", values=(tensor(0, "parameter", (3,)),), modules=modules))
    assert [all_costs.module(path).parameters for path in ("", "a", "a.b")] == [3, 3, 3]


def test_unknown_bytes_are_counted_as_unknown() -> None:
    """A lazy parameter has no elements yet; neither it nor a foreign tensor passes for zero bytes unnoticed."""
    values = (
        tensor(0, "parameter", (), nbytes=None, type="UninitializedParameter"),
        tensor(1, "input", (3,), nbytes=None),
        tensor(2, "output", (3,), nbytes=None, producer=1),
    )
    calls = (
        Call(0, "module", "Net", "", inputs=(1,), outputs=(2,)),
        Call(1, "function", "f", None, 0, (1, 0), (2,), arithmetic="unknown"),
    )
    cost = total(Graph("Net", calls, values, (Module("", "Net", parameters=(("w", 0),)),)))
    assert cost == Cost(unknown=1, unmeasured=3)


def test_a_weight_that_the_model_holds_too_is_registered() -> None:
    """A module that the model does not hold may share a weight with one that it does."""
    values = (tensor(0, "parameter", (4,)), tensor(1, "parameter", (2,)))
    modules = (
        Module("", "Net", parameters=(("w", 0),)),
        Module("loose", "Tied", parameters=(("w", 0), ("own", 1)), registered=False),
    )
    cost = total(Graph("Net", values=values, modules=modules))
    assert (cost.parameters, cost.unregistered) == (4, 2)


def test_what_is_written_and_not_returned_was_computed() -> None:
    """Elements of ``out=`` count, and those of a result that is both only once."""
    values = (
        tensor(0, "input", (3,)),
        tensor(1, shape=(3,), producer=1, previous=0),
        tensor(2, shape=(5,), producer=2),
    )
    calls = (
        Call(0, "function", "f"),
        Call(1, "function", "torch.exp", None, 0, (0,), writes=(1,), arithmetic="elementwise"),
        Call(2, "function", "Tensor.exp_", None, 0, (1,), (2,), writes=(2,), arithmetic="elementwise"),
    )
    assert total(Graph("f", calls, values)).elementwise == 8


def test_a_function_that_calls_modules_holds_their_parameters() -> None:
    """A checkpoint around blocks shows what the blocks hold, a tensor used by both once."""
    values = (tensor(0, "parameter", (4,)), tensor(1, "parameter", (2,)), tensor(2, "input", (4,)))
    calls = (
        Call(0, "module", "Net", "", inputs=(2,)),
        Call(1, "function", "checkpoint", None, 0, (2,)),
        Call(2, "module", "Block", "a", 1, (2,)),
        Call(3, "function", "F.linear", None, 2, (2, 0)),
        Call(4, "function", "F.linear", None, 1, (2, 0)),
    )
    modules = (Module("", "Net"), Module("a", "Block", parameters=(("w", 0), ("unused", 1))))
    assert costs(Graph("Net", calls, values, modules)).call(1).parameters == 6


def test_calls_of_two_threads_keep_apart() -> None:
    """Ids of calls interleave between threads; sums still follow the parents."""
    values = (tensor(0, "parameter", (4,)), tensor(1, "parameter", (2,)))
    calls = (
        Call(0, "function", "root"),
        Call(1, "function", "left", parent=0),
        Call(2, "function", "right", parent=0, thread=1),
        Call(3, "function", "f", parent=1, inputs=(0,), flops=1),
        Call(4, "function", "f", parent=2, inputs=(0, 1), flops=10, thread=1),
        Call(5, "function", "f", parent=1, inputs=(0,), flops=100),
    )
    all_costs = costs(Graph("root", calls, values))
    assert [all_costs.call(i).flops for i in (0, 1, 2)] == [111, 101, 10]
    assert [all_costs.call(i).parameters for i in (0, 1, 2)] == [6, 4, 6]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda found: found.module("on"), r"no module 'on' in Net, which has 4; near: 'one'"),
        (lambda found: found.module("xyz"), r"no module 'xyz' in Net.*`graph\.modules` lists"),
        (lambda found: found.call(7), r"no call 7: the graph has 7 calls"),
        (lambda found: found.call(-1), r"no call -1"),
    ],
)
def test_asking_for_what_is_not_there_says_what_is(ask: Callable[..., Cost], said: str) -> None:
    """An unknown path or id is an error of ours that helps on."""
    with pytest.raises(InputError, match=said):
        ask(costs(_mlp()))


@st.composite
def _graphs(draw: st.DrawFn) -> Graph:
    """Draw a tree of modules with tied tensors, and of calls that read anything made before."""
    shapes = st.lists(st.integers(0, 4), max_size=2).map(tuple)
    leaves = draw(st.lists(st.tuples(st.sampled_from(["parameter", "buffer", "input"]), shapes, st.booleans())))
    values = [tensor(i, kind, shape, requires_grad=grad) for i, (kind, shape, grad) in enumerate(leaves)]
    held = [v.id for v in values if v.kind != "input"]
    paths = [""]
    for i in range(draw(st.integers(0, 6))):
        holder = draw(st.sampled_from(paths))
        paths.append(f"{holder}.{i}" if holder else str(i))
    some = st.lists(st.sampled_from(held), max_size=3) if held else st.just([])
    modules = [Module(path, "M", parameters=tuple((f"p{i}", v) for i, v in enumerate(draw(some)))) for path in paths]
    calls = [Call(0, "module", "M", "")]
    for id_ in range(1, draw(st.integers(1, 25))):
        inputs = tuple(draw(st.lists(st.integers(0, len(values) - 1), max_size=3))) if values else ()
        path = draw(st.sampled_from([None, *paths]))
        alias = draw(st.sampled_from(["new", "alias_of", "view_of", "previous"])) if inputs else "new"
        link = {} if alias == "new" else {alias: inputs[0]}
        values.append(tensor(len(values), shape=draw(shapes), producer=id_, **link))
        arithmetic = draw(st.sampled_from(["counted", "elementwise", "movement", "unknown"]))
        flops = draw(st.integers(0, 100)) if arithmetic == "counted" else 0
        parent = draw(st.integers(0, id_ - 1))
        kind = "function" if path is None else "module"
        made = (values[-1].id,)
        calls.append(Call(id_, kind, "f", path, parent, inputs, made, flops=flops, arithmetic=arithmetic))
    return Graph("M", tuple(calls), tuple(values), tuple(modules))


def _inside(graph: Graph, root: int) -> list[Call]:
    """All calls of the subtree, by asking every call for its ancestors."""

    def under(call: Call) -> bool:
        while call.id != root and call.parent is not None:
            call = graph.calls[call.parent]
        return call.id == root

    return [call for call in graph.calls if under(call)]


def _first(graph: Graph, value: int) -> Value:
    found = graph.values[value]
    while (earlier := found.alias_of if found.alias_of is not None else found.previous) is not None:
        found = graph.values[earlier]
    return found


def _registered(graph: Graph, path: str) -> set[int]:
    below = [m for m in graph.modules if not path or m.path == path or m.path.startswith(path + ".")]
    return {value for m in below for _, value in (*m.parameters, *m.buffers)}


def _held_again(graph: Graph, call: Call) -> set[int]:
    """Parameters and buffers of a row, from the definition."""
    leaves = {v.id for v in graph.values if v.kind in {"parameter", "buffer"}}
    if call.parent is None:
        return leaves
    if call.kind == "module":
        return _registered(graph, call.path)
    inside = _inside(graph, call.id)
    read = {_first(graph, value).id for inner in inside for value in inner.inputs}
    return (read & leaves).union(*(_registered(graph, inner.path) for inner in inside if inner.kind == "module"))


def _cost_again(graph: Graph, call: Call) -> Cost:
    inside = _inside(graph, call.id)
    held = [graph.values[value] for value in _held_again(graph, call)]
    parameters = [value for value in held if value.kind == "parameter"]
    buffers = [value for value in held if value.kind == "buffer"]
    ids = {c.id for c in inside}
    fresh = [v for v in graph.values if v.producer in ids and {v.alias_of, v.view_of, v.previous} == {None}]
    entering = {_first(graph, value) for value in call.inputs}
    outside = [v for v in entering if v.kind not in {"parameter", "buffer"} and v.producer not in ids]
    return Cost(
        parameters=sum(v.numel for v in parameters),
        trainable=sum(v.numel for v in parameters if v.requires_grad),
        buffers=sum(v.numel for v in buffers),
        parameter_bytes=sum(4 * v.numel for v in parameters),
        buffer_bytes=sum(4 * v.numel for v in buffers),
        input_bytes=sum(4 * v.numel for v in outside),
        activation_bytes=sum(4 * v.numel for v in fresh),
        flops=sum(c.flops for c in inside),
        elementwise=sum(graph.values[c.outputs[0]].numel for c in inside if c.arithmetic == "elementwise"),
        unknown=sum(c.arithmetic == "unknown" for c in inside),
    )


@settings(max_examples=300, deadline=None)
@given(_graphs())
def test_every_call_costs_what_its_definition_says(graph: Graph) -> None:
    """Running sums equal sets collected by walking, for every call of any graph; the root is the total."""
    all_costs = costs(graph)
    for call in graph.calls:
        assert all_costs.call(call.id) == _cost_again(graph, call)
    assert all_costs.total == all_costs.call(0) == all_costs.module("")


@settings(max_examples=200, deadline=None)
@given(_graphs())
def test_every_module_costs_its_outermost_calls(graph: Graph) -> None:
    """A module's work is that of the calls below which no other call of its subtree holds them."""
    all_costs = costs(graph)
    for module in graph.modules:
        runs = [c.id for c in graph.calls if c.path is not None and _holds(module.path, c.path)]
        covered = {c.id for run in runs for c in _inside(graph, run)}
        cost = all_costs.module(module.path)
        assert cost.flops == sum(graph.calls[i].flops for i in covered)
        assert cost.unknown == sum(graph.calls[i].arithmetic == "unknown" for i in covered)
        registered = [graph.values[i] for i in _registered(graph, module.path)]
        if module.path:
            assert cost.parameters == sum(v.numel for v in registered if v.kind == "parameter")


def _holds(outer: str, inner: str) -> bool:
    return not outer or inner == outer or inner.startswith(outer + ".")


@settings(max_examples=200, deadline=None)
@given(_graphs())
def test_costs_never_decrease_going_up(graph: Graph) -> None:
    """A call does at least what each of its children does, and its work is its own plus theirs."""
    all_costs = costs(graph)
    for call in graph.calls:
        cost, children = all_costs.call(call.id), [all_costs.call(child) for child in graph.children[call.id]]
        assert cost.flops == call.flops + sum(child.flops for child in children)
        for child in children:
            assert cost.activation_bytes >= child.activation_bytes
            assert cost.elementwise >= child.elementwise
            assert cost.unknown >= child.unknown
            if call.kind == "function":
                assert (cost.parameters, cost.buffers) >= (child.parameters, 0)
                assert cost.buffers >= child.buffers


def _towers(count: int, floors: int, width: int) -> Graph:
    """Build towers of modules in modules, each with a parameter of its own that ``width`` functions in it read."""
    values: list[Value] = []
    modules, calls = [Module("", "Net")], [Call(0, "module", "Net", "")]
    for tower in range(count):
        path, holder = f"{tower}", 0
        for _ in range(floors):
            own = len(values)
            values.append(tensor(own, "parameter", (8, 8)))
            modules.append(Module(path, "Floor", parameters=(("w", own),)))
            calls.append(Call(len(calls), "module", "Floor", path, holder))
            holder, path = calls[-1].id, f"{path}.f"
            inner = range(len(calls), len(calls) + width)
            calls += [Call(i, "function", "f", None, holder, (own, own // 2), flops=1) for i in inner]
    return Graph("Net", tuple(calls), tuple(values), tuple(modules))


def test_large_graphs_are_linear_work() -> None:
    """10,000 and 100,000 calls, 50 deep, with 1,000 and 10,000 parameters."""
    graph = _towers(count=200, floors=50, width=9)
    assert len(graph.calls) == 100_001
    small = _towers(count=20, floors=50, width=9)
    assert lines_run(lambda: costs(graph)) < 11 * lines_run(lambda: costs(small))
    found = costs(graph)
    assert found.total.flops == 90_000
    assert found.total.parameters == 640_000
    assert found.module("0").parameters == 3_200
