"""What modules and inputs hold beside tensors: copied before a run, put back or compared after it.

Plain containers and the attributes of modules are put back. What stands behind other objects (queues, threads,
iterators, loaders, loggers, trainers) belongs to others too, who go on with it while the model runs: it is compared
alone. No method of a user's class is called: containers are read by the methods of their built-in base class.
"""

from __future__ import annotations

import random
import sys
from collections import deque
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import ReferenceType

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from torchatlas.capture.objects.contents import class_name, is_a
from torchatlas.capture.objects.parts import (
    FROZEN,
    PLAIN,
    Kind,
    copy_of,
    differs,
    items_of,
    kind_of,
    parts_of,
    put_back,
)
from torchatlas.capture.torch_private import FakeTensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Where something stands, innermost last: (((None, "encoder"), "cache"), 0); joined only where somebody asks.
Trail: TypeAlias = "tuple[Any, Any]"

_MOST = 200_000  # containers that are copied: a module may hold a whole data set
_MOST_BEHIND = 20_000  # of these, behind other objects
_LONGEST = 10_000  # items of a container behind another object, beyond which it is not looked at
_QUICK = frozenset({str, int, float, bool, type(None), Tensor, nn.Parameter})  # most attributes, known without a search
_CODE = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)
_DATA = (
    *(Tensor, str, int, float, complex, bytes),
    *(torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size),
    *(type, ReferenceType),
)
_TRAINING = (Optimizer, LRScheduler, GradScaler)
_SHARDING = ("torch.distributed.fsdp", "torch.distributed._composable")  # what holds the parameters of sharded modules
# Their attributes change all the time and say nothing of the model.
_INFRASTRUCTURE = frozenset({"_thread", "asyncio", "concurrent", "logging", "multiprocessing", "threading", "weakref"})


class _Object:
    """An object that is neither a module nor a plain container, and what stands behind it as it was."""

    def __init__(self, thing: Any, trail: Trail, copies: list[tuple[Any, Any]], *, data: bool) -> None:
        self.thing, self.trail, self.copies = thing, trail, copies
        self._data = data  # tensors and plain values alone
        self._held = data and _holds(thing, Tensor)

    def restore(self) -> None:
        """Put it back if it is data that holds tensors; of any other, what would hold fake ones."""
        whole = self._held = self._is_whole()  # from here on, also where this is interrupted and done again
        for part, copy in self.copies:
            if whole or (differs(part, copy) and _turned_fake(part, copy)):
                put_back(part, copy)

    def changed(self) -> bool:
        """Whether something differs that is not going to be put back."""
        return not self._is_whole() and any(
            differs(part, copy) and not _turned_fake(part, copy) for part, copy in self.copies
        )

    def _is_whole(self) -> bool:
        return self._data and (self._held or _holds(self.thing, Tensor))


