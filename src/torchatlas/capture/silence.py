"""What torchatlas does for itself during a run, copies made for safety, is not part of the run."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torchatlas.capture.private import overrides_off

if TYPE_CHECKING:
    from collections.abc import Iterator


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
