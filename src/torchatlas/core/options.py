"""Options that several functions take: which there are, their defaults and their meaning, each said once.

A family of options is two things side by side: a ``TypedDict`` with their types, for signatures such as
``**options: Unpack[DrawOptions]``, which editors complete and type checkers hold calls to, and a table of `Option`,
from which defaults, docstrings, ``inspect.signature`` and messages are made.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from inspect import Parameter, signature
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_F = TypeVar("_F", bound="Callable[..., Any]")

PLACEHOLDER = "{options}"
"""The line of a docstring that stands for the options."""
WIDTH = 120
INDENT = " " * 4
_CODE = re.compile(r"``.*?``")
_UNBROKEN = "\xa0"


class Option(NamedTuple):
    """What is said of an option.

    Attributes:
        default: where it is not given.
        text: what it means, as docstrings say it.
    """

    default: Any
    text: str


def takes(table: Mapping[str, Option], types: type) -> Callable[[_F], _F]:
    """A decorator for functions that take the options of a table, by name or as ``**options``.

    Their docstring names all of them in the place of the line ``{options}``, and `inspect.signature` those that the
    types have, as if they were spelled out; a function's own ``**named: Any`` stays behind them.
    """

    def completed(function: _F) -> _F:
        parameters = list(signature(function).parameters.values())
        more = parameters.pop() if parameters[-1].kind is Parameter.VAR_KEYWORD else None
        taken = {parameter.name for parameter in parameters}
        for name, option in table.items():
            if name in types.__annotations__ and name not in taken:
                parameters.append(_parameter(name, option, types.__annotations__[name]))
        if more is not None and not str(more.annotation).startswith("Unpack["):
            parameters.append(more)
        function.__signature__ = signature(function).replace(parameters=parameters)  # type: ignore[attr-defined]  # a function may have one
        if function.__doc__ is not None:  # python -OO leaves it out
            function.__doc__ = "\n".join(_documented(function.__doc__, table))
        return function

    return completed


def _parameter(name: str, option: Option, annotation: Any) -> Parameter:
    said = getattr(annotation, "__forward_arg__", annotation)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=option.default, annotation=said)


def _documented(doc: str, table: Mapping[str, Option]) -> Iterable[str]:
    for line in doc.split("\n"):
        if line.strip() != PLACEHOLDER:
            yield line
            continue
        margin = line[: line.index(PLACEHOLDER)]
        for name, option in table.items():
            yield _entry(f"{name}: {option.text}.", margin)


def _entry(text: str, margin: str) -> str:
    """An entry of a docstring, as wide as a line of code; what stands in double backticks is not broken."""
    whole = _CODE.sub(lambda code: code[0].replace(" ", _UNBROKEN), text)
    lines = fill(
        whole,
        WIDTH,
        initial_indent=margin,
        subsequent_indent=margin + INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace(_UNBROKEN, " ")


def with_defaults(function: str, given: Mapping[str, Any], table: Mapping[str, Option]) -> dict[str, Any]:
    """Every option of a table: as given, or by default.

    Raises:
        TypeError: one of another name was given; the message has those that there are, and what is near.
    """
    for name in given:
        if name not in table:
            raise TypeError(
                f"{function} has no option {name!r}.{did_you_mean(name, table)} {options_of(function, table)}"
            )
    return {name: given.get(name, option.default) for name, option in table.items()}


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean depth?``, or nothing."""
    near = get_close_matches(name, list(known), 1)
    return f" Did you mean {near[0]}?" if near else ""


def options_of(function: str, known: Iterable[str]) -> str:
    """All options of a function, as a sentence."""
    return f"Options of {function}: {', '.join(known)}."
