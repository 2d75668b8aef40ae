"""Numbers given for modules and calls, by the calls they belong to."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from torchatlas.core.check import check
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Call, Graph, Module, Note, Overlay
from torchatlas.core.measure.overlay import COLUMNS, add_overlay, by_call, overlay_of, overlays_by_name
from torchatlas.files.codec import decode, encode
from torchatlas.views.table.columns import COLUMNS as TABLE

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
    assert by_call(GRAPH, overlay_of(GRAPH, "heat", given)[0]) == wanted


@pytest.mark.parametrize("place", ["c", 3, -1])
def test_a_number_for_nothing_is_refused(place):
    """A typing error in a path would otherwise be a picture without colour."""
    with pytest.raises(InputError, match=f"overlay 'heat' has a number for {place!r}"):
        overlay_of(GRAPH, "heat", {place: 1})


@pytest.mark.parametrize(
    "number",
    [
        2,
        2.0,
        True + 1,
        Fraction(2),
        np.float32(2),
        np.array([2]),
        torch.tensor(2),
        torch.tensor([2.0], requires_grad=True),
    ],
    ids=lambda number: type(number).__name__,
)
def test_whatever_is_one_number_will_do(number):
    """Scalars of numpy and torch, tensors of one element with or without a gradient."""
    assert overlay_of(GRAPH, "heat", {"a": number})[0].paths == (("a", 2.0),)


@pytest.mark.parametrize(
    "number",
    ["3", b"3", None, 1j, [1], {}, np.array([1, 2]), torch.ones(2), 10**400],
    ids=lambda number: type(number).__name__,
)
def test_what_is_no_number_is_refused(number):
    """Text is not read as one, and of several none is taken."""
    with pytest.raises(InputError, match=r"overlay 'heat' has .* for 'a': give one number"):
        overlay_of(GRAPH, "heat", {"a": number})


def test_ids_may_be_of_numpy_and_bools_are_none():
    """A call id is a whole number."""
    assert overlay_of(GRAPH, "heat", {np.int64(2): 1.0})[0].calls == ((2, 1.0),)
    for place in (True, 1.0, None, (0,)):
        with pytest.raises(InputError, match="neither a module's path nor the id"):
            overlay_of(GRAPH, "heat", {place: 1})


@pytest.mark.parametrize("name", ["params", "activations", "device", "share", "name"])
def test_a_name_that_stands_for_something_is_refused(name):
    """The reader could not tell the two apart."""
    with pytest.raises(InputError, match=f"cannot be named '{name}', because torchatlas has a column of that name"):
        add_overlay(GRAPH, name, {"a": 1})


def test_every_column_is_known_as_taken():
    """A column more in the table is a name less for overlays."""
    assert set(TABLE) == COLUMNS


@pytest.mark.parametrize(("name", "unit"), [("", ""), (" ", ""), (3, ""), ("heat", 3), ("heat", None)])
def test_name_and_unit_are_text(name, unit):
    """What was given is repeated."""
    with pytest.raises(InputError, match=r"give (a name|text), such as"):
        overlay_of(GRAPH, name, {}, unit)


def test_near_paths_are_suggested():
    """A typing error is mended at sight."""
    with pytest.raises(InputError, match="Near: 'never'"):
        overlay_of(GRAPH, "heat", {"nevre": 1})
    with pytest.raises(InputError, match="overlay 'heat' is a list; give numbers by module path"):
        overlay_of(GRAPH, "heat", [1])


def test_what_is_not_finite_is_left_out_with_a_note():
    """The note goes with the overlay that is put in its place."""
    once = add_overlay(GRAPH, "heat", {"a": math.nan, 0: math.inf, "never": 1.0}, "K")
    assert once.overlays == (Overlay("heat", "K", (), (("never", 1.0),)),)
    text = "overlay 'heat': the number for 'a' and 1 more is not finite and was left out."
    assert once.notes == (Note(text, None, "overlay", "heat"),)
    again = add_overlay(once, "heat", {2: 5})
    assert again.overlays == (Overlay("heat", "", ((2, 5.0),)),)
    assert again.notes == ()


def test_a_call_has_its_own_number_before_its_modules():
    """Overlays are kept in files as they are, well formed; those given beside win by name."""
    graph = add_overlay(add_overlay(GRAPH, "heat", {"b": 1, 2: 7}, "K"), "cold", {0: 1})
    assert decode(encode(graph)) == graph
    check(graph)
    found = overlays_by_name(graph, {"heat": {0: 3}, "new": Overlay("new", "B", ((1, 2.0),))})
    assert {name: by_call(graph, one) for name, one in found.items()} == {"heat": {0: 3}, "cold": {0: 1}, "new": {1: 2}}
    assert by_call(graph, graph.overlays[0]) == {1: 1.0, 2: 7.0}
    assert found["new"].unit == "B"


@pytest.mark.parametrize("given", [[1], "heat", 3, 0])
def test_overlays_given_beside_are_a_mapping(given):
    """Anything else is refused, with an example."""
    with pytest.raises(InputError, match=r"overlays=.*: give numbers by name, such as \{'energy': "):
        overlays_by_name(GRAPH, given)
