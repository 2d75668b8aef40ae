"""A training step as a function: gradients come from the backward pass, and updates from gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

import torchatlas as ta

X, Y = torch.randn(3, 4), torch.randn(3, 2)
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.1),
    "sgd loop": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, foreach=False),
    "sgd foreach": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, foreach=True),
    "sgd fused": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, fused=True),
    "adam loop": lambda parameters: torch.optim.Adam(parameters, 0.1, foreach=False),
    "adam foreach": lambda parameters: torch.optim.Adam(parameters, 0.1, amsgrad=True, foreach=True),
    "adam fused": lambda parameters: torch.optim.Adam(parameters, 0.1, fused=True),
    "adamw foreach": lambda parameters: torch.optim.AdamW(parameters, 0.1, foreach=True),
    "adamw fused": lambda parameters: torch.optim.AdamW(parameters, 0.1, fused=True),
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, 0.1),
    "adagrad": lambda parameters: torch.optim.Adagrad(parameters, 0.1),
    "lbfgs": lambda parameters: torch.optim.LBFGS(parameters, 0.1, max_iter=2),
}


def trained(name="sgd", seed=0):
    """A model and its optimizer."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    return model, OPTIMIZERS[name](model.parameters())


def stepping(model, optimizer):
    """The step that everyone writes."""

    def step(x, y):
        def closure():
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        if isinstance(optimizer, torch.optim.LBFGS):
            return optimizer.step(closure)
        loss = closure()
        optimizer.step()
        return loss

    return step


def named(graph, name):
    """The values that have a name, in order."""
    return [value for value in graph.values if name in value.names]


def around(graph, number):
    """A call, and those that it is inside of."""
    while number is not None:
        yield graph.calls[number]
        number = graph.calls[number].parent


def upstream(graph, value):
    """The calls that a value depends on, by what was read."""
    found, todo, seen = set(), [value], set()
    while todo:
        value = todo.pop()
        if value in seen:
            continue
        seen.add(value)
        record = graph.values[value]
        todo += [other for other in (record.previous, record.view_of, record.alias_of) if other is not None]
        if record.producer is not None and record.producer not in found:
            found.add(record.producer)
            call = graph.calls[record.producer]
            if not call.outputs or value in (*call.outputs, *call.writes):
                todo += call.inputs
    return {call.name for number in found for call in around(graph, number)}


PARAMETERS = ("model.0.weight", "model.0.bias", "model.2.weight", "model.2.bias")


@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_parameter_is_written_with_its_gradient_which_the_backward_made(name, level):
    """From the loss through the backward to every parameter, whatever the optimizer calls."""
    model, optimizer = trained(name)
    graph = ta.capture(stepping(model, optimizer), (X, Y), mode="train", level=level).graph
    for parameter in PARAMETERS:
        gradient = named(graph, f"{parameter}.grad")[0]
        (backward,) = [call for call in around(graph, gradient.producer) if call.name == "Tensor.backward"]
        assert gradient.id in backward.writes
        assert gradient.shape == named(graph, parameter)[0].shape
        last = named(graph, parameter)[-1]
        assert last.producer > backward.id
        assert {"Tensor.backward", "F.mse_loss", "F.linear"} <= upstream(graph, last.id)
    assert not [call for call in graph.calls if call.name == "Tensor.grad"]


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_replayed_and_leaves_no_trace(name, warm):
    """The loss, and the parameters after two steps, come out of the recorded calls alone, bit for bit."""
    model, optimizer = trained(name)
    step = stepping(model, optimizer)
    if warm:
        step(X, Y)
    before = copy.deepcopy([model.state_dict(), optimizer.state_dict()["state"]])

    def twice(x, y):
        return step(x, y), step(x, y), [parameter * 1 for parameter in model.parameters()]

    atlas = ta.capture(twice, (X, Y), mode="train", replay=True)
    assert atlas.replay().equal
    assert str(before) == str([model.state_dict(), optimizer.state_dict()["state"]])


def test_gradients_of_two_backward_passes_add_up():
    """The second writes a new version of what the first made, and reads it."""
    model, optimizer = trained()

    def step(x, y):
        nn.functional.mse_loss(model(x), y).backward()
        nn.functional.mse_loss(model(x * 2), y).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    atlas = ta.capture(step, (X, Y), mode="train", replay=True)
    first, second = named(atlas.graph, "model.0.weight.grad")
    backwards = [call.id for call in atlas.graph.calls if call.name == "Tensor.backward"]
    assert [first.producer, second.producer] == backwards
    assert second.previous == first.id
    update = atlas.graph.calls[named(atlas.graph, "model.0.weight")[-1].producer]
    assert second.id in update.inputs
    assert atlas.replay().equal
    assert len([call for call in atlas.graph.calls if call.name == "Tensor.zero_"]) == len(PARAMETERS)


@pytest.mark.parametrize("foreach", [False, True])
def test_clipped_gradients_are_what_the_update_reads(foreach):
    """Clipping writes them in place, between the backward and the step."""
    model, optimizer = trained("sgd foreach")

    def step(x, y):
        nn.functional.mse_loss(model(x), y).backward()
        norm = clip_grad_norm_(model.parameters(), 0.1, foreach=foreach)
        optimizer.step()
        return norm, model[0].weight * 1

    atlas = ta.capture(step, (X, Y), mode="train", replay=True)
    made, clipped = named(atlas.graph, "model.0.weight.grad")
    assert clipped.previous == made.id
    assert "mul_" in atlas.graph.calls[clipped.producer].name
    assert any("norm" in name for name in upstream(atlas.graph, clipped.id))
    assert atlas.replay().equal


