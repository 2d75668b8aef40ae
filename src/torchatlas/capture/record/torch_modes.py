"""The state of torch that decides what a function computes: grad mode, inference mode, autocast, attention kernels."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEVICES = ("cpu", "cuda")
_ATTENTION = ("flash", "mem_efficient", "math")


@dataclass(frozen=True)
class Ambient:
    """What is switched on around a call."""

    grad: bool
    inference: bool
    autocast: tuple[tuple[str, bool, torch.dtype], ...]
    attention: tuple[bool, ...]

    @classmethod
    def now(cls) -> Ambient:
        """As it is in this thread."""
        back_ends = torch.backends.cuda
        return cls(
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            tuple((device, torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)) for device in _DEVICES),
            (back_ends.flash_sdp_enabled(), back_ends.mem_efficient_sdp_enabled(), back_ends.math_sdp_enabled()),
        )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The same state, for as long as the block runs."""
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(self.inference))
            stack.enter_context(torch.set_grad_enabled(self.grad))
            for device, enabled, dtype in self.autocast:
                if enabled or torch.is_autocast_enabled(device):
                    stack.enter_context(torch.autocast(device, dtype, enabled))
            _switch_attention(self.attention, stack)
            yield


def _switch_attention(wanted: tuple[bool, ...], stack: ExitStack) -> None:
    back_ends = torch.backends.cuda
    for name, enabled in zip(_ATTENTION, wanted, strict=True):
        before = getattr(back_ends, f"{name}_sdp_enabled")()
        if before != enabled:
            switch = getattr(back_ends, f"enable_{name}_sdp")
            switch(enabled)
            stack.callback(switch, before)
