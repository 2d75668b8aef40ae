"""Calls of another run beside the recorded ones."""

from __future__ import annotations

from torchatlas.capture.measure.match_calls import align, heard
from torchatlas.capture.record.listen import Listener
from torchatlas.core.graph import Call, Graph

DEEP = 100_000
KINDS = {"autograd_function"}


class Told(Listener):
    """Has heard what it is given."""

    def __init__(self, *streams):
        super().__init__({}, None, functions=True)
        self.main, *self.others = streams

    def around(self, *_):
        """It never listens."""
        raise AssertionError


def call(number, name, parent=0, thread=0):
    """One recorded call."""
    return Call(number, "autograd_function", name, parent=parent, thread=thread)


ROOT = Call(0, "module", "Net", "")


def test_the_depth_of_a_run_is_no_bound():
    """A hundred thousand calls inside one another."""
    graph = Graph("Net", (ROOT, *(call(number, "f", number - 1) for number in range(1, DEEP + 1))))
    stream = [("f", number) for number in range(DEEP)] + [(None, number) for number in range(DEEP)]
    found = align(graph, KINDS, Told(stream))
    assert found.parted == ()
    assert (found.calls[1].begin, found.calls[1].end) == (0, DEEP - 1)
    assert (found.calls[DEEP].begin, found.calls[DEEP].end) == (DEEP - 1, 0)


def test_where_the_two_part_nothing_inside_is_laid_beside():
    """What is around and beside still is."""
    graph = Graph("Net", (ROOT, call(1, "a"), call(2, "b", 1), call(3, "c"), call(4, "d", 3)))
    stream = [("a", 1), ("x", 2), (None, 2), (None, 1), ("c", 3), ("d", 4), (None, 4), (None, 3)]
    found = align(graph, KINDS, Told(stream))
    assert set(found.calls) == {1, 3, 4}
    assert found.parted == (1,)


def test_threads_are_told_by_what_they_called():
    """Whichever began first; one that never came parted from the record."""
    calls = (ROOT, call(1, "left", thread=1), call(2, "right", thread=2), call(3, "late", thread=3), call(4, "end"))
    streams = ([("end", 0), (None, 0)], [("right", 1), (None, 1)], [("left", 2), (None, 2)])
    found = align(Graph("Net", calls), KINDS, Told(*streams))
    assert {number: one.begin for number, one in found.calls.items()} == {1: 2, 2: 1, 4: 0}
    assert found.parted == (3,)


def test_a_call_that_never_ended_has_no_end():
    """The run was cut off in it."""
    (one,) = heard([("a", 1), ("b", 2), (None, 3)], {})
    assert (one.end, one.inside[0].end) == (None, 3)
