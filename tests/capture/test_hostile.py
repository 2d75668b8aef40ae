"""Objects of the user's are not asked anything, wherever a run meets them; what they hold is seen all the same."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from torch import nn

import torchatlas as ta
from hostile import BARE, HOLDING, Around, TouchedError, hostile, touched
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Text

MAKERS = HOLDING | {name: (lambda _, make=make: make()) for name, make in BARE.items()}
RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "fake": {"fake": True},
    "aten": {"level": "aten"},
    "replay": {"replay": True},
    "train": {"mode": "train"},
    "grad": {"grad": True},
}
GLOBAL: Any = None


def made(name: str) -> Any:
    """An object of that kind that holds a tensor, if it can hold any."""
    return MAKERS[name](torch.arange(4.0))


def captured(*args: Any, **options: Any) -> ta.Atlas:
    """A capture in which no method of a hostile class is called."""
    touched.clear()
    atlas = ta.capture(*args, **options)
    if options.get("replay"):
        assert atlas.replay().equal
    assert touched == []
    return atlas


def first_output(atlas: ta.Atlas) -> tuple[int, ...]:
    """The shape of what the layer gave, by which the run is known to have gone through."""
    return atlas.graph.values[atlas.graph.calls[0].outputs[0]].shape


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", MAKERS)
def test_arguments_attributes_and_results_are_not_asked(name, run):
    """Held by a module, in its lists and dictionaries, given by position and by name, handed on, and returned."""
    atlas = captured(
        Around(made(name)), (torch.ones(5, 3), made(name), [made(name)]), {"option": made(name)}, **RUNS[run]
    )
    assert first_output(atlas) == (5, 2)


@pytest.mark.parametrize("name", MAKERS)
def test_a_model_without_input_is_looked_at_without_asking(name):
    """The structure alone, of a module that holds such objects."""
    atlas = captured(Around(made(name), [made(name)], {"key": made(name)}))
    assert [module.path for module in atlas.graph.modules] == ["", "layer", "inner"]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", MAKERS)
def test_variables_of_a_function_are_not_asked(name, run, monkeypatch):
    """Those of the functions around it and those of its module."""
    layer, held = nn.Linear(3, 2), made(name)
    monkeypatch.setitem(globals(), "GLOBAL", made(name))

    def function(x):
        return layer(x), held, GLOBAL

    assert first_output(captured(function, torch.ones(5, 3), **RUNS[run])) == (5, 2)


@pytest.mark.parametrize("name", HOLDING)
def test_what_it_holds_is_an_input(name):
    """The tensor that an object holds is an input of the run, an argument of the call, and an output."""
    atlas = captured(Around(), (torch.ones(5, 3), made(name)))
    given = [value for value in atlas.graph.values if value.kind == "input"]
    assert [value.shape for value in given] == [(5, 3), (4,)]
    assert given[1].names[0].startswith("args[1]")
    (handing,) = atlas.graph.calls_of["inner"]
    assert given[1].id in atlas.graph.calls[handing].inputs
    assert len(atlas.graph.calls[0].outputs) == 2


@pytest.mark.parametrize("name", HOLDING)
def test_a_run_on_fake_tensors_has_fake_ones_in_it(name):
    """The model sees an object of the same class with fake tensors; the user's own is as it was."""
    seen: list[Any] = []

    class Looking(nn.Module):
        def forward(self, thing):
            seen.append(thing)
            return torch.zeros(2)

    given = made(name)
    atlas = captured(Looking(), (given,), fake=True)
    (inner,) = [value for value in atlas.graph.values if value.kind == "input"]
    assert inner.type == "FakeTensor"
    assert type(seen[0]) is type(given)
    assert seen[0] is not given
    real = captured(Around(), (torch.ones(5, 3), given))
    assert [value.type for value in real.graph.values if value.kind == "input"] == ["", ""]


def test_what_cannot_be_made_anew_is_refused_for_a_run_on_fake_tensors():
    """An object of a class written in C is not filled with fake tensors: the error names it and says what to do."""
    given = ValueError()
    given.x = torch.zeros(2)
    with pytest.raises(InputError, match=r"class ValueError, .* Capture with fake=False"):
        ta.capture(lambda thing: thing.x + 1, (given,), fake=True)
    assert type(given.x) is torch.Tensor


@pytest.mark.parametrize("name", HOLDING)
def test_a_measured_run_asks_nothing(name):
    """`profile` runs the model again, several times, with the same arguments."""
    touched.clear()
    atlas = ta.profile(Around(made(name)), (torch.ones(5, 3), made(name)), repeats=2, statistics=True)
    assert touched == []
    assert atlas.graph.calls[0].seconds is not None


@pytest.mark.parametrize("name", HOLDING)
def test_a_backward_pass_asks_nothing(name):
    """Outputs in an object of the user's are what the pass starts from."""
    weight = torch.ones(4, requires_grad=True)
    touched.clear()
    outputs = MAKERS[name](weight * 2)
    atlas = ta.backward(outputs)
    assert touched == []
    assert "MulBackward0" in {call.name for call in atlas.graph.calls}


class Irreps(tuple):
    """As e3nn's: a tuple of pairs, whose length, iteration and hash mean something else."""

    __slots__ = ()

    def __len__(self):
        calls.append("len")
        return sum(count for count, _ in tuple.__iter__(self))

    def __iter__(self):
        calls.append("iter")
        return (kind for count, kind in tuple.__iter__(self) for _ in range(count))

    def __hash__(self):
        calls.append("hash")
        raise NotImplementedError

    def __eq__(self, other):
        calls.append("eq")
        return tuple.__eq__(self, other)


