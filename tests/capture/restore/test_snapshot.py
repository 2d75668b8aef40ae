"""A capture puts back what the run changed in the model, and nothing that others changed meanwhile."""

from __future__ import annotations

import copy
import itertools
import logging
import multiprocessing
import queue
import random
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.utils.data import DataLoader, Dataset

import torchatlas as ta
from torchatlas.capture.restore.snapshot import Snapshot


class Acting(nn.Module):
    """A layer that does something beside."""

    def __init__(self, act, **attributes):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.act = act
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x: Tensor, *others: Any) -> Tensor:
        self.act(self, *others)
        return self.layer(x)


X = torch.ones(3, 2)


def in_a_thread(work):
    """Something that happens in another thread, and is over on returning."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def changes(atlas: ta.Atlas) -> str:
    """The notes on what changed and was left so."""
    return "\n".join(note.text for note in atlas.graph.notes if note.text.startswith("The run changed these"))


class Numbers(Dataset):
    """As many rows as asked for, each its number."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return torch.full((2,), float(index))


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("where", ["attribute", "list", "argument", "closure"])
def test_the_iterator_of_a_loader_goes_on_where_it_is(where, workers):
    """What was read within a capture is read; the rest comes after it, in order, without an error."""
    rows = iter(DataLoader(Numbers(), batch_size=2, num_workers=workers))
    first = next(rows)
    if where == "attribute":
        model, others = Acting(lambda model: next(model.rows), rows=rows), ()
    elif where == "list":
        model, others = Acting(lambda model: next(model.rows[0]), rows=[rows]), ()
    elif where == "argument":
        model, others = Acting(lambda _, rows: next(rows)), (rows,)
    else:
        layer, others = nn.Linear(2, 2), ()
        model = lambda x: layer(x + next(rows)[:1])  # noqa: E731  # closures are what is tried
    atlas = ta.capture(model, (X, *others))
    seen = [row[0, 0].item() for row in (first, *rows)]
    assert seen == [0, 4, 6, 8, 10]
    assert "DataLoaderIter)" in changes(atlas)


@pytest.mark.parametrize("make", [queue.Queue, queue.LifoQueue, queue.SimpleQueue, multiprocessing.Queue, deque])
def test_a_queue_keeps_what_a_worker_puts_in_and_takes_out(make):
    """Thirty items go through a queue that a module has, while it is captured ten times, and all arrive."""
    box = make() if make is not deque else SimpleNamespace(items=deque())
    put = box.put if make is not deque else box.items.append
    get = (lambda: box.get(timeout=20)) if make is not deque else box.items.popleft
    model = Acting(lambda _: in_a_thread(lambda: [put(number) for number in range(3)]), box=box)
    for _ in range(10):
        ta.capture(model, X)
    assert sorted(get() for _ in range(30)) == sorted([0, 1, 2] * 10)


def test_threads_and_iterators_go_on():
    """A generator, a counter, a thread with its events: none is set back, none is read."""

    def numbers():
        yield from range(5)

    done, counter, generator = threading.Event(), itertools.count(), numbers()
    thread = threading.Thread(target=done.wait)

    def act(model):
        next(model.counter), next(model.generator)
        model.thread.start()
        model.done.set()

    model = Acting(act, counter=counter, generator=generator, thread=thread, done=done)
    ta.capture(model, X)
    thread.join(10)
    assert not thread.is_alive()
    assert done.is_set()
    assert next(counter) == 1
    assert list(generator) == [1, 2, 3, 4]


def test_a_logger_keeps_its_handlers():
    """Handlers, levels and records of a logger are the program's own."""
    logger = logging.getLogger("torchatlas.test.snapshot")
    handler = logging.NullHandler()
    model = Acting(lambda model: (model.log.addHandler(handler), model.log.setLevel("ERROR")), log=logger)
    try:
        atlas = ta.capture(model, X)
        assert logger.handlers == [handler]
        assert logger.level == logging.ERROR
    finally:
        logger.removeHandler(handler)
    assert not changes(atlas)


class Trainer:
    """Knows the model, as the model knows it."""

    def __init__(self):
        self.step, self.metrics, self.callbacks, self.lock = 0, {}, [], threading.Lock()