class Snapshot:
    """Shallow copies of everything mutable that is reached from modules and inputs.

    Args:
        modules: with their paths; their attributes, and the plain containers in them, are put back.
        inputs: arguments of the run by name, likewise; an object among them that holds tensors and plain values alone
            (a cache of keys and values, a batch of graphs) counts as a container.
        variables: what a function reaches by itself (closure, globals it uses, bound arguments), by name; as modules.
        owner: the object that the function is a method of, which has some of the variables as attributes.

    Attributes:
        modules: those given, and those in plain containers.
        optimizers: those of ``torch.optim`` that were reached, also behind other objects.
    """

    def __init__(
        self,
        modules: Iterable[tuple[str, nn.Module]] = (),
        inputs: Iterable[tuple[str, Any]] = (),
        variables: Iterable[tuple[str, Any]] = (),
        owner: Any = None,
    ) -> None:
        self.modules: list[nn.Module] = []
        self.optimizers: list[Optimizer] = []
        self._classes: list[tuple[nn.Module, type]] = []
        self._seen: set[int] = set()
        self._copies: list[tuple[Any, Any]] = []
        self._empty: list[Any] = []
        self._generators: list[tuple[Callable[[Any], object], Any]] = []
        self._objects: list[_Object] = []
        self._behind = 0
        self._waiting: deque[tuple[Any, Trail]] = deque()
        self._met: list[tuple[Any, Trail]] = []
        for name, module in modules:
            self._meet(module, (None, name))
        self._walk()
        owned = {id(thing) for part in parts_of(owner) for thing in items_of(part)}
        for name, thing in variables:
            if id(thing) not in owned:
                self._meet(thing, (None, name))
        if owner is not None:
            self._meet(owner, (None, ""))
        self._walk()
        objects = self._met
        self._met = []
        for name, thing in inputs:
            self._meet(thing, (None, name))
        self._walk()
        for thing, trail in self._met:
            if not self._add_data(thing, trail):
                objects.append((thing, trail))
        self._met = []
        for thing, trail in objects:
            self._watch(thing, trail)

    def add(self, thing: Any) -> None:
        """One of torch's own objects that keep the state of a training: it is put back as it is now."""
        self._meet(thing, (None, ""))
        self._walk()
        self._met.clear()

    def restore(self) -> None:
        """Put back what differs."""
        for thing in self._empty:
            if thing:
                thing.clear()
        for thing, copy in self._copies:
            put_back(thing, copy)
        for one in self._objects:
            one.restore()
        for set_state, state in self._generators:
            set_state(state)
        for module, kind in self._classes:  # a lazy module becomes its eager class
            if type(module) is not kind:
                object.__setattr__(module, "__class__", kind)

    def changed(self) -> list[str]:
        """Objects of which something differs that is not going to be put back: ``trainer (Trainer)``."""
        return [f"{_path(one.trail)} ({class_name(type(one.thing))})" for one in self._objects if one.changed()]

    def _meet(self, thing: Any, trail: Trail) -> None:
        """Something that a module, a plain container or the call holds."""
        kind = type(thing)
        if kind in _QUICK or id(thing) in self._seen:
            return
        if kind in PLAIN:
            if thing:
                self._waiting.append((thing, trail))
            else:
                self._empty.append(thing)
        elif issubclass(kind, FROZEN):
            self._waiting.append((thing, trail))
        elif issubclass(kind, nn.Module):
            self._add_module(thing, trail)
        elif issubclass(kind, _TRAINING) or kind_of(thing).module.startswith(_SHARDING):
            self._add_training(thing, trail)
        elif (generator := _generator(thing)) is not None:
            self._seen.add(id(thing))
            self._generators.append(generator)
        elif not issubclass(kind, (*_DATA, *_CODE)):
            self._met.append((thing, trail))

    def _walk(self) -> None:
        while self._waiting and len(self._copies) < _MOST:
            thing, trail = self._waiting.popleft()
            if id(thing) in self._seen:
                continue
            self._seen.add(id(thing))
            copy = thing.copy() if type(thing) is dict else copy_of(thing)
            if not isinstance(copy, FROZEN):
                self._copies.append((thing, copy))
            for key, item in copy.items() if isinstance(copy, dict) else enumerate(copy):
                kind = type(item)
                if kind in _QUICK:
                    continue
                if kind not in PLAIN:
                    self._meet(item, (trail, key))
                elif not item:  # the hooks of modules, most of what they have
                    self._empty.append(item)
                elif id(item) not in self._seen:
                    self._waiting.append((item, (trail, key)))

    def _add_module(self, module: nn.Module, trail: Trail) -> None:
        self._seen.add(id(module))
        self.modules.append(module)
        if not is_a(module, torch.jit.ScriptModule):  # the attributes of those live in C++
            self._classes.append((module, type(module)))
            self._waiting.append((_attributes(module), trail))

    def _add_training(self, thing: Any, trail: Trail) -> None:
        self._seen.add(id(thing))
        if is_a(thing, Optimizer):
            self.optimizers.append(thing)
        self._waiting.append((_attributes(thing), trail))

    def _add_data(self, thing: Any, trail: Trail) -> bool:
        """Whether it is an object of tensors and plain values alone."""
        objects = _plain_objects(thing, self._seen)
        if objects is None:
            return False
        self._seen.update(map(id, objects))
        copies = [(part, copy_of(part)) for one in objects for part in parts_of(one)]
        self._objects.append(_Object(thing, trail, copies, data=True))
        return True

    def _watch(self, thing: Any, trail: Trail) -> None:
        """Copy what stands behind an object, to say whether it changed."""
        copies: list[tuple[Any, Any]] = []
        todo = deque([thing])
        while todo and self._behind < _MOST_BEHIND:
            one = todo.popleft()
            kind = type(one)
            if kind in _QUICK or id(one) in self._seen or issubclass(kind, (*_DATA, *_CODE, nn.Module)):
                continue
            if issubclass(kind, _TRAINING):
                self._add_training(one, trail)
                continue
            self._seen.add(id(one))
            for part in parts_of(one) if kind_of(one).module.partition(".")[0] not in _INFRASTRUCTURE else ():
                copy = copy_of(part)
                self._behind += 1
                if len(copy) <= _LONGEST:
                    copies.append((part, copy))
                    todo.extend(copy.values() if type(copy) is dict else copy)
        self._walk()
        if copies:
            self._objects.append(_Object(thing, trail, copies, data=False))


