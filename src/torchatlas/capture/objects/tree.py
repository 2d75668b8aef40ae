"""Arguments and results of any structure -> the tensors in them, and a plain Tree that says where they stood.

One walk serves both, because it runs for every call: it must not keep a tensor alive, call a method of the user's
classes, or walk without bound through an object that knows the whole program.
"""

from __future__ import annotations

import types
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter

from torchatlas.capture.objects.contents import FUNCTIONS, OPAQUE, attributes, callable_name, class_name, contents
from torchatlas.capture.torch_private import OperatorBase, finished
from torchatlas.core.graph import Node, Slot, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torchatlas.core.graph import Tree

_DEPTH = 12  # of containers in containers
_ACYCLIC = 2  # of lists in lists, before one is looked for in itself
_ITEMS = 64  # of a sequence without tensors, before it is only named
_CHARACTERS = 200  # of a string
_TENSORS = 64  # of an object that is no container and is handed through all layers (a cache holds hundreds)
_VISITED = 10_000  # containers and objects without a tensor in one argument, before no further one is looked into

_PLAIN = frozenset({int, float, bool, type(None)})  # as they are; of a word no more than _CHARACTERS
PLAIN = _PLAIN | {str}
_PRINTED = (torch.dtype, torch.device, torch.layout, torch.memory_format)
_READY = 512
_SLOTS = tuple(Slot(index) for index in range(_READY))
_TEXTS: dict[object, Text] = {}


def describe_all(
    things: Iterable[object], found: list[Tensor], depth: int = 0, seen: set[int] | None = None
) -> tuple[Tree, ...]:
    """As `describe`, of each: it runs for every call, and tensors and plain values, nearly all, are told here."""
    trees: list[Tree] = []
    for thing in things:
        kind = type(thing)
        if kind is Tensor or kind is Parameter:
            index = len(found)
            trees.append(_SLOTS[index] if index < _READY else Slot(index))
            found.append(thing)  # type: ignore[arg-type]  # the type is the check, here and below
        elif kind is int or kind is bool or thing is None:
            trees.append(thing)  # type: ignore[arg-type]
        else:
            trees.append(describe(thing, found, depth, seen))
    return tuple(trees)


def describe(  # noqa: PLR0911 - it runs for every argument, so the commonest kinds are told first, each by itself
    thing: object, found: list[Tensor], depth: int = 0, seen: set[int] | None = None
) -> Tree:
    """Append every tensor inside ``thing`` to ``found``; return its structure with Slots in their places."""
    kind = type(thing)
    try:
        if kind in _PLAIN:
            return thing  # type: ignore[return-value]  # the set of plain types is the check
    except TypeError:  # a class whose metaclass cannot be hashed
        return Text(class_name(kind))
    if kind is Tensor or issubclass(kind, Tensor):
        found.append(thing)  # type: ignore[arg-type]  # the type is the check, here and below
        return _slot(len(found) - 1)
    if kind is tuple or kind is list:
        if depth < _ACYCLIC:
            return _sequence(kind.__name__, thing, found, depth, seen)  # type: ignore[arg-type]
        return _once(kind.__name__, thing, found, depth, seen if seen is not None else set())  # type: ignore[arg-type]
    if kind is str:
        return _shortened(thing)  # type: ignore[arg-type]
    before = len(found)
    try:
        return _rarer(thing, kind, found, depth, seen if seen is not None else set())
    except Exception:  # noqa: BLE001 - a proxy asks what it stands for, which may answer with any exception
        del found[before:]
        return Text(class_name(kind))


class _Whole(set[int]):
    """The objects seen, where no tensor is left out however many one of them holds."""


def describe_whole(thing: object, found: list[Tensor]) -> Tree:
    """As `describe`, with every tensor of an object that holds very many: for what goes into a run and comes out."""
    return describe(thing, found, 0, _Whole())


