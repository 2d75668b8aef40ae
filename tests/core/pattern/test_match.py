"""Where patterns are found: in graphs written by hand, each with one thing that decides."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import torchatlas as ta
from core.graphs import Recorder, build
from torchatlas.core.pattern.language import atoms, parse
from torchatlas.core.pattern.match import matches
from torchatlas.core.pattern.units import units
from work import lines_run

RESIDUAL = """
    input x 2,3
    parameter c1.weight 3,3
    parameter c2.weight 3,3
    Net x -> y
      Conv2d @c1 x -> a
        F.conv2d x c1.weight stride=2 -> a 2,3
      BatchNorm2d @n1 a -> b
        F.batch_norm a -> b 2,3
      F.relu b -> c 2,3
      Conv2d @c2 c -> d
        F.conv2d c c2.weight stride=1 -> d 2,3
      BatchNorm2d @n2 d -> e
        F.batch_norm d -> e 2,3
      Tensor.__add__ e x -> f 2,3
      F.relu f -> y 2,3
"""

FORK = """
    input x 2,3
    Net x -> y
      torch.exp x -> s 2,3
      F.relu s -> a 2,3
      F.gelu s -> b 2,3
      torch.tanh b -> c 2,3
      torch.add a c -> y 2,3
"""


def found(graph, pattern):
    """The calls of each match, by name."""
    tree = parse(pattern)
    flow = units(graph, [atom.name for atom in atoms(tree)])
    return [[graph.calls[unit].name for unit in match.units] for match in matches(flow, tree).found]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("Conv > BatchNorm > Relu", [["Conv2d", "BatchNorm2d", "F.relu"]]),
        ("Conv > BatchNorm", [["Conv2d", "BatchNorm2d"]] * 2),
        ("Conv > BatchNorm > Add > Relu", [["Conv2d", "BatchNorm2d", "Tensor.__add__", "F.relu"]]),
        ("conv > batchnorm > Relu?", [["Conv2d", "BatchNorm2d", "F.relu"], ["Conv2d", "BatchNorm2d"]]),
        ("(Conv > BatchNorm > Relu?)+", [["Conv2d", "BatchNorm2d", "F.relu", "Conv2d", "BatchNorm2d"]]),
        ("(Conv > BatchNorm > Relu?){2}", [["Conv2d", "BatchNorm2d", "F.relu", "Conv2d", "BatchNorm2d"]]),
        ("(Conv > BatchNorm > Relu?){3,}", []),
        ("(Conv? > BatchNorm?)*", [["Conv2d", "BatchNorm2d"]] * 2),
        ("Conv > Relu", []),
        ("F.conv2d > F.batch_norm", [["F.conv2d", "F.batch_norm"]] * 2),
        ("Conv2d", [["Conv2d"]] * 2),
        ("Conv[stride=2]", [["Conv2d"]]),
        ("Conv[stride!=2] > BatchNorm", [["Conv2d", "BatchNorm2d"]]),
        ('Conv[path="re:c2"]', [["Conv2d"]]),
        ("((Conv > BatchNorm > Relu > Conv > BatchNorm) | Relu?) > Add", [
            ["Conv2d", "BatchNorm2d", "F.relu", "Conv2d", "BatchNorm2d", "Tensor.__add__"]]),
    ],
)  # fmt: skip
def test_a_chain_is_found(pattern, names):
    """Modules and functions alike, whatever else a step reads beside the one before."""
    assert found(build(RESIDUAL), pattern) == names


@pytest.mark.parametrize(
    "pattern",
    ["(Relu | (Gelu > Tanh)) > Add", "((Gelu > Tanh) | Relu) > Add", "(Activation | Activation > Tanh) > Add",
     "exp > (Relu | Gelu > Tanh) > Add"],
)  # fmt: skip
def test_branches_are_found_in_any_order(pattern):
    """They start from one tensor and end in one call; which is written first does not matter."""
    graph = build(FORK)
    assert len(found(graph, pattern.replace("exp", "torch.exp"))) == 1


@pytest.mark.parametrize("pattern", ["(Relu | Gelu) > Add", "(Relu | Gelu > Tanh | Relu) > Add", "(Relu | Relu) > Add"])
def test_branches_that_are_not_there_are_not_found(pattern):
    """Every branch needs calls of its own, and leads to the join."""
    assert found(build(FORK), pattern) == []


def test_branches_at_the_end_have_two_exits():
    """What both of them make is for others."""
    assert found(build(FORK), "torch.exp > (Relu | Gelu)") == [["torch.exp", "F.relu", "F.gelu"]]


def test_branches_at_the_end_hold_no_way_out_and_back():
    """What leaves by one exit must not come in by another call: a box around both would read itself."""
    graph = build("""
        input x 2
        Net x -> y
          torch.exp x -> s 2
          F.relu s -> a 2
          torch.tanh a -> b 2
          torch.mul s b -> y 2
    """)
    assert found(graph, "torch.exp > (Relu | Mul)") == []


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("Linear | Linear | Linear", [["F.linear"] * 3]),
        ("Linear | Linear | Linear | Linear", []),
        ("(Linear > Sigmoid) | Linear", [["F.linear", "F.linear", "torch.sigmoid"]]),
    ],
)
def test_branches_that_lead_out_have_calls_of_their_own(pattern, names):
    """Alike ones too, as the projections of attention: none is taken twice, and all are found."""
    graph = build("""
        input x 2
        Net x -> q k v
          F.linear x -> a 2
          F.linear x -> k 2
          F.linear x -> v 2
          torch.sigmoid a -> q 2
    """)
    assert found(graph, pattern) == names


def test_a_match_ends_before_an_optional_step_that_it_cannot_have():
    """What the norm made is read by others too: then it is the end."""
    graph = build("""
        input x 2
        Net x -> y
          F.conv2d x -> a 2
          F.batch_norm a -> b 2
          F.relu b -> c 2
          torch.add b c -> y 2
    """)
    assert found(graph, "Conv > BatchNorm > Relu?") == [["F.conv2d", "F.batch_norm"]]


def test_branches_that_fit_in_very_many_ways_end_the_search():
    """Twenty calls that each read the twelve before; what was not tried is said."""
    recorder = Recorder("Net")
    values = [recorder.leaf("input", "x", (2,))]
    recorder.begin("Net", values[:1], "")
    for _ in range(20):
        values.append(recorder.call("F.relu", values[-12:], (2,)))
    recorder.end(values[-1:])
    tree = parse("(Relu+ | Relu+ | Relu+ | Relu+) > Concat")
    assert matches(units(recorder.graph(), ["Relu", "Concat"]), tree) == ((), False)


@pytest.mark.parametrize(
    ("reader", "there"),
    [("torch.neg a -> z 2", False), ("torch._assert a", True)],
)
def test_a_result_that_others_read_ends_a_match(reader, there):
    """A call that makes nothing reads without taking part."""
    graph = build(f"""
        input x 2
        Net x -> y
          F.linear x -> a 2
          F.relu a -> y 2
          {reader}
    """)
    assert bool(found(graph, "Linear > Relu")) == there


def test_a_result_that_the_run_returns_ends_a_match():
    """It would be an exit in the middle."""
    graph = build("""
        input x 2
        Net x -> a y
          F.linear x -> a 2
          F.relu a -> y 2
    """)
    assert found(graph, "Linear > Relu") == []
    assert found(graph, "Linear") == [["F.linear"]]


def test_a_result_may_be_read_twice_inside():
    """The square of a sigmoid-weighted unit: both calls are of the match."""
    graph = build("""
        input x 2
        Net x -> y
          F.linear x -> a 2
          torch.sigmoid a -> b 2
          torch.mul a b -> y 2
    """)
    assert found(graph, "Linear > Sigmoid > Mul") == [["F.linear", "torch.sigmoid", "torch.mul"]]


def test_no_call_is_in_two_matches():
    """From the first on, greedily."""
    recorder = Recorder("Net")
    x = recorder.leaf("input", "x", (2,))
    recorder.begin("Net", (x,), "")
    for _ in range(7):
        x = recorder.call("F.relu", (x,), (2,))
    recorder.end((x,))
    graph = recorder.graph()
    assert list(map(len, found(graph, "Relu{2,3}"))) == [3, 3]
    assert list(map(len, found(graph, "Relu > Relu"))) == [2, 2, 2]
    assert list(map(len, found(graph, "(Relu{2})+"))) == [6]


def test_a_block_named_in_the_pattern_is_one_step():
    """As is a layer; a block that is not named is gone through."""
    graph = build("""
        input x 2
        Net x -> y
          Block @one x -> b
            F.linear x -> a 2
            F.relu a -> b 2
          Block @two b -> y
            F.linear b -> c 2
            F.relu c -> y 2
    """)
    assert found(graph, "Block > Block") == [["Block", "Block"]]
    assert found(graph, "Linear > Relu") == [["F.linear", "F.relu"]] * 2


def test_a_class_called_after_several_layers_is_a_block():
    """As is one with another kind of layer inside."""
    graph = build("""
        input x 2
        Net x -> y
          Conv2dNormActivation @one x -> b
            F.conv2d x -> a 2
            F.relu a -> b 2
          BatchNormAct2d @two b -> y
            F.batch_norm b -> c 2
            F.relu c -> y 2
    """)
    assert found(graph, "Conv > Relu > BatchNorm > Relu") == [["F.conv2d", "F.relu", "F.batch_norm", "F.relu"]]


def test_quantifiers_inside_one_another_take_no_longer():
    """Ten times as many calls take no more than about ten times as long, and nothing is tried twice."""
    work = []
    for count in (1000, 10_000):
        recorder = Recorder("Net")
        x = recorder.leaf("input", "x", (2,))
        recorder.begin("Net", (x,), "")
        for _ in range(count):
            x = recorder.call("F.relu", (x,), (2,))
        recorder.end((x,))
        graph = recorder.graph()
        work.append(lines_run(lambda graph=graph: found(graph, "((Relu+)+ > Relu*)+ > Conv")))
        assert found(graph, "((Relu+)+ > Relu*)+ > Conv") == []
    assert work[1] < 12 * work[0]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("Linear > Relu", [["Linear", "ReLU"]]),
        ("Linear > Dropout > Relu", [["Linear", "Dropout", "ReLU"]]),
        ("Linear > Dropout? > Relu", [["Linear", "Dropout", "ReLU"]]),
        ("Dropout", [["Dropout"]]),
        ("F.dropout", [["F.dropout"]]),
    ],
)
def test_what_only_hands_on_is_a_step_where_the_pattern_names_it(pattern, names):
    """A dropout while evaluating is looked past by whoever does not ask for it."""
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.ReLU()).eval()
    assert found(ta.capture(net, torch.zeros(1, 2)).graph, pattern) == names
