"""No trace: what a run may change is noted before it and put back after it, whatever way it ends."""

from __future__ import annotations

import random
import sys
from collections import deque
from contextlib import ExitStack, contextmanager
from operator import is_
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from torchatlas.capture.private import FakeTensor, modes_off, overrides_off, storage_key, storage_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.capture.tensors import Tensors


class Guard:
    """Copies the memory of tensors that outlive the run just before it is first written, and writes it back.

    Parameters, buffers, inputs and anything else made before the run are protected; copying only what is written
    keeps a model of any size capturable.
    """

    def __init__(self) -> None:
        self._saved: dict[int, tuple[Any, Any]] = {}
        self._data: list[tuple[Tensor, Tensor]] = []

    def before_write(self, tensor: Tensor, tensors: Tensors) -> None:
        """The call that begins says that it writes ``tensor``."""
        if isinstance(tensor, FakeTensor) or tensor.is_meta or not tensors.is_leaf(tensor):
            return
        self.keep(tensor)

    def keep(self, tensor: Tensor) -> None:
        """Copy its memory now, unless that was done."""
        storage = storage_of(tensor)
        if storage is None or storage.device.type == "meta":
            return
        key = storage_key(storage)
        if key not in self._saved:
            with modes_off(), overrides_off():
                self._saved[key] = (storage, storage.clone())
                self._data.append((tensor, tensor.data))

    def restore(self) -> None:
        """Put every copy back; the tensor objects get their own memory back if ``.data`` was replaced."""
        for storage, saved in self._saved.values():
            if storage.nbytes() != saved.nbytes():
                storage.resize_(saved.nbytes())
            storage.copy_(saved)
        for tensor, data in self._data:
            if storage_of(tensor) is not storage_of(data) or tensor.shape != data.shape:
                tensor.data = data
        self._saved.clear()
        self._data.clear()


@contextmanager
def no_trace(modules: Sequence[nn.Module], inputs: Sequence[Tensor], guard: Guard) -> Iterator[None]:
    """What a run may change in the modules, the inputs and torch's global state is as before on leaving."""
    with ExitStack() as stack:
        _keep_globals(stack)
        scripted = [module for module in modules if isinstance(module, torch.jit.ScriptModule)]
        eager = [module for module in modules if not isinstance(module, torch.jit.ScriptModule)]
        stack.callback(guard.restore)
        _keep_tensors(eager, inputs, stack)
        _keep_objects(eager, stack)
        for module in scripted:  # their attributes live in C++, their writes are not announced
            stack.callback(setattr, module, "training", module.training)
            for buffer in module.buffers(recurse=False):
                guard.keep(buffer)
        yield


def _keep_globals(stack: ExitStack) -> None:
    stack.callback(torch.set_grad_enabled, torch.is_grad_enabled())
    stack.callback(torch.set_default_dtype, torch.get_default_dtype())
    stack.callback(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        stack.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    stack.callback(random.setstate, random.getstate())
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        stack.callback(numpy.random.set_state, numpy.random.get_state())


def _keep_tensors(modules: Sequence[nn.Module], inputs: Sequence[Tensor], stack: ExitStack) -> None:
    """Gradients (set aside, so that a backward inside the run adds to none of them), flags, and laziness."""
    seen: dict[int, Tensor] = {id(tensor): tensor for tensor in inputs}
    for module in modules:
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if tensor is not None:
                seen[id(tensor)] = tensor
    kept = [(tensor, type(tensor), tensor.requires_grad, _gradient(tensor)) for tensor in seen.values()]

    def restore() -> None:
        for tensor, kind, requires_grad, gradient in kept:
            if type(tensor) is not kind:  # a lazy parameter was given its shape
                with torch.no_grad():
                    tensor.data = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
                tensor.__class__ = kind
            if tensor.requires_grad != requires_grad:
                tensor.requires_grad_(requires_grad)
            if _gradient(tensor) is not gradient:
                tensor.grad = gradient

    stack.callback(restore)
    for tensor, _, _, gradient in kept:
        if gradient is not None:
            tensor.grad = None


def _gradient(tensor: Tensor) -> Tensor | None:
    """Only a leaf has one to keep; asking another warns."""
    return tensor.grad if tensor.is_leaf and not isinstance(tensor, _LAZY) else None


_LAZY = (UninitializedParameter, UninitializedBuffer)
_OBJECTS = 200_000  # snapshot no more than this many: a module may hold a whole data set
_ATOMS = (str, int, float, bool, bytes, complex, type(None), type, FunctionType, MethodType, ModuleType, Tensor)
_Snapshot = tuple[Any, Any, Any]


def _keep_objects(modules: Sequence[nn.Module], stack: ExitStack) -> None:
    """The attributes of every module, and the lists, dictionaries and plain objects reachable from them."""
    classes = [(module, type(module)) for module in modules]
    snapshots = _snapshots(modules)

    def restore() -> None:
        for thing, saved, keys in snapshots:
            _put_back(thing, saved, keys)
        for module, kind in classes:  # a lazy module becomes its eager class
            if type(module) is not kind:
                module.__class__ = kind

    stack.callback(restore)


def _snapshots(modules: Sequence[nn.Module]) -> list[_Snapshot]:
    known = {id(module) for module in modules}
    queue: deque[Any] = deque(module.__dict__ for module in modules)
    found: list[_Snapshot] = []
    while queue and len(found) < _OBJECTS:
        thing = queue.popleft()
        if id(thing) in known:
            continue
        known.add(id(thing))
        items = _items(thing)
        if items is None:
            continue
        found.append((thing, items, list(thing) if isinstance(thing, dict) else None))
        for item in items:
            if isinstance(item, _ATOMS) or isinstance(item, nn.Module):
                continue
            queue.append(item if isinstance(item, _CONTAINERS) else getattr(item, "__dict__", None))
    return found


_CONTAINERS = (dict, list, set, deque, tuple)


def _items(thing: Any) -> list[Any] | None:
    if isinstance(thing, dict):
        return list(thing.values())
    return list(thing) if isinstance(thing, _CONTAINERS) else None


def _put_back(thing: Any, saved: list[Any], keys: list[Any] | None) -> None:
    """Only what differs is touched, by identity: comparing tensors by value would compute."""
    now = _items(thing) or []
    same = len(now) == len(saved) and all(map(is_, now, saved))
    if same and (keys is None or all(map(is_, thing, keys))):
        return
    if keys is not None:
        thing.clear()
        thing.update(zip(keys, saved, strict=True))
    elif isinstance(thing, list):
        thing[:] = saved
    elif isinstance(thing, (set, deque)):
        thing.clear()
        (thing.update if isinstance(thing, set) else thing.extend)(saved)
