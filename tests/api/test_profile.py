"""A run measured: times, memory and statistics in the atlas, and nothing of it in the model."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import torchatlas as ta
from models import MODELS
from state import differences, fingerprint
from torchatlas.capture.torch_private import FakeTensorMode

TRIED = (
    "torchvision/resnet18",
    "torchvision/mobilenet_v3",
    "counted/elementwise",
    "transformers/gpt2_cache",
    "transformers/gpt2_loss",
    "transformers/t5",
    "modules/lazy",
    "modules/reparametrized_training",
    "sequences/encoder",
    "tensors/made_inside",
    "tensors/sparse",
    "tensors/nested",
    "tensors/complex",
    "transforms/vmap",
)


class Sleeper(nn.Module):
    """Does nothing, for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def forward(self, x):
        """Wait."""
        time.sleep(self.seconds)
        return x + 1


def overlays(atlas: ta.Atlas) -> dict:
    """By name, the numbers by call."""
    return {overlay.name: dict(overlay.calls) for overlay in atlas.graph.overlays}


def notes(atlas: ta.Atlas) -> str:
    """All that the reader is told."""
    return "\n".join(note.text for note in atlas.graph.notes)


def seconds(atlas: ta.Atlas, path: str) -> float:
    """The time of the first call of a module."""
    return atlas.graph.calls[atlas.graph.calls_of[path][0]].seconds


def test_the_call_that_takes_longest_is_told():
    """A module that sleeps is the slowest by far, its time is at least what it slept, and a module has its parts'."""
    net = nn.Sequential(nn.Linear(8, 8), nn.Sequential(Sleeper(0.02), nn.ReLU()), Sleeper(0.002))
    atlas = ta.profile(net, torch.rand(1, 8), repeats=3, warmup=1)
    assert seconds(atlas, "1.0") >= 0.02
    assert seconds(atlas, "1") >= seconds(atlas, "1.0") > seconds(atlas, "2") > seconds(atlas, "0") >= 0
    assert seconds(atlas, "") >= 0.022


def test_every_call_has_a_time_and_a_spread():
    """Modules and functions, the model itself included; times of parts are within that of the whole."""
    atlas = ta.profile(nn.Sequential(nn.Linear(300, 300), nn.ReLU()), torch.rand(64, 300), repeats=4)
    times = [call.seconds for call in atlas.graph.calls]
    assert None not in times
    assert set(overlays(atlas)["time spread"]) == set(range(len(times)))
    parts = sum(atlas.graph.calls[call].seconds for call in atlas.graph.children[0])
    assert parts <= 1.5 * times[0]
    known = atlas.graph.provenance
    assert known.timed_runs == 4
    assert None not in (known.plain_seconds, known.plain_spread, known.marked_ratio)


@pytest.mark.parametrize("name", TRIED)
def test_no_trace_is_left_and_every_run_is_the_same(name):
    """Weights, statistics, random state, flags, hooks, gradients: as before; and a second profile says the same."""
    case = MODELS[name]
    with case.ready() as built:
        kwargs = dict(built.kwargs)
        before = fingerprint(built.model, built.args, kwargs)
        one = ta.profile(built.model, built.args, kwargs, mode=case.mode, repeats=1, warmup=1)
        assert differences(before, fingerprint(built.model, built.args, kwargs)) == []
        two = ta.profile(built.model, built.args, kwargs, mode=case.mode, repeats=1, warmup=0)
    told = [{k: v for k, v in overlays(each).items() if k != "time spread"} for each in (one, two)]
    if "lazy" not in name:  # where memory is not written, statistics are of what lay there
        assert told[0] == told[1]
    assert "could not be run again" not in notes(one)


def test_each_run_begins_as_the_recorded_one_did():
    """A counter, running statistics and random numbers would else take every run another way."""

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.count = 0
            self.norm = nn.BatchNorm1d(4)
            self.steps = nn.ModuleList([nn.Linear(4, 4), nn.Tanh()])

        def forward(self, x):
            self.count += 1
            if torch.rand(()) < 0.5:
                x = self.steps[0](x)
            for _ in range(self.count):
                x = self.steps[1](self.norm(x))
            return x * self.norm.running_mean.sum()

    net = Counting()
    mean = net.norm.running_mean.clone()
    atlas = ta.profile(net, torch.rand(5, 4), mode="train", repeats=2)
    assert net.count == 0
    assert torch.equal(net.norm.running_mean, mean)
    assert len(atlas.graph.calls_of["norm"]) == 1
    assert all(call.seconds is not None for call in atlas.graph.calls)


