"""Estimated peaks against measured ones, and against sums made again by other code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

import torchatlas as ta
from core.tensors import tensor
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Call, Graph, InnerTensor, Module, Provenance, Value
from torchatlas.core.measure.memory import memory
from torchvision_cpu import torchvision_models
from work import lines_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.core.graph import Mode


class Block(nn.Sequential):
    """Two convolutions with batch norm."""

    def __init__(self, inner: int, outer: int) -> None:
        layers = []
        for channels in (inner, outer):
            layers += [nn.Conv2d(channels, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class UNet(nn.Module):
    """Two levels down, two up, with skip connections."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([Block(3, 16), Block(16, 32), Block(32, 64)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(64, 32, 2, 2), nn.ConvTranspose2d(32, 16, 2, 2)])
        self.join = nn.ModuleList([Block(64, 32), Block(32, 16)])
        self.pool, self.head = nn.MaxPool2d(2), nn.Conv2d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down[0](x)
        middle = self.down[1](self.pool(fine))
        coarse = self.down[2](self.pool(middle))
        middle = self.join[0](torch.cat([self.up[0](coarse), middle], 1))
        return self.head(self.join[1](torch.cat([self.up[1](middle), fine], 1)))


class Classifier(nn.Module):
    """Tokens through two LSTM layers to ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(1000, 128), nn.Linear(256, 10)
        self.lstm = nn.LSTM(128, 256, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(self.embed(x))[0][:, -1])


def _gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel  # noqa: PLC0415 - takes seconds

    size = {"n_embd": 192, "n_layer": 4, "n_head": 6, "vocab_size": 2000, "n_positions": 256}
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    return GPT2LMHeadModel(GPT2Config(**size, **still, **ends, use_cache=False))


def _images(count: int, size: int) -> Callable[[], Tensor]:
    return lambda: torch.rand(count, 3, size, size)


def _tokens(count: int, length: int) -> Callable[[], Tensor]:
    return lambda: torch.randint(0, 1000, (count, length))


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "resnet18": (lambda: torchvision_models().resnet18(), _images(4, 160)),
    "vgg11_bn, without its head": (lambda: torchvision_models().vgg11_bn().features, _images(2, 128)),
    "mobilenet_v2": (lambda: torchvision_models().mobilenet_v2(), _images(4, 128)),
    "vit_b_16": (lambda: torchvision_models().vit_b_16(image_size=96), _images(2, 96)),
    "unet": (UNet, _images(2, 128)),
    "gpt2": (_gpt2, _tokens(4, 128)),
    "lstm": (Classifier, _tokens(16, 128)),
}


def _measured(run: Callable[[], object]) -> int:
    """Bytes at most alive at once beyond those alive before, as the allocator reported them to the profiler."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = highest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        highest = max(highest, live)
    return highest


def _inference(model: nn.Module, given: Tensor) -> object:
    with torch.no_grad():
        return model(given)


def _training(model: nn.Module, given: Tensor) -> None:
    result = model(given)
    result = result if isinstance(result, Tensor) else result.logits
    result.backward(torch.ones_like(result))


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("name", MODELS)
def test_estimated_peaks_are_within_15_percent_of_measured_ones(name: str, mode: str) -> None:
    """The peaks of real models on a CPU, what they hold included; and activations and gradients alone.

    A training step is estimated from a run in either mode, inference from a run in eval mode.
    """
    torch.manual_seed(0)
    build, make = MODELS[name]
    model, given = build(), make()
    estimate = memory(ta.capture(model, given, mode=mode).graph)
    tensors = {t.data_ptr(): t.nbytes for t in (*model.parameters(), *model.buffers(), given)}
    held = sum(tensors.values())
    assert estimate.parameters + estimate.buffers + estimate.inputs == held
    if mode == "eval":
        _inference(model.eval(), given)  # libraries set themselves up in the first run
        measured = _measured(lambda: _inference(model, given))
        assert estimate.inference == pytest.approx(held + measured, rel=0.15)
        assert estimate.activations == pytest.approx(measured, rel=0.15)
    _training(model.train(), given)
    model.zero_grad(set_to_none=True)
    measured = _measured(lambda: _training(model, given))
    assert estimate.training == pytest.approx(held + measured, rel=0.15)
    assert estimate.training - held == pytest.approx(measured, rel=0.15)


def _perceptron(mode: Mode | None = None) -> Graph:
    values = (
        tensor(0, "parameter", (10, 10), requires_grad=True),
        tensor(1, "parameter", (5,)),
        tensor(2, "buffer", (3,)),
        tensor(3, "input", (10, 10), storage=0),
        tensor(4, shape=(10, 10), producer=1, storage=1, freed=3),
        tensor(5, "output", (10, 10), producer=2, storage=2),
    )
    calls = (
        Call(0, "module", "Net", "", inputs=(3,), outputs=(5,)),
        Call(1, "function", "F.linear", None, 0, (3, 0), (4,)),
        Call(2, "function", "F.relu", None, 0, (4,), (5,)),
    )
    module = Module("", "Net", parameters=(("w", 0), ("frozen", 1)), buffers=(("b", 2),))
    return Graph("Net", calls, values, (module,), provenance=Provenance(mode=mode))


def test_memory_of_a_small_graph_is_as_counted_by_hand() -> None:
    """Inference holds both activations at the relu; training two gradients beside the result, at last three."""
    estimate = memory(_perceptron())
    assert (estimate.parameters, estimate.buffers, estimate.inputs) == (420, 12, 400)
    assert (estimate.activations, estimate.inference, estimate.inference_at) == (800, 832 + 800, 2)
    assert (estimate.saved, estimate.gradients) == (400, 400)
    assert (estimate.training, estimate.training_at) == (832 + 3 * 400, 2)


