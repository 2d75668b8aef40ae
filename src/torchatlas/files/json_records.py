"""Core's records out of JSON: each field as its type hint says, so that a field is written down once.

A field that is absent has its default, as in a file of an older version; one that is not known is refused.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import cache
from reprlib import repr as shorten
from typing import TYPE_CHECKING, Any, ForwardRef, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from torchatlas.core import graph
from torchatlas.core.check import DEEPEST
from torchatlas.core.graph import Graph, Node, Slot, Text

if TYPE_CHECKING:
    from torchatlas.core.graph import Tree


Reader: TypeAlias = Callable[[Any], Any]

LONGEST = 2000
"""Bits of the longest whole number that is written in digits; Python refuses to read much longer ones."""

WORDS = {bool: "true or false", int: "a whole number", str: "a string"}
NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def graph_of(record: dict[str, Any]) -> Graph:
    """The graph; whether it is well formed is not looked at.

    Raises:
        ValueError: a field is of another type, absent, or not known; says which.
        RecursionError: graphs are nested in it.
    """
    known = {key: held for key, held in record.items() if key != "folds"}  # made anew by whoever needs them
    if isinstance(known.get("forward"), dict):
        known["forward"] = {key: held for key, held in known["forward"].items() if key != "folds"}
    read: Graph = _record(Graph)(known)
    return read


def tree_of(given: Any, depth: int = 0) -> Tree:
    """A tree, nested no deeper than `core.check` allows."""
    if given is None or isinstance(given, (bool, int, float, str)):
        return given
    if depth > DEEPEST:
        raise ValueError(f"a tree is nested deeper than {DEEPEST}.")
    if isinstance(given, dict):
        if given.keys() == {"slot"} and type(given["slot"]) is int:
            return Slot(given["slot"])
        if given.keys() == {"text"} and isinstance(given["text"], str):
            return Text(given["text"])
        if given.keys() == {"type", "keys", "items"} and _is_node(given):
            if len(given["keys"]) == 1 and not given["items"]:
                return _number(given["type"], given["keys"][0])
            return Node(given["type"], tuple(given["keys"]), tuple([tree_of(one, depth + 1) for one in given["items"]]))
    raise ValueError(f"{shorten(given)} is no argument, result or setting.")


def _is_node(given: dict[str, Any]) -> bool:
    keys = given["keys"]
    named = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    return named and isinstance(given["type"], str) and isinstance(given["items"], list)


def _number(kind: str, digits: str) -> Tree:
    """What JSON has no number for."""
    if kind == "float" and digits in NUMBERS:
        return NUMBERS[digits]
    if kind == "int":
        return int(digits, 16)
    raise ValueError(f"{shorten(digits)} is no {shorten(kind)}.")


@cache
def _record(kind: type) -> Reader:
    """How an object with the fields of a dataclass is read."""
    hints = get_type_hints(kind, vars(graph))
    readers = {field.name: _reader(hints[field.name]) for field in fields(kind)}
    needed = {field.name for field in fields(kind) if field.default is MISSING}

    def read(given: Any) -> Any:
        if not isinstance(given, dict):
            raise ValueError(f"{shorten(given)} stands for a {kind.__name__}.")  # noqa: TRY004 - the file is at fault
        if not needed <= given.keys() <= readers.keys():
            _refuse_keys(kind, given, needed, readers)
        return kind(**{name: readers[name](held) for name, held in given.items()})

    return read


def _refuse_keys(kind: type, given: dict[str, Any], needed: set[str], known: dict[str, Reader]) -> None:
    absent = sorted(needed - given.keys())
    if absent:
        raise ValueError(f"a {kind.__name__} lacks {', '.join(absent)}.")
    strange = ", ".join(map(shorten, sorted(given.keys() - known.keys())))
    raise ValueError(f"a {kind.__name__} has {strange}, which this torchatlas does not know; a newer one may.")


def _reader(hint: Any) -> Reader:
    if _is_tree(hint):
        return tree_of
    if get_origin(hint) in COMPOSED:
        return COMPOSED[get_origin(hint)](get_args(hint))
    return PLAIN[hint] if hint in PLAIN else lambda given: _record(hint)(given)  # noqa: PLW0108 - a Graph holds a Graph


def _is_tree(hint: Any) -> bool:
    """Trees hold trees, so that they stand by name; a hint of one is the union of all that it can be."""
    return isinstance(hint, ForwardRef) or (get_origin(hint) in {Union, types.UnionType} and Slot in get_args(hint))


def _float(given: Any) -> float:
    if type(given) not in {int, float}:
        raise ValueError(f"{shorten(given)} stands for a number.")
    try:
        return float(given)
    except OverflowError as error:
        raise ValueError(f"{shorten(given)} is too large.") from error


def _exactly(kind: type) -> Reader:
    def read(given: Any) -> Any:
        if type(given) is not kind:
            raise ValueError(f"{shorten(given)} stands for {WORDS[kind]}.")
        return given

    return read


def _node(given: Any) -> Node:
    read = tree_of(given)
    if not isinstance(read, Node):
        raise ValueError(f"{shorten(given)} stands for arguments.")  # noqa: TRY004 - the file is at fault
    return read


def _one_of(words: tuple[Any, ...]) -> Reader:
    known = frozenset(words)

    def read(given: Any) -> Any:
        if not isinstance(given, str) or given not in known:
            raise ValueError(f"{shorten(given)} is none of {', '.join(words)}.")
        return given

    return read


def _maybe(parts: tuple[Any, ...]) -> Reader:
    (part,) = (part for part in parts if part is not type(None))
    read = _reader(part)
    return lambda given: None if given is None else read(given)


def _several(parts: tuple[Any, ...]) -> Reader:
    """A list of equals, or of as many as there are types."""
    if parts[-1] is Ellipsis:
        return _equals(_reader(parts[0]))
    readers = [_reader(part) for part in parts]

    def read(given: Any) -> Any:
        if not isinstance(given, list) or len(given) != len(readers):
            raise ValueError(f"{shorten(given)} stands for a list of {len(readers)}.")
        return tuple([one(held) for one, held in zip(readers, given, strict=True)])

    return read


def _equals(one: Reader) -> Reader:
    def read(given: Any) -> Any:
        if not isinstance(given, list):
            raise ValueError(f"{shorten(given)} stands for a list.")  # noqa: TRY004 - the file is at fault
        return tuple([one(held) for held in given])

    return read


PLAIN: dict[Any, Reader] = {float: _float, Node: _node, **{kind: _exactly(kind) for kind in WORDS}}
COMPOSED: dict[Any, Callable[[tuple[Any, ...]], Reader]] = {
    Literal: _one_of,
    tuple: _several,
    Union: _maybe,
    types.UnionType: _maybe,
}
