"""A capture leaves everything as it found it, whatever the forward does and however it ends."""

from __future__ import annotations

import _thread
import gc
import random
import signal
import threading
import time
import timeit
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import torchatlas as ta
from state import differences, fingerprint, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Subject(nn.Module):
    """A model with something of everything that a forward may change."""

    def __init__(self, act: Callable[[Subject, Tensor], Any], ending: type[BaseException] | None = None):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
        self.head = nn.Linear(4, 2)
        self.register_buffer("count", torch.zeros(3))
        self.plain = torch.ones(3)
        self.items = [1, 2, [3]]
        self.table = {"a": 1, "deep": {"b": torch.zeros(2)}}
        self.names = {"one"}
        self.act, self.ending = act, ending

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x * 1)
        self.act(self, x)
        if self.ending is not None:
            raise self.ending("as the test wants")
        return self.head(y)


def batch_statistics(model: Subject, x: Tensor) -> None:
    """Statistics of batch norm, as training updates them."""
    model.body[1].train()
    model.body[1](x * 2)


def weights_in_place(model: Subject, x: Tensor) -> None:
    """Parameters, under no_grad, through ``.data``, and through a view."""
    with torch.no_grad():
        model.head.weight.mul_(2)
        model.head.weight.view(-1)[0] = 7
    model.head.bias.data.add_(1)
    model.head.bias.data[0] = 3


def weights_replaced(model: Subject, x: Tensor) -> None:
    """Another parameter under the same name, another memory under the same parameter, one more, one less."""
    model.head.weight = nn.Parameter(torch.zeros(2, 4))
    model.body[0].weight.data = torch.zeros(4, 4)
    model.body[0].extra = nn.Parameter(torch.zeros(1))
    del model.body[0].bias
    model.body[0].bias = None


def buffers(model: Subject, x: Tensor) -> None:
    """Buffers in place, replaced, resized, and registered anew."""
    model.count += 1
    model.count.resize_(5)
    model.body[1].running_mean = torch.ones(4)
    model.register_buffer("fresh", torch.ones(1))


def flags(model: Subject, x: Tensor) -> None:
    """Training flags of the whole and of a part."""
    model.train(not model.training)
    model.head.training = True


def requires_grad(model: Subject, x: Tensor) -> None:
    """What is trained."""
    model.head.requires_grad_(requires_grad=False)


def dtypes(model: Subject, x: Tensor) -> None:
    """Precision of the model, and of new tensors."""
    model.head.to(torch.float64)
    torch.set_default_dtype(torch.float64)


def devices(model: Subject, x: Tensor) -> None:
    """Place of a part of the model."""
    model.head.to("meta")


def gradients(model: Subject, x: Tensor) -> None:
    """Gradients by a backward, replaced, and removed."""
    with torch.enable_grad():
        model.head(x.detach()).sum().backward()
        model.head.zero_grad(set_to_none=True)
        model.body[0](x.detach()).sum().backward()


def random_numbers(model: Subject, x: Tensor) -> None:
    """The three global generators."""
    torch.rand(3)
    torch.manual_seed(5)
    random.random()  # noqa: S311  not for secrets
    np.random.rand(3)  # noqa: NPY002  the old global generator is what models use


def grad_mode(model: Subject, x: Tensor) -> None:
    """The gradient mode of this thread, without putting it back."""
    torch.set_grad_enabled(not torch.is_grad_enabled())


def hooks(model: Subject, x: Tensor) -> None:
    """Hooks on the model and on a parameter, and one taken away."""
    model.head.register_forward_hook(lambda *_: None)
    model.body.register_forward_pre_hook(lambda *_: None)
    model.body.register_state_dict_pre_hook(lambda *_: None)
    model.register_full_backward_hook(lambda *_: None)


def attributes(model: Subject, x: Tensor) -> None:
    """Plain attributes, lists, dictionaries and sets on modules."""
    model.items.append(x)
    model.items[2].append(4)
    model.table["new"] = x
    model.table["deep"]["b"] = x
    del model.table["a"]
    model.names.add("two")
    model.plain = x
    model.latest = x
    model.head.in_features = 77


def tensor_attributes(model: Subject, x: Tensor) -> None:
    """Tensors that are no parameters, in place."""
    model.plain.add_(1)
    model.table["deep"]["b"].fill_(9)


def structure(model: Subject, x: Tensor) -> None:
    """Modules added, replaced and removed."""
    model.more = nn.Linear(1, 1)
    model.body[2] = nn.Identity()
    del model.body[0]


def inputs(model: Subject, x: Tensor) -> None:
    """The input in place."""
    x.add_(1)
    x.data[0] = 0


