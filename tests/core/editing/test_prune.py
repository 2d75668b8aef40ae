"""What is left out of a run, and what then reads what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.editing.test_folding import GRAPHS, PATTERNS
from core.graphs import build, irregular, llama_like
from core.pattern.test_match import FORK, RESIDUAL
from core.strategies import runs
from torchatlas.core.check import problems
from torchatlas.core.editing.folding import fold
from torchatlas.core.editing.prune import prune
from torchatlas.core.measure.cost import total
from torchatlas.core.measure.memory import memory

HEADS = """
    input x 2
    parameter aux.weight 2,2
    parameter main.weight 2,2
    Net x -> a m
      F.relu x -> t 2
      Head @aux t -> a
        F.linear t aux.weight -> u 2
        torch.exp u -> v 2
        torch.tanh v -> a 2
      Linear @main t -> m
        F.linear t main.weight -> m 2
"""


def reading(graph):
    """Each call that has nothing inside, with the names of what it reads."""
    return {
        call.name: [(graph.values[value].names or ("?",))[0] for value in call.inputs]
        for call in graph.calls
        if not graph.children[call.id]
    }


def test_what_read_the_result_reads_what_it_read():
    """The calls, their modules and their weights are gone, and the totals are without them."""
    graph = prune(build(RESIDUAL), "BatchNorm")
    assert reading(graph)["F.relu"] == ["f"]
    assert reading(graph)["Tensor.__add__"] == ["d", "x"]
    assert [module.path for module in graph.modules] == ["", "c1", "c2"]
    assert graph.notes[-1].text == ("prune('BatchNorm') removed 2 calls (BatchNorm2d ×2); totals do not include them.")
    assert list(problems(graph)) == []


def test_weights_that_nobody_has_any_more_go_too():
    """Those of the first convolution, and nothing else."""
    graph = prune(build(RESIDUAL), "Conv[stride=2] > BatchNorm")
    assert total(graph).parameters == total(build(RESIDUAL)).parameters - 9
    assert "c1.weight" not in {name for value in graph.values for name in value.names}
    assert reading(graph)["F.conv2d"][0] == "c"


def test_a_result_of_several_tensors_stays_without_a_maker():
    """Nobody can say which of the two the sum stood for."""
    graph = prune(build(RESIDUAL), "Add")
    (value,) = [value for value in graph.values if value.names == ("f",)]
    assert (value.producer, value.slot) == (None, None)
    assert list(problems(graph)) == []


def test_the_last_call_gives_its_place_as_result_to_the_one_before():
    """The run returns what the pruned call had read."""
    graph = prune(
        build(FORK.replace("torch.add a c -> y 2,3", "torch.add a c -> q 2,3\n      F.softmax q -> y 2,3")), "Softmax"
    )
    (result,) = graph.calls[0].outputs
    assert (graph.values[result].names, graph.values[result].kind) == (("q",), "output")


def test_a_branch_goes_with_all_that_served_only_it():
    """The run no longer returns its result; what others use as well stays."""
    graph = prune(build(HEADS), "Tanh", upstream=True)
    assert [call.name for call in graph.calls] == ["Net", "F.relu", "Linear", "F.linear"]
    assert [graph.values[value].names for value in graph.calls[0].outputs] == [("m",)]
    assert [module.path for module in graph.modules] == ["", "main"]
    assert total(graph).parameters == 4
    assert list(problems(graph)) == []


def test_without_its_branch_only_the_match_goes():
    """The head then hands out what the call had read."""
    graph = prune(build(HEADS), "Tanh")
    assert [call.name for call in graph.calls].count("torch.exp") == 1
    assert [graph.values[value].names[0] for value in graph.calls[0].outputs] == ["v", "m"]


def test_modules_are_pruned_by_path():
    """Layers in a row: the one after them reads what the first had read."""
    graph = prune(llama_like(4, 4), r"re:model\.layers\.[12]")
    assert [call.path for call in graph.calls if call.name == "LlamaDecoderLayer"] == [
        "model.layers.0",
        "model.layers.3",
    ]
    assert total(graph).parameters == total(llama_like(2, 4)).parameters
    assert total(graph).flops == total(llama_like(2, 4)).flops
    assert list(problems(graph)) == []


def test_nothing_to_prune_is_said():
    """The graph is as before but for the note."""
    graph = prune(llama_like(1, 4), "Convv")
    assert graph.calls == llama_like(1, 4).calls
    assert "found nothing" in graph.notes[-1].text


def test_what_is_only_inside_groups_is_said_to_be_there():
    """Patterns do not look into what was folded."""
    folded = fold(build(RESIDUAL), "Conv > Norm", "ConvNorm")
    assert "Conv is inside folded groups; unfold() opens them." in prune(folded, "Conv").notes[-1].text
    assert "it has no Convv" in prune(folded, "Convv").notes[-1].text


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(GRAPHS), PATTERNS, st.booleans())
def test_what_is_left_is_well_formed_and_costs_no_more(graph, pattern, upstream):
    """Whatever the pattern; and it can be pruned again."""
    made = prune(prune(graph, pattern, upstream=upstream), "Relu")
    assert list(problems(made)) == []
    assert len(made.calls) <= len(graph.calls)
    assert total(made).flops <= total(graph).flops
    assert total(made).parameters <= total(graph).parameters
    memory(made)


def test_nothing_comes_to_read_what_was_made_of_it():
    """Here exp reads, in a second go, what tanh made of its result: tanh then has no input to take its place."""
    graph = build("""
        input x 2
        Net x -> y
          torch.exp x -> a 2
          torch.tanh a -> y 2
    """)
    y = graph.calls[2].outputs
    graph = replace(graph, calls=(graph.calls[0], replace(graph.calls[1], inputs=y), graph.calls[2]))
    assert reading(prune(graph, "torch.exp")) == {"torch.tanh": ["a"]}


@settings(max_examples=60, deadline=None)
@given(runs(), st.sampled_from(["re:.*", '""', '"0"']), st.booleans())
def test_any_graph_can_be_pruned(graph, pattern, upstream):
    """Also ones that no program would make."""
    assert list(problems(prune(graph, pattern, upstream=upstream))) == []


@pytest.mark.parametrize("upstream", [False, True])
def test_pruning_a_large_graph_takes_no_long_time(upstream):
    """No call is gone through more than a few times."""
    made = prune(irregular(5000), "torch.op1", upstream=upstream)
    assert list(problems(made)) == []