def tensors_in(thing: object) -> list[Tensor]:
    """Every tensor inside a structure, in order."""
    found: list[Tensor] = []
    describe_whole(thing, found)
    return found


def places(tree: Tree, name: str = "") -> Iterator[tuple[int, str]]:
    """(slot, name) of every tensor of a tree: ``batch.image``, ``states[0]``.

    What is all that an object holds, and private to it, goes by the name of the object.
    """
    if isinstance(tree, Slot):
        yield tree.index, name
    elif isinstance(tree, Node):
        hidden = bool(name) and len(tree.keys) == 1 and tree.keys[0].startswith("_")
        for number, item in enumerate(tree.items):
            key = tree.keys[number] if tree.keys else None
            inner = name if hidden else f"{name}[{number}]" if key is None else f"{name}.{key}" if name else key
            yield from places(item, inner)


def _shortened(text: str) -> str:
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS] + "…"


def _slot(index: int) -> Slot:
    return _SLOTS[index] if index < _READY else Slot(index)


def _printed(thing: object) -> Text:
    text = _TEXTS.get(thing)
    if text is None:
        text = _TEXTS[thing] = Text(str(thing))
    return text


def _sequence(name: str, things: Iterable[object], found: list[Tensor], depth: int, seen: set[int] | None) -> Tree:
    if depth > _DEPTH:
        return Text(f"{name} …")
    before = len(found)
    items = describe_all(things, found, depth + 1, seen)
    if len(items) > _ITEMS and len(found) == before:
        return Text(f"{name} of {len(items)}")
    return Node(name, (), items)


def _once(name: str, things: Sequence[object], found: list[Tensor], depth: int, seen: set[int]) -> Tree:
    """A list inside of lists, which may lead back to itself."""
    if id(things) in seen:
        return Text(f"{name} …")
    seen.add(id(things))
    tree = _sequence(name, things, found, depth, seen)
    seen.discard(id(things))
    return tree


def _key(key: Any) -> str:
    """A key as a word: its own, or the name of its class where only its methods could tell."""
    kind = type(key)
    if issubclass(kind, Enum):
        name = attributes(key).get("_name_")
        return name if type(name) is str else class_name(kind)
    if issubclass(kind, str):
        return str.__str__(key)
    if kind in _PLAIN or (kind is tuple and all(type(part) in PLAIN for part in key)):
        return str(key)
    if issubclass(kind, int):
        return int.__repr__(key)
    return class_name(kind)


def _rarer(thing: object, kind: type, found: list[Tensor], depth: int, seen: set[int]) -> Tree:
    """Everything rarer than a tensor, a plain value, a list or a tuple."""
    word = _word(thing, kind)
    if word is not None:
        return word
    name = class_name(kind)
    if id(thing) in seen or depth > _DEPTH or len(seen) > _VISITED * (1 + len(found)):
        return Text(f"{name} …")
    seen.add(id(thing))
    held = contents(thing)
    if held is None:
        return _object(thing, name, found, depth, seen)
    before = len(found)
    if held.keys is None:
        tree = _sequence("tuple" if kind is torch.Size else name, held.items, found, depth, seen)
    else:
        trees = describe_all(held.items, found, depth + 1, seen)
        many = len(trees) > _ITEMS and len(found) == before
        tree = Text(f"{name} of {len(trees)}") if many else Node(name, tuple(map(_key, held.keys)), trees)
    return tree if kind in _BUILTIN else _with_attributes(thing, tree, found, before, (depth, seen))


_BUILTIN = frozenset({tuple, list, dict, set, frozenset, deque, slice, torch.Size, types.MappingProxyType})


