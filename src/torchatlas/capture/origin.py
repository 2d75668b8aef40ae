"""What a run was captured from, for files that hold more than the record: the model, and what it was called with."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from torchatlas.capture.objects.contents import OPAQUE, attributes, contents, is_a
from torchatlas.capture.objects.substitute import holders, substituted
from torchatlas.capture.objects.tree import tensors_in
from torchatlas.capture.record.structure import modules_of
from torchatlas.capture.restore.no_trace import Guard, no_trace
from torchatlas.capture.torch_private import FakeTensor, pytree
from torchatlas.capture.undo import undoing
from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Sized:
    """A tensor that an argument was, without its numbers."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    requires_grad: bool
    layout: torch.layout = torch.strided
    parts: tuple[Sized, ...] | None = None

    @staticmethod
    def like(tensor: Tensor) -> Sized:
        """What a tensor was; a nested one by its parts, for it has no shape to say."""
        kind = tensor.dtype, tensor.device, tensor.requires_grad
        if tensor.is_nested:
            return Sized((), *kind, tensor.layout, tuple([Sized.like(part) for part in tensor.unbind()]))
        return Sized(tuple(tensor.shape), *kind)

    def zeros(self, model: nn.Module) -> Tensor:
        """A tensor of that kind; what was on meta, where there are no numbers, is made where the model is."""
        if self.parts is not None:
            parts = [part.zeros(model).detach() for part in self.parts]
            return torch.nested.nested_tensor(parts, layout=self.layout, requires_grad=self.requires_grad)
        first = next(chain(model.parameters(), model.buffers()), None)
        device = self.device if self.device.type != "meta" or first is None else first.device
        return torch.zeros(self.shape, dtype=self.dtype, device=device, requires_grad=self.requires_grad)


class Ready(NamedTuple):
    """A model that returns its results as a tuple of tensors, whatever structure they have.

    Attributes:
        model: the module.
        args: positional arguments, of zeros.
        kwargs: keyword arguments, of zeros.
        names: of the results, as soon as it has run.
    """

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: list[str]


class Origin:
    """A model that was run, as long as it lives, and what it was called with: structure, shapes and types.

    The numbers of the arguments are not kept, nor is the model kept alive.
    """

    def __init__(
        self, model: Any, args: tuple[Any, ...] = (), kwargs: Any = None, mode: str = "same", *, ran: bool = True
    ) -> None:
        """Note what ``model`` was called with; ``ran`` is False where there was no input, and so no run."""
        self.ran = ran
        kwargs = kwargs or {}
        around = holders((args, kwargs), Tensor).values()
        self._opaque = not all(_is_exported(type(thing)) for thing in around) or any(
            tensor.layout is not torch.strided for tensor in tensors_in((args, kwargs))
        )
        self._given = ((), {}) if self._opaque else substituted((args, kwargs), Tensor, Sized.like)
        self._mode = mode
        self._held: Any = None
        self._model = weakref.ref(model) if is_a(model, nn.Module) else None

    @property
    def model(self) -> nn.Module | None:
        """The module, if it was one and lives."""
        return None if self._model is None else self._model()

    def hold(self) -> None:
        """Keep the model alive as long as this is."""
        self._held = self.model

    def __deepcopy__(self, _: Any) -> Origin:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # a pickled atlas is read where there is no model

    @contextmanager
    def ready(self) -> Iterator[Ready]:
        """The model, to be run again with flags and grad mode as they were in the run; then all is put back.

        Raises:
            InputError: there is no module, it is gone, it is TorchScript, or it has no numbers in it.
        """
        model = self._alive()
        paths = modules_of(model)
        modules = list({id(module): module for module in paths.values()}.values())
        args, kwargs = substituted(self._given, Sized, lambda sized: sized.zeros(model))
        with undoing() as undo:
            no_trace(undo, list(paths.items()), [("args", args), ("kwargs", kwargs)], Guard())
            if self._mode != "same":
                for module in modules:
                    if module.training != (self._mode == "train"):
                        module.training = self._mode == "train"
                torch.set_grad_enabled(self._mode == "train")  # no_trace puts it back
            names: list[str] = []
            with model.register_forward_hook(partial(_flat, names)):
                yield Ready(model, args, kwargs, names)

    def _alive(self) -> nn.Module:
        if self._model is None:
            raise InputError(
                "what was captured is a function, not an nn.Module. Call it in the forward of a module, and capture"
                " that."
            )
        model = self._model()
        if model is None:
            raise InputError(
                "the captured model no longer exists, and an atlas does not keep it. Hold it in a variable until the"
                " file"
                " is written: model = Net(); atlas = capture(model, x); atlas.save(...)."
            )
        if isinstance(model, torch.jit.ScriptModule):
            raise InputError(
                f"{model.original_name} is a TorchScript module, which torch.export does not follow. Capture the module"
                " that it was made from, and save that."
            )
        if any(tensor.is_meta or isinstance(tensor, FakeTensor) for tensor in (*model.parameters(), *model.buffers())):
            raise InputError(
                "the model is on the meta device, or fake, and has no numbers to write. Give it weights"
                " (model.to_empty(device='cpu'), then load_state_dict), and capture it again."
            )
        if self._opaque:
            raise InputError(
                "the model was called with tensors inside an object that no exporter looks into, or with sparse or"
                " nested ones. Call it with dense tensors, alone or in tuples, lists, dictionaries and dataclasses that"
                " are registered with torch.export.register_dataclass."
            )
        return model


def _is_exported(kind: type) -> bool:
    """Whether exporters look into containers of this class."""
    return kind in pytree.SUPPORTED_NODES or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def _flat(names: list[str], _: nn.Module, __: Any, result: Any) -> tuple[Tensor, ...]:
    """The tensors of a result of any structure, each with the name of its place."""
    names.clear()
    found: list[Tensor] = []
    todo: list[tuple[str, Any]] = [("", result)]
    seen: set[int] = set()
    while todo:
        name, thing = todo.pop()
        if is_a(thing, Tensor):
            found.append(thing)
            names.append(name or "output")
        elif id(thing) not in seen:
            seen.add(id(thing))
            for key, item in reversed(_items(thing)):
                first = key if isinstance(key, str) else f"output.{key}"
                todo.append((f"{name}.{key}" if name else first, item))
    return tuple(found)


def _items(thing: Any) -> list[tuple[Any, Any]]:
    """What a container or an object of the user's holds."""
    if is_a(thing, OPAQUE):
        return []
    try:
        held = contents(thing)
        return held.pairs() if held is not None else list(attributes(thing).items())
    except Exception:  # noqa: BLE001 - a proxy asks what it stands for, which may answer with any exception
        return []