def _attributes(thing: Any) -> Any:
    return next((read(thing) for read in kind_of(thing).dictionaries), {})


def _path(trail: Trail) -> str:
    keys: list[Any] = []
    while trail is not None:
        trail, key = trail
        keys.append(key)
    text = ""
    for key in reversed(keys):
        if type(key) is str:
            text += f".{key}" if text and key else key
        else:
            text += f"[{key if type(key) is int else type(key).__name__}]"
    return text.replace("._modules.", ".").removeprefix("_modules.")


def _is_data(kind: type, reader: Kind) -> bool:
    """Whether it is a container of values, or an object that may be one."""
    return reader.in_python and not issubclass(kind, (*_DATA, *_CODE, *_TRAINING, nn.Module))


def _plain_objects(thing: Any, seen: set[int]) -> list[Any] | None:
    """All objects in an object that holds tensors and plain values alone; None for any other object."""
    found: list[Any] = []
    known: set[int] = set()
    todo = deque([thing])
    while todo:
        one = todo.popleft()
        kind = type(one)
        if kind in _QUICK or id(one) in known or id(one) in seen or issubclass(kind, _DATA):
            continue
        if not _is_data(kind, kind_of(one)) or len(found) > _MOST_BEHIND:
            return None
        known.add(id(one))
        found.append(one)
        for part in parts_of(one):
            todo.extend(items_of(part))
    return found


def _holds(thing: Any, kind: type[Tensor]) -> bool:
    """Whether a tensor of a class stands anywhere in an object of plain values."""
    known: set[int] = set()
    todo = deque([thing])
    while todo and len(known) < _MOST_BEHIND:
        one = todo.popleft()
        if is_a(one, kind):
            return True
        if type(one) not in _QUICK and id(one) not in known and _is_data(type(one), kind_of(one)):
            known.add(id(one))
            for part in parts_of(one):
                todo.extend(items_of(part))
    return False


def _turned_fake(part: Any, copy: Any) -> bool:
    """Whether a run on fake tensors left one in a container."""
    before = set(map(id, copy.values() if type(copy) is dict else copy))
    return any(_holds(item, FakeTensor) for item in items_of(part) if id(item) not in before)


def _generator(thing: Any) -> tuple[Callable[[Any], object], Any] | None:
    """How the state of a source of random numbers is put back, and that state."""
    if type(thing) is torch.Generator:
        return thing.set_state, thing.get_state()
    if type(thing) is random.Random:
        return thing.setstate, thing.getstate()
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    if type(thing) is numpy.random.RandomState:
        return thing.set_state, thing.get_state()
    if type(thing) is numpy.random.Generator:
        source = thing.bit_generator
        return partial(setattr, source, "state"), source.state
    return None