def test_backward_as_a_function_and_gradients_as_results():
    """`torch.autograd.backward` is a call too, and `torch.autograd.grad` returns what it computes."""
    model, _ = trained()

    def both(x, y):
        loss = nn.functional.mse_loss(model(x), y)
        torch.autograd.backward([loss], retain_graph=True)
        (gradient,) = torch.autograd.grad(loss, [model[0].weight])
        return gradient - model[0].weight.grad

    atlas = ta.capture(both, (X, Y), mode="train", replay=True)
    calls = {call.name: call for call in atlas.graph.calls}
    assert named(atlas.graph, "model.0.weight.grad")[0].producer == calls["torch.autograd.backward"].id
    subtraction = calls["Tensor.sub"] if "Tensor.sub" in calls else calls["Tensor.__sub__"]
    assert named(atlas.graph, "model.0.weight.grad")[0].id in subtraction.inputs
    assert any(
        atlas.graph.calls[atlas.graph.values[value].producer].name.endswith("grad") for value in subtraction.inputs
    )
    assert atlas.replay().equal
    assert torch.autograd.backward.__module__ == "torch.autograd"


def test_gradients_of_inputs_and_of_what_retains_them_come_from_the_backward():
    """Leaves that are no parameters, and tensors in between."""
    model, _ = trained()

    def step(x):
        middle = model[0](x)
        middle.retain_grad()
        model[1:](middle).sum().backward()
        return x.grad * 1, middle.grad * 1

    atlas = ta.capture(step, (X.clone().requires_grad_(),), mode="train", replay=True)
    graph = atlas.graph
    (backward,) = [call for call in graph.calls if call.name == "Tensor.backward"]
    assert named(graph, "x.grad")[0].producer == backward.id
    products = [call for call in graph.calls if call.name in ("Tensor.mul", "Tensor.__mul__")]
    assert len(products) == 2
    assert all(call.inputs[0] in backward.writes for call in products)
    assert atlas.replay().equal


def test_gradients_from_before_are_read_and_put_back():
    """A function that only updates takes the gradients that there are; a backward in it adds to them."""
    model, optimizer = trained("sgd loop")
    nn.functional.mse_loss(model(X), Y).backward()
    before = [(parameter.grad, parameter.grad.clone()) for parameter in model.parameters()]
    weights = copy.deepcopy(model.state_dict())

    def update():
        optimizer.step()
        return model[0].weight * 1

    def further(x, y):
        nn.functional.mse_loss(model(x), y).backward()
        return model[0].weight.grad * 1

    graph = ta.capture(update, kwargs={}, mode="train").graph
    assert named(graph, "model.0.weight.grad")[0].kind == "constant"
    assert [value.producer is not None for value in named(graph, "model.0.weight")] == [False, True]
    atlas = ta.capture(further, (X, Y), mode="train", grad=True)
    made = named(atlas.graph, "model.0.weight.grad")[-1]
    assert atlas.graph.calls[made.producer].name == "Tensor.backward"
    assert torch.allclose(atlas.outputs, 2 * before[0][1])
    for (gradient, numbers), parameter in zip(before, model.parameters(), strict=True):
        assert parameter.grad is gradient
        assert torch.equal(gradient, numbers)
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())


def test_an_update_that_is_given_all_as_arguments_reads_the_gradients():
    """A function is one, whether or not it reads something by itself."""
    model, _ = trained("sgd loop")
    nn.functional.mse_loss(model(X), Y).backward()
    gradient = model[0].weight.grad

    def doubled(layer):
        return layer.weight.grad * 2

    assert torch.equal(ta.capture(doubled, (model[0],), mode="train", grad=True).outputs, gradient * 2)
    assert model[0].weight.grad is gradient


def test_a_scaler_joins_loss_gradients_and_update():
    """Scaled loss, unscaled gradients, a scale that is updated: all of it as it was afterwards."""
    model, optimizer = trained("sgd foreach")
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1)

    def step(x, y):
        loss = nn.functional.mse_loss(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        return loss

    graph = ta.capture(step, (X, Y), mode="train").graph
    made, unscaled, *_ = named(graph, "model.0.weight.grad")
    assert graph.calls[made.producer].name == "Tensor.backward"
    assert unscaled.previous == made.id
    assert "Tensor.backward" in upstream(graph, named(graph, "model.0.weight")[-1].id)
    assert scaler.get_scale() == 8


def test_a_step_on_fake_tensors_has_the_same_calls():
    """The optimizer's parameters are those of the model, fake as they are."""
    model, optimizer = trained("sgd foreach")
    step = stepping(model, optimizer)
    real = ta.capture(step, (X, Y), mode="train").graph
    fake = ta.capture(step, (X, Y), mode="train", fake=True).graph
    assert [call.name for call in fake.calls] == [call.name for call in real.calls]
    assert not optimizer.state
    assert optimizer.param_groups[0]["params"][0] is model[0].weight
