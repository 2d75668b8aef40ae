"""What a run was captured from, for files that hold more than the record: the model, and what it was called with."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from torchatlas.capture.private import FakeTensor
from torchatlas.capture.state import Guard, no_trace
from torchatlas.capture.structure import modules_of
from torchatlas.capture.tree import tensors_in
from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Origin:
    """A model that was run, as long as it lives, and the arguments of the run."""

    def __init__(self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], mode: str) -> None:
        self._args = args
        self._kwargs = kwargs
        self._mode = mode
        self._held: Any = None
        self._model = weakref.ref(model) if isinstance(model, nn.Module) else None

    def hold(self) -> None:
        """Keep the model alive as long as this is."""
        self._held = self._model and self._model()

    @contextmanager
    def ready(self) -> Iterator[tuple[nn.Module, tuple[Any, ...], dict[str, Any]]]:
        """The model and its arguments, with flags and grad mode as they were in the run; then all is put back.

        Raises:
            InputError: there is no module, it is gone, or it has no numbers in it.
        """
        model = self._alive()
        modules = list({id(module): module for module in modules_of(model).values()}.values())
        with no_trace(modules, (self._args, self._kwargs), Guard()):
            if self._mode != "same":
                for module in modules:
                    if module.training != (self._mode == "train"):
                        module.training = self._mode == "train"
                torch.set_grad_enabled(self._mode == "train")  # no_trace puts it back
            yield model, self._args, dict(self._kwargs)

    def _alive(self) -> nn.Module:
        if self._model is None:
            raise InputError(
                "a function was captured, and an nn.Module is wanted: put it into the forward of one, and capture that."
            )
        model = self._model()
        if model is None:
            raise InputError(
                "the model that was captured is gone; an atlas does not keep it. Hold it in a variable until the file"
                " is written: model = Net(); atlas = capture(model, x); atlas.save(...)."
            )
        for tensor in (*model.parameters(), *model.buffers(), *tensors_in((self._args, self._kwargs))):
            if tensor.is_meta or isinstance(tensor, FakeTensor):
                raise InputError(
                    "the model or its input is on the meta device and has no numbers to write. Load its weights"
                    " (model.to_empty(device='cpu'), then load_state_dict), and capture it again."
                )
        return model