def test_loops_shared_modules_and_checkpoints_are_told_apart():
    """The same module called again and again has a time for each call."""

    class Again(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.other = nn.Sequential(self.layer, nn.ReLU())

        def forward(self, x):
            for _ in range(5):
                x = self.layer(x)
            return checkpoint(self.other, x, use_reentrant=False)

    atlas = ta.profile(Again(), torch.rand(2, 4), mode="train", repeats=2)
    assert len(atlas.graph.calls_of["layer"]) == 6
    assert all(call.seconds is not None for call in atlas.graph.calls)


def test_what_another_thread_runs_is_timed_too():
    """It is laid beside the recorded call of the same module, whichever came first."""

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = Sleeper(0.001), Sleeper(0.01)

        def forward(self, x):
            found = {}
            threads = [
                threading.Thread(target=lambda name=name: found.update({name: getattr(self, name)(x)}))
                for name in ("left", "right")
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return found["left"] + found["right"]

    atlas = ta.profile(Both(), torch.rand(3), repeats=2, warmup=0)
    assert seconds(atlas, "right") >= 0.01 > seconds(atlas, "left") >= 0.001
    assert overlays(atlas)["mean"].keys() == {call.id for call in atlas.graph.calls}


def test_another_way_is_told_and_left_out():
    """What is not the recorded run's has no time; what is around it has."""
    turns = iter(range(100))

    class Fickle(nn.Module):
        def __init__(self):
            super().__init__()
            self.steady, self.one, self.two = nn.Linear(2, 2), nn.ReLU(), nn.Tanh()

        def forward(self, x):
            return (self.one if next(turns) < 1 else self.two)(self.steady(x))

    atlas = ta.profile(Fickle(), torch.rand(1, 2), repeats=2)
    assert atlas.graph.calls[0].seconds is not None
    assert atlas.graph.calls[atlas.graph.calls_of["one"][0]].seconds is None
    assert "took another path than the recorded one" in notes(atlas)
    assert "no statistics inside" in notes(atlas)


def test_a_fused_layer_has_its_own_time_and_none_inside():
    """Not recorded, PyTorch takes a path in which nothing inside is called; its time is the real one."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    atlas = ta.profile(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.rand(1, 3, 8), repeats=2)
    assert seconds(atlas, "layers.0") > 0
    assert seconds(atlas, "layers.0.linear1") is None
    assert "PyTorch's fused path" in notes(atlas)


def test_a_model_that_cannot_run_again_says_why():
    """The record stays, and a note instead of times."""
    turns = iter(range(1))
    atlas = ta.profile(lambda x: x + next(turns), torch.rand(2), repeats=2)
    assert len(atlas.graph.calls) == 2
    assert atlas.graph.calls[0].seconds is None
    assert "could not be run again as it was recorded (StopIteration" in notes(atlas)
    assert "There are no times." in notes(atlas)


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_ctrl_c_in_any_run_leaves_no_trace(at):
    """Whichever of the runs is ended, what it had changed is put back, and the interrupt goes on."""
    turns = iter(range(100))

    class Ended(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

        def forward(self, x):
            x = self.norm(x)
            if next(turns) == at:
                raise KeyboardInterrupt
            return torch.dropout(x, 0.5, train=True)

    net, x = Ended(), torch.rand(4, 2)
    before = fingerprint(net, x)
    with pytest.raises(KeyboardInterrupt):
        ta.profile(net, x, mode="train", repeats=1, warmup=1)
    assert differences(before, fingerprint(net, x)) == []


def test_a_compiled_model_is_measured_eagerly_and_says_so():
    """What the compiler makes of it has no modules to time."""
    net = nn.Sequential(nn.Linear(2, 2))
    compiled = torch.compile(net, backend="eager")
    assert "without torch.compile" in notes(ta.profile(compiled, torch.rand(1, 2), repeats=1))
    assert "without torch.compile" not in notes(ta.profile(net, torch.rand(1, 2), repeats=1))


def test_a_generator_given_is_used_up_and_said_so():
    """The recorded run has read it; the others find it empty."""
    atlas = ta.profile(lambda xs: sum(x.sin() for x in xs), kwargs={"xs": (torch.ones(1) for _ in range(3))}, repeats=1)
    assert "took another path" in notes(atlas)


def test_the_users_exception_has_the_atlas():
    """As with a capture."""
    with pytest.raises(RuntimeError, match="mat1") as caught:
        ta.profile(nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 3)), torch.rand(1, 2))
    assert caught.value.atlas.graph.error is not None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"repeats": 0}, "repeats=0: wanted a whole number from 1"),
        ({"repeats": 2.0}, "repeats=2.0: wanted a whole number from 1"),
        ({"warmup": -1}, "warmup=-1: wanted a whole number from 0"),
        ({"mode": "fast"}, "mode='fast' is not one of"),
    ],
)
def test_a_wrong_option_is_refused(options, words):
    """Before anything runs."""
    with pytest.raises(ta.InputError, match=words):
        ta.profile(nn.ReLU(), torch.rand(1), **options)


def test_nothing_to_measure_is_refused():
    """Without inputs there is no run, on the meta device no time."""
    with pytest.raises(
        ta.InputError, match=r"nothing to measure. The model was not run, because no input was given.*ta.profile\("
    ):
        ta.profile(nn.Linear(2, 2))
    with pytest.raises(ta.InputError, match="on the meta device"):
        ta.profile(nn.Linear(2, 2, device="meta"), torch.rand(1, 2, device="meta"))
    with FakeTensorMode(), pytest.raises(ta.InputError, match="on fake tensors"):
        ta.profile(nn.Linear(2, 2), torch.rand(1, 2))


def test_what_is_not_wanted_is_not_measured():
    """Times alone."""
    atlas = ta.profile(nn.ReLU(), torch.rand(1), repeats=1, memory=False, statistics=False)
    assert overlays(atlas) == {}
    assert atlas.graph.calls[0].seconds is not None


def test_a_profile_is_kept_in_a_file_and_seen_in_every_view(tmp_path):
    """Table, drawing and page of a file that torch is not needed for."""
    net = nn.Sequential(Sleeper(0.002), nn.Linear(4, 4))
    atlas = ta.profile(net, torch.rand(1, 4), repeats=2)
    atlas.save(tmp_path / "net.atlas")
    again = ta.load(tmp_path / "net.atlas")
    assert again.graph == atlas.graph
    head = str(again.summary(width=140)).splitlines()[0].split("  ")
    assert {"time", "of time", "peak memory"} <= {title.strip() for title in head}
    assert "ms</text>" in again.draw(color_by="time").svg
    assert "mean</text>" in again.draw(color_by="mean").svg
