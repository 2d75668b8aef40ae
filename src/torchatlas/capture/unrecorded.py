"""What torchatlas does for itself during a run, copies made for safety, is not part of the run."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

from torchatlas.capture.torch_private import ModeStacks, overrides_off, sharding_propagation
from torchatlas.capture.undo import Shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.capture.undo import Undo


class _Silence(threading.local):
    on = False


silence = _Silence()


class unrecorded:  # noqa: N801 - used as a `with` alone; no generator, which would end when it is collected
    """Neither functions nor ATen operations of this thread are recorded inside."""

    __slots__ = ("_before", "_off")

    def __enter__(self) -> None:
        self._before = silence.on
        self._off = overrides_off()
        self._off.__enter__()
        silence.on = True

    def __exit__(self, *_: object) -> None:
        silence.on = self._before
        self._off.__exit__(None, None, None)


def keep_modes(undo: Undo) -> None:
    """What a `with` was interrupted in: the modes of this thread are as they are now when ``undo`` is closed."""
    undo.add(setattr, silence, "on", silence.on)
    undo.add(ModeStacks().restore)


_MARK = "_torchatlas_unrecorded"


def _silence_propagation() -> None:
    for kind, name in sharding_propagation():
        method = vars(kind)[name]
        if not hasattr(method, _MARK):
            setattr(kind, name, _silent(method))


def _unsilence_propagation() -> None:
    for kind, name in sharding_propagation():
        method = vars(kind)[name]
        if hasattr(method, _MARK):
            setattr(kind, name, method.__wrapped__)


unrecorded_propagation = Shared(_silence_propagation, _unsilence_propagation)
"""While it is wanted, what DTensor runs on fake tensors to learn shapes is not recorded: it remembers them."""


def _silent(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def silent(*args: Any, **kwargs: Any) -> Any:
        with unrecorded():
            return method(*args, **kwargs)

    setattr(silent, _MARK, True)
    return silent
