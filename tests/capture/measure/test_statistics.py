"""What outputs are like, beside torch's own numbers of the same tensors; where NaN and infinity came from."""

from __future__ import annotations

import math
import threading
import warnings

import pytest
import torch
from torch import nn

import torchatlas as ta
from models import MODELS
from torchatlas.capture.measure.statistics import Statistics, statistics_of

inf, nan = math.inf, math.nan


def told(atlas, name):
    """The numbers of one overlay, by call."""
    return next((dict(overlay.calls) for overlay in atlas.graph.overlays if overlay.name == name), {})


def notes(atlas):
    """What is said of NaN and infinity: text, and path or name of the call."""
    calls = atlas.graph.calls
    return [
        (note.text, None if note.call is None else calls[note.call].name)
        for note in atlas.graph.notes
        if "NaN" in note.text or "infinity" in note.text
    ]


def keep(kept, path, out):
    """A copy, for the next module may write in place; of the first call alone."""
    if isinstance(out, torch.Tensor) and path not in kept:
        kept[path] = out.detach().clone()


@pytest.mark.parametrize("name", ["torchvision/resnet18", "transformers/t5", "timm/mixer", "torchvision/googlenet"])
def test_they_are_those_of_hooked_outputs(name):
    """Every module's first output, kept by a hook in another run, and described by torch in double precision."""
    case = MODELS[name]
    with case.ready() as built:
        kept = {}
        hooks = [
            module.register_forward_hook(lambda _, __, out, path=path: keep(kept, path, out))
            for path, module in built.model.named_modules()
        ]
        with case.grad():
            built.run()
        for hook in hooks:
            hook.remove()
        atlas = ta.profile(built.model, built.args, built.kwargs, mode=case.mode, repeats=1, warmup=0, memory=False)
    checked = 0
    for path, out in kept.items():
        if path in atlas.graph.calls_of:
            call, wide = atlas.graph.calls_of[path][0], out.double()
            wanted = {
                "mean": wide.mean(),
                "std": wide.std(correction=0),
                "min": wide.min(),
                "max": wide.max(),
                "zeros": 100 * (wide == 0).double().mean(),
            }
            found = {key: told(atlas, key)[call] for key in wanted}
            assert found == pytest.approx({key: float(one) for key, one in wanted.items()}, rel=1e-9, abs=1e-12), path
            checked += 1
    assert checked > 2


@pytest.mark.parametrize(
    "dtype",
    [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8, torch.int64, torch.bool],
    ids=str,
)
def test_every_type_is_summed_in_double_precision(dtype):
    """Large half-precision tensors neither overflow nor lose their mean."""
    torch.manual_seed(0)
    tensor = (torch.rand(3, 1_000_001) * 100).to(dtype)
    found = statistics_of(tensor)
    wide = tensor.double()
    assert found.total == found.count == wide.numel()
    assert (found.mean, found.std) == pytest.approx((float(wide.mean()), float(wide.std(correction=0))), rel=1e-10)
    assert (found.low, found.high) == (float(wide.min()), float(wide.max()))
    assert found.zeros == int((tensor == 0).sum())


def test_what_is_not_finite_is_counted_apart():
    """The rest is described as if it were not there."""
    found = statistics_of(torch.tensor([1.0, nan, 3.0, inf, -inf, 0.0]))
    assert (found.count, found.nan, found.inf, found.zeros) == (3, 1, 2, 1)
    assert (found.mean, found.low, found.high) == pytest.approx((4 / 3, 0, 3))
    assert statistics_of(torch.full((3,), nan)) == Statistics(nan=3)


def test_odd_tensors():
    """Complex by absolute value; expanded memory once; empty: nothing; sparse and nested: a reason."""
    assert statistics_of(torch.tensor([3 + 4j, 0j])).mean == 2.5
    assert statistics_of(torch.tensor([complex(nan, inf), complex(inf, 0)])) == Statistics(nan=1, inf=1)
    wide = statistics_of(torch.tensor([[1.0], [nan]]).expand(2, 10**12))
    assert (wide.count, wide.nan, wide.mean) == (10**12, 10**12, 1)
    assert statistics_of(torch.empty(0, 3)) == Statistics()
    assert statistics_of(torch.eye(3).to_sparse()) == "sparse"
    assert statistics_of(torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)) == "nested"
    assert statistics_of(torch.rand(3).t().conj()).count == 3
    with warnings.catch_warnings():  # torch says once in a process that these are deprecated
        warnings.simplefilter("ignore", UserWarning)
        quantized = torch.quantize_per_tensor(torch.tensor([0.0, 1.0]), 0.1, 0, torch.quint8)
    assert statistics_of(quantized).zeros == 1