def _with_attributes(thing: object, tree: Tree, found: list[Tensor], before: int, where: tuple[int, set[int]]) -> Tree:
    """Of a container of a class of its own: what its attributes hold and its items do not."""
    stored = attributes(thing)
    if not stored:
        return tree
    known = set(map(id, found[before:]))
    extra: list[Tensor] = []
    keys, trees = _holding(stored, extra, *where)
    if all(id(tensor) in known for tensor in extra):
        return tree
    start = len(found)
    found += extra
    items = tree.items if isinstance(tree, Node) else ()
    names = tree.keys if isinstance(tree, Node) and tree.keys else tuple(map(str, range(len(items))))
    moved = tuple([_moved(item, start) for item in trees])
    return Node(class_name(type(thing)), (*names, *keys), (*items, *moved))


def _moved(tree: Tree, by: int) -> Tree:
    if isinstance(tree, Slot):
        return _slot(tree.index + by)
    if isinstance(tree, Node):
        return Node(tree.type, tree.keys, tuple([_moved(item, by) for item in tree.items]))
    return tree


def _word(thing: Any, kind: type) -> int | float | str | Text | None:
    """What one word or number says; None for what may hold tensors."""
    for kinds, say in _WORDS:
        if issubclass(kind, kinds):
            return say(thing)
    return Text(class_name(kind)) if issubclass(kind, OPAQUE) else None


# Enumerations, booleans and numbers of other libraries among them: each by its builtin class.
_WORDS: tuple[tuple[tuple[type, ...], Callable[[Any], int | float | str | Text]], ...] = (
    (_PRINTED, _printed),
    ((types.EllipsisType,), lambda _: Text("...")),
    ((int,), int.__int__),
    ((float,), float.__float__),
    ((str,), lambda thing: _shortened(str.__str__(thing))),
    ((complex,), lambda thing: Text(complex.__repr__(thing))),
    ((torch.SymInt, torch.SymFloat, torch.SymBool), lambda thing: Text(str(thing))),
    ((*FUNCTIONS, OperatorBase), lambda thing: Text(callable_name(thing))),
    ((type,), lambda thing: Text(class_name(thing))),
    ((types.ModuleType,), lambda thing: Text(types.ModuleType.__getattribute__(thing, "__name__"))),
)


def _object(thing: object, name: str, found: list[Tensor], depth: int, seen: set[int]) -> Tree:
    """An object of the user's, whatever else it can do: the attributes that hold tensors, or its name alone."""
    stored = attributes(thing)
    for value in finished(thing):
        stored["value"] = value
    keys, trees = _holding(stored, found, depth, seen)
    if trees:
        return Node(name, tuple(keys), tuple(trees))
    own = stored.get("__name__")  # a callable may be called something
    return Text(own if type(own) is str else name)


def _holding(stored: dict[str, Any], found: list[Tensor], depth: int, seen: set[int]) -> tuple[list[str], list[Tree]]:
    """The attributes that hold tensors, by the names that their users know them by.

    What an object keeps in a private dictionary (a store, the ``data`` of a ``UserDict``) is known by its keys.
    """
    before = len(found)
    open_: list[tuple[str, Tree]] = []
    private: list[tuple[str, Tree]] = []
    for key, item in stored.items():
        kind = type(item)
        if kind in PLAIN or issubclass(kind, OPAQUE):
            continue
        count = len(found)
        tree = describe(item, found, depth + 1, seen)
        if len(found) > count:
            (private if type(key) is str and key[:1] == "_" else open_).append((_key(key), tree))
        if len(found) - before >= _TENSORS and type(seen) is not _Whole:
            open_.append(("…", Text("and more")))
            break
    named = dict(open_)
    for key, tree in private:
        if not isinstance(tree, Node) or not tree.keys:
            named[key] = tree
            continue
        for inner, item in zip(tree.keys, tree.items, strict=True):
            if item is not None and _holds(item):
                named[inner if inner not in named else f"{key}.{inner}"] = item
    return list(named), list(named.values())


def _holds(tree: Tree) -> bool:
    return isinstance(tree, Slot) or (isinstance(tree, Node) and any(map(_holds, tree.items)))
