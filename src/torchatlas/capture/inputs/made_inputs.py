"""Tensors made from shapes, alone and in structures, for a model that is to be looked at without data at hand.

What a shape leaves open is guessed: the dtype, and that it holds the batch. Where the run shows that a guess was wrong,
`capture.attempts` has the tensors made another way, and a note says so.

Floating point inputs are standard normal, in the dtype of the model's parameters, always the same and drawn from a
generator of their own. Whole numbers are zeros, which every embedding accepts, and an ``attention_mask`` is all ones.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from torchatlas.capture.inputs import forward
from torchatlas.capture.inputs.attribute_dict import AttributeDict
from torchatlas.capture.objects.contents import is_a

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torchatlas.core.errors import InputError

    Refuse = Callable[..., InputError]
    """Makes the error for a problem; what is said of dtypes and device goes into its example."""
    _Size: TypeAlias = "tuple[int, ...] | dict[str, _Size] | list[_Size]"

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_WHOLE_WORDS = frozenset({"ids", "id", "idx", "index", "indices", "tokens", "token", "labels"})
_FLOAT_ENDS = frozenset({"embedding", "embeddings", "embeds", "features", "hidden", "states"})
_WHOLE_TYPES = ("LongTensor", "IntTensor")
_SENTENCES = 2  # dimensions (batch, length) of what an embedding reads


@dataclass(frozen=True, slots=True)
class Guess:
    """What is guessed of shapes; what is guessed first, unless it says otherwise.

    Attributes:
        batch: every shape is that of one sample, and a batch of one is put around it.
        other: names of tensors that are not of the dtype that is guessed first, but of the other: whole numbers in the
            place of floating point ones, or the other way round.
    """

    batch: bool = False
    other: frozenset[str] = frozenset()

    def shape(self, given: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that is made for a shape; a scalar has no batch."""
        return (1, *given) if self.batch and given else given


FIRST_GUESS = Guess()


