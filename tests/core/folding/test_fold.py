"""Folds found in graphs written by hand: what repeats, what only looks alike, and what always holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.graphs import Recorder, build, irregular, llama_like
from torchatlas.core.folding.call_signature import call_signatures
from torchatlas.core.folding.fold import fold_calls, fold_modules
from torchatlas.core.graph import Graph, Module, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchatlas.core.folding.fold import Fold

WORDS = st.lists(st.sampled_from("abcd"), max_size=40)


def block(recorder: Recorder, path: str, stream: int, *, width: int = 8, bias: int | None = None) -> int:
    """Run a residual block with weights of its own; ``bias`` is a further value that it reads."""
    weight = next(value.id for value in recorder.values if value.names[:1] == (f"{path}.weight",))
    recorder.begin("Block", (stream,), path)
    hidden = recorder.call("F.linear", (stream, weight), (2, width))
    if bias is not None:
        hidden = recorder.call("torch.mul", (hidden, bias), (2, width))
    hidden = recorder.call("F.relu", (hidden,), (2, width))
    stream = recorder.call("torch.add", (hidden, stream), (2, width))
    recorder.end((stream,))
    return stream


def stack(depth: int, *, head: int = 0) -> Graph:
    """Make ``head`` operations and then a stack of residual blocks."""
    recorder = Recorder("Net")
    for layer in range(depth):
        recorder.leaf("parameter", f"layers.{layer}.weight", (8, 8))
    stream = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (stream,), "")
    for number in range(head):
        stream = recorder.call(f"torch.head{number}", (stream,), (2, 8))
    for layer in range(depth):
        stream = block(recorder, f"layers.{layer}", stream)
    recorder.end((stream,))
    return recorder.graph()


def chain(names: Sequence[str]) -> Graph:
    """Make operations that each read what the one before made."""
    recorder = Recorder("Net")
    stream = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (stream,), "")
    for name in names:
        stream = recorder.call(f"torch.{name}", (stream,), (2, 8))
    recorder.end((stream,))
    return recorder.graph()


def loop(steps: int, step: Callable[[Recorder, int, int, list[int]], int], cells: int = 1) -> Graph:
    """Make a loop over time: ``step(recorder, t, state, [input, weight of cell 0, …])`` gives the next state."""
    recorder = Recorder("Net")
    weights = [recorder.leaf("parameter", f"cell{cell}.weight", (8, 8)) for cell in range(cells)]
    x = recorder.leaf("input", "x", (2, steps, 8))
    recorder.begin("Net", (x,), "")
    state = recorder.call("torch.zeros", (), (2, 8))
    for t in range(steps):
        state = step(recorder, t, state, [x, *weights])
    recorder.end((state,))
    return recorder.graph()


def cell(recorder: Recorder, path: str, step: int, state: int, weight: int) -> int:
    """Call a recurrent cell."""
    recorder.begin("RNNCell", (step, state), path)
    state = recorder.call("torch.rnn_tanh_cell", (step, state, weight), (2, 8))
    recorder.end((state,))
    return state


def only(graph: Graph) -> Fold:
    """Give the one fold of the root's children."""
    folds = fold_calls(graph)
    assert list(folds) == [0]
    (fold,) = folds[0]
    return fold


def shape(fold: Fold) -> tuple[int, int, str, int]:
    """Say in short what a fold is."""
    return fold.period, fold.count, fold.kind, fold.carried


@pytest.mark.parametrize("depth", [2, 3, 12, 80])
def test_a_stack_of_layers_is_one_fold(depth: int) -> None:
    """Every layer is a repeat, also the first, which reads from elsewhere; one value goes from each to the next."""
    fold = only(stack(depth, head=2))
    assert shape(fold) == (1, depth, "stack", 1)


@given(depth=st.integers(2, 20), head=st.integers(0, 4))
def test_doubling_the_depth_doubles_the_count(depth: int, head: int) -> None:
    """The count is the depth, not something near it."""
    assert only(stack(2 * depth, head=head)).count == 2 * only(stack(depth, head=head)).count