@dataclass
class Output(OrderedDict):
    """As diffusers': a dictionary and a dataclass, of which only its own constructor makes one."""

    down: Any
    mid: Any

    def __post_init__(self):
        calls.append("made")
        for name in ("down", "mid"):
            OrderedDict.__setitem__(self, name, getattr(self, name))

    def values(self):
        calls.append("values")
        return super().values()


class Graph:
    """As PyTorch Geometric's: it can be called, and hands on what is asked of it to a store."""

    def __init__(self, **tensors):
        self.__dict__["_store"] = Storage(self, tensors)

    def __call__(self, *names):
        calls.append("call")
        return iter(self._store.mapping.items())

    def __getattr__(self, name):
        calls.append(f"get {name}")
        return self._store.mapping[name]

    def __len__(self):
        calls.append("len")
        return len(self._store.mapping)


class Storage:
    """What it hands on to; it knows its owner, weakly."""

    def __init__(self, parent, mapping):
        self.parent = weakref.ref(parent)
        self.__dict__["_mapping"] = mapping

    @property
    def mapping(self):
        calls.append("mapping")
        return self._mapping


class Uses(nn.Module):
    """Uses such objects, and makes one."""

    def __init__(self):
        super().__init__()
        self.irreps = Irreps([(2, "a"), (1, "b")])
        self.layer = nn.Linear(3, 3)

    def forward(self, graph, scale):
        x = self.layer(graph.x)[: len(self.irreps)] * scale.mid
        return Output(down=(x[graph.edge_index[0]], len(graph)), mid=x)


calls: list[str] = []


@pytest.mark.parametrize("run", RUNS)
def test_a_run_calls_what_it_calls_without_a_capture(run):
    """Methods with a meaning of their own are called as often, and in the same order, as in a run of the model."""
    model = Uses()
    graph, scale = Graph(x=torch.ones(4, 3), edge_index=torch.tensor([[0, 1], [1, 2]])), Output((), torch.ones(1))
    calls.clear()
    wanted = model(graph, scale)
    plain = list(calls)
    calls.clear()
    atlas = ta.capture(model, (graph, scale), **RUNS[run])
    assert calls == plain
    assert [value.names for value in atlas.graph.values if value.kind == "input"] == [
        ("graph.x",),
        ("graph.edge_index",),
        ("scale.mid",),
    ]
    outputs = [atlas.graph.values[value] for value in atlas.graph.calls[0].outputs]
    assert [value.shape for value in outputs] == [wanted.down[0].shape, wanted.mid.shape]
    assert atlas.graph.calls[0].returns.keys == ("down", "mid")
    if run == "replay":
        assert atlas.replay().equal


@dataclass
class Settings:
    """Fields of every kind that a dataclass has."""

    x: torch.Tensor
    scale: float = 2.0
    shared: ClassVar[torch.Tensor] = torch.zeros(3)
    given: InitVar[int] = 1
    lazy: int = field(init=False)

    def __post_init__(self, given):
        self.extra = given


Settings.lazy = property(lambda self: 1 / 0)


def test_fields_of_a_dataclass_are_those_that_it_stores():
    """What belongs to the class, what only its constructor takes, and what it computes when asked are none of them."""
    graph = captured(lambda batch: batch.x * batch.scale, (Settings(torch.ones(2)),)).graph
    (batch,) = graph.calls[0].arguments.items
    assert batch.keys == ("x", "scale")
    assert batch.items[1] == 2.0


def test_a_copy_for_fake_tensors_knows_itself_as_owner():
    """What a part refers to weakly is the object with fake tensors that it is part of, not the user's."""

    def function(graph):
        assert graph._store.parent() is graph
        return graph.x + 1

    ta.capture(function, (Graph(x=torch.ones(2)),), fake=True)


@pytest.mark.parametrize("run", RUNS)
def test_stand_ins_for_tensors_are_no_tensors(run):
    """A mock that says it is one, and a weak proxy of one, are taken for what they are, and nothing is asked."""
    mock, tensor = MagicMock(spec=torch.Tensor), torch.ones(2)
    stand_ins = mock, weakref.proxy(tensor)
    atlas = captured(Around(*stand_ins), (torch.ones(5, 3), *stand_ins), {"option": stand_ins}, **RUNS[run])
    assert first_output(atlas) == (5, 2)
    assert mock.mock_calls == []
    assert [value.shape for value in atlas.graph.values if value.kind == "input"] == [(5, 3)]


@pytest.mark.parametrize("run", RUNS)
def test_arrays_and_frames_are_named(run):
    """Libraries of numbers, whose objects answer a comparison with an array, are arguments like any other."""
    pd = pytest.importorskip("pandas")
    given = np.ones(3), np.float64(0.5), pd.DataFrame({"a": [1, 2]}), pd.Series([1.0])
    atlas = captured(Around(*given), (torch.ones(5, 3), *given), {"option": given}, **RUNS[run])
    items = atlas.graph.calls[0].arguments.items[1:5]
    assert items == (Text("ndarray"), 0.5, Text("DataFrame"), Text("Series"))


def test_a_callable_model_is_not_asked():
    """Only called: an object whose every other method raises is a model too."""
    kind = hostile(object, __call__=lambda _, x: x + 1)
    atlas = captured(object.__new__(kind), torch.ones(2))
    assert atlas.graph.name == "HostileObject"


def test_every_method_of_a_hostile_object_raises():
    """Should these objects stop to raise, no test here would hold anything."""
    for make in HOLDING.values():
        thing = make(torch.zeros(1))
        for ask in (len, bool, iter, hash, repr, str, list, lambda one: one.x, lambda one: one == 1):
            touched.clear()
            with pytest.raises(TouchedError):
                ask(thing)
            assert touched