@pytest.mark.parametrize("way", ["module", "method", "callable", "argument", "closure"])
def test_what_another_thread_sets_on_a_trainer_stays(way):
    """Attributes, and what stands in containers behind it, however the run comes by the trainer."""
    trainer = Trainer()

    def other():
        trainer.step += 1
        trainer.metrics["loss"] = 0.5
        trainer.fresh = torch.ones(1)
        trainer.callbacks.append("saved")

    def act(*_):
        in_a_thread(other)

    if way == "module":
        model, args = Acting(act, trainer=trainer), X
    elif way == "argument":
        model, args = Acting(act), (X, trainer)
    elif way == "closure":
        layer = nn.Linear(2, 2)
        model, args = lambda x: (act(trainer), layer(x))[1], X
    else:
        trainer.model = Acting(act)
        Trainer.__call__ = Trainer.fit = lambda self, x: self.model(x)
        model, args = trainer.fit if way == "method" else trainer, X
    atlas = ta.capture(model, args)
    assert (trainer.step, trainer.metrics, trainer.callbacks) == (1, {"loss": 0.5}, ["saved"])
    assert trainer.fresh.item() == 1
    assert "(Trainer)" in changes(atlas)


def test_attributes_of_modules_and_their_plain_containers_are_put_back():
    """Each kind of plain container, in others and by itself, empty and filled, is as it was, in its order."""

    def containers():
        return {
            "list": [1, [2]],
            "dict": {"a": 1, "b": {}},
            "set": {1, 2},
            "tuple": ([1], {2}),
            "deque": deque([1, 2], 2),
            "ordered": OrderedDict(a=1, b=2),
            "default": defaultdict(list, a=[1]),
            "counter": Counter("aab"),
            "empty": [],
            "none": {},
            "nothing": OrderedDict(),
        }

    def act(model):
        model.list[1].append(3), model.list.clear()
        model.dict["b"]["c"] = model.dict.pop("a")
        model.set.discard(1)
        model.tuple[0].append(4), model.tuple[1].add(5)
        model.deque.append(3)
        model.ordered.move_to_end("a")
        model.default["new"].append(1), model.default["a"].append(2)
        model.counter.update("c")
        model.empty.append(1), model.none.update(a=1), model.nothing.update(a=1)
        model.more, model.layer.bias = 1, None

    model = Acting(act, **containers())
    kept = {name: getattr(model, name) for name in containers()}
    bias = model.layer.bias
    atlas = ta.capture(model, X)
    for name, before in containers().items():
        assert getattr(model, name) is kept[name]
        assert kept[name] == before
        assert list(kept[name]) == list(before)
    assert kept["deque"].maxlen == 2
    assert not hasattr(model, "more")
    assert model.layer.bias is bias
    assert not changes(atlas)


def test_modules_in_plain_containers_are_put_back_too():
    """A module that no other holds is one all the same."""
    hidden = nn.BatchNorm1d(2)
    hidden.weight.grad = torch.ones(2)
    state = copy.deepcopy(hidden.state_dict())

    def act(model):
        model.extra["norm"].train()(X), setattr(model.extra["norm"], "seen", 1)
        model.extra["norm"].requires_grad_(requires_grad=False)
        model.extra["norm"].weight.grad = None

    model = Acting(act, extra={"norm": hidden})
    hidden.eval()
    ta.capture(model, X)
    assert all(torch.equal(state[name], tensor) for name, tensor in hidden.state_dict().items())
    assert (hidden.training, hidden.weight.requires_grad, hasattr(hidden, "seen")) == (False, True, False)
    assert hidden.weight.grad is not None


def test_variables_of_a_function_are_put_back():
    """Plain containers in a closure are to a function what attributes are to a module."""
    layer, history = nn.Linear(2, 2), [0]

    def step(x):
        history.append(layer(x))
        return history[-1]

    ta.capture(step, X)
    assert history == [0]


class Cache:
    """Keys of former steps, as models get them among their arguments."""

    def __init__(self, tensor=None):
        self.layers, self.length = ([] if tensor is None else [tensor]), 0

    def update(self, new):
        self.layers.append(new)
        self.length += 1


class Slotted:
    """The same in slots."""

    __slots__ = ("layers", "length", "unset")

    def __init__(self, tensor=None):
        self.layers, self.length = ([] if tensor is None else [tensor]), 0

    def update(self, new):
        self.layers = [*self.layers, new]
        self.length += 1
        self.unset = new


