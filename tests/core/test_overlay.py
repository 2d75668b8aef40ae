"""Numbers given for modules and calls, by the calls they belong to."""

from __future__ import annotations

import math

import pytest

from torchatlas.core.errors import InputError
from torchatlas.core.graph import Call, Graph, Module
from torchatlas.core.overlay import by_call, made

GRAPH = Graph(
    "Net",
    calls=(
        Call(0, "module", "Net", ""),
        Call(1, "module", "Linear", "a", parent=0),
        Call(2, "module", "Linear", "a", parent=0),
    ),
    modules=(Module("", "Net"), Module("a", "Linear", aliases=("b",)), Module("never", "ReLU")),
)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"a": 2}, {1: 2.0, 2: 2.0}),
        ({"b": 2}, {1: 2.0, 2: 2.0}),
        ({"": 1.5, 2: 3}, {0: 1.5, 2: 3.0}),
        ({"never": 1}, {}),
        ({"a": math.nan}, {}),
    ],
    ids=["every call of a module", "by another of its paths", "the model and one call", "what never ran", "no number"],
)
def test_numbers_go_to_the_calls_they_are_for(given, wanted):
    """A module's number is that of each of its calls; what never ran has none to show."""
    assert by_call(GRAPH, made(GRAPH, "heat", given)[0]) == wanted


@pytest.mark.parametrize("place", ["c", 3, -1])
def test_a_number_for_nothing_is_refused(place):
    """A typing error in a path would otherwise be a picture without colour."""
    with pytest.raises(InputError, match=f"overlay 'heat' has a number for {place!r}"):
        made(GRAPH, "heat", {place: 1})
