"""Whether what was given by position are the arguments of the call, or shapes of tensors that are to be made.

Older tools take shapes in that place: ``(1, 3, 224, 224)``, ``[(1, 3), (1, 8)]``; a dict of shapes stands there too.
Numbers are arguments where ``forward`` itself says that it takes numbers, where a tensor stands beside them, and where
they have a name (``kwargs``).
"""

from __future__ import annotations

import re
from inspect import Parameter
from numbers import Integral
from types import MethodType
from typing import Any

import torch
from torch import nn

from torchatlas.capture.inputs import forward
from torchatlas.capture.objects.contents import is_a

_NUMBERS = re.compile(r"\b(int|float|bool|Size)\b")  # in an annotation, as text


def shapes_in(model: Any, args: Any) -> Any:
    """The ``input_size`` that ``args`` are in another place; None where they are the arguments of the call.

    Args:
        model: module or callable.
        args: what was given by position: a tuple of arguments, or a single one.
    """
    if is_a(args, torch.Size):
        return tuple(args)
    if is_shape(args):
        return args if _cannot_be_numbers(model, args) else None
    if not _of_a_module(model) or not _holds_shapes(args) or _takes_numbers(model, args):
        return None
    if type(args) is dict:
        return args if set(args) <= set(forward.named(forward.signature(model))) else [args]
    return list(args)


def is_shape(thing: Any) -> bool:
    """Whole numbers alone, one at least, in a tuple or a list."""
    return (is_a(thing, torch.Size) or type(thing) in {tuple, list}) and bool(thing) and all(map(_is_size, thing))


def numbers_beside_tensors(args: Any) -> Any:
    """The first shape among arguments of another kind, which is handed on as it is; None where there is none."""
    if type(args) is not tuple or all(map(is_shape, args)):
        return None
    return next(filter(is_shape, args), None)


def _is_size(thing: Any) -> bool:
    return issubclass(type(thing), Integral) and not is_a(thing, bool)


def _holds_shapes(thing: Any) -> bool:
    """Containers that hold shapes and nothing else, one that is not empty at least."""
    if type(thing) is dict:
        return bool(thing) and all(type(key) is str and _is_shaped(item) for key, item in thing.items())
    return type(thing) in {tuple, list} and all(map(_is_shaped, thing)) and any(map(bool, thing))


def _is_shaped(thing: Any) -> bool:
    return (type(thing) in {tuple, list} and not thing) or is_shape(thing) or _holds_shapes(thing)


def _of_a_module(model: Any) -> bool:
    """A module, or a method of one: what it takes by position are tensors."""
    return is_a(model, nn.Module) or (is_a(model, MethodType) and is_a(model.__self__, nn.Module))


def _cannot_be_numbers(model: Any, args: Any) -> bool:
    """A function may take numbers, and as many as its signature has; a module takes those that it declares."""
    parameters = forward.signature(model)
    if _of_a_module(model):
        return not _takes_numbers(model, args)
    if parameters is None or type(args) is list or forward.has(parameters, Parameter.VAR_POSITIONAL):
        return False
    return len(args) > len(forward.positional(parameters))


def _takes_numbers(model: Any, args: Any) -> bool:
    """Whether ``forward`` declares numbers for all that is given: by annotations or by defaults."""
    places = forward.positional(forward.signature(model))
    count = len(args) if type(args) is tuple else 1
    return len(places) >= count and all(map(_declares_numbers, places[:count]))


def _declares_numbers(parameter: Parameter) -> bool:
    if parameter.annotation is not parameter.empty:
        annotation = str(parameter.annotation)
        return "Tensor" not in annotation and bool(_NUMBERS.search(annotation))
    return type(parameter.default) in {int, float} or is_shape(parameter.default)