@dataclass
class Data:
    """The same as a dataclass, with an object inside."""

    first: Tensor | None = None
    inner: Cache = field(default_factory=Cache)

    @property
    def layers(self):
        return self.inner.layers

    @property
    def length(self):
        return self.inner.length

    def update(self, new):
        self.first = new
        self.inner.update(new)


@pytest.mark.parametrize("fake", [False, True])
@pytest.mark.parametrize("inside", ["alone", "in a list", "by name"])
@pytest.mark.parametrize("tensor", [torch.ones(1), None], ids=["filled", "empty"])
@pytest.mark.parametrize("kind", [Cache, Slotted, Data])
def test_an_input_that_holds_tensors_and_plain_values_is_put_back(kind, tensor, inside, fake):
    """A cache given to a model is as long after the capture as before it, and a second capture sees the same."""

    class Decoder(nn.Module):
        def forward(self, x, cache):
            (cache[0] if type(cache) is list else cache).update(x * 2)
            return x + 1

    cache = kind(tensor)
    before = list(cache.layers), cache.length
    given = [cache] if inside == "in a list" else cache
    for _ in range(2):
        if inside == "by name":
            atlas = ta.capture(Decoder(), X, {"cache": given}, fake=fake)
        else:
            atlas = ta.capture(Decoder(), (X, given), fake=fake)
        assert (cache.layers, cache.length) == before
        assert not hasattr(cache, "unset")
        assert not changes(atlas)


def test_a_run_on_fake_tensors_leaves_none_behind():
    """A cache on a module, which a real run fills, holds no tensors without memory afterwards."""
    real, empty = Cache(torch.ones(1)), Cache()
    model = Acting(lambda model: [cache.update(model.layer.weight * 2) for cache in (model.real, model.empty)])
    model.real, model.empty = real, empty
    ta.capture(model, X, fake=True)
    assert [type(tensor) for tensor in real.layers] == [Tensor]
    assert empty.layers == []


def test_an_object_of_the_users_is_left_and_named():
    """Its class, and the attribute that leads to it; and nothing is said of what did not change."""
    model = Acting(lambda model: setattr(model.layer.state, "count", 1))
    model.layer.state, model.other, model.also = SimpleNamespace(count=0), SimpleNamespace(a=[1]), [SimpleNamespace()]
    atlas = ta.capture(model, X)
    assert model.layer.state.count == 1
    assert "layer.state (SimpleNamespace)." in changes(atlas)
    assert not changes(ta.capture(model, X))
    model.act = lambda model: (model.other.a.append(2), model.also[0].__dict__.update(b=1))
    assert "other (SimpleNamespace), also[0] (SimpleNamespace)." in changes(ta.capture(model, X))


class Hostile(dict):
    """Raises whatever it is asked."""

    armed = False

    def _refuse(self, *args, **kwargs):
        if Hostile.armed:
            raise SystemExit("a method of the user's was called")
        return NotImplemented

    __len__ = __iter__ = __bool__ = __eq__ = __contains__ = __getitem__ = __copy__ = __repr__ = __hash__ = _refuse
    copy = keys = values = items = update = clear = pop = get = _refuse
    __class__ = property(_refuse)
    __dict__ = property(_refuse)

    def __getattribute__(self, name):
        if Hostile.armed:
            raise SystemExit(f"{name} was asked for")
        return super().__getattribute__(name)


@contextmanager
def armed():
    """Hostile objects are hostile inside."""
    Hostile.armed = True
    try:
        yield
    finally:
        Hostile.armed = False


def test_no_method_of_a_users_class_is_called():
    """A mapping that refuses everything passes unseen as an attribute; a change in it is seen."""
    hostile = Hostile(a=1)
    model = Acting(lambda model: dict.__setitem__(hostile, "b", 2))
    model.hostile = hostile

    with armed():
        snapshot = Snapshot([("", model)], [("x", [hostile])], [("y", hostile)])
        model.act(model)
        assert snapshot.changed() == ["x[0] (Hostile)"]
        snapshot.restore()
    assert dict.__len__(hostile) == 2