def test_a_decoder_folds_at_both_levels() -> None:
    """Layers fold in the model, and blocks of operations fold in each layer."""
    folds = fold_calls(llama_like(6, 12))
    assert [shape(fold) for fold in folds[0]] == [(1, 6, "stack", 1)]
    assert len(folds) == 7
    assert {shape(fold) for parent, (fold,) in folds.items() if parent} == {(1, 3, "stack", 1)}


def test_a_first_block_that_differs_stays_out() -> None:
    """ResNet's first block of a stage has a downsample; the others fold without it."""
    recorder = Recorder("Net")
    for layer in range(4):
        recorder.leaf("parameter", f"layer1.{layer}.weight", (8, 8))
    stream = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (stream,), "")
    for layer in range(4):
        stream = block(recorder, f"layer1.{layer}", stream, bias=stream if layer == 0 else None)
    recorder.end((stream,))
    graph = recorder.graph()
    assert [graph.calls[call].path for call in only(graph).calls] == ["layer1.1", "layer1.2", "layer1.3"]


def test_a_mask_that_all_layers_read_does_not_part_them() -> None:
    """The same value read again by each layer is an equal input, however far back it was made."""
    recorder = Recorder("Net")
    for layer in range(6):
        recorder.leaf("parameter", f"layers.{layer}.weight", (8, 8))
    stream = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (stream,), "")
    mask = recorder.call("torch.mask", (stream,), (2, 8))
    for layer in range(6):
        stream = block(recorder, f"layers.{layer}", stream, bias=mask)
    recorder.end((stream,))
    assert shape(only(recorder.graph())) == (1, 6, "stack", 1)


def test_layers_that_read_two_masks_in_turn_fold_in_pairs() -> None:
    """A value read by every second layer is an equal input two layers apart, not one."""
    recorder = Recorder("Net")
    for layer in range(8):
        recorder.leaf("parameter", f"layers.{layer}.weight", (8, 8))
    stream = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (stream,), "")
    masks = [recorder.call("torch.mask", (stream,), (2, 8)), recorder.call("torch.local_mask", (stream,), (2, 8))]
    for layer in range(8):
        stream = block(recorder, f"layers.{layer}", stream, bias=masks[layer % 2])
    recorder.end((stream,))
    assert shape(only(recorder.graph())) == (2, 4, "stack", 1)


def test_a_cache_handed_from_layer_to_layer_does_not_part_them() -> None:
    """What a layer is handed and returns without reading it is not part of its structure."""
    recorder = Recorder("Net")
    weights = [recorder.leaf("parameter", f"layers.{layer}.weight", (8, 8)) for layer in range(5)]
    stream = recorder.leaf("input", "x", (2, 8))
    cache: list[int] = []
    recorder.begin("Net", (stream,), "")
    for layer, weight in enumerate(weights):
        recorder.begin("Layer", (stream, *cache), f"layers.{layer}")
        key = recorder.call("torch.key", (stream, weight), (2, 8))
        cache.append(key)
        stream = recorder.call("torch.attend", (stream, key), (2, 8))
        recorder.end((stream, *cache))
    recorder.end((stream, *cache))
    assert shape(only(recorder.graph())) == (1, 5, "stack", 1)


def test_a_cell_called_in_a_loop_is_one_fold() -> None:
    """Positions in the index differ from step to step and do not count; the weights are the same, so it is a loop."""

    def step(recorder: Recorder, t: int, state: int, leaves: list[int]) -> int:
        x = recorder.call("Tensor.__getitem__", leaves[:1], (2, 8), constants={"index": Node("tuple", (), (0, t))})
        return cell(recorder, "cell0", x, state, leaves[1])

    assert shape(only(loop(7, step))) == (2, 7, "loop", 1)