ACTS = (
    batch_statistics,
    weights_in_place,
    weights_replaced,
    buffers,
    flags,
    requires_grad,
    dtypes,
    devices,
    gradients,
    random_numbers,
    grad_mode,
    hooks,
    attributes,
    tensor_attributes,
    structure,
    inputs,
)
ENDINGS = {"success": None, "exception": ArithmeticError, "interrupt": KeyboardInterrupt}


def subject(act: Callable[[Subject, Tensor], Any], ending: type[BaseException] | None = None) -> tuple[Subject, Tensor]:
    """A model that already has gradients and hooks, and its input."""
    model = Subject(act, ending)
    model.head.weight.grad = torch.ones(2, 4)
    model.head.register_forward_hook(lambda *_: None)
    return model, torch.randn(3, 4)


def nothing(model: Subject, x: Tensor) -> None:
    """A forward that changes nothing."""


@contextmanager
def unchanged(*things: Any) -> Iterator[None]:
    """Everything is the same on leaving."""
    before = fingerprint(*things)
    yield
    assert not differences(before, fingerprint(*things))


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_the_subject_would_be_changed_without_a_capture(act):
    """The tests below can fail: a plain run of each act leaves a trace."""
    with torch.random.fork_rng(devices=()):
        model, x = subject(act)
        model.eval()
        before, dtype, grad = fingerprint(model, x), torch.get_default_dtype(), torch.is_grad_enabled()
        try:
            with suppress(RuntimeError):  # what the act did to the head may keep it from running
                model(x)
            after = fingerprint(model, x)
        finally:
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(grad)
    assert differences(before, after)


@pytest.mark.parametrize("fake", [False, True], ids=["real", "fake"])
@pytest.mark.parametrize("mode", ["eval", "train", "same"])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_no_act_of_a_forward_leaves_a_trace(act, ending, mode, fake):
    """Weights, buffers, flags, hooks, gradients, generators, attributes: as before, after each ending."""
    model, x = subject(act, ENDINGS[ending])
    with unchanged(model, x), suppress(ArithmeticError, KeyboardInterrupt, RuntimeError):
        ta.capture(model, x, mode=mode, fake=fake)


@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_no_trace_with_every_option(ending, level):
    """The options that install more take all of it away too."""
    model, x = subject(attributes, ENDINGS[ending])
    with unchanged(model, x), suppress(ArithmeticError, KeyboardInterrupt):
        ta.capture(model, x, level=level, replay=True, mode="train")


def test_a_replay_leaves_no_trace():
    """Running the tape again draws random numbers and writes buffers of its own."""
    model, x = subject(batch_statistics)
    atlas = ta.capture(model, x, mode="train", replay=True)
    with unchanged(model, x):
        assert atlas.replay().equal


def test_a_wrong_input_leaves_no_trace():
    """Also when the run never begins."""
    model, x = subject(nothing)
    with unchanged(model, x), pytest.raises(ta.AtlasError):
        ta.capture(model, (x, x, x))


