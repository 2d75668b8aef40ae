"""The estimate of a training step, followed by hand, byte by byte, on graphs of a few calls."""

from __future__ import annotations

from core.tensors import tensor
from torchatlas.core.graph import Call, Graph
from torchatlas.core.measure.lifetime import lifetimes
from torchatlas.core.measure.training_step import training_step
from torchatlas.core.operators.saved_for_backward import operation_of


def _step(
    *steps: tuple[str, tuple[int, ...], int], leaves: int, released: dict[int, int]
) -> tuple[int, int, int | None]:
    """Run (function, inputs, elements of the result) in a row; the leaves are parameters of 100 elements."""
    values = [tensor(i, "parameter", (100,), requires_grad=True) for i in range(leaves)]
    calls = [Call(0, "module", "Net", "")]
    for name, inputs, elements in steps:
        made = len(values)
        values.append(tensor(made, shape=(elements,), producer=len(calls), storage=made, freed=released.get(made)))
        calls.append(Call(len(calls), "function", name, None, 0, inputs, (made,)))
    calls[0] = Call(0, "module", "Net", "", outputs=(len(values) - 1,))
    graph = Graph("Net", tuple(calls), tuple(values))
    step = training_step(graph, lifetimes(graph), [operation_of(graph, call) for call in calls[1:]])
    return step.saved, step.peak, step.at


def test_an_activation_function_saves_its_result_and_hands_back_memory() -> None:
    """exp(exp(w)): both results are saved (800); then result gradient 400 and inner gradient 400 at the last exp."""
    saved, peak, at = _step(("torch.exp", (0,), 100), ("torch.exp", (1,), 100), leaves=1, released={1: 3})
    assert (saved, peak, at) == (800, 1600, 2)


def test_addition_saves_nothing_and_passes_its_gradient_on() -> None:
    """The sum of two leaves holds its result and its gradient; the first leaf copies that, the last one keeps it."""
    saved, peak, _ = _step(("torch.add", (0, 1), 100), leaves=2, released={})
    assert saved == 0
    assert peak == 400 + 2 * 400


def test_a_product_saves_both_factors_and_makes_both_gradients() -> None:
    """exp(w) * exp(w'): two results saved twice over are kept once; three gradients live beside them."""
    steps = (("torch.exp", (0,), 100), ("torch.exp", (1,), 100), ("torch.mul", (2, 3), 100))
    saved, peak, at = _step(*steps, leaves=2, released={2: 4, 3: 4})
    assert saved == 800
    assert (peak, at) == (400 + 800 + 3 * 400, 3)


def test_gradients_of_one_tensor_are_summed() -> None:
    """A tensor read twice gets one gradient: the second is added to the first and given back."""
    steps = (("torch.exp", (0,), 100), ("torch.sin", (1,), 100), ("torch.cos", (1,), 100), ("torch.mul", (2, 3), 100))
    saved, _, _ = _step(*steps, leaves=1, released={1: 4, 2: 5, 3: 5})
    assert saved == 1200


def test_what_needs_no_gradient_keeps_nothing() -> None:
    """Without a parameter there is no backward pass: the step is the forward alone."""
    values = (tensor(0, "input", (100,)), tensor(1, "output", (100,), producer=1, storage=1))
    calls = (
        Call(0, "module", "Net", "", inputs=(0,), outputs=(1,)),
        Call(1, "function", "torch.exp", None, 0, (0,), (1,)),
    )
    graph = Graph("Net", calls, values)
    step = training_step(graph, lifetimes(graph), [operation_of(graph, calls[1])])
    assert (step.saved, step.peak, step.at) == (0, 400, 1)


def test_an_operation_without_a_rule_is_named() -> None:
    """What it saves is a guess, and the reader is told of which operations."""
    values = (tensor(0, "parameter", (100,), requires_grad=True), tensor(1, "output", (100,), producer=1, storage=1))
    calls = (Call(0, "module", "Net", "", outputs=(1,)), Call(1, "function", "torch.novel", None, 0, (0,), (1,)))
    graph = Graph("Net", calls, values)
    step = training_step(graph, lifetimes(graph), [operation_of(graph, calls[1])])
    assert step.guessed == {"novel"}
    assert step.saved == 400


def test_a_tensor_made_like_another_does_not_depend_on_it() -> None:
    """zeros_like(exp(w)) has the shape of its argument and no gradient, so nothing is kept for either."""
    saved, _, _ = _step(("torch.zeros_like", (0,), 100), ("torch.exp", (1,), 100), leaves=1, released={})
    assert saved == 0
