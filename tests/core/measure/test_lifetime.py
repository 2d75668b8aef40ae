"""Lifetimes of memory, checked on chains whose every moment is known."""

from __future__ import annotations

from core.tensors import tensor
from torchatlas.core.graph import Call, Graph
from torchatlas.core.measure.lifetime import alive, ends, lifetimes


def _chain(*, freed: tuple[int | None, ...] = (None, None, None), requires_grad: bool = False) -> Graph:
    """Build three functions in a row: a new tensor, a view of it written in place, and a result."""
    values = (
        tensor(0, "input", (5,), storage=0),
        tensor(1, shape=(10,), producer=1, storage=1, freed=freed[0], requires_grad=requires_grad),
        tensor(2, shape=(2, 5), producer=2, storage=1, view_of=1, freed=freed[1]),
        tensor(3, "output", (20,), producer=3, storage=2, freed=freed[2]),
    )
    calls = (
        Call(0, "module", "Net", "", inputs=(0,), outputs=(3,)),
        Call(1, "function", "f", None, 0, (0,), (1,)),
        Call(2, "function", "Tensor.view", None, 0, (1,), (2,)),
        Call(3, "function", "g", None, 0, (2,), (3,)),
    )
    return Graph("Net", calls, values)


def test_memory_lives_from_its_producer_to_its_release() -> None:
    """A view adds nothing; what was never released outlives the run."""
    lives = lifetimes(_chain(freed=(3, 3, None)))
    assert lives.owner == [0, 1, 1, 3]
    assert lives.born == {1: 1, 3: 3}
    assert lives.died == {1: 3, 3: 5}
    assert (lives.recorded, lives.taped) == (True, False)
    assert alive(lives, lives.died, {}, 4) == [0, 40, 40, 80, 80]


def test_without_releases_memory_lives_until_last_read() -> None:
    """A fake run may not know releases; the result is held by whoever asked for the run."""
    lives = lifetimes(_chain())
    assert lives.died == {1: 4, 3: 5}
    assert not lives.recorded
    assert alive(lives, lives.died, {}, 4) == [0, 40, 40, 120, 80]


def test_a_tape_does_not_prolong_the_lives_of_inference() -> None:
    """Where autograd saved a tensor its release comes late, but inference would have released it."""
    lives = lifetimes(_chain(freed=(None, None, None), requires_grad=True))
    assert lives.taped
    assert lives.died[1] == 4


def test_what_a_call_keeps_beside_its_values_stays() -> None:
    """Bytes beside the values are there from the call to the end."""
    lives = lifetimes(_chain(freed=(3, 3, None)))
    assert alive(lives, lives.died, {2: 7}, 4) == [0, 40, 47, 87, 87]


def test_the_arguments_of_a_module_live_while_it_runs() -> None:
    """The caller of a module holds what it passed in, though the first call inside is the last to read it."""
    values = (
        tensor(0, shape=(3,), producer=1),
        tensor(1, shape=(4,), producer=3),
        tensor(2, "output", (5,), producer=4),
    )
    calls = (
        Call(0, "module", "Net", "", outputs=(2,)),
        Call(1, "function", "make", None, 0, (), (0,)),
        Call(2, "module", "Inner", "inner", 0, (0,), (2,)),
        Call(3, "function", "f", None, 2, (0,), (1,)),
        Call(4, "function", "g", None, 2, (1,), (2,)),
    )
    graph = Graph("Net", calls, values)
    assert ends(graph) == [5, 2, 5, 4, 5]
    assert lifetimes(graph).died == {0: 5, 1: 5, 2: 6}