@pytest.mark.parametrize("ending", [ArithmeticError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_the_exception_is_the_users_own(ending):
    """It arrives as the very object that was raised, with the atlas attached and its traceback in the forward."""
    raised = ending("mine")

    def fail(model: Subject, x: Tensor) -> None:
        raise raised

    model, x = subject(fail)
    with pytest.raises(ending) as caught:
        ta.capture(model, x)
    assert caught.value is raised
    assert caught.traceback[-1].name == "fail"
    assert raised.atlas.graph.error is not None


@pytest.mark.parametrize("how", ["thread", "signal"])
def test_ctrl_c_in_the_midst_of_a_forward_leaves_no_trace(how):
    """A SIGINT, or an interrupt from another thread, while the forward is at work."""

    def wait(model: Subject, x: Tensor) -> None:
        if how == "signal":
            signal.raise_signal(signal.SIGINT)
        else:
            threading.Thread(target=_thread.interrupt_main, daemon=True).start()
        end = time.monotonic() + 5
        while time.monotonic() < end:
            model.items.append(model.head(x).sum().item())
        pytest.fail("the interrupt did not come")

    model, x = subject(wait)
    with unchanged(model, x), pytest.raises(KeyboardInterrupt) as caught:
        ta.capture(model, x)
    assert caught.value.atlas.graph.calls[0].error


def test_ctrl_c_at_any_moment_leaves_no_trace():
    """Interrupted after every of many short times: while setting up, running, or taking down.

    On real tensors only: torch's own fake tensors do not survive an interrupt in the midst of an operation.
    """
    model, x = subject(attributes)
    whole = min(timeit.repeat(lambda: ta.capture(model, x), number=1, repeat=10))
    before = fingerprint(model, x)
    came, old = 0, signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        for moment in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, max(whole * (moment + 1) / 60, 1e-6))
                ta.capture(model, x)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                came += 1
            assert not differences(before, fingerprint(model, x)), f"interrupted after {moment + 1} of 60"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert came


@pytest.mark.parametrize("level", ["op", "aten"])
@pytest.mark.parametrize("fake", [False, True], ids=["real", "fake"])
def test_an_atlas_keeps_neither_model_nor_tensors_alive(level, fake):
    """With the atlas still held, model, parameters, input, output and temporaries are freed."""
    model, x = subject(nothing)
    made: list[weakref.ref[Tensor]] = []
    model.act = lambda _, x: made.append(weakref.ref(x * 2))
    model.register_forward_hook(lambda _, args, out: made.append(weakref.ref(out)))
    watched = [weakref.ref(thing) for thing in (model, x, model.head.weight, model.body)]
    atlas = ta.capture(model, x, level=level, fake=fake)
    del model, x
    gc.collect()
    assert atlas.graph.calls
    assert made
    assert not [reference() for reference in (*watched, *made) if reference() is not None]


def test_a_failed_capture_keeps_nothing_alive():
    """With the exception gone but its atlas held, the model and its input are freed."""
    model, x = subject(nothing, ArithmeticError)
    watched = [weakref.ref(model), weakref.ref(x)]
    try:
        ta.capture(model, x)
    except ArithmeticError as error:
        atlas = error.atlas
    del model, x
    gc.collect()
    assert atlas.graph.error is not None
    assert not [reference() for reference in watched if reference() is not None]


def test_repeated_captures_do_not_grow():
    """A hundred captures leave as many objects alive as ten."""
    model, x = subject(nothing)

    def objects() -> int:
        for _ in range(10):
            ta.capture(model, x)
        gc.collect()
        return len(gc.get_objects())

    objects()
    first = objects()
    for _ in range(9):
        last = objects()
    assert last - first < 100


class Numbered(nn.Module):
    """A chain whose length tells captures apart."""

    def __init__(self, length: int):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(length))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x).tanh()
        return x


def test_captures_in_several_threads_stay_apart():
    """Eight at once: each graph is that of its own model, and all is as before afterwards."""
    models = [Numbered(length).eval() for length in range(1, 9)]
    alone = [ta.capture(model, torch.ones(2, 4)).graph for model in models]
    barrier = threading.Barrier(len(models))

    def work(model: nn.Module) -> Any:
        barrier.wait()
        return [ta.capture(model, torch.ones(2, 4)).graph for _ in range(5)]

    with unchanged(*models):
        with ThreadPoolExecutor(len(models)) as pool:
            together = list(pool.map(work, models))
        gc.collect()
    for graph, graphs in zip(alone, together, strict=True):
        assert all(other.calls == graph.calls for other in graphs)


def test_another_thread_that_only_runs_is_not_recorded():
    """While one thread captures, another runs another model: neither notices."""
    captured, other = Numbered(3).eval(), Numbered(5).eval()
    x = torch.ones(2, 4)
    expected, stop, results = other(x), threading.Event(), []

    def run() -> None:
        while not stop.is_set():
            results.append(other(x))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        graphs = [ta.capture(captured, x).graph for _ in range(20)]
    finally:
        stop.set()
        thread.join()
    assert results
    assert all(torch.equal(result, expected) for result in results)
    assert {len(graph.calls) for graph in graphs} == {len(graphs[0].calls)}
    assert not [call for graph in graphs for call in graph.calls if call.thread]


def test_what_the_user_has_frozen_stays_frozen():
    """A capture keeps the collector from what was there before it, unless the user has done so already."""
    gc.freeze()
    try:
        ta.capture(nn.Linear(2, 2), torch.ones(1, 2))
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


def test_a_capture_inside_a_capture_is_refused_and_leaves_no_trace():
    """The inner one names the reason; the outer one ends with it as with any exception."""
    inner = nn.Linear(4, 4)
    model, x = subject(lambda _, x: ta.capture(inner, x))
    with unchanged(model, inner, x), pytest.raises(ta.AtlasError, match="already capturing"):
        ta.capture(model, x)


def test_shared_state_is_as_before_importing_what_a_capture_needs():
    """A first capture with each option, compared on what threads and models share."""
    model = Numbered(1)
    before = shared()
    for options in ({}, {"level": "aten"}, {"fake": True}, {"replay": True}, {"mode": "train"}, {"source": False}):
        ta.capture(model, torch.ones(1, 4), **options)
    assert not differences(before, shared())