def test_a_loop_over_the_parts_of_a_split_is_one_fold() -> None:
    """Each step reads the next output of the same call."""
    recorder = Recorder("Net")
    weight = recorder.leaf("parameter", "cell.weight", (8, 8))
    x = recorder.leaf("input", "x", (2, 6, 8))
    state = recorder.leaf("input", "h", (2, 8))
    recorder.begin("Net", (x, state), "")
    recorder.begin("Tensor.unbind", (x,))
    parts = [recorder.made((2, 8), slot=slot) for slot in range(6)]
    recorder.end(parts)
    for part in parts:
        state = cell(recorder, "cell", part, state, weight)
    recorder.end((state,))
    assert shape(only(recorder.graph())) == (1, 6, "loop", 1)


def test_states_made_beforehand_belong_to_their_layers() -> None:
    """Each layer reads a state of its own, of several that equal calls made in a loop before the stack."""
    recorder = Recorder("Net")
    weights = [recorder.leaf("parameter", f"cells.{layer}.weight", (8, 8)) for layer in range(5)]
    x = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (x,), "")
    states = [recorder.call("torch.zeros", (), (2, 8)) for _ in weights]
    for layer, weight in enumerate(weights):
        x = cell(recorder, f"cells.{layer}", x, states[layer], weight)
        x = recorder.call("torch.add", (x, states[layer]), (2, 8))
    recorder.end((x,))
    folds = fold_calls(recorder.graph())[0]
    assert [shape(fold) for fold in folds] == [(1, 5, "loop", 0), (2, 5, "stack", 1)]


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 4), (0, 1, 2, 2, 2, 2)])
def test_states_read_out_of_turn_end_a_chain(order: tuple[int, ...]) -> None:
    """Layers that share a state are not wired as layers that have their own, nor the reverse."""
    recorder = Recorder("Net")
    weights = [recorder.leaf("parameter", f"cells.{layer}.weight", (8, 8)) for layer in order]
    x = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (x,), "")
    states = [recorder.call("torch.zeros", (), (2, 8)) for _ in range(5)]
    for layer, (weight, state) in enumerate(zip(weights, order, strict=True)):
        x = cell(recorder, f"cells.{layer}", x, states[state], weight)
    recorder.end((x,))
    graph = recorder.graph()
    assert all(fold.count < 6 for fold in fold_calls(graph)[0] if graph.calls[fold.calls[0]].kind == "module")


def test_equal_branches_from_a_list_are_no_chain() -> None:
    """What happens alike to the three parts of a tensor stays apart where no part hands anything to the next."""
    recorder = Recorder("Net")
    x = recorder.leaf("input", "x", (3, 2, 8))
    recorder.begin("Net", (x,), "")
    parts = [recorder.call("Tensor.__getitem__", (x,), (2, 8), constants={"index": part}) for part in range(3)]
    ends = []
    for part in parts:
        view = recorder.call("Tensor.view", (part,), (2, 2, 4))
        ends.append(recorder.call("Tensor.transpose", (view,), (2, 2, 4)))
    result = recorder.call("torch.attend", ends, (2, 8))
    recorder.end((result,))
    assert not fold_calls(recorder.graph())


def test_a_loop_that_starts_from_the_input_folds_from_its_first_step() -> None:
    """The first step reads the input, twice, where later ones read what the step before made."""
    recorder = Recorder("Net")
    x = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (x,), "")
    for step in range(6):
        time = recorder.call("torch.full", (), (2, 1), constants={"fill_value": float(step)})
        joined = recorder.call("torch.cat", (x, time), (2, 9))
        x = recorder.call("torch.sub", (x, joined), (2, 8))
    recorder.end((x,))
    fold = only(recorder.graph())
    assert shape(fold) == (3, 6, "loop", 1)
    assert fold.calls[0] == 1


