"""A run that is listened to and not recorded: calls as they begin and end, each with whatever a listener notes of it.

A `Listener` stands where a recording has its recorder, and hears of the same calls; what it does beside is as little as
its purpose needs. What it noted is laid beside the recorded calls afterwards (`capture.measure.match_calls`).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

from torchatlas.capture.record import names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

# (what is called, note) as a call begins, (None, note) as it ends.
Stream: TypeAlias = "list[tuple[Any, Any]]"


UNKNOWN = "?"
"""The path of a module that is not among those of the model."""


class _Here(threading.local):
    stream: Stream | None = None


class Listener(ABC):
    """Hears of the calls of one run.

    Args:
        paths: of the model's modules, by ``id``.
        root: the model, whose own call is not heard.
        functions: whether torch functions are heard too.

    Attributes:
        main: what was heard in the thread that runs the model.
        others: the same of each module that another thread called.
    """

    running = True

    def __init__(self, paths: Mapping[int, str], root: Any, *, functions: bool) -> None:
        self.paths = dict(paths)
        self.functions = functions
        self.main: Stream = []
        self.others: list[Stream] = []
        self._entered = root
        self._here = _Here()
        self._here.stream = self.main

    @abstractmethod
    def around(self, stream: Stream, thing: Any, run: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Let the call of ``thing`` happen, by ``run(*args, **kwargs)``, and add its begin and end to the stream."""

    def module(self, run: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """A module is called."""
        if module is self._entered:
            self._entered = None
            return run(*args, **kwargs)
        return self.around(self._here.stream or self._stream(), module, run, args, kwargs)

    def function(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A torch function is called."""
        if names.function(func).quiet:
            return func(*args, **kwargs)
        return self.around(self._here.stream or self._stream(), func, func, args, kwargs)

    def body(self, func: Callable[..., Any], run: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A torch function is called whose inside is heard of too."""
        return self.around(self._stream(), func, run, args, kwargs)

    def autograd_function(self, run: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
        """The user's own autograd function is called."""
        return self.around(self._stream(), name, run, args, kwargs) if self.functions else run(*args, **kwargs)

    def remark(self, text: str) -> None:
        """The record says it already."""
        del text

    def leave(self) -> None:
        """A thread that was joined is done with the module it was heard for."""
        self._here.stream = None

    def _stream(self) -> Stream:
        stream = self._here.stream
        if stream is None:
            stream = self._here.stream = []
            self.others.append(stream)
        return stream
