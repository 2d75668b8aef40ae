"""No trace: what a run may change is noted before it and put back after it, whatever way it ends."""

from __future__ import annotations

import random
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from torchatlas.capture.objects.contents import LAZY
from torchatlas.capture.objects.tree import tensors_in
from torchatlas.capture.restore.snapshot import Snapshot
from torchatlas.capture.torch_private import FakeTensor, forget_step_hook, in_fake_mode, storage_key, storage_of
from torchatlas.capture.unrecorded import keep_modes, unrecorded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.capture.undo import Undo


class Leaves(Protocol):
    """Knows which tensors were there before the run."""

    def is_leaf(self, tensor: Tensor) -> bool:
        """Whether the run did not make its memory."""


class Guard:
    """Copies the memory of tensors that outlive the run just before it is first written, and writes it back.

    Parameters, buffers, inputs and anything else made before the run are protected; copying only what is written
    keeps a model of any size capturable. A write may also give the tensor other memory (``.data =``) or another layout
    (``transpose_``), so an alias keeps what it had.

    Args:
        writes: that a call says it writes something is heeded; a run on fake tensors writes no real one.
    """

    def __init__(self, *, writes: bool = True) -> None:
        self._writes = writes
        self._saved: dict[int, tuple[Any, Any]] = {}
        self._aliases: dict[int, tuple[Tensor, Tensor]] = {}
        self._generators: dict[int, tuple[torch.Generator, Tensor]] = {}
        self._kept: tuple[list[Any], list[Tensor], list[torch.Generator]] = [], [], []

    def keep_as(self, other: Guard) -> None:
        """Copy now whatever ``other``, which has restored it, had to copy: for a run in which nothing is announced."""
        storages, tensors, generators = other._kept
        for storage in storages:
            self._keep_memory(storage)
        for tensor in tensors:
            self._keep_alias(tensor)
        for generator in generators:
            self.before_draw(generator)

    def before_draw(self, generator: torch.Generator | None) -> None:
        """The call that begins draws random numbers from ``generator``."""
        if generator is not None and id(generator) not in self._generators:
            self._generators[id(generator)] = generator, generator.get_state()

    def before_write(self, tensor: Tensor, tensors: Leaves) -> None:
        """The call that begins says that it writes ``tensor``."""
        if self._writes and not isinstance(tensor, FakeTensor) and tensors.is_leaf(tensor):
            self.keep(tensor)
            self._keep_alias(tensor)

    def keep(self, tensor: Tensor) -> None:
        """Copy its memory now, unless that was done."""
        storage = storage_of(tensor)
        if storage is not None and storage.device.type != "meta":
            self._keep_memory(storage)

    def _keep_memory(self, storage: Any) -> None:
        key = storage_key(storage)
        if key not in self._saved:
            with unrecorded():
                self._saved[key] = (storage, storage.clone())

    def _keep_alias(self, tensor: Tensor) -> None:
        if type(tensor) in _PLAIN and tensor.layout is torch.strided and id(tensor) not in self._aliases:
            with unrecorded():
                self._aliases[id(tensor)] = tensor, tensor.detach()

    def restore(self) -> None:
        """Put every tensor back on its memory, and every copy into it."""
        for tensor, alias in self._aliases.values():
            if not _same_memory(tensor, alias):
                tensor.data = alias
        for storage, saved in self._saved.values():
            if storage.nbytes() != saved.nbytes():
                storage.resize_(saved.nbytes())
            storage.copy_(saved)
        for generator, state in self._generators.values():
            generator.set_state(state)
        self._kept = (
            [storage for storage, _ in self._saved.values()],
            [tensor for tensor, _ in self._aliases.values()],
            [generator for generator, _ in self._generators.values()],
        )
        self._aliases.clear()
        self._saved.clear()
        self._generators.clear()


_PLAIN = frozenset({Tensor, nn.Parameter})


def _same_memory(tensor: Tensor, alias: Tensor) -> bool:
    if tensor.dtype is not alias.dtype or tensor.device != alias.device:
        return False
    if tensor.is_meta:
        return tensor.shape == alias.shape and tensor.stride() == alias.stride()
    return tensor.is_set_to(alias)


