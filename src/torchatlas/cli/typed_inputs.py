"""Inputs as they are typed on a command line: the shape and type of each, alone, in dictionaries and in lists.

``batch.x=2,4`` is the item ``x`` of the dictionary ``batch``, ``xs.0=1,3`` the first item of the list ``xs``; names go
as deep as the model's own structures do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torchatlas.core.errors import InputError

WANTED = "wanted [NAME=]SHAPE[:DTYPE], as 1,3,224,224 or input_ids=1,128:int64 or batch.x=2,4"


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One tensor: its shape, and its type where that was typed."""

    shape: tuple[int, ...]
    dtype: str | None


def read_inputs(inputs: list[str], dtypes: list[str]) -> tuple[Any, Any]:
    """Shapes and types as ``capture`` takes them: lists, or dictionaries where the inputs are named.

    Args:
        inputs: ``[NAME=]SHAPE[:DTYPE]`` of each tensor.
        dtypes: none, one for all tensors, or one for each.

    Raises:
        InputError: an input is malformed, or names and types do not fit together.
    """
    read = [read_input(text) for text in inputs]
    if len(dtypes) > 1 and len(dtypes) != len(read):
        raise InputError(f"{len(dtypes)} --dtype for {len(read)} --input: give one for all, or one for each.")
    named = [name for name, _, _ in read if name]
    if named and len(named) < len(read):
        have = "has a name" if len(named) == 1 else "have names"
        raise InputError(f"Of {len(read)} --input only {', '.join(named)} {have}. Name all of them or none.")
    if dtypes and not read:
        raise InputError(f"--dtype {dtypes[0]} without --input: there is no input to have that type.")
    if not read:
        return None, None
    common = dtypes if len(dtypes) > 1 else (dtypes or [""]) * len(read)
    leaves = [_Leaf(shape, own or given or None) for (_, shape, own), given in zip(read, common, strict=True)]
    if not named:
        types = [leaf.dtype for leaf in leaves]
        return [leaf.shape for leaf in leaves], types if any(types) else None
    whole: dict[str, Any] = {}
    for name, leaf in zip(named, leaves, strict=True):
        _put(whole, name, leaf)
    structure = {name: _with_lists(item, name) for name, item in whole.items()}
    return _shapes(structure), _types(structure) or {}


def read_input(text: str) -> tuple[str, tuple[int, ...], str]:
    """Name, shape and type of ``[NAME=]SHAPE[:DTYPE]``; ``()`` is the shape of a scalar.

    Raises:
        InputError: it has another form.
    """
    name, equals, rest = text.rpartition("=")
    sizes, _, dtype = rest.partition(":")
    try:
        shape = tuple(int(size) for size in sizes.strip("()[]").split(",") if size.strip())
    except ValueError:
        shape = None
    if shape is None or not sizes.strip() or min(shape, default=0) < 0 or _is_name(name) != bool(equals):
        raise InputError(f"--input {text}: {WANTED}.")
    return name, shape, dtype


def _is_name(name: str) -> bool:
    """Whether it is an argument, with keys or places in it after dots."""
    first, *others = name.split(".")
    return first.isidentifier() and all(part.isidentifier() or _is_place(part) for part in others)


def _is_place(part: str) -> bool:
    return part.isascii() and part.isdigit()


def _put(whole: dict[str, Any], name: str, leaf: _Leaf) -> None:
    """Where the name leads, dictionaries being made on the way."""
    *outer, last = name.split(".")
    at, so_far = whole, ""
    for part in outer:
        so_far = f"{so_far}.{part}" if so_far else part
        at = at.setdefault(part, {})
        if isinstance(at, _Leaf):
            raise InputError(
                f"--input {name}: {so_far} has a shape of its own, so it cannot hold other tensors. Give one of the"
                " two."
            )
    before = at.get(last)
    if isinstance(before, _Leaf):
        raise InputError(f"--input {name} was given twice.")
    if before is not None:
        inner = f"{name}.{next(iter(before))}"
        raise InputError(
            f"--input {name}: {inner} was given too, so it cannot be a single tensor. Give one of the two."
        )
    at[last] = leaf


def _with_lists(item: Any, name: str) -> Any:
    """Dictionaries whose keys are places, as lists."""
    if isinstance(item, _Leaf):
        return item
    places = [key for key in item if _is_place(key)]
    if places and len(places) < len(item):
        other = next(key for key in item if not _is_place(key))
        raise InputError(
            f"--input {name}.{places[0]} and {name}.{other}: numbers are places in a list, names are keys of a"
            " dictionary; use one of the two."
        )
    if not places:
        return {key: _with_lists(inner, f"{name}.{key}") for key, inner in item.items()}
    missing = [place for place in range(len(item)) if str(place) not in item]
    if missing:
        raise InputError(f"--input {name}.{places[-1]}: {name}.{missing[0]} is missing; places count from 0.")
    return [_with_lists(item[str(place)], f"{name}.{place}") for place in range(len(item))]


def _shapes(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _shapes(inner) for key, inner in item.items()}
    return list(map(_shapes, item)) if isinstance(item, list) else item.shape


def _types(item: Any) -> Any:
    """The same of the types, where there are any."""
    if isinstance(item, dict):
        return {key: types for key, inner in item.items() if (types := _types(inner))}
    if isinstance(item, list):
        types = list(map(_types, item))
        return types if any(types) else None
    return item.dtype
