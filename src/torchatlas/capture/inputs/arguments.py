"""From what the user gave to the arguments of the call.

``args`` is read as `torch.export.export` reads it: a tuple holds the positional arguments; anything else (a tensor, a
dict, a string, None, a ``PackedSequence``) is one argument. ``kwargs`` are the keyword arguments.
Shapes make tensors instead (`capture.inputs.made_inputs`): in ``input_size``, or in the place of ``args``
(`capture.inputs.shapes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from torch import Tensor

from torchatlas.capture.inputs import forward
from torchatlas.capture.inputs.caller import CAPTURE
from torchatlas.capture.inputs.made_inputs import FIRST_GUESS, Guess, made_inputs
from torchatlas.capture.inputs.shapes import is_shape, numbers_beside_tensors, shapes_in
from torchatlas.capture.objects.contents import class_name, is_a
from torchatlas.capture.objects.tree import PLAIN
from torchatlas.capture.stored import dtype_name
from torchatlas.core.errors import InputError
from torchatlas.core.options import did_you_mean, options_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchatlas.capture.inputs.caller import Caller
    from torchatlas.capture.inputs.made_inputs import MadeInputs

_LONG = 40  # characters of an argument repeated in a message


@dataclass(frozen=True, slots=True)
class Given:
    """What the user gave beside the model.

    Attributes:
        args: positional arguments in a tuple, or a single one, or shapes.
        kwargs: keyword arguments.
        input_size: one shape, several, or a dict of shapes by argument name; dicts and lists of shapes may be in it.
        dtypes: of the tensors that shapes make: one, several, or a dict by argument name.
        device: of the tensors that shapes make.
        caller: the function of ours that it was given to.
    """

    args: Any = ()
    kwargs: Any = None
    input_size: Any = None
    dtypes: Any = None
    device: Any = None
    caller: Caller = CAPTURE


@dataclass(frozen=True, slots=True)
class Inputs:
    """The positional and the keyword arguments of the call.

    Attributes:
        args: in order.
        kwargs: by name.
        made: the tensors among them that were made from shapes; None where none was.
        advice: what may be at fault where the model raises a TypeError; empty where nothing was assumed.
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    made: MadeInputs | None = None
    advice: str = ""


def inputs_of(model: Any, given: Given, guess: Guess = FIRST_GUESS) -> Inputs | None:
    """The arguments to call the model with; None if it is not to be run.

    It is not run when nothing is given and its ``forward`` needs an input: requires an argument, takes ``*args``, or
    has one that defaults to None. An empty ``kwargs={}`` says: run it with nothing.

    Args:
        model: module or callable.
        given: what the user gave.
        guess: of the batch and the dtypes, where tensors are made from shapes.

    Raises:
        InputError: they do not fit together, or do not fit the signature of the model.
    """
    refusal = _Refusal(model, given)
    positional, keywords = _as_tuple(given), _as_dict(refusal)
    size, by_position = given.input_size, None
    if size is None:
        size = by_position = shapes_in(model, given.args)
    elif positional:
        raise refusal.of("Both args and input_size were given, but input_size stands for the inputs. Give one of them.")
    if size is None:
        if given.dtypes is not None or given.device is not None:
            raise refusal.of(
                "dtypes and device apply only to inputs that are made from shapes. Give input_size, or leave them out."
            )
        if not positional and given.kwargs is None and _needs_input(model):
            return None
        _refuse_names(refusal, keywords)
        _check(refusal, positional, keywords)
        return Inputs(positional, keywords, advice=_handed_on(given))
    made = made_inputs(model, size, given.dtypes, given.device, refusal.sized, guess)
    if twice := sorted(made.kwargs.keys() & keywords.keys()):
        raise refusal.sized(f"{_quoted(twice)} was given in kwargs and in input_size.")
    keywords |= made.kwargs
    _check(refusal, made.args, keywords)
    return Inputs(made.args, keywords, made, "" if by_position is None else _taken_for_shapes(model, given, size))


