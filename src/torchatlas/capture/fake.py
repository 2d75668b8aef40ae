"""Runs without memory or arithmetic: every tensor becomes a fake one, which has a shape, a type and a device only.

A model in real memory is not copied: its parameters and buffers are rebound to fake twins for the run, by identity so
that ties stay, and `restore.no_trace` puts the real ones back. A model built on meta, or under a `FakeTensorMode`,
serves as it is.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from torchatlas.capture.objects.contents import OPAQUE, is_a
from torchatlas.capture.objects.substitute import NotCopiedError, substituted
from torchatlas.capture.objects.tree import PLAIN
from torchatlas.capture.restore.no_trace import own_tensors
from torchatlas.capture.torch_private import NEEDS_DATA, FakeTensor, FakeTensorMode, leave_fake
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.capture.objects.substitute import Copies
    from torchatlas.capture.undo import Undo

FAKE = Note(
    "The model ran on fake tensors: only shapes were computed, and code that checks whether it is being traced may"
    " take another branch.",
    code="fake",
)
_NO_DATA = (
    "torchatlas: the model ran on fake tensors, which have no content, and tried to read the content of one. Capture"
    " with fake=False, or let the model take this number from a shape or an argument."
)
_NOT_REAL = "torchatlas: the model ran on fake tensors. If it works on real ones, capture with fake=False."


_REGISTERED = frozenset({"_parameters", "_buffers", "_modules"})


class Faker:
    """Fake twins of tensors, each made once.

    Args:
        modules: those of the model.
        undo: when it is closed, the fake mode is off, wherever an exception came in it.
    """

    def __init__(self, modules: Sequence[nn.Module], undo: Undo) -> None:
        for module in modules:
            if any(is_lazy(tensor) for tensor in own_tensors(module)):
                raise InputError(
                    f"{type(module).__name__} is lazy: it gets its shapes from its first run on real tensors. "
                    "Run the model once, or capture with fake=False."
                )
        self.mode = _mode_of(modules) or FakeTensorMode(allow_non_fake_inputs=True)
        undo.add(leave_fake(self.mode))
        self._twins: dict[int, tuple[Tensor, Tensor]] = {}
        self._copies: Copies = {}

    def twin(self, tensor: Tensor) -> Tensor:
        """The fake tensor that stands for this one; one that is fake stands for itself."""
        if isinstance(tensor, FakeTensor):
            return tensor
        known = self._twins.get(id(tensor))
        if known is None:
            known = self._twins[id(tensor)] = tensor, self._made(tensor)
        return known[1]

    def inside(self, thing: Any) -> Any:
        """A structure of arguments with twins in the place of tensors; no object of the user's is changed.

        Raises:
            InputError: an object that holds tensors cannot be copied.
        """
        try:
            return substituted(thing, Tensor, self.twin, self._copies)
        except NotCopiedError as error:
            raise InputError(
                f"an argument holds tensors in an object of the class {error}, which only its own code can make, and"
                " so there is none with fake tensors in it. Capture with fake=False, or give the tensors in a plain"
                " container."
            ) from None

    def rebind(self, modules: Sequence[nn.Module], optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """The modules and optimizers hold twins from here on, and the fake mode is on.

        Who calls puts the real tensors back.
        """
        for module in modules:
            if isinstance(module, torch.jit.ScriptModule):
                continue
            for tensors in (module._parameters, module._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None:
                        tensors[name] = self.twin(tensor)  # type: ignore[assignment]  # a twin of a parameter is one
            self._rebind_attributes(module)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["params"] = [self.twin(tensor) for tensor in group["params"]]
            state = {self.twin(tensor): self.inside(state) for tensor, state in optimizer.state.items()}
            optimizer.state.clear()
            optimizer.state.update(state)
        self.mode.__enter__()
        _Lenient().__enter__()  # type: ignore[no-untyped-call]  # torch says nothing of its types

    def _rebind_attributes(self, module: nn.Module) -> None:
        """Tensors that are plain attributes, or stand in one: a mask, a cache, a list of them."""
        space = module.__dict__
        for name, thing in list(space.items()):
            if name in _REGISTERED or type(thing) in PLAIN or is_a(thing, OPAQUE):
                continue
            with suppress(NotCopiedError):  # it stays real, which the mode allows
                space[name] = substituted(thing, Tensor, self.twin, self._copies)

    def _made(self, tensor: Tensor) -> Tensor:
        if tensor.is_nested:
            raise InputError(
                f"fake=True: a nested tensor of {tensor.size(0)} parts was given, and torch has no fake nested"
                f" tensors. Capture with fake=False, or give a padded tensor."
            )
        if not tensor.is_meta and tensor.is_leaf:
            return self.mode.from_tensor(tensor)
        if not tensor.is_meta:  # without its history, whose gradient torch would ask for, and warn
            return self.mode.from_tensor(tensor.detach()).requires_grad_(tensor.requires_grad)
        with self.mode:  # on meta, a tensor would stay there: it is to run where the model would
            fake = torch.empty_strided(tuple(tensor.shape), tensor.stride(), dtype=tensor.dtype, device="cpu")
            if isinstance(tensor, nn.Parameter):
                return nn.Parameter(fake, tensor.requires_grad)
            return fake.requires_grad_(tensor.requires_grad)


def advice(error: BaseException) -> str:
    """What to do about an exception of a run on fake tensors."""
    return _NO_DATA if isinstance(error, NEEDS_DATA) else _NOT_REAL


class _Lenient(TorchFunctionMode):
    """Grouped products of any floating type: torch's shape rule for them knows bfloat16 alone, its kernels do not."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch instead of ``func``, this mode being off inside."""
        kwargs = kwargs or {}
        if func not in _GROUPED or args[0].dtype is torch.bfloat16:
            return func(*args, **kwargs)
        left, right, *rest = args
        return func(left.bfloat16(), right.bfloat16(), *rest, **kwargs).to(left.dtype)


_GROUPED = {
    function
    for owner, name in ((torch, "_grouped_mm"), (torch.nn.functional, "grouped_mm"))
    if (function := getattr(owner, name, None)) is not None
}


def _mode_of(modules: Sequence[nn.Module]) -> FakeTensorMode | None:
    """The mode that a model was built under: its tensors may not meet those of another."""
    for module in modules:
        for tensor in own_tensors(module):
            if isinstance(tensor, FakeTensor):
                return tensor.fake_mode
    return None
