"""Runs without memory or arithmetic: every tensor becomes a fake one, which has a shape, a type and a device only.

A model in real memory is not copied: its parameters and buffers are rebound to fake twins for the run, by identity so
that ties stay, and `state.no_trace` puts the real ones back. A model built on meta, or under a `FakeTensorMode`, serves
as it is.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from torchatlas.capture.private import NEEDS_DATA, FakeTensor, FakeTensorMode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NO_DATA = (
    "torchatlas: the run was on fake tensors, which have no content, and the model read the content of one. "
    "Capture with fake=False, or give the model's size in another way than through a tensor's content."
)


class Faker:
    """Fake twins of tensors, each made once."""

    def __init__(self, modules: Sequence[nn.Module], device: str | None) -> None:
        self.mode = _mode_of(modules) or FakeTensorMode(allow_non_fake_inputs=True)
        self._device = device
        self._twins: dict[int, tuple[Tensor, Tensor]] = {}

    def twin(self, tensor: Tensor) -> Tensor:
        """The fake tensor that stands for this one; one that is fake stands for itself."""
        if isinstance(tensor, FakeTensor):
            return tensor
        known = self._twins.get(id(tensor))
        if known is None:
            known = self._twins[id(tensor)] = tensor, self._made(tensor)
        return known[1]

    def inside(self, thing: Any) -> Any:
        """A structure of arguments with twins in the place of tensors."""
        return torch.utils._pytree.tree_map_only(Tensor, self.twin, thing)

    @contextmanager
    def rebound(self, modules: Sequence[nn.Module]) -> Iterator[None]:
        """The modules hold twins inside; who calls puts the real tensors back."""
        with ExitStack() as stack:
            for module in modules:
                if isinstance(module, torch.jit.ScriptModule):
                    continue
                for tensors in (module._parameters, module._buffers):
                    for name, tensor in tensors.items():
                        if tensor is not None:
                            tensors[name] = self.twin(tensor)  # type: ignore[assignment]  # a twin of a parameter is one
            stack.enter_context(self.mode)
            yield

    def _made(self, tensor: Tensor) -> Tensor:
        if not tensor.is_meta:
            return self.mode.from_tensor(tensor)
        with self.mode:  # on meta, a tensor would stay there: it is to run where the model would
            fake = torch.empty_strided(
                tuple(tensor.shape), tensor.stride(), dtype=tensor.dtype, device=self._device or "cpu"
            )
            if isinstance(tensor, nn.Parameter):
                return nn.Parameter(fake, tensor.requires_grad)
            return fake.requires_grad_(tensor.requires_grad)


def explain(error: BaseException) -> str | None:
    """What to do about an exception that only fake tensors raise; None for any other."""
    return _NO_DATA if isinstance(error, NEEDS_DATA) else None


def _mode_of(modules: Sequence[nn.Module]) -> FakeTensorMode | None:
    """The mode that a model was built under: its tensors may not meet those of another."""
    for module in modules:
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if isinstance(tensor, FakeTensor):
                return tensor.fake_mode
    return None
