"""Folding puts groups around what it found, changes nothing else, and can be undone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.graphs import build, irregular, llama_like
from core.pattern.test_match import FORK, RESIDUAL
from core.strategies import runs
from torchatlas.core.check import problems
from torchatlas.core.editing.folding import fold, fold_repeats, unfold
from torchatlas.core.editing.prune import prune
from torchatlas.core.editing.rename import rename
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Graph, Module, Note, Overlay
from torchatlas.core.measure.cost import costs, total
from torchatlas.core.measure.memory import memory
from torchatlas.files.codec import decode, encode

NAMES = st.sampled_from(
    [
        "Conv",
        "Linear",
        "Relu",
        "F.relu",
        "Add",
        "LlamaBlock",
        "torch.op1",
        "torch.op2",
        "torch.op3",
        "torch.op4",
        "torch.op5",
        "Flatten",
    ]
)
PATTERNS = st.recursive(
    NAMES,
    lambda part: st.one_of(
        st.lists(part, min_size=2, max_size=3).map(" > ".join),
        st.lists(part, min_size=2, max_size=2).map(lambda parts: f"({' | '.join(parts)})"),
        st.tuples(part, st.sampled_from("?*+")).map(lambda pair: f"({pair[0]}){pair[1]}"),
    ),
    max_leaves=5,
)
GRAPHS = [build(RESIDUAL), build(FORK), llama_like(3, 10), irregular(120), irregular(150, seed=3)]


def groups(graph):
    """Name, and what is directly inside, of every group."""
    return [
        (call.label, [graph.calls[child].path or graph.calls[child].name for child in graph.children[call.id]])
        for call in graph.calls
        if call.kind == "group"
    ]


def estimate(graph):
    """The memory estimate without the calls at which it peaks: groups move their ids."""
    return replace(memory(graph), inference_at=None, training_at=None)


def test_a_match_becomes_a_group():
    """It has the name it was given, and reads and makes what the match as a whole does."""
    graph = fold(build(RESIDUAL), "Conv > BatchNorm > Relu", "ConvBnRelu")
    assert groups(graph) == [("ConvBnRelu", ["c1", "n1", "F.relu"])]
    (group,) = [call for call in graph.calls if call.kind == "group"]
    assert [graph.values[value].names for value in group.inputs] == [("x",)]
    assert [graph.values[value].names for value in group.outputs] == [("c",)]
    assert group.arguments.keys == ("x",)
    assert (group.parent, group.path, group.flops, group.arithmetic) == (0, None, 0, "movement")


def test_groups_are_steps_of_further_patterns():
    """And stand one inside another."""
    graph = build(RESIDUAL)
    for pattern, name in (
        ("Conv > BatchNorm > Relu", "CBR"),
        ("Conv > BatchNorm", "CB"),
        ("CBR > CB > Add > Relu", "Residual"),
    ):
        graph = fold(graph, pattern, name)
    assert groups(graph)[0] == ("Residual", ["CBR", "CB", "Tensor.__add__", "F.relu"])
    assert fold(graph, "Conv > BatchNorm", "Again").calls == graph.calls


def test_a_match_that_is_all_of_a_module_holds_the_module():
    """So that opening the group shows the module as it was; what only hands on does not count."""
    graph = build("""
        input x 2
        Net x -> y
          Block @block x -> y
            F.linear x -> a 2
            Identity @block.rest a -> a
            F.relu a -> y 2
    """)
    assert groups(fold(graph, "Linear > Relu", "Layer")) == [("Layer", ["block"])]


def test_calls_in_between_stay_outside():
    """And still run in their old order."""
    graph = build("""
        input x 2
        Net x -> y z
          F.linear x -> a 2
          torch.exp x -> z 2
          F.relu a -> y 2
    """)
    made = fold(graph, "Linear > Relu", "Layer")
    assert groups(made) == [("Layer", ["F.linear", "F.relu"])]
    assert [call.name for call in made.calls] == ["Net", "Layer", "F.linear", "torch.exp", "F.relu"]


def test_a_match_that_takes_a_part_of_a_module_is_left_and_said():
    """A box cannot hold a half; the note says how many there were, and where."""
    graph = build("""
        input x 2
        Net x -> y
          F.linear x -> a 2
          Block @block a -> y
            F.relu a -> b 2
            F.gelu b -> y 2
    """)
    made = fold(graph, "Linear > Relu", "Layer")
    assert made.calls == graph.calls
    assert made.notes[-1].text == (
        "fold('Linear > Relu'): 1 of 1 matches were not grouped. They cut through block;"
        " a group must contain whole modules."
    )
    assert unfold(made) == graph


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("Conv > Reluu", "found nothing in Net: it has no Reluu; close to Reluu: F.relu."),
        ("Relu > Conv > Relu", "found nothing in Net: everything in it exists, but not connected in this way."),
        ("re:conv.*", "found nothing in Net."),
        ("re:c11", "found nothing in Net; close to c11: c1."),
    ],
)
def test_what_is_not_found_is_said(pattern, said):
    """The graph is as before but for the note, which names what is not there and what is near."""
    made = fold(build(RESIDUAL), pattern, "G")
    assert replace(made, notes=()) == build(RESIDUAL)
    assert made.notes[-1].text == f"fold({pattern!r}) {said}"


@pytest.mark.parametrize("pattern", ["Conv > Relu", r"re:layers\.\d+"])
def test_of_a_model_that_was_not_run_it_is_said_why_nothing_is_found(pattern):
    """Its modules are there, and only calls are looked through: not that nothing of that name is there."""
    made = fold(Graph("Net", modules=(Module("", "Net"), Module("layers.0", "Conv2d"))), pattern, "Block")
    assert made.calls == ()
    assert "the model was not run" in made.notes[-1].text
    assert "it has no" not in made.notes[-1].text


def test_modules_are_folded_by_path():
    """Neighbours of one expanded name together, and with the module that they are all of."""
    graph = llama_like(3, 8)
    made = fold(graph, r"re:model\.layers\.(\d+)\.block(\d)", r"Layer \1")
    assert groups(made) == [(f"Layer {layer}", [f"model.layers.{layer}"]) for layer in range(3)]
    made = fold(graph, r"re:model\.layers\.[01]", "First")
    assert groups(made) == [("First", ["model.layers.0", "model.layers.1"])]


@pytest.mark.parametrize(
    ("pattern", "name", "said"),
    [
        (r"re:layer(\d", "x", "regular expression"),
        (r"re:layer(\d)", r"\2", "invalid group reference"),
        ("Conv", " ", "give the group a name"),
        ("Conv >", "x", "expected the name"),
    ],
)
def test_what_cannot_be_read_is_refused(pattern, name, said):
    """With what was given, and what was wanted."""
    with pytest.raises(InputError, match=said):
        fold(build(RESIDUAL), pattern, name)


def test_repeats_become_groups_named_after_them():
    """A stretch of alike neighbours is one group, which a later pattern knows by the name of one."""
    made = fold_repeats(llama_like(5, 4))
    assert groups(made) == [("LlamaDecoderLayer ×5", [f"model.layers.{layer}" for layer in range(5)])]
    assert [(call.name, call.repeats) for call in made.calls if call.kind == "group"] == [("LlamaDecoderLayer", 5)]
    for pattern in ("LlamaDecoderLayer", '"LlamaDecoderLayer ×5"'):
        assert groups(fold(made, pattern, "Stack"))[0][0] == "Stack"
    assert unfold(made) == llama_like(5, 4)


def test_a_name_that_looks_counted_is_a_name():
    """It is matched whole alone: the user's `Stage ×2` is no `Stage`."""
    made = fold(build(RESIDUAL), "Conv > BatchNorm > Relu", "Stage ×2")
    assert [(call.name, call.repeats) for call in made.calls if call.kind == "group"] == [("Stage ×2", 1)]
    assert "found nothing" in fold(made, "Stage", "Again").notes[-1].text
    assert groups(fold(made, '"Stage ×2"', "Again"))[0] == ("Again", ["Stage ×2"])


