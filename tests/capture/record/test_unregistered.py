"""Modules that run and that the model does not hold: found, named, counted, and said to be outside of it."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.measure.cost import total
from torchatlas.core.measure.memory import memory

X = torch.ones(2, 4)


def size(*modules):
    """Elements of the parameters of modules, each tensor once."""
    return sum({id(p): p.numel() for module in modules for p in module.parameters()}.values())


class InList(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(4, 4) for _ in range(3)]
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class InDictionary(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = {"a": nn.Linear(4, 2), "b": nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))}

    def forward(self, x):
        return self.heads["a"](x) + self.heads["b"](x)


class Tool:
    def __init__(self):
        self.net = nn.Linear(4, 4)
        self.unused = nn.Linear(100, 100)


@dataclass
class Parts:
    net: nn.Module


class Bag(list):
    pass


class InParts(nn.Module):
    """In a field of a dataclass, and beside the items of a list."""

    def __init__(self):
        super().__init__()
        self.parts, self.bag = Parts(nn.Linear(4, 4)), Bag()
        self.bag.net = nn.Linear(4, 2)

    def forward(self, x):
        return self.bag.net(self.parts.net(x))


class InObject(nn.Module):
    def __init__(self):
        super().__init__()
        self._tool = Tool()
        self.own = nn.Linear(4, 2)

    def forward(self, x):
        return self.own(self._tool.net(x))


class InNestedLists(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = InList()
        self.stages = [nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])]

    def forward(self, x):
        return self.stages[0][1](self.inner(x))


LOOSE = nn.Linear(4, 4)


class Global(nn.Module):
    def forward(self, x):
        return LOOSE(x)


class Fresh(nn.Module):
    """A new layer in every forward, which nothing holds."""

    def forward(self, x):
        return nn.Linear(4, 3)(nn.Linear(4, 4)(x))


@pytest.mark.parametrize(
    ("build", "paths", "said"),
    [
        (InList, ["layers[0]", "layers[1]", "layers[2]"], "3 modules ran that are not registered in the model"),
        (InDictionary, ["heads['a']", "heads['b']"], "use nn.ModuleDict"),
        (InObject, ["_tool.net"], "assign it to an attribute of a module"),
        (InParts, ["parts.net", "bag.net"], "2 modules ran that are not registered in the model (parts.net, bag.net)"),
        (InNestedLists, ["inner.layers[0]", "inner.layers[1]", "inner.layers[2]", "stages[0].1"], "use nn.ModuleList"),
        (
            Global,
            ["LOOSE"],
            "1 module ran that is not registered in the model (LOOSE). Its 20 parameters are not trained",
        ),
        (Fresh, ["Linear", "Linear-2"], "2 modules ran that are not registered in the model"),
    ],
)
def test_modules_outside_are_named_counted_and_said(build, paths, said):
    """By where they are; held parameters stay what ``parameters()`` gives; weights are all that is in memory."""
    model = build()
    state = dict(vars(model))
    graph = ta.capture(model, X).graph
    outside = [module for module in graph.modules if not module.registered]
    called = [call.path for call in graph.calls if call.kind == "module"]
    assert set(paths) <= set(called)
    assert {path for path in called if path not in dict(model.named_modules())} >= set(paths)
    cost = total(graph)
    assert cost.parameters == size(model)
    held = {value for module in outside for _, value in module.parameters}
    assert cost.unregistered == sum(graph.values[value].numel for value in held)
    assert cost.weight_bytes == 4 * (cost.parameters + cost.unregistered)
    assert any(said in note.text and f"{cost.unregistered:,}" in note.text for note in graph.notes)
    assert vars(model) == state


@pytest.mark.parametrize(
    ("layer", "said"), [(nn.GELU(), False), (nn.Dropout(), True), (nn.Sequential(nn.ReLU()), False)]
)
def test_an_activation_outside_is_nothing_to_be_said(layer, said):
    """It holds nothing and does the same in training; a dropout that eval() does not reach is said."""
    model = nn.Module()
    model.own, model.parts = nn.Linear(4, 4), [layer]
    model.forward = lambda x: model.parts[0](model.own(x))
    notes = ta.capture(model, X).graph.notes
    assert any("not registered in the model" in note.text for note in notes) is said


def test_a_model_of_three_hidden_layers_counts_what_it_says():
    """Rows, totals, weights and the estimate agree, worked out by hand."""
    model = nn.Module()
    model.layers = [nn.Linear(1000, 1000) for _ in range(3)]
    model.head = nn.Linear(1000, 2)
    model.forward = lambda x: model.head(functools.reduce(lambda y, layer: layer(y), model.layers, x))
    atlas = ta.capture(model, torch.zeros(1, 1000))
    text = " ".join(atlas.summary().text(200).split())
    assert "layers[0..2] x3 Linear [1, 1000] [1, 1000] 3,003,000" in text
    assert "parameters 2,002 trainable 2,002, frozen 0 not held 3,003,000" in text
    assert "Their 3,003,000 parameters are not trained, saved or moved with the model; use nn.ModuleList" in text
    estimate = memory(atlas.graph)
    assert estimate.parameters + estimate.unregistered == 4 * 3_005_002
    assert estimate.inference - estimate.activations - 4_000 == 4 * 3_005_002
    shares = [row["share"] for row in json.loads(atlas.summary().json())["rows"]]
    assert shares[0] == pytest.approx(100)
    assert sum(shares[1:]) == pytest.approx(100)


def test_what_a_module_of_a_function_does_not_hold_is_outside():
    """A training step updates ``model.parameters()``: layers in a list of the model are not among them."""
    model, tools = InList(), [nn.Linear(2, 2)]
    atlas = ta.capture(lambda x: tools[0](model(x)), X)
    costs = total(atlas.graph)
    assert costs.parameters == size(model, tools[0])
    assert costs.unregistered == size(*model.layers)
    assert {module.path for module in atlas.graph.modules if not module.registered} == {
        "model.layers[0]",
        "model.layers[1]",
        "model.layers[2]",
    }


@pytest.mark.parametrize("way", ["lambda", "method", "object", "partial", "nested"])
def test_a_function_has_the_parameters_of_what_it_calls(way):
    """Whatever it reaches them through; a function holds nothing else, so nothing is outside of it."""

    class Pipe:
        def __init__(self):
            self.net, self.parts = nn.Linear(4, 4), {"a": nn.Linear(4, 4)}

        def run(self, x):
            return self.parts["a"](self.net(x))

        __call__ = run

    pipe = Pipe()
    ways = {
        "lambda": lambda x: pipe(x) * 1,
        "method": pipe.run,
        "object": pipe,
        "partial": functools.partial(lambda pipe, x: pipe(x), pipe),
        "nested": lambda x: next(pipe.run(y) for y in (x,)),
    }
    graph = ta.capture(ways[way], X).graph
    assert total(graph).parameters == size(pipe.net, pipe.parts["a"]) == 40
    assert total(graph).unregistered == 0
    assert not any("not registered in the model" in note.text for note in graph.notes)


def test_layers_made_in_the_first_forward_are_the_models():
    """They are held from then on; their weights are no activations; the model is left without them."""

    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = None

        def forward(self, x):
            if self.layer is None:
                self.layer = nn.Sequential(nn.Linear(x.shape[1], 7), nn.BatchNorm1d(7))
            return self.layer(x)

    model = Late().eval()
    graph = ta.capture(model, X).graph
    assert graph.calls_of.keys() == {"", "layer", "layer.0", "layer.1"}
    assert all(module.registered for module in graph.modules)
    cost = total(graph)
    assert (cost.parameters, cost.buffers) == (4 * 7 + 7 + 14, 15)
    linear = 2 * 7 * 4
    assert cost.activation_bytes < linear * 3
    assert model.layer is None


def test_weights_of_lazy_modules_are_no_activations():
    """Of 5 to 7 to 3: what is made besides the weights is two results, and nothing is counted twice."""
    model = nn.Sequential(nn.LazyLinear(7), nn.ReLU(), nn.LazyLinear(3))
    lazy = total(ta.capture(model, torch.zeros(1, 5)).graph)
    plain = total(ta.capture(nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)), torch.zeros(1, 5)).graph)
    assert (lazy.parameters, lazy.parameter_bytes, lazy.activation_bytes, lazy.flops) == (
        plain.parameters,
        plain.parameter_bytes,
        plain.activation_bytes,
        plain.flops,
    )


def test_weights_that_are_swapped_in_count_once():
    """``functional_call`` with other parameters: those that were given are inputs, the module keeps its own."""
    model = InObject()
    graph = ta.capture(
        lambda x, weight: torch.func.functional_call(model.own, {"weight": weight}, x), (X, torch.zeros(2, 4))
    ).graph
    assert [value.kind for value in graph.values].count("input") == 2
    assert total(graph).parameters == size(model.own) + 0


@pytest.mark.parametrize(
    "options", [{"level": "aten"}, {"fake": True}, {"replay": True}, {"grad": True, "mode": "train"}]
)
def test_modules_outside_are_captured_in_every_way(options):
    """The same modules and numbers, and a replay gives the same result."""
    model = InNestedLists()
    atlas = ta.capture(model, X, **options)
    assert total(atlas.graph).unregistered == total(ta.capture(model, X).graph).unregistered == 60 + 6
    if "replay" in options:
        assert atlas.replay().equal


def test_a_profile_finds_modules_outside_again():
    """Every call is timed, those of a module that is made anew in each run too."""
    for model in (InList(), Fresh()):
        graph = ta.profile(model, X, repeats=1).graph
        assert all(call.seconds is not None for call in graph.calls if call.kind == "module")


def test_files_keep_what_is_outside(tmp_path):
    """Both formats."""
    atlas = ta.capture(InList(), X)
    for name in ("a.atlas", "a.json"):
        atlas.save(tmp_path / name)
        assert ta.open(tmp_path / name).graph == atlas.graph


class Offloaded(nn.Module):
    """Two layers on meta, whose hooks bring the weights for each call and take them away after it."""

    def __init__(self, *, parameters: bool):
        super().__init__()
        self.one, self.other = nn.Linear(4, 64), nn.Linear(64, 4)
        for layer in (self.one, self.other):
            stored = {name: one.detach().clone() for name, one in layer.named_parameters()}
            _to_meta(layer)
            layer.register_forward_pre_hook(
                lambda layer, _, stored=stored: _bring(layer, stored, parameters=parameters)
            )
            layer.register_forward_hook(lambda layer, *_: _to_meta(layer))

    def forward(self, x):
        return self.other(self.one(x))


def _to_meta(layer: nn.Module) -> None:
    for name, one in list(layer._parameters.items()):
        layer._parameters[name] = nn.Parameter(one.to("meta"))


def _bring(layer: nn.Module, stored: dict[str, torch.Tensor], *, parameters: bool) -> None:
    for name, one in stored.items():
        layer._parameters[name] = nn.Parameter(one.clone() if parameters else one)


@pytest.mark.parametrize("parameters", [True, False], ids=["copied", "shared"])
def test_offloaded_weights_count_once(parameters):
    """As parameters, and neither as activations nor as input: what is made is two results."""
    model = Offloaded(parameters=parameters)
    graph = ta.capture(model, X).graph
    cost = total(graph)
    assert cost.parameters == size(model) == 4 * 64 + 64 + 64 * 4 + 4
    assert (cost.parameter_bytes, cost.unregistered) == (4 * size(model), 0)
    assert cost.activation_bytes == 4 * len(X) * (64 + 4)
    assert cost.input_bytes == X.nbytes
    peak = memory(graph).inference
    assert 4 * size(model) + X.nbytes < peak <= 4 * size(model) + X.nbytes + cost.activation_bytes
    linears = [call for call in graph.calls if call.name == "F.linear"]
    assert [[graph.values[value].kind for value in call.inputs[1:]] for call in linears] == [["parameter"] * 2] * 2


def test_parameters_made_in_the_first_forward_are_the_models():
    """A parameter registered by the forward counts, by its name."""

    class Late(nn.Module):
        def forward(self, x):
            if not hasattr(self, "scale"):
                self.scale = nn.Parameter(torch.ones(x.shape[1]))
            return x * self.scale

    model = nn.Sequential(Late())
    graph = ta.capture(model, X).graph
    assert (total(graph).parameters, total(graph).unregistered) == (4, 0)
    assert total(graph).activation_bytes == X.nbytes
    assert graph.module_at["0"].parameters[0][0] == "scale"
    assert not list(model.parameters())


class Tensors(nn.Module):
    """Parameters in a list and a tensor that wants a gradient, none of them registered; and one that wants none."""

    def __init__(self):
        super().__init__()
        self.own = nn.Linear(4, 4)
        self.weights = [nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4))]
        self.shift = torch.zeros(4, requires_grad=True)
        self.mask = torch.ones(4)

    def forward(self, x):
        return self.own(x) * self.weights[0] * self.weights[1] * self.mask + self.shift


def test_tensors_that_want_a_gradient_are_counted_and_said():
    """By where they are, apart from the model's; a mask is none of them."""
    model = Tensors()
    atlas = ta.capture(model, X)
    cost = total(atlas.graph)
    assert (cost.parameters, cost.unregistered) == (size(model), 3 * 4)
    assert {module.path for module in atlas.graph.modules if not module.registered} == {
        "weights[0]",
        "weights[1]",
        "shift",
    }
    said = "3 tensors require a gradient but are no parameters of the model (weights[0], weights[1], shift)"
    assert any(note.text.startswith(said) and "Their 12 elements" in note.text for note in atlas.graph.notes)
    assert "weights[0" in str(atlas.summary())
    assert not any(" not registered in the model" in note.text for note in atlas.graph.notes)


def test_a_list_of_parameters_is_advised_to_be_a_parameter_list():
    """Where all of them stand in containers."""
    model = Tensors()
    model.shift = torch.zeros(4)
    notes = [note.text for note in ta.capture(model, X).graph.notes]
    assert any(text.endswith("use nn.ParameterList.") for text in notes)


def test_a_box_of_layers_in_a_list_names_the_run_of_them():
    """As the row of the table does."""
    assert "layers[0–2]" in ta.capture(InList(), X).draw().svg  # noqa: RUF001 - the dash of ranges
