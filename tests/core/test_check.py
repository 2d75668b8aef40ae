"""Well-formed graphs pass, and each broken promise of the data model is named."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings

from core.graphs import build, irregular, llama_like
from core.strategies import graphs
from torchatlas.core.check import check, problems
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Graph, Module, Node, Note, Slot, Source

SMALL = build("""
    input x 2,3
    parameter fc.weight 4,3
    Net x -> y
      Linear @fc x -> h
        F.linear x fc.weight !48 -> h 2,4
      F.relu h -> y 2,4
""")


def call(number: int, **changes) -> Graph:
    """Change one call of the small graph."""
    calls = list(SMALL.calls)
    calls[number] = replace(calls[number], **changes)
    return replace(SMALL, calls=tuple(calls))


def value(number: int, **changes) -> Graph:
    """Change one value of the small graph."""
    values = list(SMALL.values)
    values[number] = replace(values[number], **changes)
    return replace(SMALL, values=tuple(values))


def arguments(*items, keys=()) -> Graph:
    """Change the arguments of the last call of the small graph."""
    return call(3, arguments=Node("arguments", keys, items))


@pytest.mark.parametrize(
    "graph", [SMALL, Graph("empty"), llama_like(3, 9), irregular(200)], ids=["small", "empty", "llama", "irregular"]
)
def test_made_graphs_are_well_formed(graph):
    """The graphs that other tests use keep every promise."""
    check(graph)


@settings(deadline=None, max_examples=50)
@given(graphs())
def test_arbitrary_graphs_are_well_formed(graph):
    """What hypothesis draws may be used wherever a graph is wanted."""
    check(graph)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (call(2, id=7), "call 7 (F.linear) does not stand at its id"),
        (call(2, kind="thing"), "call 2 (F.linear) is of the unknown kind 'thing'"),
        (call(2, path="fc"), "call 2 (F.linear) is a function with the path 'fc'"),
        (call(1, path=None), "call 1 (Linear) is a module with the path None"),
        (call(3, parent=None), "call 3 (F.relu) has the parent None; the first call, and no other, has none"),
        (call(0, parent=0), "call 0 (Net) has the parent 0; the first call, and no other, has none"),
        (call(2, parent=2), "call 2 (F.linear) ran inside call 2, which did not begin before it"),
        (call(2, parent=-1), "call 2 (F.linear) ran inside call -1, which did not begin before it"),
        (call(2, arithmetic="some"), "call 2 (F.linear) has arithmetic of the unknown kind 'some'"),
        (call(2, flops=-1), "call 2 (F.linear) has -1 FLOPs and ran in thread 0"),
        (call(2, thread=-1), "call 2 (F.linear) has 48 FLOPs and ran in thread -1"),
        (call(2, seconds=math.nan), "call 2 (F.linear) took nan seconds"),
        (call(2, seconds=-0.5), "call 2 (F.linear) took -0.5 seconds"),
        (call(2, repeats=2), "call 2 (F.linear) is a function of 2 repeats; a group has 1 or more, any other call 1"),
        (call(2, kind="group", repeats=0), "call 2 (F.linear) is a group of 0 repeats"),
        (call(2, source=Source("a.py", 0)), "lines count from 1"),
        (call(2, source=Source("a.py", 1, end_line=2**64)), "lines count from 1 and stay below 2**64"),
        (call(2, inputs=(0, 4)), "call 2 (F.linear) has as inputs the values [4], which are not there"),
        (call(2, writes=(-1,)), "call 2 (F.linear) has as writes the values [-1], which are not there"),
        (call(2, outputs=(9,)), "call 2 (F.linear) has as outputs the values [9], which are not there"),
        (value(2, id=0), "value 0 does not stand at its id"),
        (value(2, kind="thing"), "value 2 is of the unknown kind 'thing'"),
        (value(2, shape=(2, -2)), "value 2 has the shape (2, -2)"),
        (value(2, nbytes=-1), "value 2 takes -1 bytes"),
        (value(2, storage=2**64), "value 2 has the storage 18446744073709551616"),
        (value(2, freed=5), "value 2 was freed after 5 of 4 calls"),
        (value(2, previous=2), "value 2 has as previous the value 2, which is not before it"),
        (value(2, alias_of=3), "value 2 has as alias_of the value 3, which is not before it"),
        (value(2, view_of=-1), "value 2 has as view_of the value -1, which is not before it"),
        (value(0, slot=0), "value 0 comes from slot 0 of no call"),
        (value(2, producer=9), "value 2 comes from call 9, which is not there"),
        (value(2, slot=None), "value 2 comes from call 2, which neither returns nor writes it"),
        (value(2, slot=1), "value 2 comes from slot 1 of call 2, whose outputs are (2,)"),
        (value(2, slot=-1), "value 2 comes from slot -1 of call 2, whose outputs are (2,)"),
        (value(2, producer=3), "value 2 comes from slot 0 of call 3, whose outputs are (3,)"),
        (
            replace(SMALL, modules=(Module("fc", "Linear", parameters=(("weight", 4),)),)),
            "owns as 'weight' the value 4",
        ),
        (replace(SMALL, modules=(Module("fc", "Linear", buffers=(("mean", -1),)),)), "owns as 'mean' the value -1"),
        (replace(SMALL, modules=(Module("fc", "L", settings=(("k", Slot(0)),)),)), "'fc' has a setting 'k' that name"),
        (replace(SMALL, notes=(Note("odd", code="some"),)), "the note 'odd' is of the unknown kind 'some'"),
        (replace(SMALL, notes=(Note("odd", 4),)), "the note 'odd' is about call 4, which is not there"),
        (replace(SMALL, error=-1), "the error is in call -1, which is not there"),
        (arguments(Slot(1)), "call 3 (F.relu) has arguments that name slot 1, of 1"),
        (arguments(Slot(-1)), "call 3 (F.relu) has arguments that name slot -1, of 1"),
        (arguments(Node("list", (), (Slot(0), Slot(1)))), "has arguments that name slot 1, of 1"),
        (arguments(1, keys=("a", "b")), "has arguments with 2 keys for the 1 items of a arguments"),
        (arguments(object()), "has arguments that hold a object, which is no tree"),
        (arguments(Node("list", (), (object(),))), "has arguments that hold a object, which is no tree"),
        (call(3, returns=Slot(1)), "call 3 (F.relu) has returns that name slot 1, of 1"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_broken_promise_is_named(graph, words):
    """One change, one sentence that says where and what."""
    assert words in "; ".join(problems(graph))
    with pytest.raises(InputError, match="the graph of 'Net' is not well formed"):
        check(graph)


def test_many_problems_are_counted_out():
    """Three are named, the rest are said to be there."""
    graph = replace(SMALL, calls=tuple([replace(call, flops=-1) for call in SMALL.calls]))
    with pytest.raises(InputError, match=r"call 0 .*; call 1 .*; call 2 .*; and more\."):
        check(graph)