def test_a_first_step_wired_otherwise_inside_stays_out() -> None:
    """It may read from elsewhere, but one value where later steps read one value."""
    recorder = Recorder("Net")
    x, y = recorder.leaf("input", "x", (2, 8)), recorder.leaf("input", "y", (2, 8))
    recorder.begin("Net", (x, y), "")
    x = recorder.call("torch.start", (x,), (2, 8))
    y = recorder.call("torch.other", (y,), (2, 8))
    for _ in range(6):
        hidden = recorder.call("torch.tanh", (x,), (2, 8))
        x = y = recorder.call("torch.sub", (y, hidden), (2, 8))
    recorder.end((x,))
    fold = only(recorder.graph())
    assert fold.count == 5


def two_states(steps: int, start: Sequence[str], inside: str = "p q", **constants: int) -> Graph:
    """Make a loop that hands on two states, which start as the values named.

    Of its own inner values, p and q, the first step reads those named; ``constants`` are of the first step alone.
    """
    recorder = Recorder("Net")
    x, weight = recorder.leaf("input", "x", (2, 8)), recorder.leaf("parameter", "cell.weight", (8, 8))
    recorder.begin("Net", (x,), "")
    made = {name: recorder.call("torch.zeros", (), (2, 8)) for name in dict.fromkeys(start)}
    state = dict(zip("hc", (made[name] for name in start), strict=True))
    for step in range(steps):
        read = tuple(state.values())
        recorder.begin("Cell", (x, *read), "cell")
        inner = {name: recorder.call("torch.inner", (x, weight), (2, 8)) for name in "pq"}
        own = [inner[name] for name in ("p q" if step else inside).split()]
        state["h"] = recorder.call("torch.gate", (*own, *read), (2, 8), constants={} if step else constants)
        state["c"] = recorder.call("torch.keep", (inner["q"], *read), (2, 8))
        recorder.end(state.values())
    recorder.end(state.values())
    return recorder.graph()


@pytest.mark.parametrize("start", ["hc", "hh"])
@pytest.mark.parametrize("steps", [4, 20])
def test_two_states_that_start_as_one_value_do_not_part_the_first_step(start: str, steps: int) -> None:
    """What a cell was handed merely happened to be the same; with two values or one, the steps are one row."""
    assert shape(only(two_states(steps, start))) == (1, steps, "loop", 2)


@pytest.mark.parametrize(
    "graph",
    [
        two_states(9, "hh", inside="p p"),
        two_states(9, "hc", inside="p p"),
        two_states(9, "hh", inside="q p"),
        two_states(9, "hh", rate=1),
    ],
)
def test_only_what_comes_from_outside_may_be_one_value(graph: Graph) -> None:
    """A first step that reads one inner value for two, reads them crosswise, or has constants of its own stays out."""
    assert only(graph).count == 8


def test_later_steps_may_not_merge_what_the_others_keep_apart() -> None:
    """A step in the middle that is handed one value for both states begins a loop of its own."""
    recorder = Recorder("Net")
    h = c = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (h,), "")
    for step in range(12):
        c = h if step == 5 else c
        h, c = recorder.call("torch.gate", (h, c), (2, 8)), recorder.call("torch.keep", (c, h), (2, 8))
    recorder.end((h,))
    assert [fold.count for fold in fold_calls(recorder.graph())[0]] == [5, 7]


@pytest.mark.parametrize("merged", [True, False])
def test_weights_of_a_block_are_not_what_it_was_handed(*, merged: bool) -> None:
    """A first block that has one weight where the others have two is built otherwise."""
    recorder = Recorder("Net")
    weights = [[recorder.leaf("parameter", f"{layer}.{name}", (8, 8)) for name in "ab"] for layer in range(6)]
    x = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (x,), "")
    for layer, (one, other) in enumerate(weights):
        x = recorder.call("torch.mix", (x, one, one if merged and layer == 0 else other), (2, 8))
    recorder.end((x,))
    assert only(recorder.graph()).count == (5 if merged else 6)


