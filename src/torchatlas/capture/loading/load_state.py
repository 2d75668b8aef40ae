"""What ``load_state_dict`` says of a state, asked of a copy of the model: with its hooks, versions and extra states.

First on stand-ins, which take no memory. Where the model's own code wants the numbers of a tensor, or a form that no
stand-in has (packed weights of quantized layers, TorchScript), on a copy of a model that is not too large.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections import OrderedDict
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from torchatlas.capture.loading.module_copy import copied
from torchatlas.capture.loading.standin import Kind, NoStandInError, StandIns, quantized
from torchatlas.capture.objects.contents import LAZY, class_name, is_a
from torchatlas.capture.record.structure import modules_of
from torchatlas.capture.restore.no_trace import Guard, no_trace, own_tensors
from torchatlas.capture.stored import sharded
from torchatlas.capture.undo import undoing
from torchatlas.core.comparing.load_result import LoadResult, NotAsked
from torchatlas.core.comparing.state import LazyTensor, NotBuilt, TensorSpec, TorchConstant

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1 << 30
"""Bytes of a model and a state together up to which a real copy is made, where stand-ins do not do."""
SHARDED = "DTensor"
OWN = "Error(s) in loading state_dict for "
"""How what ``load_state_dict`` itself says begins."""
UNFIT = re.compile(
    r"size mismatch for (.*): copying a param with shape (?:torch\.Size\(\[(.*?)\]\)|(\(.*?\))) from checkpoint, "
    r"the shape in current model is torch\.Size\(\[(.*?)\]\)\."
)
QUOTED = re.compile(r'"(.*?)"(?:, |\. )')


def ask(model: Any, state: Any) -> LoadResult | NotAsked:
    """Give what ``model.load_state_dict(state)`` does, without doing it.

    Args:
        model: an ``nn.Module``; it is left as it is.
        state: a dictionary of tensors, or of what stands for those of a file (`TensorSpec`, `NotBuilt`).

    Returns:
        The answer of a copy of the model; or why that could not be asked.
    """
    if not is_a(model, nn.Module):
        return NotAsked("it is a function, which has no load_state_dict")
    modules = list({id(module): (path, module) for path, module in modules_of(model).items()}.values())
    crash: BaseException | None = None
    if not any(is_a(module, torch.jit.ScriptModule) for _, module in modules):
        stand_ins = StandIns()
        try:
            return _asked(model, modules, state, _OnStandIns(stand_ins))
        except _CrashError as crashed:
            crash = crashed.__cause__
    tensors = {id(tensor): tensor for _, module in modules for tensor in _tensors(module)}
    size = sum(map(_bytes, tensors.values())) + _size(state)
    if size > LARGEST:
        why = f"its code raised {_words(crash)} on tensors without numbers" if crash else "it is TorchScript"
        return NotAsked(f"{why}, and model and weights are too large to be copied ({size:,} bytes)")
    try:
        return _asked(model, modules, state, _OnCopies())
    except _CrashError as crashed:
        raised = crashed.__cause__ or crashed
        withheld = tuple(_withheld(state))
        if withheld:
            return NotAsked(
                f"its code raised {_words(raised)} on {withheld[0]}, whose content is not read from the file"
            )
        return LoadResult(taken=False, errors=(_words(raised),))


class _CrashError(Exception):
    """Loading ended with something else than what ``load_state_dict`` itself says; that is the cause."""


class _OnStandIns:
    """Tensors without memory."""

    def __init__(self, mode: StandIns) -> None:
        self.mode: Any = mode

    def twin(self, tensor: Tensor) -> Tensor:
        """What stands for one of the model or of a state."""
        made: Tensor = self.mode.of(tensor)
        return made

    def built(self, described: TensorSpec) -> Tensor:
        """What stands for one of a file."""
        if described.type == "nested":
            raise NoStandInError(described.type)
        layout, scheme, _ = _form(described)
        stride = described.stride if layout is torch.strided else None
        kind = Kind(_dtype(described), layout, scheme, meta=described.device == "meta")
        made: Tensor = self.mode.made(described.shape, stride, kind, parameter=described.parameter)
        return made

    def lazy(self, lazy: LazyTensor) -> Tensor:
        """One that has no shape."""
        return _uninitialized(lazy, "meta")


class _OnCopies:
    """Tensors with numbers: those of the model and of the file, where they can be read, and zeros."""

    mode: Any = nullcontext()

    def twin(self, tensor: Tensor) -> Tensor:
        """A copy."""
        with torch.inference_mode(type(tensor) not in LAZY and tensor.is_inference()):
            try:
                return copy.deepcopy(tensor)
            except RuntimeError:  # one that was computed
                return tensor.detach().clone()

    def built(self, described: TensorSpec) -> Tensor:
        """The tensor of a file."""
        made = _numbers(described)
        if described.parameter:
            return nn.Parameter(made, made.is_floating_point() or made.is_complex())
        return made

    def lazy(self, lazy: LazyTensor) -> Tensor:
        """One that has no shape."""
        return _uninitialized(lazy, "cpu")


def _numbers(described: TensorSpec) -> Tensor:
    """A tensor with the numbers of the file, where they can be read, or zeros."""
    shape, dtype = described.shape, _dtype(described)
    layout, scheme, axis = _form(described)
    if described.type == "nested":
        return torch.nested.nested_tensor([torch.zeros(1, dtype=dtype)] * max(shape[0], 1))
    if described.device == "meta":
        return torch.empty(shape, dtype=dtype, device="meta")
    if scheme is not None:
        return quantized(shape, dtype, scheme, axis)
    if layout is not torch.strided:
        return torch.empty(shape, dtype=dtype, layout=layout)
    data = described.read() if described.read is not None else None
    if not data:
        return torch.zeros(shape, dtype=dtype)
    numbers = torch.frombuffer(bytearray(data), dtype=dtype)
    return numbers.reshape(shape) if described.stride is None else numbers.as_strided(shape, described.stride)


def _form(described: TensorSpec) -> tuple[torch.layout, torch.qscheme | None, int]:
    """Layout, scheme and axis, as the reader notes them in the type of a tensor."""
    layout = getattr(torch, described.type, None) if described.type.startswith("sparse") else None
    if isinstance(layout, torch.layout):
        return layout, None, 0
    if not described.type.startswith("quantized"):
        return torch.strided, None, 0
    scheme, _, axis = described.type.removeprefix("quantized").strip().partition(" ")
    return torch.strided, getattr(torch, scheme or "per_tensor_affine"), int(axis or 0)


def _dtype(described: TensorSpec) -> torch.dtype:
    found = getattr(torch, described.dtype, None)
    return found if isinstance(found, torch.dtype) else torch.uint8  # of safetensors alone, which torch has no name for


def _uninitialized(lazy: LazyTensor, device: str) -> Tensor:
    kind: Any = UninitializedParameter if lazy.parameter else UninitializedBuffer
    made: Tensor = kind(requires_grad=lazy.parameter, device=device)
    return made


def _asked(
    model: nn.Module, modules: list[tuple[str, nn.Module]], state: Any, way: _OnStandIns | _OnCopies
) -> LoadResult:
    """Load into a copy.

    Raises:
        _CrashError: what goes wrong is not what ``load_state_dict`` says of keys and shapes.
    """
    seen: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    with warnings.catch_warnings(), undoing() as undo:
        no_trace(undo, modules, (), Guard())
        warnings.simplefilter("ignore")
        try:
            with way.mode:
                made = copied(model, [module for _, module in modules], way.twin)
                given = _state(_sharded(state, made), way, {})
                saved = tuple((str(key), _shape(held)) for key, held in made.state_dict().items())
                with suppress(Exception):  # of TorchScript; then the message says it
                    made.register_load_state_dict_post_hook(
                        lambda _, keys: seen.append((tuple(keys.missing_keys), tuple(keys.unexpected_keys)))
                    )
                made.load_state_dict(given)
        except RuntimeError as error:
            if not str(error).startswith(OWN):
                raise _CrashError from error
            return _read(str(error), seen, saved)
        except Exception as error:
            raise _CrashError from error
    return LoadResult(taken=True, saved=saved)


def _sharded(state: Any, model: nn.Module) -> Any:
    """A state with tensors of the model in the place of sharded ones, which only a group of processes can make.

    Raises:
        NoStandInError: the model has none such, and what torch says of both together cannot be asked.
    """
    described = [key for key, item in dict.items(state) if isinstance(item, TensorSpec)] if is_a(state, dict) else []
    keys = [key for key in described if dict.__getitem__(state, key).type == SHARDED]
    if not keys:
        return state
    own: dict[Any, Any] = dict(model.state_dict())
    made = copy.copy(state)
    for key in keys:
        tensor, item = own.get(key), dict.__getitem__(state, key)
        if tensor is None or (is_a(tensor, Tensor) and sharded(tensor) is not None):
            fits = tensor is not None and tuple(tensor.shape) == item.shape
            made[key] = tensor if fits else replace(item, type="", stride=None)  # torch asks for the shape first
        else:
            raise NoStandInError(SHARDED)
    return made


def _state(state: Any, way: _OnStandIns | _OnCopies, known: dict[int, Any]) -> Any:  # noqa: PLR0911 - one for each kind of entry
    """A state with tensors in the place of what is described, and copies of all else; of a container one, by its id."""
    if isinstance(state, TensorSpec):
        return _array(state) if state.type == "ndarray" else way.built(state)
    if isinstance(state, LazyTensor):
        return way.lazy(state)
    if isinstance(state, TorchConstant):
        return getattr(torch, state.name) if isinstance(getattr(torch, state.name, None), _NAMED) else state
    if is_a(state, Tensor):
        return way.twin(state)
    if id(state) in known:
        return known[id(state)]
    if is_a(state, dict):
        made: Any = OrderedDict() if is_a(state, OrderedDict) else {}
        known[id(state)] = made
        made.update((key, _state(item, way, known)) for key, item in dict.items(state))
        metadata = getattr(state, "_metadata", None)
        if metadata is not None and is_a(state, OrderedDict):
            made._metadata = copy.deepcopy(metadata)
        return made
    if type(state) in (list, tuple):
        known[id(state)] = type(state)(_state(item, way, known) for item in state)
        return known[id(state)]
    try:
        return copy.deepcopy(state)
    except Exception:  # noqa: BLE001 - as for the model: then it is shared
        return state


_NAMED = (torch.dtype, torch.layout, torch.qscheme)


def _array(described: TensorSpec) -> Any:
    """An array of NumPy that takes no memory."""
    import numpy as np  # noqa: PLC0415 - only where a file holds one

    return np.broadcast_to(np.zeros(()), described.shape)


def _read(message: str, seen: list[tuple[tuple[str, ...], tuple[str, ...]]], saved: Any) -> LoadResult:
    """What a message of ``load_state_dict`` says; keys as the last hook saw them."""
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    unfit, others = [], []
    for line in message.split("\n\t")[1:]:
        match = UNFIT.fullmatch(line.strip())
        if match is not None:
            unfit.append((match[1], _sizes(match[4]), _sizes(match[2] or match[3] or "")))
        elif line.startswith("Missing key(s) in state_dict: "):
            missing = tuple(QUOTED.findall(line))
        elif line.startswith("Unexpected key(s) in state_dict: "):
            unexpected = tuple(QUOTED.findall(line))
        else:
            others.append(line.strip())
    if seen:
        missing, unexpected = seen[-1]
    return LoadResult(
        taken=False, missing=missing, unexpected=unexpected, unfit=tuple(unfit), errors=tuple(others), saved=saved
    )


def _shape(held: Any) -> tuple[int, ...] | None:
    return tuple(held.shape) if is_a(held, Tensor) and type(held) not in LAZY and not held.is_nested else None


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in re.findall(r"-?\d+", text))


def _words(error: BaseException | None) -> str:
    """An exception in one line."""
    said = str(error).strip().partition("\n")[0][:300]
    return f"{class_name(type(error))}: {said}" if said else class_name(type(error))


def _tensors(module: nn.Module) -> list[Tensor]:
    if is_a(module, torch.jit.ScriptModule):
        return [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return own_tensors(module)


def _bytes(tensor: Tensor) -> int:
    if type(tensor) in LAZY or tensor.is_meta or tensor.is_nested:
        return 0
    return tensor.numel() * tensor.element_size()


def _size(state: Any) -> int:
    return sum(
        (item.nbytes or 0)
        if isinstance(item, TensorSpec) and item.device != "meta"
        else _bytes(item)
        if is_a(item, Tensor)
        else 0
        for _, item in _leaves(state)
    )


def _withheld(state: Any) -> Iterator[str]:
    """The keys under which something stands that was not read."""
    return (
        key
        for key, item in _leaves(state)
        if isinstance(item, NotBuilt) or (isinstance(item, TensorSpec) and _is_withheld(item))
    )


def _is_withheld(described: TensorSpec) -> bool:
    if not described.numel or described.device == "meta":
        return False
    return described.read is None or described.read() is None


def _leaves(state: Any) -> Iterator[tuple[str, Any]]:
    waiting = [("", state)]
    while waiting:
        key, item = waiting.pop()
        if is_a(item, dict):
            waiting += [(f"{key}.{name}" if key else str(name), inside) for name, inside in dict.items(item)]
        elif type(item) in (list, tuple):
            waiting += [(f"{key}.{at}", inside) for at, inside in enumerate(item)]
        else:
            yield key, item