def with_named(
    model: Any,
    kwargs: Any,
    named: Mapping[str, Any],
    function: str,
    options: Iterable[str],
    elsewhere: Iterable[str] = (),
) -> Any:
    """The keyword arguments, and those that stand among the options of the function that was called.

    Args:
        model: what is called.
        kwargs: the keyword arguments.
        named: those among the options.
        function: the one of ours that was called.
        options: what it has.
        elsewhere: what others of our functions have, which may have been meant.

    Raises:
        TypeError: the model declares no argument of such a name; one that takes any gets it in ``kwargs``.
        InputError: it was given twice.
    """
    parameters = forward.signature(model)
    known = forward.named(parameters) if parameters is not None else list(named)
    for name in named:
        if name not in known:
            hint = did_you_mean(name, [*known, *options, *elsewhere])
            if forward.has(parameters, Parameter.VAR_KEYWORD):
                hint += f' What it takes under any name is given so: kwargs={{"{name}": …}}.'
            problem = f"{function} has no option {name!r}, and {forward.render(model)} no such argument."
            raise TypeError(f"{problem}{hint} {options_of(function, options)}")
        if isinstance(kwargs, Mapping) and name in kwargs:
            raise InputError(f"{name!r} was given to {function} by name and in kwargs; give it once.")
    return {**kwargs, **named} if isinstance(kwargs, Mapping) else kwargs or dict(named)


class _Refusal:
    """Makes the error that repeats what the user wrote."""

    def __init__(self, model: Any, given: Given) -> None:
        self.model, self.given = model, given

    def of(self, problem: str, example: str | None = None) -> InputError:
        """The error that says this problem, and how it is done instead."""
        given = self.given
        parts = []
        if not (isinstance(given.args, tuple) and not given.args):
            parts.append(_described(given.args))
        if given.kwargs is not None:
            parts.append(f"kwargs={_described(given.kwargs)}")
        options = {"input_size": given.input_size, "dtypes": given.dtypes, "device": given.device}
        parts += [f"{name}={option!r}" for name, option in options.items() if option is not None]
        return InputError(
            f"{problem}\n"
            f"  given:   {given.caller.given(*parts)}\n"
            f"  wanted:  {forward.render(self.model)}\n"
            f"  example: {example or forward.example(self.model, given.caller)}"
        )

    def sized(self, problem: str, dtypes: str = "", device: str = "") -> InputError:
        """The same, and how it is done with shapes."""
        return self.of(problem, forward.sized_example(self.model, self.given.caller, dtypes, device))


def _handed_on(given: Given) -> str:
    """What to say of numbers that are arguments because a tensor stands beside them."""
    numbers = numbers_beside_tensors(given.args)
    if numbers is None or any(type(number) is not int for number in numbers):  # one of another class may do anything
        return ""
    size = tuple(numbers)
    return f"{numbers!r} was passed on unchanged; for a tensor of that shape, give torch.rand{size}."


def _taken_for_shapes(model: Any, given: Given, size: Any) -> str:
    """What to say of shapes by position that may have been meant as numbers."""
    name = next((parameter.name for parameter in forward.positional(forward.signature(model))), "x")
    taken = f"{_described(given.args)} was taken for {'a shape' if is_shape(size) else 'shapes'}"
    return f"{taken}; to give numbers to forward, use names: {given.caller.named(name)}."


def _as_tuple(given: Given) -> tuple[Any, ...]:
    # A namedtuple is one argument (a PackedSequence is one), and None beside other inputs is none.
    if type(given.args) is tuple:
        return given.args
    if given.args is None and (given.kwargs is not None or given.input_size is not None):
        return ()
    return (given.args,)