def test_modules_that_did_nothing_are_alike_whatever_their_settings() -> None:
    """Stochastic depth of another rate in each layer does nothing in evaluation; a scripted module may do anything."""
    text = "input x 2,4\nNet x -> x\n"
    for layer in range(6):
        text += f"  Block @blocks.{layer} x -> x\n    Depth @blocks.{layer}.depth x -> x\n    F.relu x -> x 2,4\n"
    graph = build(text)
    modules = tuple(
        replace(module, settings=(("rate", index / 10),)) if module.name == "Depth" else module
        for index, module in enumerate(graph.modules)
    )
    assert only(replace(graph, modules=modules)).count == 6
    opaque = tuple(replace(module, opaque=module.name == "Depth") for module in modules)
    assert not fold_calls(replace(graph, modules=opaque))


def test_two_cells_in_turn_fold_as_pairs() -> None:
    """Two modules of equal structure called in turn are one loop of two calls, not one stack."""

    def step(recorder: Recorder, t: int, state: int, leaves: list[int]) -> int:
        return cell(recorder, f"cell{t % 2}", leaves[0], state, leaves[1 + t % 2])

    assert shape(only(loop(10, step, cells=2))) == (2, 5, "loop", 1)


def test_a_loop_inside_a_loop_folds_at_the_outer_one() -> None:
    """What hides most is chosen."""
    assert shape(only(chain("aaab" * 5))) == (4, 5, "loop", 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("torch.mul a b -> c 2,4", "torch.mul b a -> c 2,4"),
        ("torch.mul a a -> c 2,4", "torch.mul a b -> c 2,4"),
        ("torch.sum a dim=0 -> c 2,4", "torch.sum a dim=1 -> c 2,4"),
        ("torch.sum a dim=1 -> c 2,4", "torch.sum a dim=True -> c 2,4"),
        ("torch.sum a dim=1 -> c 2,4", "torch.sum a dim=1.0 -> c 2,4"),
        ("torch.sum a dim=0 -> c 2,4", "torch.sum a keepdim=0 -> c 2,4"),
        ("torch.sum a -> c 2,4", "torch.sum a -> c 2,5"),
        ("torch.sum a -> c 2,4", "torch.mean a -> c 2,4"),
    ],
)
def test_blocks_differ_in_what_their_operations_do(one: str, other: str) -> None:
    """Order of inputs, constants, their types and names, shapes and names tell two blocks apart."""
    text = "input x 2,4\nNet x -> c\n"
    for number, line in enumerate((one, other)):
        text += f"  Block @blocks.{number} x -> c\n    F.relu x -> a 2,4\n    F.gelu x -> b 2,4\n    {line}\n"
    graph = build(text)
    first, second = call_signatures(graph).body[0]
    assert call_signatures(graph).number[first] != call_signatures(graph).number[second]
    assert 0 not in fold_calls(graph)


@pytest.mark.parametrize(("one", "other", "same"), [("a b", "a b", True), ("a b", "b a", False), ("a b", "a", False)])
def test_blocks_differ_in_what_they_return(one: str, other: str, *, same: bool) -> None:
    """Order and number of outputs count, also of outputs that nobody reads."""
    text = "input x 2,4\nNet x -> a\n"
    for number, names in enumerate((one, other)):
        text += f"  Block @blocks.{number} x -> {names}\n    F.relu x -> a 2,4\n    F.gelu x -> b 2,4\n"
    classes = call_signatures(build(text))
    first, second = classes.body[0]
    assert (classes.number[first] == classes.number[second]) is same


def test_a_write_is_not_a_fresh_result() -> None:
    """An operation that writes over its input differs from one that does not."""
    graph = chain(["a", "b", "b"])
    written = replace(graph.values[2], previous=1)
    classes = call_signatures(replace(graph, values=(*graph.values[:2], written, *graph.values[3:])))
    plain = call_signatures(graph)
    assert plain.number[2] == plain.number[3]
    assert classes.number[2] != classes.number[3]


