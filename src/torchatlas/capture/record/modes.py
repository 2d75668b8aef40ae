"""The interceptors: how a capture hears of calls, installed for the run and taken away after it.

Four of them, because each misses what another sees: modules (``nn.Module.__call__``, replaced on the class, since hooks
get no keyword arguments, no exceptions, and not what the module's own hooks make of its output), torch functions (a
`TorchFunctionMode`: what the user's code called), ATen operations (a dispatch mode, on request), and the user's own
``autograd.Function``s. Classes are patched for all threads, so patches are counted, and each thread is told apart.
"""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager, nullcontext
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from torchatlas.capture.flops.aten import formula_of
from torchatlas.capture.flops.functions import holds_nested
from torchatlas.capture.record import names
from torchatlas.capture.record.higher_order import body_of
from torchatlas.capture.record.recorder import Recorder
from torchatlas.capture.torch_private import (
    DispatchMode,
    HigherOrderOperator,
    OperatorBase,
    eager_stance,
    in_function_mode,
    overrides_off,
)
from torchatlas.capture.undo import Shared, put_right, undoing
from torchatlas.capture.unrecorded import keep_modes, silence, unrecorded_propagation
from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchatlas.capture.undo import Undo


class CallHandler(Protocol):
    """What intercepted calls are handed to: the recorder, or a `Listener`, which measures and records nothing.

    Attributes:
        paths: paths of the modules that it knows, by ``id``.
        functions: whether it handles torch functions.
        running: whether there is a run to be heard of.
    """

    paths: dict[int, str]
    functions: bool
    running: bool

    def module(self, run: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """A module is called; ``run(*args, **kwargs)`` calls it."""

    def function(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A torch function is called."""

    def body(self, func: Callable[..., Any], run: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A torch function is called whose inside is heard of too; ``run`` is its body."""

    def autograd_function(self, run: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
        """``Function.apply`` of the user's own autograd function is called."""

    def remark(self, text: str) -> None:
        """Something that a reader must know of the innermost open call."""

    def leave(self) -> None:
        """A thread that was joined is done with the module it was heard for."""


class FunctionMode(TorchFunctionMode):
    """Hands every torch function of this thread to the recorder."""

    def __init__(self, recorder: CallHandler) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch instead of ``func``, this mode being off inside."""
        if not self._recorder.running:
            return func(*args, **(kwargs or {}))
        opened = _opened(func, self._recorder)
        if opened is None:
            return self._recorder.function(func, args, kwargs or {})
        return self._recorder.body(func, self._inside(opened), args, kwargs or {})

    def _inside(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def again(*args: Any, **kwargs: Any) -> Any:
            with self:
                return run(*args, **kwargs)

        return again


class OperationMode(DispatchMode):
    """Hands every ATen operation of this thread to the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch instead of ``func``, this mode being off inside."""
        for kind in types:
            if hasattr(kind, "__tensor_flatten__"):  # it unwraps itself, and its inside comes here
                return NotImplemented
        kwargs = kwargs or {}
        known = names.function(func)
        if silence.on or known.quiet or not self._recorder.running:
            return func(*args, **kwargs)
        if isinstance(func, HigherOrderOperator):  # called where no function is seen
            run = body_of(func, self._recorder.remark)
            if run is not None:
                with self:
                    return run(*args, **kwargs)
            return self._recorder.operation(func, args, kwargs)
        # Composites arrive whole under inference mode.
        if known.composite and formula_of(func) is None and not holds_nested(args):
            with self:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        with overrides_off():  # an operation that no function made is not a function
            return self._recorder.operation(func, args, kwargs)


# Functions written in Python whose inside a reader wants to see. Entered naively they would hand themselves to the mode
# again; their body runs with globals that answer "no overrides here", under the mode.
_OPENED = {functional.multi_head_attention_forward}
_bodies: dict[Any, Callable[..., Any]] = {}


def _opened(func: Any, recorder: CallHandler) -> Callable[..., Any] | None:
    if isinstance(func, OperatorBase):
        return body_of(func, recorder.remark) if isinstance(func, HigherOrderOperator) else None
    if type(func) is not FunctionType or func not in _OPENED:
        return None
    body = _bodies.get(func)
    if body is None:
        silent = {name: _no for name in func.__globals__ if name.startswith("has_torch_function")}
        space = {**func.__globals__, **silent}
        body = FunctionType(func.__code__, space, func.__name__, func.__defaults__, func.__closure__)
        body.__kwdefaults__ = func.__kwdefaults__
        _bodies[func] = body
    return body


def _no(*_: Any) -> bool:
    return False


class _Here(threading.local):
    recorder: CallHandler | None = None


_here = _Here()
_active: list[CallHandler] = []
_module_call = nn.Module.__call__
_autograd_backward = torch.autograd.backward
_function_apply = torch.autograd.Function.__dict__["apply"]


@contextmanager
def recording(recorder: CallHandler) -> Iterator[None]:
    """This thread's calls, and those of threads it starts, go to ``recorder`` inside."""
    with undoing() as undo:
        record(recorder, undo)
        yield


def record(recorder: CallHandler, undo: Undo) -> None:
    """This thread's calls, and those of threads it starts, go to ``recorder`` until ``undo`` is closed."""
    if _here.recorder is not None:
        raise InputError(
            "capture was called while this thread is already capturing (from inside the model's forward). "
            "Capture one model at a time in a thread."
        )
    for change in (eager_stance, unrecorded_propagation, _patches):
        change.want(undo)
    undo.add(_remove, recorder)
    _active.append(recorder)
    if isinstance(recorder, Recorder):
        undo.add(setattr, recorder, "operations", nullcontext)  # else it holds itself
        recorder.operations = lambda: OperationMode(recorder)
    _hear(recorder, undo)


def _hear(recorder: CallHandler, undo: Undo) -> None:
    """The calls of this thread go to the recorder."""
    undo.add(setattr, _here, "recorder", None)
    _here.recorder = recorder
    keep_modes(undo)
    for mode in _modes(recorder):
        mode.__enter__()


def _remove(recorder: CallHandler) -> None:
    recorder.running = False
    if recorder in _active:
        _active.remove(recorder)


def _modes(recorder: CallHandler) -> list[Any]:
    found: list[Any] = [OperationMode(recorder)] if isinstance(recorder, Recorder) and recorder.aten else []
    return [*found, FunctionMode(recorder)] if recorder.functions else found


def _patch() -> None:
    nn.Module.__call__ = _call_module  # type: ignore[method-assign]  # the point of it
    torch.autograd.backward = _call_backward
    torch.autograd.Function.apply = classmethod(_apply_function)  # type: ignore[method-assign,assignment]  # as above


def _unpatch() -> None:
    nn.Module.__call__ = _module_call  # type: ignore[method-assign]  # as it was
    torch.autograd.backward = _autograd_backward
    torch.autograd.Function.apply = _function_apply  # type: ignore[method-assign]  # as it was


_patches = Shared(_patch, _unpatch)


def _call_module(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
    recorder = _here.recorder
    if silence.on:
        return _module_call(self, *args, **kwargs)
    if recorder is None:
        return _call_from_elsewhere(self, args, kwargs)
    if not recorder.running:  # it was left: see `undo`
        put_right()
        return _module_call(self, *args, **kwargs)
    return recorder.module(MethodType(_module_call, self), self, args, kwargs)  # a method is no frame more


def _call_from_elsewhere(module: nn.Module, args: Any, kwargs: Any) -> Any:
    """A thread that no capture started in: it joins the capture that knows the module, or a replica of it."""
    for recorder in _active[:]:
        if id(module) not in recorder.paths and not module.__dict__.get("_is_replica"):
            continue
        with undoing() as undo:
            undo.add(recorder.leave)
            _hear(recorder, undo)
            return recorder.module(MethodType(_module_call, module), module, args, kwargs)
    return _module_call(module, *args, **kwargs)


@functools.wraps(_autograd_backward)
def _call_backward(*args: Any, **kwargs: Any) -> None:
    """The one function of torch that no function mode is asked for; inside ``Tensor.backward`` none is on."""
    recorder = _here.recorder
    if recorder is None or not recorder.running or not in_function_mode():
        _autograd_backward(*args, **kwargs)
    else:
        with overrides_off():
            recorder.function(_autograd_backward, args, kwargs)


def _apply_function(cls: type[torch.autograd.Function], *args: Any, **kwargs: Any) -> Any:
    apply = _function_apply.__get__(None, cls)
    recorder = _here.recorder
    if recorder is None or silence.on or not recorder.running:
        return apply(*args, **kwargs)
    return recorder.autograd_function(apply, cls.__name__, args, kwargs)