def _as_dict(refusal: _Refusal) -> dict[str, Any]:
    given = refusal.given
    if given.kwargs is None:
        return {}
    if not isinstance(given.kwargs, Mapping):
        raise refusal.of(
            f"kwargs is a {type(given.kwargs).__name__}; give a dict of arguments by name.{_several(given)}"
        )
    if wrong := [key for key in given.kwargs if not isinstance(key, str)]:
        raise refusal.of(f"kwargs has the key {wrong[0]!r}; its keys must be names of arguments.")
    return dict(given.kwargs)


def _several(given: Given) -> str:
    """Of two arguments that were given one after the other, as the model takes them: how they are given."""
    if is_shape(given.args) and is_shape(given.kwargs):
        return f" Give several shapes as a list: [{given.args!r}, {given.kwargs!r}]."
    return " Give several arguments as a tuple: (x, y)." if is_a(given.kwargs, Tensor) else ""


def _needs_input(model: Any) -> bool:
    parameters = forward.signature(model)
    if parameters is None or forward.has(parameters, Parameter.VAR_POSITIONAL):
        return True
    return any(one.default is Parameter.empty or one.default is None for one in forward.single(parameters))


def _refuse_names(refusal: _Refusal, keywords: dict[str, Any]) -> None:
    """A dict of arguments by name in the place of positional ones."""
    args = refusal.given.args
    if not is_a(args, dict) or keywords:
        return
    names, known = list(dict.keys(args)), forward.named(forward.signature(refusal.model))
    if names and all(type(name) is str for name in names) and set(names) <= set(known):
        raise refusal.of(
            "The keys of this dict are names of arguments; give it as kwargs (or, as one argument, in a tuple).",
            refusal.given.caller.call(f"kwargs={_described(dict(dict.items(args)))}"),
        )


def _check(refusal: _Refusal, positional: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    """That the signature takes these arguments; where Python knows no signature, the call itself will tell."""
    parameters = forward.signature(refusal.model)
    if parameters is None:
        return
    places, names = forward.positional(parameters), forward.named(parameters)
    hint = _hint(refusal.given)
    if len(positional) > len(places) and not forward.has(parameters, Parameter.VAR_POSITIONAL):
        raise refusal.of(f"{_counted(len(positional))} given by position, at most {len(places)} wanted.{hint}")
    taken = {place.name for place in places[: len(positional)]}
    if twice := [name for name in keywords if name in taken]:
        raise refusal.of(f"{_quoted(twice)} was given by position and by name.")
    unknown = [name for name in keywords if name not in names]
    if unknown and not forward.has(parameters, Parameter.VAR_KEYWORD):
        raise refusal.of(f"{_quoted(unknown)} is not an argument.")
    if missing := [one.name for one in forward.required(parameters) if one.name not in taken | keywords.keys()]:
        raise refusal.of(f"{_quoted(missing)} is missing.{hint}")


def _hint(given: Given) -> str:
    if is_shape(given.args) or given.input_size is not None:
        return ""
    if isinstance(given.args, list) and all(map(is_shape, given.args)):
        return " A list of shapes holds one for each argument; a list in a tuple is one argument, a list of tensors."
    return " A list is one argument; a tuple holds several." if isinstance(given.args, list) else ""


def _counted(count: int) -> str:
    return "1 argument was" if count == 1 else f"{count} arguments were"


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _described(thing: Any) -> str:
    """A tensor as dtype and shape, ``float32[1, 3]``; containers with what they hold; the rest shortened."""
    if is_a(thing, Tensor):
        return f"{dtype_name(thing.dtype)}{list(thing.shape)}"
    if type(thing) is tuple:
        return f"({', '.join(map(_described, thing))}{',' if len(thing) == 1 else ''})"
    if type(thing) is list:
        return f"[{', '.join(map(_described, thing))}]"
    if type(thing) is dict:
        return "{" + ", ".join(f"{_described(key)}: {_described(value)}" for key, value in thing.items()) + "}"
    text = repr(thing) if type(thing) in PLAIN else class_name(type(thing))
    return text if len(text) <= _LONG and "\n" not in text else class_name(type(thing))