def test_query_key_and_value_stay_apart() -> None:
    """Modules alike whose names differ in more than numbers mean different things."""
    text = "input x 2,4\n" + "".join(f"parameter {name}.weight 4,4\n" for name in ("query", "key", "value"))
    text += "Attention x -> q k v\n"
    for name in ("query", "key", "value"):
        text += f"  Linear @{name} x -> {name[0]}\n    F.linear x {name}.weight -> {name[0]} 2,4\n"
        text += f"    torch.view {name[0]} -> {name[0]} 2,4\n"
    assert not fold_calls(build(text))


def test_a_tiny_fold_is_left_out() -> None:
    """Two operations twice, or one four times, read faster than a fold; once more, and they fold."""
    assert not fold_calls(chain("abab"))
    assert shape(only(chain("ababab"))) == (2, 3, "loop", 1)
    assert not fold_calls(chain("aaaa"))
    assert shape(only(chain("aaaaa"))) == (1, 5, "loop", 1)


def test_aten_calls_are_not_folded() -> None:
    """Operations repeat although ATen calls stand between and below them; ATen calls themselves never do."""
    recorder = Recorder("Net")
    stream = recorder.leaf("input", "x", (2, 8))
    recorder.begin("Net", (stream,), "")
    for _ in range(6):
        recorder.begin("F.relu", (stream,))
        recorder.begin("aten.relu.default", (stream,))
        stream = recorder.made((2, 8))
        recorder.end((stream,))
        recorder.end((stream,))
    for _ in range(6):
        stream = recorder.call("aten.neg.default", (stream,), (2, 8))
    recorder.end((stream,))
    fold = only(recorder.graph())
    assert fold.calls == (1, 3, 5, 7, 9, 11)
    assert fold.carried == 1


def test_a_convolution_leads_its_repeat() -> None:
    """Where repeats could begin at several places, they begin with weights: convolution and ReLU, not the reverse."""
    recorder = Recorder("Net")
    weights = [recorder.leaf("parameter", f"{number}.weight", (8, 4 if number == 0 else 8)) for number in (0, 2, 4)]
    stream = recorder.leaf("input", "x", (2, 4))
    recorder.begin("Net", (stream,), "")
    for number, weight in enumerate(weights):
        recorder.begin("Conv2d", (stream,), str(2 * number))
        stream = recorder.call("F.conv2d", (stream, weight), (2, 8))
        recorder.end((stream,))
        recorder.begin("ReLU", (stream,), str(2 * number + 1))
        stream = recorder.call("F.relu", (stream,), (2, 8))
        recorder.end((stream,))
    recorder.end((stream,))
    graph = recorder.graph()
    assert [graph.calls[call].path for call in only(graph).calls] == ["2", "3", "4", "5"]


def test_a_deep_nest_and_a_program_without_repeats_fold_nothing() -> None:
    """Depth needs no recursion, and chance likeness is not a repeat."""
    recorder = Recorder("Net")
    stream = recorder.leaf("input", "x", (2, 8))
    for _ in range(5000):
        recorder.begin("Nest", (stream,), "")
        stream = recorder.call("F.relu", (stream,), (2, 8))
    for _ in range(5000):
        recorder.end((stream,))
    assert not fold_calls(recorder.graph())
    assert not fold_calls(irregular(3000))


def test_a_graph_without_calls_has_no_folds() -> None:
    """A structure that was not run has modules alone."""
    assert not fold_calls(Graph("Net"))
    assert not fold_modules(Graph("Net"))


@given(WORDS)
@settings(max_examples=300)
def test_folds_are_repeats_of_neighbours(word: list[str]) -> None:
    """Folds are in order, do not overlap, stand together among the children, and their repeats are alike."""
    graph = chain(word)
    classes = call_signatures(graph)
    (children,) = graph.children[:1]
    free = 0
    for fold in fold_calls(graph).get(0, ()):
        start = children.index(fold.calls[0])
        assert start >= free
        free = start + len(fold.calls)
        assert children[start:free] == fold.calls
        assert len(fold.calls) == fold.period * fold.count
        assert fold.count > 1
        built = [classes.number[call] for call in fold.calls]
        assert built == built[: fold.period] * fold.count


