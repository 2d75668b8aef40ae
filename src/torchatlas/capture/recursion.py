"""Room on the stack: a capture puts frames of its own between those of nested modules, which would reach the limit.

Between two modules torch has three frames, and a capture as many again (`modes`, `recorder`). So inside a capture the
limit of Python is twice what it was, within what a stack holds. A run that recurses without end still ends in
``RecursionError``.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 10_000  # frames, which the stack itself must hold, where each may stand for some of C; 8 MB are usual
_INNERMOST = 500  # frames that one recorded call may need: fake tensors, counting, the code of torch that a mode calls

_lock = threading.Lock()
_captures = 0  # the limit is that of all threads: the first capture raises it, the last one to end puts it back
_limits = (0, 0)  # before, and inside


@contextmanager
def room_for_capture() -> Iterator[None]:
    """As many nested calls fit as without a capture."""
    global _captures, _limits  # noqa: PLW0603  # as the limit itself
    with _lock:
        if not _captures:
            before = sys.getrecursionlimit()
            _limits = before, max(before, min(2 * before + _INNERMOST, _MOST))
            sys.setrecursionlimit(_limits[1])
        _captures += 1
    try:
        yield
    finally:
        with _lock:
            _captures -= 1
            before, inside = _limits
            if not _captures and sys.getrecursionlimit() == inside:  # else the model set one of its own
                sys.setrecursionlimit(before)