def test_groups_of_repeats_count_what_is_left_of_them():
    """Also once one of them is pruned, and under another name."""
    made = prune(fold_repeats(llama_like(5, 4)), r"re:model\.layers\.[13]")
    assert groups(made) == [("LlamaDecoderLayer ×3", [f"model.layers.{layer}" for layer in (0, 2, 4)])]
    assert groups(rename(made, '"LlamaDecoderLayer ×3"', "Layer"))[0][0] == "Layer ×3"


def test_notes_overlays_and_the_error_follow_their_calls():
    """Ids of calls move where groups come before them."""
    graph = build(RESIDUAL)
    last = len(graph.calls) - 1
    told = replace(
        graph,
        notes=(Note("here", last),),
        error=last,
        overlays=(Overlay("ms", "s", calls=((last, 2.0),), paths=(("c1", 1.0),)),),
    )
    made = fold(told, "Conv > BatchNorm > Relu", "G")
    assert made.calls[made.notes[0].call].name == made.calls[made.error].name == "F.relu"
    assert made.overlays == (Overlay("ms", "s", ((last + 1, 2.0),), (("c1", 1.0),)),)
    assert unfold(made) == told


def test_a_group_costs_what_is_in_it():
    """Parameters of modules called in it, and work done in it."""
    graph = fold(build(RESIDUAL), "Conv > BatchNorm > Relu", "G")
    (group,) = [call.id for call in graph.calls if call.kind == "group"]
    inside = costs(graph).call(group)
    assert inside.parameters == 9
    known = costs(graph)
    assert known.sizes(known.used((group,))) == (9, 9, 36)
    assert inside.activation_bytes == 3 * 24


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(GRAPHS), st.lists(PATTERNS, min_size=1, max_size=3), st.booleans())
def test_folding_never_changes_totals_and_unfolding_restores(graph, patterns, repeats):
    """Whatever the pattern: well formed, the same totals and estimates, and all of it back again, also from a file."""
    made = graph
    for position, pattern in enumerate(patterns):
        made = fold(made, pattern, f"G{position}")
    made = fold_repeats(made) if repeats else made
    assert list(problems(made)) == []
    assert total(made) == total(graph)
    assert estimate(made) == estimate(graph)
    assert unfold(decode(encode(made))) == graph


@settings(max_examples=60, deadline=None)
@given(runs(), st.sampled_from(["Relu", "re:.*", "(A | B?) > C", '"" > ""']))
def test_any_graph_is_folded_and_restored(graph, pattern):
    """Also ones that no program would make: cycles, values from nowhere, no calls at all.

    Groups and notes of an earlier fold go, too.
    """
    made = fold(graph, pattern, "G")
    assert list(problems(made)) == []
    assert unfold(made) == unfold(graph)