@pytest.mark.parametrize("threads", [4])
def test_objects_may_change_at_any_moment(threads):
    """Other threads fill and empty what stands behind objects as fast as they can, while captures look at it."""
    state, stop = SimpleNamespace(table={}, items=[], names=set(), line=deque()), threading.Event()

    def work():
        while not stop.is_set():
            number = random.randrange(50)  # noqa: S311  # not for secrets
            state.table[number] = state.table.pop(number + 1, number)
            state.items[:] = range(number)
            state.names ^= {number}
            state.line.append(state.line.pop() if len(state.line) > number else number)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(30):
            ta.capture(Acting(lambda _: None, state=state), X)
    finally:
        stop.set()
        for worker in workers:
            worker.join()


@pytest.mark.parametrize("where", ["attribute", "list", "argument"])
def test_own_sources_of_random_numbers_are_put_back(where):
    """Of torch, Python and NumPy; each draws the same number after a capture as it would have before."""
    sources = [random.Random(1), np.random.default_rng(1), np.random.RandomState(1), torch.Generator().manual_seed(1)]  # noqa: S311 - not for secrets
    expected = [draw(source) for source in copied(sources)]

    def act(model, *others):
        for source in others[0] if others else model.sources if where == "list" else map(model.__dict__.get, "abcd"):
            draw(source)

    model = Acting(act)
    if where == "list":
        model.sources = sources
    for name, source in zip("abcd", sources, strict=True):
        setattr(model, name, source)
    ta.capture(model, (X, sources) if where == "argument" else X)
    assert [draw(source) for source in sources] == expected


def copied(sources: list[Any]) -> list[Any]:
    """Sources with the same state."""
    *others, generator = sources
    return [*copy.deepcopy(others), torch.Generator().set_state(generator.get_state())]


def draw(source: Any) -> float:
    """One number."""
    if isinstance(source, torch.Generator):
        return torch.rand(2, generator=source).sum().item()
    return float(source.random() if hasattr(source, "random") else source.random_sample())


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, 0.1, foreach=False),
    "foreach": lambda parameters: torch.optim.AdamW(parameters, 0.1, foreach=True),
    "fused": lambda parameters: torch.optim.Adam(parameters, 0.1, fused=True),
    "lbfgs": lambda parameters: torch.optim.LBFGS(parameters, 0.1, max_iter=2),
}


def state_of(layer, optimizer) -> list[Any]:
    """Everything about a training that a step changes."""
    flat = [layer.state_dict(), optimizer.state_dict(), [parameter.grad for parameter in layer.parameters()]]
    return copy.deepcopy(flat)


def same(left: Any, right: Any) -> bool:
    """Whether two structures hold the same numbers."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return torch.equal(left, right) if isinstance(left, Tensor) else left == right


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_step_leaves_model_and_optimizer_as_they_were(name, warm, hidden):
    """Before the first step and after one; the optimizer in the closure, or behind an object."""
    layer = nn.Linear(2, 2)
    box = SimpleNamespace(optimizer=OPTIMIZERS[name](layer.parameters()))
    schedule = torch.optim.lr_scheduler.StepLR(box.optimizer, 1)
    optimizer = None if hidden else box.optimizer

    def loss():
        box.optimizer.zero_grad()
        value = layer(X).square().mean()
        value.backward()
        return value

    def step(x):
        result = (optimizer or box.optimizer).step(loss)
        schedule.step()
        return result

    if warm:
        step(X)
    before, rate = state_of(layer, box.optimizer), copy.deepcopy(schedule.state_dict())
    ta.capture(step, X, mode="train")
    assert same(before, state_of(layer, box.optimizer))
    assert same(rate, schedule.state_dict())
    step(X)
    assert not same(before, state_of(layer, box.optimizer))


@pytest.mark.skipif(not hasattr(torch.cpu.Stream(), "record_event"), reason="torch shards on no CPU")
def test_the_state_of_a_sharded_model_goes_with_its_parameters(tmp_path):
    """What torch keeps of shards beside a module is put back with it: the model runs on, and no note speaks of it."""
    distributed = torch.distributed
    distributed.init_process_group(
        "gloo", store=distributed.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1
    )
    try:
        mesh = distributed.device_mesh.init_device_mesh("cpu", (1,))
        model = fully_shard(nn.Linear(2, 2), mesh=mesh)
        expected = ta.capture(model, X)
        assert not changes(expected)
        assert type(model.weight).__name__ == "DTensor"
        assert model(X).shape == X.shape
    finally:
        distributed.destroy_process_group()
