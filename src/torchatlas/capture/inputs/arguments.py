"""From what the user gave to the arguments of the call.

``args`` is read as `torch.export.export` reads it: a tuple holds the positional arguments; anything else (a tensor, a
list, a dict, a string, None, a ``PackedSequence``) is one argument. ``kwargs`` are the keyword arguments.
``input_size`` makes tensors instead (`capture.inputs.made_inputs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from torchatlas.capture.inputs import forward
from torchatlas.capture.inputs.made_inputs import made_inputs
from torchatlas.capture.objects.contents import class_name, is_a
from torchatlas.capture.objects.tree import PLAIN
from torchatlas.core.errors import InputError

if TYPE_CHECKING:
    from inspect import Signature

    Call = tuple[tuple[Any, ...], dict[str, Any]]

_SHAPE = 3  # so many whole numbers in a row are taken for a shape
_LONG = 40  # characters of an argument repeated in a message


def bind(
    model: Any, args: Any = (), kwargs: Any = None, input_size: Any = None, dtypes: Any = None, device: Any = None
) -> Call | None:
    """The positional and the keyword arguments to call the model with; None if it is not to be run.

    It is not run when nothing is given and its ``forward`` needs an input: requires an argument, takes ``*args``, or
    has one that defaults to None. An empty ``kwargs={}`` says: run it with nothing.

    Args:
        model: module or callable.
        args: positional arguments in a tuple, or a single one.
        kwargs: keyword arguments.
        input_size: one shape, several, or a dict of shapes by argument name; dicts and lists of shapes may be in it.
        dtypes: of the tensors that ``input_size`` makes: one, several, or a dict by argument name.
        device: of the tensors that ``input_size`` makes.

    Raises:
        InputError: they do not fit together, or do not fit the signature of the model.
    """
    given = _Given(model, args, kwargs, {"input_size": input_size, "dtypes": dtypes, "device": device})
    positional, keywords = _as_tuple(given), _as_dict(given)
    if input_size is None:
        if dtypes is not None or device is not None:
            raise given.refused("dtypes and device are for the inputs that input_size makes.")
        if not positional and kwargs is None and _needs_input(model):
            return None
        _refuse_shapes(given, positional, keywords)
        _refuse_names(given, keywords)
    else:
        if positional:
            raise given.refused("Both args and input_size were given; input_size makes the inputs that args would be.")
        positional, made = made_inputs(model, input_size, dtypes, device, given.refused)
        if twice := sorted(made.keys() & keywords.keys()):
            raise given.refused(
                f"{_quoted(twice)} was given in kwargs and in input_size.", forward.sized_example(model)
            )
        keywords |= made
    _check(given, positional, keywords)
    return positional, keywords


class _Given:
    """What the user wrote, to be repeated in a message."""

    def __init__(self, model: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> None:
        self.model, self.args, self.kwargs, self.options = model, args, kwargs, options

    def refused(self, problem: str, example: str | None = None) -> InputError:
        parts = ["model"]
        if not (isinstance(self.args, tuple) and not self.args):
            parts.append(_described(self.args))
        if self.kwargs is not None:
            parts.append(f"kwargs={_described(self.kwargs)}")
        parts += [f"{name}={option!r}" for name, option in self.options.items() if option is not None]
        return InputError(
            f"{problem}\n"
            f"  given:   ta.capture({', '.join(parts)})\n"
            f"  wanted:  {forward.render(self.model)}\n"
            f"  example: {example or forward.example(self.model)}"
        )


def _as_tuple(given: _Given) -> tuple[Any, ...]:
    # A namedtuple is one argument (a PackedSequence is one), and None beside other inputs is none.
    if type(given.args) is tuple:
        return given.args
    if given.args is None and (given.kwargs is not None or given.options["input_size"] is not None):
        return ()
    return (given.args,)


def _as_dict(given: _Given) -> dict[str, Any]:
    if given.kwargs is None:
        return {}
    if not isinstance(given.kwargs, Mapping):
        raise given.refused(f"kwargs is a {type(given.kwargs).__name__}; a dict by argument name is wanted.")
    if wrong := [key for key in given.kwargs if not isinstance(key, str)]:
        raise given.refused(f"kwargs has the key {wrong[0]!r}; argument names are wanted.")
    return dict(given.kwargs)


def _needs_input(model: Any) -> bool:
    parameters = forward.signature(model)
    if parameters is None or forward.has(parameters, Parameter.VAR_POSITIONAL):
        return True
    return any(one.default is Parameter.empty or one.default is None for one in _plain(parameters))


def _plain(parameters: Signature) -> list[Parameter]:
    variadic = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return [one for one in parameters.parameters.values() if one.kind not in variadic]


def _refuse_shapes(given: _Given, positional: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    """Shapes in place of tensors: nothing but whole numbers, where a module takes its input.

    A forward may take numbers: fewer than three, or any that it declares, pass, and so does whatever has a name.
    """
    if keywords or not is_a(given.model, nn.Module):
        return
    if _is_shape(given.args) and not _declares_numbers(given.model, len(given.args)):
        sizes = tuple(given.args)
    elif positional and all(map(_is_shape, positional)):
        sizes = tuple(map(tuple, positional))
        sizes = sizes[0] if len(sizes) == 1 else sizes
    else:
        return
    raise given.refused(
        "A shape was given where a tensor is wanted; input_size makes tensors of a shape."
        " (Numbers that forward does take can be given by name, in kwargs.)",
        f"ta.capture(model, input_size={sizes!r})",
    )


def _is_shape(thing: Any) -> bool:
    if is_a(thing, torch.Size):
        return True
    return type(thing) in {tuple, list} and len(thing) >= _SHAPE and all(type(size) is int for size in thing)


def _declares_numbers(model: Any, count: int) -> bool:
    parameters = forward.signature(model)
    first = forward.positional(parameters)[:count] if parameters is not None else []
    return any(
        any(one.annotation is number or one.annotation == number.__name__ for number in (int, float))
        or type(one.default) in {int, float}
        for one in first
    )


def _refuse_names(given: _Given, keywords: dict[str, Any]) -> None:
    """A dict of arguments by name in the place of positional ones."""
    parameters = forward.signature(given.model)
    if not is_a(given.args, dict) or keywords or parameters is None:
        return
    names = list(dict.keys(given.args))
    if names and all(type(name) is str for name in names) and set(names) <= set(forward.named(parameters)):
        raise given.refused(
            "The keys of this dict are names of arguments: give it as kwargs (or, as one argument, in a tuple).",
            f"ta.capture(model, kwargs={_described(dict(dict.items(given.args)))})",
        )


def _check(given: _Given, positional: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    """That the signature takes these arguments; where Python knows no signature, the call itself will tell."""
    parameters = forward.signature(given.model)
    if parameters is None:
        return
    places, names = forward.positional(parameters), forward.named(parameters)
    if len(positional) > len(places) and not forward.has(parameters, Parameter.VAR_POSITIONAL):
        raise given.refused(
            f"{_counted(len(positional))} given by position, at most {len(places)} wanted.{_hint(given)}"
        )
    taken = {place.name for place in places[: len(positional)]}
    if twice := [name for name in keywords if name in taken]:
        raise given.refused(f"{_quoted(twice)} was given by position and by name.")
    unknown = [name for name in keywords if name not in names]
    if unknown and not forward.has(parameters, Parameter.VAR_KEYWORD):
        raise given.refused(f"{_quoted(unknown)} is not an argument.")
    if missing := [one.name for one in forward.required(parameters) if one.name not in taken | keywords.keys()]:
        raise given.refused(f"{_quoted(missing)} is missing.{_hint(given)}")


def _hint(given: _Given) -> str:
    if isinstance(given.args, list):
        return " A list is one argument; a tuple holds several."
    if type(given.args) is tuple and given.args and all(type(one) is int for one in given.args):
        return f" Is it a shape? Then input_size={given.args!r} makes the input."
    return ""


def _counted(count: int) -> str:
    return "1 argument was" if count == 1 else f"{count} arguments were"


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _described(thing: Any) -> str:
    """A tensor as dtype and shape, ``float32[1, 3]``; containers with what they hold; the rest shortened."""
    if is_a(thing, Tensor):
        return f"{str(thing.dtype).removeprefix('torch.')}{list(thing.shape)}"
    if type(thing) is tuple:
        return f"({', '.join(map(_described, thing))}{',' if len(thing) == 1 else ''})"
    if type(thing) is list:
        return f"[{', '.join(map(_described, thing))}]"
    if type(thing) is dict:
        return "{" + ", ".join(f"{_described(key)}: {_described(value)}" for key, value in thing.items()) + "}"
    text = repr(thing) if type(thing) in PLAIN else class_name(type(thing))
    return text if len(text) <= _LONG and "\n" not in text else class_name(type(thing))
