"""How much memory each call needs at its peak, as an accelerator's allocator counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch

from torchatlas.capture.record.listen import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torchatlas.capture.record.listen import Stream


class Meter(Protocol):
    """An allocator that can be asked."""

    def now(self) -> int:
        """Bytes that are taken."""

    def most(self) -> int:
        """The most bytes taken at once since `forget`."""

    def forget(self) -> None:
        """Count the most from here."""


class CudaMeter:
    """The caching allocator of one CUDA device.

    Source: https://pytorch.org/docs/stable/notes/cuda.html#memory-management
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def now(self) -> int:
        """Bytes of living tensors."""
        return torch.cuda.memory_allocated(self._device)

    def most(self) -> int:
        """Their most at once."""
        return torch.cuda.max_memory_allocated(self._device)

    def forget(self) -> None:
        """The most is what is taken now."""
        torch.cuda.reset_peak_memory_stats(self._device)


class Peaks(Listener):
    """Notes, at the end of a call, the most bytes taken while it ran, above what was taken when it began.

    The allocator knows one peak, which is forgotten as each call begins; so a call that is open keeps the highest it
    has seen, that of the calls inside it included. Calls of other threads share the memory, and are not told apart.
    """

    def __init__(self, paths: Mapping[int, str], root: Any, meter: Meter) -> None:
        super().__init__(paths, root, functions=True)
        self._meter = meter
        self._open: list[int] = []

    def whole(self, run: Callable[[], Any]) -> tuple[Any, int]:
        """What the run returns, and its own peak."""
        start = self._begin()
        result = run()
        return result, self._end() - start

    def around(self, stream: Stream, thing: Any, run: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Ask the allocator before and after."""
        if stream is not self.main:
            stream.append((thing, None))
            try:
                return run(*args, **kwargs)
            finally:
                stream.append((None, None))
        start = self._begin()
        stream.append((thing, None))
        peak = None
        try:
            return run(*args, **kwargs)
        finally:
            peak = self._end() - start
            stream.append((None, peak))

    def _begin(self) -> int:
        self._see()
        start = self._meter.now()
        self._open.append(start)
        return start

    def _end(self) -> int:
        self._see()
        highest = self._open.pop()
        if self._open:
            self._open[-1] = max(self._open[-1], highest)
        return highest

    def _see(self) -> None:
        """The innermost open call takes what the allocator saw since it was last asked."""
        if self._open:
            self._open[-1] = max(self._open[-1], self._meter.most())
        self._meter.forget()
