"""Arguments and results of any structure -> the tensors in them, and a plain Tree that says where they stood.

One walk serves both, because it runs for every call: it must not keep a tensor alive, run the user's ``__repr__``, or
walk without bound through an object that knows the whole program.
"""

from __future__ import annotations

import dataclasses
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from torchatlas.core.graph import Node, Slot, Text

if TYPE_CHECKING:
    from torchatlas.core.graph import Tree

_DEPTH = 12  # of containers in containers
_ITEMS = 64  # of a sequence without tensors, before it is only named
_CHARACTERS = 200  # of a string
_TENSORS = 64  # inside one object that is no container (a cache handed through all layers holds hundreds)

_PLAIN = frozenset({int, float, bool, type(None)})  # as they are; of a word no more than _CHARACTERS
PLAIN = _PLAIN | {str}
_PRINTED = (torch.dtype, torch.device, torch.layout, torch.memory_format)
_NUMBERS = (complex, torch.SymInt, torch.SymFloat, torch.SymBool)
_NAMED = (nn.Module, types.ModuleType, type, types.GeneratorType, torch.Generator)
_SLOTS = tuple(Slot(index) for index in range(512))
_TEXTS: dict[object, Text] = {}


def describe(thing: object, found: list[Tensor], depth: int = 0, seen: set[int] | None = None) -> Tree:
    """Append every tensor inside ``thing`` to ``found``; return its structure with Slots in their places."""
    kind = type(thing)
    if kind in _PLAIN:
        return thing  # type: ignore[return-value]  # the set of plain types is the check
    if isinstance(thing, Tensor):
        found.append(thing)
        return _slot(len(found) - 1)
    if kind is tuple or kind is list:
        return _sequence(kind.__name__, thing, found, depth, seen)  # type: ignore[arg-type]  # both are sequences
    if kind is str:
        return _shortened(str(thing))
    before = len(found)
    try:
        return _container(thing, found, depth, seen if seen is not None else set())
    except Exception:  # noqa: BLE001 - the user's object may answer any question with any exception
        del found[before:]
        return Text(kind.__name__)


def tensors_in(thing: object) -> list[Tensor]:
    """Every tensor inside a structure, in order."""
    found: list[Tensor] = []
    describe(thing, found)
    return found


def places(tree: Tree, name: str = "") -> Iterator[tuple[int, str]]:
    """(slot, name) of every tensor of a tree: ``batch.image``, ``states[0]``."""
    if isinstance(tree, Slot):
        yield tree.index, name
    elif isinstance(tree, Node):
        for number, item in enumerate(tree.items):
            key = tree.keys[number] if tree.keys else None
            inner = f"{name}[{number}]" if key is None else f"{name}.{key}" if name else key
            yield from places(item, inner)


def _shortened(text: str) -> str:
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS] + "…"


def _slot(index: int) -> Slot:
    return _SLOTS[index] if index < len(_SLOTS) else Slot(index)


def _printed(thing: object) -> Text:
    text = _TEXTS.get(thing)
    if text is None:
        text = _TEXTS[thing] = Text(str(thing))
    return text


def _sequence(name: str, things: Iterable[object], found: list[Tensor], depth: int, seen: set[int] | None) -> Tree:
    if depth > _DEPTH:
        return Text(f"{name} …")
    before = len(found)
    items = tuple([describe(item, found, depth + 1, seen) for item in things])
    if len(items) > _ITEMS and len(found) == before:
        return Text(f"{name} of {len(items)}")
    return Node(name, (), items)


def _keyed(name: str, items: Mapping[Any, object], found: list[Tensor], depth: int, seen: set[int]) -> Tree:
    if depth > _DEPTH:
        return Text(f"{name} …")
    before = len(found)
    trees = tuple([describe(item, found, depth + 1, seen) for item in items.values()])
    if len(trees) > _ITEMS and len(found) == before:
        return Text(f"{name} of {len(trees)}")
    return Node(name, tuple(_key(key) for key in items), trees)


def _key(key: object) -> str:
    return (
        key if isinstance(key, str) else str(key) if isinstance(key, (int, float, bool, tuple)) else type(key).__name__
    )


def _container(thing: object, found: list[Tensor], depth: int, seen: set[int]) -> Tree:
    """Everything rarer than a tensor, a plain value, a list or a tuple."""
    name = type(thing).__name__
    text = _word(thing, name)
    if text is not None:
        return text
    if id(thing) in seen:
        return Text(f"{name} …")
    seen.add(id(thing))
    fields = ("start", "stop", "step") if isinstance(thing, slice) else getattr(thing, "_fields", None)
    if isinstance(thing, (tuple, slice)) and fields is not None:
        return _keyed(name, {field: getattr(thing, field) for field in fields}, found, depth, seen)
    if isinstance(thing, (tuple, list, set, frozenset, deque)):
        return _sequence("tuple" if isinstance(thing, torch.Size) else name, thing, found, depth, seen)
    if isinstance(thing, Mapping):
        return _keyed(name, thing, found, depth, seen)
    return _object(thing, name, found, depth, seen)


def _word(thing: object, name: str) -> int | Text | None:
    """What one word or number says; None for a container."""
    if isinstance(thing, _PRINTED):
        return _printed(thing)
    if thing is Ellipsis:
        return Text("...")
    if isinstance(thing, int):  # enumerations and booleans of other libraries
        return int(thing)
    if isinstance(thing, _NUMBERS):
        return Text(str(thing))
    if isinstance(thing, _NAMED) or callable(thing):
        return Text(getattr(thing, "__name__", name))
    return None


def _object(thing: object, name: str, found: list[Tensor], depth: int, seen: set[int]) -> Tree:
    """An object of the user's: the attributes that hold tensors, or its class name alone."""
    if dataclasses.is_dataclass(thing):
        attributes = {field.name: getattr(thing, field.name, None) for field in dataclasses.fields(thing)}
        return _keyed(name, attributes, found, depth, seen)
    attributes = getattr(thing, "__dict__", None) or {}
    if depth > _DEPTH or not isinstance(attributes, dict):
        return Text(name)
    before = len(found)
    keys, trees = [], []
    for key, item in list(attributes.items()):
        if type(item) in _PLAIN or type(item) is str:
            continue
        count = len(found)
        tree = describe(item, found, depth + 1, seen)
        if len(found) > count:
            keys.append(key)
            trees.append(tree)
        if len(found) - before >= _TENSORS:
            keys.append("…")
            trees.append(Text("and more"))
            break
    return Node(name, tuple(keys), tuple(trees)) if trees else Text(name)