@pytest.mark.parametrize(("optimizer", "copies"), [("none", 0), ("momentum", 1), ("adam", 2)])
def test_an_optimizer_holds_copies_of_the_trainable_parameters(optimizer: str, copies: int) -> None:
    """Frozen parameters have no state; nothing else changes."""
    without, estimate = memory(_perceptron()), memory(_perceptron(), optimizer=optimizer)
    assert estimate.optimizer == copies * 400
    assert estimate.training == without.training + copies * 400
    assert estimate.inference == without.inference


def test_an_unknown_optimizer_is_refused() -> None:
    """The error names what was given and what can be."""
    with pytest.raises(InputError, match=r"'lion' is not known; take one of 'none', 'momentum', 'adam'"):
        memory(_perceptron(), optimizer="lion")


def test_without_a_run_only_what_is_held_is_estimated() -> None:
    """The structure alone has parameters, their gradients, and a note that says what is missing."""
    ran = _perceptron()
    estimate = memory(Graph("Net", values=ran.values[:3], modules=ran.modules), optimizer="adam")
    assert (estimate.inference, estimate.training) == (432, 432 + 3 * 400)
    assert (estimate.inference_at, estimate.training_at, estimate.saved) == (None, None, 0)
    assert estimate.notes == ("The model was not run, so activations are not counted.",)


def test_what_is_not_known_is_said() -> None:
    """Every assumption that can be wrong is a note, and none is made in silence."""
    small = _perceptron(mode="eval")
    values = (*small.values[:4], tensor(4, shape=(3,), nbytes=None, device="cuda:0", producer=1), small.values[5])
    calls = (small.calls[0], Call(1, "function", "torch.novel", None, 0, (3, 0), (4,), error="E: e"), small.calls[2])
    notes = "\n".join(memory(Graph("Net", calls, values, small.modules, error=1, provenance=small.provenance)).notes)
    for said in ("ended in an error", "1 tensors of unknown size", "until its last use", "the accelerator"):
        assert said in notes
    assert "estimated from a run in eval mode" in notes
    assert "inputs and outputs are assumed: novel" in notes
    assert memory(_perceptron()).notes[1:] == ()


@st.composite
def _runs(draw: st.DrawFn) -> Graph:
    """Draw calls in a row that each take memory and release it at any later time."""
    count = draw(st.integers(1, 20))
    values, calls = [], [Call(0, "function", "run")]
    for call in range(1, count):
        freed = draw(st.none() | st.integers(call + 1, count))
        values.append(tensor(call - 1, shape=(draw(st.integers(0, 9)),), producer=call, storage=call, freed=freed))
        calls.append(Call(call, "function", "f", None, 0, (), (call - 1,)))
    return Graph("run", tuple(calls), tuple(values))


@settings(max_examples=200, deadline=None)
@given(_runs())
def test_the_peak_is_the_highest_sum_alive_at_once(graph: Graph) -> None:
    """Counted again for each call, from the definition: made before or by it, and not released before it."""
    alive = [
        sum(v.nbytes for v in graph.values if v.producer <= call.id and (v.freed is None or v.freed > call.id))
        for call in graph.calls
    ]
    estimate = memory(graph)
    if any(v.freed is not None for v in graph.values):
        assert estimate.inference == max(alive)
    assert estimate.training == estimate.inference
    assert estimate.activations <= sum(v.nbytes for v in graph.values)


def _row(count: int) -> Graph:
    """Operations in a row, whose results are kept for a backward pass."""
    values = [tensor(0, "parameter", (10,), requires_grad=True)]
    values += [tensor(i, shape=(10,), producer=i, storage=i, freed=i + 2) for i in range(1, count + 1)]
    calls = [Call(0, "module", "Net", "", outputs=(count,))]
    calls += [Call(i, "function", "torch.exp", None, 0, (i - 1,), (i,)) for i in range(1, count + 1)]
    return Graph("Net", tuple(calls), tuple(values))


def test_large_graphs_are_linear_work() -> None:
    """5,000 and 50,000 operations, forward and backward."""
    small, large = _row(5_000), _row(50_000)
    assert lines_run(lambda: memory(large)) < 11 * lines_run(lambda: memory(small))
    assert memory(large).saved == 40 * 50_000


def test_one_real_number_beside_inputs_on_meta_is_no_real_run() -> None:
    """What the model makes on meta stands for memory; where all inputs are real it has none."""
    layer = nn.Linear(4, 8, device="meta")
    alone = memory(ta.capture(layer, torch.ones(2, 4, device="meta")).graph)
    beside = memory(ta.capture(lambda x, t: layer(x) * t, (torch.ones(2, 4, device="meta"), torch.ones(()))).graph)
    assert alone.activations == 64
    assert beside.activations == 128


def test_sharded_weights_that_the_model_does_not_hold_count_as_this_process_has_them() -> None:
    """A quarter, as those that it holds do."""
    inner = (InnerTensor("_local_tensor", (2, 16), "float32", 128),)
    weight = Value(
        0,
        "parameter",
        ("loose.weight",),
        (8, 16),
        "float32",
        "cpu",
        512,
        placements=("Shard(0)",),
        mesh=(4,),
        inner=inner,
    )
    modules = (Module("", "Net"), Module("loose", "Linear", parameters=(("weight", 0),), registered=False))
    found = memory(Graph("Net", (Call(0, "module", "Net", ""),), (weight,), modules))
    assert (found.parameters, found.unregistered) == (0, 128)