@given(WORDS, st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), st.integers(6, 9))
def test_unfolding_gives_the_operations_back(before: list[str], part: list[str], count: int) -> None:
    """Each fold's first repeat, times its count, between what is not folded, is the program; a long repeat folds."""
    graph = chain([*before, "start", *part * count, "stop"])
    folds = {fold.calls[0]: fold for fold in fold_calls(graph).get(0, ())}
    unfolded: list[str] = []
    place = 1
    while place < len(graph.calls):
        fold = folds.get(place)
        shown = fold.calls[: fold.period] if fold else (place,)
        unfolded += [graph.calls[call].name for call in shown] * (fold.count if fold else 1)
        place += len(fold.calls) if fold else 1
    assert unfolded == [call.name for call in graph.calls[1:]]
    hidden = sum(len(fold.calls) - fold.period for fold in folds.values())
    assert hidden >= len(part) * (count - 1)


OPERATION = st.tuples(st.sampled_from("ab"), st.lists(st.integers(1, 7), min_size=1, max_size=2))


def wired(operations: list[tuple[str, list[int]]], inputs: int = 8) -> Graph:
    """Make operations that read values the given numbers of places back; what lies before the first is an input."""
    recorder = Recorder("Net")
    leaves = [recorder.leaf("input", f"x{number}", (2, 8)) for number in range(inputs)]
    values = leaves * (8 // inputs)
    recorder.begin("Net", leaves, "")
    for name, backs in operations:
        values.append(recorder.call(f"torch.{name}", [values[-back] for back in backs], (2, 8)))
    recorder.end(values[-1:])
    return recorder.graph()


def explained(graph: Graph, fold: Fold, repeat: int, place: int) -> bool:
    """Whether a call reads what the one a repeat before it reads, by comparing each pair of values on its own."""
    one, other = (graph.calls[fold.calls[(repeat + step) * fold.period + place]] for step in (0, 1))
    first, start = fold.calls[: fold.period], fold.calls[0]
    handed_on = {
        value for call in fold.calls[repeat * fold.period :][: fold.period] for value in graph.calls[call].inputs
    }
    for a, b in zip(one.inputs, other.inputs, strict=True):
        makers = graph.values[a].producer, graph.values[b].producer
        before = [maker is None or maker < start for maker in makers]
        moved = None not in makers and makers[1] - makers[0] == fold.period
        carried = before[0] and makers[1] in first and (repeat == 0 or b in handed_on)
        if not (a == b or moved or carried or all(before)):
            return False
    return one.name == other.name


@given(
    st.tuples(
        st.lists(OPERATION, max_size=6),
        st.lists(OPERATION, min_size=1, max_size=5),
        st.integers(2, 6),
        st.lists(OPERATION, max_size=4),
    ),
    st.integers(0, 60),
    OPERATION,
)
@settings(max_examples=500)
def test_repeats_are_wired_alike(
    program: tuple[list[tuple[str, list[int]]], list[tuple[str, list[int]]], int, list[tuple[str, list[int]]]],
    where: int,
    other: tuple[str, list[int]],
) -> None:
    """Of a program that repeats, with one operation exchanged, no fold holds calls that read otherwise."""
    before, part, count, after = program
    operations = [*before, *part * count, *after]
    operations[where % len(operations)] = other
    graph = wired(operations)
    for fold in fold_calls(graph).get(0, ()):
        for repeat in range(fold.count - 1):
            assert all(explained(graph, fold, repeat, place) for place in range(fold.period))


@given(
    st.lists(OPERATION, max_size=4),
    st.lists(OPERATION, min_size=1, max_size=6),
    st.integers(2, 6),
    st.lists(OPERATION, max_size=4),
)
@settings(max_examples=500)
def test_repeats_that_start_from_one_value_are_wired_alike(
    before: list[tuple[str, list[int]]],
    part: list[tuple[str, list[int]]],
    count: int,
    after: list[tuple[str, list[int]]],
) -> None:
    """Of a program whose inputs are all one value, too, no fold holds calls that read otherwise."""
    graph = wired([*before, *part * count, *after], inputs=1)
    for fold in fold_calls(graph).get(0, ()):
        for repeat in range(fold.count - 1):
            assert all(explained(graph, fold, repeat, place) for place in range(fold.period))


@given(st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=2), min_size=7, max_size=9), st.integers(3, 6))
@settings(max_examples=300)
def test_one_value_to_start_from_folds_as_several_do(part: list[list[int]], count: int) -> None:
    """A loop of different operations whose states all start as one value folds as if each had a value of its own."""
    program = [(f"op{number}", backs) for number, backs in enumerate(part)] * count
    one, several = (only(wired(program, inputs)) for inputs in (1, 8))
    assert shape(one) == shape(several) == (len(part), count, "loop", several.carried)


