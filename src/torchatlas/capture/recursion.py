"""Room on the stack: a capture puts frames of its own between those of nested modules, which would reach the limit.

Between two modules torch has three frames, and a capture as many again (`modes`, `recorder`). So inside a capture the
limit of Python is twice what it was, within what a stack holds. A run that recurses without end still ends in
``RecursionError``.
"""

from __future__ import annotations

import sys

from torchatlas.capture.undo import Shared

_MOST = 10_000  # frames, which the stack itself must hold, where each may stand for some of C; 8 MB are usual
_INNERMOST = 500  # frames that one recorded call may need: fake tensors, counting, the code of torch that a mode calls

_limits: tuple[int, int] | None = None  # before a capture, and inside


def _raise_limit() -> None:
    global _limits  # noqa: PLW0603  # as the limit itself
    if _limits is None:
        before = sys.getrecursionlimit()
        _limits = before, max(before, min(2 * before + _INNERMOST, _MOST))
        sys.setrecursionlimit(_limits[1])


def _put_back_limit() -> None:
    global _limits  # noqa: PLW0603  # as above
    if _limits is not None:
        before, inside = _limits
        if sys.getrecursionlimit() == inside:  # else the model set one of its own
            sys.setrecursionlimit(before)
        _limits = None


room_for_capture = Shared(_raise_limit, _put_back_limit)
"""While it is wanted, as many nested calls fit as without a capture."""