@dataclass(slots=True)
class MadeInputs:
    """Tensors made from shapes, as the arguments of a call.

    Attributes:
        args: in order.
        kwargs: by name.
        shapes: of every tensor in them, as they were given, by the name that the record has for it (``xs[0].y``).
        guessed: the dtypes that were not given, likewise.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    guessed: dict[str, torch.dtype] = field(default_factory=dict)


def made_inputs(
    model: Any, input_size: Any, dtypes: Any, device: Any, refuse: Refuse, guess: Guess = FIRST_GUESS
) -> MadeInputs:
    """Positional and keyword arguments of these sizes.

    Where no dtype is given, a tensor is int64 if its annotation says ``LongTensor``, if its name speaks of ids, tokens
    or indices (``input_ids``, ``idx``) and does not end as that of an embedding does (``token_embeddings``), if it is
    an ``attention_mask``, or if it is the first, has at most two dimensions, and the model's first layer is an
    embedding.

    Args:
        model: module or callable.
        input_size: one shape, several, or a dict of shapes by argument name. In the place of a shape may stand a dict
            of shapes, for an argument that is a dict or an object with these attributes, or a list of shapes, for a
            list; and so on inside these.
        dtypes: one dtype or its name, several, or a dict by argument name, structured as the sizes are; None to choose.
        device: None for that of the model's first parameter or buffer.
        refuse: makes the error for a problem and an example of how to do it.
        guess: of the batch and the dtypes.
    """
    sizes = _sizes(input_size, refuse)
    by_name = isinstance(input_size, Mapping)
    names = list(sizes) if by_name else _places(model, len(sizes))
    chosen = _chosen_dtypes(dtypes, list(sizes), names, refuse)
    maker = _Maker(model, _device(model, device, refuse), refuse, guess)
    tensors = [
        maker.made(index, name, name or f"args[{index}]", size, chosen[index])
        for index, (name, size) in enumerate(zip(names, sizes.values(), strict=True))
    ]
    if by_name:
        maker.result.kwargs = dict(zip(names, tensors, strict=True))
    else:
        maker.result.args = tuple(tensors)
    return maker.result


class _Maker:
    """Makes tensors, alone and in structures, and keeps account of them."""

    def __init__(self, model: Any, device: torch.device, refuse: Refuse, guess: Guess) -> None:
        self._model, self._device, self._refuse, self._guess = model, device, refuse, guess
        self._generator = torch.Generator().manual_seed(0)
        self.result = MadeInputs()

    def made(self, index: int | None, name: str, path: str, size: _Size, dtype: Any) -> Any:
        """What has that size: a tensor, a dictionary or a list.

        Args:
            index: which of the arguments it is; None of what is inside of one.
            name: what it is called; what is in a list has the name of the list.
            path: what the record calls it.
            size: its shape, or those of its items.
            dtype: what the user chose, for it or for its items.
        """
        if isinstance(size, tuple):
            return self._tensor(index, name, path, size, dtype)
        if isinstance(size, list):
            types = dtype if _is_sequence(dtype) else [dtype] * len(size)
            if isinstance(dtype, Mapping) or len(types) != len(size):
                raise self._refuse(f"{name or 'input_size'} is a list of {len(size)}, dtypes has {dtype!r} for it.")
            items = enumerate(zip(size, types, strict=True))
            return [self.made(None, name, f"{path}[{at}]", item, each) for at, (item, each) in items]
        if _is_sequence(dtype):
            raise self._refuse(f"{name or 'input_size'} is a dict of shapes, dtypes has {dtype!r} for it.")
        types_by_key = dtype if isinstance(dtype, Mapping) else dict.fromkeys(size, dtype)
        if unknown := [key for key in types_by_key if key not in size]:
            raise self._refuse(f"dtypes names {unknown[0]!r} in {name}, which input_size does not make.")
        return AttributeDict(
            {key: self.made(None, key, f"{path}.{key}", item, types_by_key.get(key)) for key, item in size.items()}
        )

    def _tensor(self, index: int | None, name: str, path: str, shape: tuple[int, ...], dtype: Any) -> Tensor:
        if isinstance(dtype, Mapping) or _is_sequence(dtype):
            raise self._refuse(f"dtypes holds {dtype!r} for {name or 'a tensor'}, which is one tensor.")
        self.result.shapes[path] = shape
        if dtype is None:
            kind = _guessed_dtype(self._model, index, name, shape)
            if path in self._guess.other:
                kind = _float(self._model) if kind is torch.int64 else torch.int64
            self.result.guessed[path] = kind
        else:
            kind = _dtype(dtype, self._refuse)
        return _tensor(name, self._guess.shape(shape), kind, self._device, self._generator)


def _sizes(input_size: Any, refuse: Refuse) -> dict[Any, _Size]:
    """Sizes by argument name or, if they have none, by position."""
    if isinstance(input_size, Mapping):
        return {name: _size(shape, refuse) for name, shape in input_size.items()}
    if not _is_sequence(input_size):
        raise refuse(f"input_size is {input_size!r}; give a shape, several shapes or a dict of shapes.")
    if any(_is_structure(size) for size in input_size):
        return {index: _size(shape, refuse) for index, shape in enumerate(input_size)}
    return {0: _shape(input_size, refuse)}


def _size(size: Any, refuse: Refuse) -> _Size:
    """A shape, or a dictionary or list of them."""
    if isinstance(size, Mapping):
        if wrong := [key for key in size if not isinstance(key, str)]:
            raise refuse(f"the sizes have the key {wrong[0]!r}; keys must be names.")
        return {key: _size(item, refuse) for key, item in size.items()}
    if _is_sequence(size) and any(map(_is_structure, size)):
        return [_size(item, refuse) for item in size]
    return _shape(size, refuse)


def _shape(sizes: Any, refuse: Refuse) -> tuple[int, ...]:
    if not _is_sequence(sizes):
        raise refuse(f"{sizes!r} is not a shape; give one such as (1, 3, 224, 224).")
    shape = []
    for size in sizes:
        try:
            shape.append(operator.index(size))
        except TypeError:
            raise refuse(f"{size!r} is not a size; sizes are whole numbers.") from None
        if shape[-1] < 0 or isinstance(size, bool):
            raise refuse(f"{size!r} is not a size; sizes are whole numbers from 0 up.")
    return tuple(shape)


def _is_structure(thing: Any) -> bool:
    return isinstance(thing, Mapping) or _is_sequence(thing)


def _is_sequence(thing: Any) -> bool:
    return isinstance(thing, Sequence) and not isinstance(thing, str)


def _places(model: Any, count: int) -> list[str]:
    """Names of the first arguments by position; empty where there are none."""
    names = [parameter.name for parameter in forward.positional(forward.signature(model))]
    return (names + [""] * count)[:count]


def _chosen_dtypes(dtypes: Any, keys: list[Any], names: list[str], refuse: Refuse) -> list[Any]:
    """For each input what the user chose, None where nothing."""
    if dtypes is None:
        return [None] * len(keys)
    if isinstance(dtypes, Mapping):
        if unknown := [name for name in dtypes if name not in names]:
            raise refuse(f"dtypes names {unknown[0]!r}, which input_size does not make.")
        return [dtypes.get(name) for name in names]
    if not _is_sequence(dtypes):
        return [_dtype(dtypes, refuse)] * len(keys)
    if len(dtypes) != len(keys):
        raise refuse(f"input_size makes {len(keys)} inputs, dtypes has {len(dtypes)}.")
    return list(dtypes)


def _dtype(given: Any, refuse: Refuse) -> torch.dtype:
    """A dtype, or its name as torch has it: ``float32``, ``torch.int64``, ``long``."""
    if isinstance(given, torch.dtype):
        return given
    name = str(given).removeprefix("torch.")
    found = getattr(torch, name, None) if name.isidentifier() else None
    if isinstance(found, torch.dtype):
        return found
    known = [key for key, value in vars(torch).items() if isinstance(value, torch.dtype)]
    close = (difflib.get_close_matches(name, known, 1) or ["float32"])[0]
    raise refuse(f"{given!r} is not a dtype of torch; {close} is one.", dtypes=close)


def _device(model: Any, given: Any, refuse: Refuse) -> torch.device:
    if given is None:
        return next((tensor.device for tensor in _state(model)), torch.device("cpu"))
    try:
        device = torch.device(given)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise refuse(f"Device {given!r} cannot be used here: {reason}", device="cpu") from None
    return device


def _state(model: Any) -> Iterable[Tensor]:
    if is_a(model, nn.Module):
        yield from model.parameters()
        yield from model.buffers()


def _guessed_dtype(model: Any, index: int | None, name: str, shape: tuple[int, ...]) -> torch.dtype:
    words = name.split("_")
    if name.endswith("attention_mask") or (index is not None and _annotated_whole(model, name)):
        return torch.int64
    if words[-1] in _FLOAT_ENDS:
        return _float(model)
    if _WHOLE_WORDS & set(words) or (index == 0 and len(shape) <= _SENTENCES and _embeds_first(model)):
        return torch.int64
    return _float(model)


def _float(model: Any) -> torch.dtype:
    """The floating point dtype that the model computes in."""
    return next((tensor.dtype for tensor in _state(model) if tensor.dtype in _FLOATS), torch.get_default_dtype())


def _annotated_whole(model: Any, name: str) -> bool:
    parameters = forward.signature(model)
    parameter = parameters.parameters.get(name) if parameters is not None else None
    annotation = Parameter.empty if parameter is None else parameter.annotation
    return any(whole in str(annotation) for whole in _WHOLE_TYPES)


def _embeds_first(model: Any) -> bool:
    """Whether the first registered module that has parameters of its own is an embedding."""
    modules = model.modules() if is_a(model, nn.Module) else ()
    first = next((module for module in modules if any(True for _ in module.parameters(recurse=False))), None)
    return isinstance(first, (nn.Embedding, nn.EmbeddingBag))


def _tensor(
    name: str, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, generator: torch.Generator
) -> Tensor:
    if device.type == "meta":
        return torch.empty(shape, dtype=dtype, device=device)
    if name.endswith("attention_mask"):
        return torch.ones(shape, dtype=dtype, device=device)
    if not dtype.is_floating_point and not dtype.is_complex:
        return torch.zeros(shape, dtype=dtype, device=device)
    drawn = torch.complex64 if dtype.is_complex else torch.float32
    return torch.randn(shape, dtype=drawn, generator=generator).to(device=device, dtype=dtype)
