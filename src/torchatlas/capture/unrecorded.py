"""What torchatlas does for itself during a run, copies made for safety, is not part of the run."""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torchatlas.capture.torch_private import overrides_off, sharding_propagation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Silence(threading.local):
    on = False


silence = _Silence()


@contextmanager
def unrecorded() -> Iterator[None]:
    """Neither functions nor ATen operations of this thread are recorded inside."""
    before, silence.on = silence.on, True
    try:
        with overrides_off():
            yield
    finally:
        silence.on = before


@contextmanager
def unrecorded_propagation() -> Iterator[None]:
    """Inside, what DTensor runs on fake tensors to learn shapes is not recorded: it does so once, and remembers."""
    before = [(kind, name, vars(kind)[name]) for kind, name in sharding_propagation()]
    for kind, name, method in before:
        setattr(kind, name, _silent(method))
    try:
        yield
    finally:
        for kind, name, method in before:
            setattr(kind, name, method)


def _silent(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def silent(*args: Any, **kwargs: Any) -> Any:
        with unrecorded():
            return method(*args, **kwargs)

    return silent
