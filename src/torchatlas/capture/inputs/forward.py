"""What a model wants to be called with, in words: the signature of its ``forward``, and an example call."""

from __future__ import annotations

import functools
import inspect
from inspect import Parameter, Signature
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.jit import ScriptModule

from torchatlas.capture.inputs.caller import CAPTURE
from torchatlas.capture.objects.contents import FUNCTIONS, attributes, callable_name, is_a, of_class

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchatlas.capture.inputs.caller import Caller

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_IMAGE = (1, 3, 224, 224)
_ROW = (1, 10)
_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def signature(model: Any) -> Signature | None:
    """The parameters of a callable, or of a module's ``forward`` (without ``self``); None where Python knows none.

    A compiled, parallel or averaging wrapper that hands everything on has the signature of the module it wraps.
    """
    model = unwrapped(model)
    try:
        if is_a(model, ScriptModule):
            return _scripted(model)
        return inspect.signature(_plain(model.forward if is_a(model, nn.Module) else model))
    except (TypeError, ValueError, AttributeError, RuntimeError):  # C functions; a module that defines no forward
        return None


def _plain(function: Any) -> Any:
    """What Python knows the signature of; for an object that is called, its method, so that it is not asked itself."""
    if is_a(function, (*FUNCTIONS, functools.partial, type)) or "__wrapped__" in attributes(function):
        return function
    method = of_class(type(function), "__call__")
    return MethodType(method, function) if is_a(method, FunctionType) else function


def unwrapped(model: Any) -> Any:
    """The module inside wrappers whose own ``forward`` takes anything and passes it on."""
    while is_a(model, nn.Module) and not is_a(model, ScriptModule):
        inside = model._modules
        inner = inside.get("_orig_mod") if inside.get("_orig_mod") is not None else inside.get("module")
        if inner is None or not _takes_anything(model):  # torch.compile has the first name, all others the second
            return model
        model = inner
    return model


def _takes_anything(model: nn.Module) -> bool:
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return True
    return all(parameter.kind in _VARIADIC for parameter in parameters)


def _scripted(model: Any) -> Signature:
    """A scripted ``forward`` keeps its schema, not its Python signature."""
    arguments = [argument for argument in model.forward.schema.arguments if argument.name != "self"]
    return Signature(
        [
            Parameter(
                argument.name,
                Parameter.KEYWORD_ONLY if argument.kwarg_only else Parameter.POSITIONAL_OR_KEYWORD,
                default=argument.default_value if argument.has_default_value() else Parameter.empty,
            )
            for argument in arguments
        ]
    )


def single(parameters: Signature | None) -> list[Parameter]:
    """All but ``*args`` and ``**kwargs``; of a signature that Python does not know, here and below, there are none."""
    return [parameter for parameter in _all(parameters) if parameter.kind not in _VARIADIC]


def required(parameters: Signature | None) -> list[Parameter]:
    """Those that a call must give."""
    return [parameter for parameter in single(parameters) if parameter.default is Parameter.empty]


def positional(parameters: Signature | None) -> list[Parameter]:
    """Those that a call may give by position, in order, ``*args`` excepted."""
    return [parameter for parameter in _all(parameters) if parameter.kind in _POSITIONAL]


def named(parameters: Signature | None) -> list[str]:
    """Names of those that a call may give by name, ``**kwargs`` excepted."""
    return [parameter.name for parameter in _all(parameters) if parameter.kind in _NAMED]


def has(parameters: Signature | None, kind: Any) -> bool:
    """Whether there is a ``*args`` (VAR_POSITIONAL) or ``**kwargs`` (VAR_KEYWORD)."""
    return any(parameter.kind is kind for parameter in _all(parameters))


def _all(parameters: Signature | None) -> Iterable[Parameter]:
    return () if parameters is None else parameters.parameters.values()


def render(model: Any) -> str:
    """The signature as its author wrote it, types left out: ``forward(x, mask=None)``."""
    model = unwrapped(model)
    name = "forward" if is_a(model, nn.Module) else callable_name(model)
    parameters = signature(model)
    if parameters is None:
        return f"{name}(...)"
    bare = [parameter.replace(annotation=Parameter.empty) for parameter in parameters.parameters.values()]
    return name + str(Signature(bare))


def example(model: Any, caller: Caller = CAPTURE) -> str:
    """A call that this model would accept: ``ta.capture(model, (x, mask))``.

    It names what is required; of a forward that requires nothing, the first argument. On a command line, where no
    tensor can be given, that is `sized_example`.
    """
    if caller.typed:
        return sized_example(model, caller)
    parameters = signature(model)
    if parameters is None:
        return caller.call("x")
    wanted = required(parameters)
    by_position = [parameter.name for parameter in wanted if parameter.kind in _POSITIONAL]
    by_name = [parameter.name for parameter in wanted if parameter.kind is Parameter.KEYWORD_ONLY]
    if not wanted:
        if has(parameters, Parameter.VAR_POSITIONAL):
            by_position = ["x"]
        by_name = [] if by_position else named(parameters)[:1]
    arguments = []
    if by_position:
        arguments.append(by_position[0] if len(by_position) == 1 else f"({', '.join(by_position)})")
    if by_name:
        arguments.append("kwargs={" + ", ".join(f'"{name}": {name}' for name in by_name) + "}")
    return caller.call(*arguments)


def sized_example(model: Any, caller: Caller = CAPTURE, dtypes: str = "", device: str = "") -> str:
    """A call that gives sizes in place of tensors: ``ta.capture(model, input_size=(1, 3, 224, 224))``."""
    names = [parameter.name for parameter in required(signature(model))]
    return caller.sized(_IMAGE if len(names) <= 1 else dict.fromkeys(names, _ROW), dtypes, device)