class Broken(nn.Module):
    """Makes a NaN in a function of an inner module."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 3), Root())

    def forward(self, x):
        """Inside, then on with it."""
        return self.inner(x).exp()


class Root(nn.Module):
    """The square root of what is below zero."""

    def forward(self, x):
        """In place, so that input and output are one memory."""
        return (-x.abs()).sub_(1).sqrt_()


def test_the_first_call_that_made_a_nan_is_named():
    """The function, its module and the line; what only handed it on is not."""
    atlas = ta.profile(Broken(), torch.rand(2, 3), repeats=1)
    assert notes(atlas) == [("The first NaN was produced by Tensor.sqrt_ in inner.1.", "Tensor.sqrt_")]
    note = next(note for note in atlas.graph.notes if "NaN" in note.text)
    line = atlas.summary().text(width=1000).partition(note.text.removesuffix("."))[2].partition("\n")[0]
    assert "test_statistics.py:" in line
    assert told(atlas, "nan")[0] == 6


def test_what_came_in_is_told_apart():
    """Inputs and parameters by name; what is made beside is still named."""
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.bias[0] = nan
    x = torch.tensor([[inf, 1.0]])
    found = notes(ta.profile(net, x, repeats=1))
    assert ("NaN came in with the parameter bias.", None) in found
    assert ("infinity came in with the input input.", None) in found
    assert not any("produced by" in text and "NaN" in text for text, _ in found)

    both = notes(ta.profile(lambda x, y: (x + 1, y.log().sub(y.log())), (x * nan, torch.zeros(1)), repeats=1))
    assert ("NaN came in with the input x.", None) in both
    assert ("The first NaN was produced by Tensor.sub.", "Tensor.sub") in both
    assert ("The first infinity was produced by Tensor.log.", "Tensor.log") in both


def test_a_nan_that_is_written_is_seen():
    """An assignment returns nothing; it is the maker all the same."""

    def write(x):
        x = x.clone()
        x[0] = nan
        return x + 1

    assert notes(ta.profile(write, torch.ones(2), repeats=1)) == [
        ("NaN was given as an argument in Tensor.__setitem__.", "Tensor.__setitem__")
    ]


class Attention(nn.Module):
    """Masked with -inf on purpose, and spoiled after that."""

    def forward(self, x, future):
        """The logarithm of what is masked is the mistake."""
        share = (x @ x.T).masked_fill(future, -inf).softmax(-1)
        return share.log() @ x


class Around(nn.Module):
    """A module and no more."""

    def __init__(self, inner) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *args):
        """That of the other."""
        return self.inner(*args)


def test_an_infinity_that_is_asked_for_hides_none_that_is_made():
    """The mask of an attention is told apart; what is around the two calls is named for neither."""
    future = torch.ones(3, 3, dtype=torch.bool).triu(1)
    found = notes(ta.profile(Around(Attention()), (torch.rand(3, 3), future), repeats=1))
    assert ("infinity was given as an argument in Tensor.masked_fill in inner.", "Tensor.masked_fill") in found
    assert ("The first infinity was produced by Tensor.log in inner.", "Tensor.log") in found
    assert len([text for text, _ in found if "infinity" in text]) == 2


def test_a_module_that_hands_on_what_its_weights_bring_made_nothing():
    """Its own arguments were finite, and so were those of what is around it."""
    net = nn.Sequential(nn.Sequential(nn.Embedding(2, 2)))
    with torch.no_grad():
        net[0][0].weight[1] = inf
    found = notes(ta.profile(net, torch.tensor([0, 1]), repeats=1))
    assert found == [("infinity came in with the parameter 0.0.weight.", None)]


def test_what_no_call_was_seen_to_make_is_told_of_the_results():
    """Inside a torch.func transform nothing is looked at."""
    ((text, _),) = notes(ta.profile(torch.func.vmap(lambda row: row / 0), torch.ones(2, 2), repeats=1))
    assert text == "There is infinity in the model's output, but no recorded call produced it."


class Late(Around):
    """Makes a NaN, and then another in a thread."""

    def forward(self, x):
        """The thread's own comes second."""
        x = (x + 1).add(1).sub(1).sub(1).abs().mul(0).div(0)
        thread = threading.Thread(target=self.inner, args=(torch.ones(1),))
        thread.start()
        thread.join()
        return x


def test_the_first_is_the_first_of_all_threads():
    """A thread that began after the mistake has seen fewer calls before its own."""
    found = notes(ta.profile(Late(Root()), torch.ones(1), repeats=1))
    assert ("The first NaN was produced by Tensor.div.", "Tensor.div") in found


def test_a_healthy_model_has_no_such_note():
    """And no overlay of nothing but zeros."""
    atlas = ta.profile(nn.Linear(2, 2), torch.rand(1, 2), repeats=1)
    assert notes(atlas) == []
    assert not {"nan", "inf"} & {overlay.name for overlay in atlas.graph.overlays}