def no_trace(
    undo: Undo,
    modules: Sequence[tuple[str, nn.Module]],
    inputs: Sequence[tuple[str, Any]],
    guard: Guard,
    variables: Sequence[tuple[str, Any]] = (),
    *,
    belonging_to: Any = None,
    aside: bool = True,
) -> Snapshot:
    """What a run may change in the modules, the inputs and torch's global state is as before when ``undo`` is closed.

    Args:
        undo: the way back.
        modules: with their paths.
        inputs: the arguments of the run, by name.
        guard: copies memory before it is written.
        variables: what a function reaches by itself, by name.
        belonging_to: the object that the function is a method of: what it holds is its own, and not put back.
        aside: gradients are set aside for the run; not of a function, which may be the update that reads them.
    """
    _keep_globals(undo)
    snapshot = Snapshot(modules, inputs, variables, belonging_to)
    undo.add(snapshot.restore)
    scripted = [module for module in snapshot.modules if isinstance(module, torch.jit.ScriptModule)]
    eager = [module for module in snapshot.modules if not isinstance(module, torch.jit.ScriptModule)]
    trained = [group["params"] for optimizer in snapshot.optimizers for group in optimizer.param_groups]
    given = [thing for _, thing in (*inputs, *variables)]
    _keep_tensors(eager, tensors_in((given, trained)), guard, undo, aside=aside)
    _keep_optimizers(snapshot, guard, undo)
    for module in scripted:  # their attributes live in C++, their writes are not announced
        undo.add(setattr, module, "training", module.training)
        for buffer in module.buffers(recurse=False):
            guard.keep(buffer)
    return snapshot


def _keep_optimizers(snapshot: Snapshot, guard: Guard, undo: Undo) -> None:
    """The state of every optimizer, just before it makes a step in this thread: it may be as large as the model."""
    thread = threading.get_ident()

    def before_step(optimizer: Any, _: Any, __: Any) -> None:
        if threading.get_ident() == thread:
            with unrecorded():
                snapshot.add(optimizer)
                held = (dict(optimizer.state), [group["params"] for group in optimizer.param_groups])
                for tensor in tensors_in(held) if not in_fake_mode() else ():
                    guard.keep(tensor)

    undo.add(forget_step_hook, before_step)
    register_optimizer_step_pre_hook(before_step)


def own_tensors(module: nn.Module) -> list[Tensor]:
    """The parameters and buffers that the module itself registers."""
    return [tensor for tensor in (*module._parameters.values(), *module._buffers.values()) if tensor is not None]


def _keep_globals(undo: Undo) -> None:
    keep_modes(undo)
    undo.add(torch.set_grad_enabled, torch.is_grad_enabled())
    undo.add(torch.set_default_dtype, torch.get_default_dtype())
    undo.add(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        undo.add(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    undo.add(random.setstate, random.getstate())
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        undo.add(numpy.random.set_state, numpy.random.get_state())


def _keep_tensors(
    modules: Sequence[nn.Module], inputs: Sequence[Tensor], guard: Guard, undo: Undo, *, aside: bool
) -> None:
    """Parameters, buffers and inputs: what the guard keeps of them, then what autograd knows of them.

    A module has its gradients set ``aside``, so that a backward inside adds nothing to them. A function may be the
    update that reads them: there the guard copies them before a backward pass is run, which announces itself.
    """
    seen: dict[int, Tensor] = {id(tensor): tensor for tensor in inputs}
    for module in modules:
        seen.update([(id(tensor), tensor) for tensor in own_tensors(module)])
    kept = [(one, type(one), one.requires_grad, one.is_leaf, _gradient(one)) for one in seen.values()]

    def restore() -> None:
        for tensor, kind, _, leaf, _ in kept:
            if type(tensor) is not kind or (leaf and not tensor.is_leaf):
                _put_back_kind(tensor, kind, leaf=leaf)
        guard.restore()
        for tensor, _, requires_grad, leaf, gradient in kept:  # last: a gradient fits only its tensor's own data
            if tensor.requires_grad != requires_grad and tensor.is_leaf:
                tensor.requires_grad_(requires_grad)
            if leaf and _gradient(tensor) is not gradient:
                tensor.grad = gradient

    undo.add(restore)
    for tensor, _, _, _, gradient in kept:
        if gradient is not None and aside:
            tensor.grad = None


def _put_back_kind(tensor: Tensor, kind: type[Tensor], *, leaf: bool) -> None:
    if type(tensor) is not kind:  # a lazy parameter was given its shape
        with torch.no_grad():
            tensor.data = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        tensor.__class__ = kind
    if leaf and not tensor.is_leaf:  # written in place with something that requires a gradient
        with suppress(RuntimeError):  # views refuse
            tensor.detach_()


def _gradient(tensor: Tensor) -> Tensor | None:
    """Only a leaf has one to keep; asking another warns."""
    return tensor.grad if tensor.is_leaf and type(tensor) not in LAZY else None
