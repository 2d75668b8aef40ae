"""The way back: what a capture changes is put back, at whatever moment an exception comes.

One may come between any two instructions: a Ctrl-C, a timeout through a signal, `PyThreadState_SetAsyncExc` of another
thread. So of every change that a capture makes

- the way back is noted before the change is made, and does no harm where it was not made;
- the way back may be gone twice: where an exception cut it short, it is gone again from its start;
- it is crossed out only when it was gone to its end.

What is left all the same, since the exceptions did not cease, does nothing any more, and is put right by the next
capture of this thread, or the next call of a module.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from contextlib import contextmanager, suppress
from inspect import CO_GENERATOR
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_TRIES = 10  # then a step fails by itself, not by an exception from elsewhere


class Undo:
    """The changes of one capture, and how each is put back.

    ``close`` stands in two ``finally``, one in the other: where the first is cut off before it begins, or by what it
    raises itself, the second does the rest.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._frame: FrameType | None = _function_around()
        put_right()
        _here.unfinished.append(self)

    def add(self, step: Callable[..., object], *args: Any) -> None:
        """Note, before a change, that ``step(*args)`` puts back what it is going to change."""
        self._steps.append((step, args))

    def close(self) -> None:
        """Put everything back, what was changed last first.

        Raises:
            BaseException: what came meanwhile, or what a step raised, after all the others were gone.
        """
        self.add(_end_generators, sys.exc_info()[1])  # noted last, so that it comes first
        first: BaseException | None = None
        tries = 0
        while self._steps:
            try:
                step, args = self._steps[-1]
                step(*args)
                self._steps.pop()
                tries = 0
            except BaseException as error:  # noqa: BLE001, PERF203 - raised below; a step is more than a `try`
                first = first or error
                tries += 1
                if tries == _TRIES:
                    self._steps.pop()
                    tries = 0
        if self in _here.unfinished:  # else it is in another thread's: a generator was collected here
            _here.unfinished.remove(self)
        self._frame = None
        if first is not None:
            try:
                raise first
            finally:
                del first  # it holds this frame, which holds it

    def _is_running(self) -> bool:
        """Whether what made the changes is still on this thread's stack."""
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        return frame is not None


def _end_generators(error: BaseException | None) -> None:
    """Let go of generators that an exception kept from ending, as torch's are that take a mode away for a moment.

    Where it came as a `with` was entered or left, before the generator behind that had its turn, its frames hold it. It
    would end when they are collected, and put a mode back that has no place any more.
    """
    seen: set[int] = set()  # an exception may be its own context
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for frame, _ in walk_tb(error.__traceback__):
            if frame.f_code.co_filename == contextlib.__file__:
                with suppress(RuntimeError):  # it is running
                    frame.clear()
        error = error.__context__


class _Here(threading.local):
    def __init__(self) -> None:
        self.unfinished: list[Undo] = []


_here = _Here()


def _function_around() -> FrameType:
    """The function that makes changes; a generator is on the stack only while it is asked for the next thing."""
    frame = sys._getframe(2)
    while frame.f_back is not None and (
        frame.f_code.co_flags & CO_GENERATOR or frame.f_code.co_filename == contextlib.__file__
    ):
        frame = frame.f_back
    return frame


def put_right() -> None:
    """Put back what captures of this thread have left that were cut off while they put it back."""
    for left in [one for one in _here.unfinished if not one._is_running()]:
        left.close()


@contextmanager
def undoing() -> Iterator[Undo]:
    """Changes that are noted inside are put back on leaving."""
    undo = Undo()
    try:
        try:
            yield undo
        finally:
            undo.close()
    finally:
        undo.close()


class Shared:
    """A change to what all threads share: made for the first capture that wants it, taken back after the last.

    Args:
        make: makes the change; where it is made already, it does nothing.
        take_back: takes it back; where it is not made, it does nothing.
    """

    def __init__(self, make: Callable[[], object], take_back: Callable[[], object]) -> None:
        self._make, self._take_back = make, take_back
        self._lock = threading.Lock()
        self._wanted: weakref.WeakSet[Undo] = weakref.WeakSet()  # those of a thread that was killed are gone

    def want(self, undo: Undo) -> None:
        """The change is made, until ``undo`` is closed."""
        undo.add(self._drop, undo)
        with self._lock:
            self._wanted.add(undo)
            self._make()

    def _drop(self, undo: Undo) -> None:
        with self._lock:
            self._wanted.discard(undo)
            if not self._wanted:
                self._take_back()