@given(st.integers(0, 60))
def test_a_distinct_sequence_folds_nothing(length: int) -> None:
    """No operation occurs twice, so nothing repeats."""
    assert not fold_calls(chain([f"op{number}" for number in range(length)]))


def modules(*records: tuple[str, str, dict[str, object]]) -> Graph:
    """Make a graph of modules that did not run, from (path, class, fields)."""
    return Graph("Net", modules=tuple(Module(path, name, **fields) for path, name, fields in records))


def test_equal_modules_fold_without_a_run() -> None:
    """The number that says which layer it is does not part the layers; a width does."""
    records: list[tuple[str, str, dict[str, object]]] = [("", "Net", {}), ("layers", "ModuleList", {})]
    for layer in range(5):
        width = 8 if layer < 4 else 16
        records += [
            (f"layers.{layer}", "Layer", {"settings": (("layer_idx", layer),)}),
            (f"layers.{layer}.fc", "Linear", {"settings": (("in_features", width),)}),
            (f"layers.{layer}.act", "ReLU", {}),
        ]
    (fold,) = fold_modules(modules(*records))["layers"]
    assert (fold.parent, fold.period, fold.count) == ("layers", 1, 4)
    assert fold.paths == tuple(f"layers.{layer}" for layer in range(4))


def test_modules_in_turn_fold_in_pairs() -> None:
    """A Sequential of linear layers and activations repeats two modules at a time."""
    records = [("", "Sequential", {})]
    records += [(str(number), "ReLU" if number % 2 else "Linear", {}) for number in range(7)]
    (fold,) = fold_modules(modules(*records))[""]
    assert (fold.paths, fold.period, fold.count) == (("0", "1", "2", "3", "4", "5"), 2, 3)


def test_weights_tell_modules_apart() -> None:
    """Shapes of parameters and whether they are trained are structure."""
    recorder = Recorder("Net")
    for number in range(6):
        recorder.leaf("parameter", f"{number}.weight", (8, 4 if number < 3 else 8))
    recorder.module("", "Net")
    for number in range(6):
        recorder.module(str(number), "Custom", (number,))
    graph = recorder.graph()
    assert [fold.paths for fold in fold_modules(graph)[""]] == [("0", "1", "2"), ("3", "4", "5")]
    frozen = replace(graph, values=(replace(graph.values[0], requires_grad=False), *graph.values[1:]))
    assert [fold.paths for fold in fold_modules(frozen)[""]] == [("3", "4", "5")]


def test_a_module_shared_by_blocks_does_not_part_them() -> None:
    """The one activation that all blocks hold is listed under the first alone, and counts in each."""
    records: list[tuple[str, str, dict[str, object]]] = [("", "Net", {})]
    for layer in range(3):
        records += [(f"{layer}", "Block", {}), (f"{layer}.fc", "Linear", {})]
        if layer == 0:
            records.append(("0.act", "ReLU", {"aliases": ("1.act", "2.act")}))
    (fold,) = fold_modules(modules(*records))[""]
    assert fold.paths == ("0", "1", "2")
