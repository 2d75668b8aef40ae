"""A structure once more, with something else in the place of its tensors; the user's own objects stay as they are.

Containers and objects that hold tensors, directly or through others, are copied without calling a method of their
class: no constructor, no ``__copy__``, no ``__setattr__``. What holds none is not copied but is the same object.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Any, TypeAlias

from torchatlas.capture.objects.contents import OPAQUE, attributes, class_name, contents, is_a, stores

if TYPE_CHECKING:
    from collections.abc import Callable

_OBJECTS = 200_000  # looked at in one structure: it may lead to a whole data set
_DEPTH = 200  # of objects in objects, so that copying them needs no deeper stack than Python has


class NotCopiedError(TypeError):
    """An object that holds tensors is of a class whose objects only its own code can make."""


Copies: TypeAlias = "dict[int, tuple[Any, Any]]"
"""By ``id``, what was copied, which stays alive, and its copy."""


def substituted(thing: Any, kind: type, change: Callable[[Any], Any], copies: Copies | None = None) -> Any:
    """The structure with ``change(item)`` in the place of every ``kind`` inside it.

    Args:
        thing: arguments of any structure.
        kind: what is replaced, `torch.Tensor` for one.
        change: makes what stands there instead.
        copies: those that were made so far: what several structures share, their copies share too.

    Raises:
        NotCopiedError: an object that holds some cannot be made anew; names its class.
    """
    if is_a(thing, kind):
        return change(thing)
    copies = {} if copies is None else copies
    known = len(copies)
    try:
        return _Copy(kind, change, holders(thing, kind), copies).of(thing)
    except NotCopiedError:
        while len(copies) > known:  # what was half made is nothing that others may hold
            copies.popitem()
        raise


def holders(thing: Any, kind: type) -> dict[int, Any]:
    """By ``id``, the containers and objects in a structure through which a ``kind`` can be reached."""
    seen: dict[int, Any] = {id(thing): thing}
    around: dict[int, list[int]] = {}
    found: list[int] = []
    waiting = [(thing, 0)]
    while waiting and len(seen) < _OBJECTS:
        outer, depth = waiting.pop()
        for item in inside(outer) if depth < _DEPTH else ():
            if is_a(item, kind):
                found.append(id(outer))
            elif not is_a(item, _LEAVES):
                around.setdefault(id(item), []).append(id(outer))
                if id(item) not in seen:
                    seen[id(item)] = item
                    waiting.append((item, depth + 1))
    holding: dict[int, Any] = {}
    while found:
        key = found.pop()
        if key not in holding:
            holding[key] = seen[key]
            found += around.get(key, ())
    return holding


def inside(thing: Any) -> list[Any]:
    """The items of a container and the attributes of an object; nothing of what is not looked into."""
    if is_a(thing, _LEAVES):
        return []
    try:
        held = contents(thing)
        items = list(held.items) if held is not None else []
        return items if type(thing) in _BUILTIN else [*items, *attributes(thing).values()]
    except Exception:  # noqa: BLE001 - a proxy asks what it stands for, which may answer with any exception
        return []


_LEAVES = (*OPAQUE, type(None))
_BUILTIN = frozenset({tuple, list, dict, set, frozenset, deque, OrderedDict, slice})


class _Copy:
    def __init__(self, kind: type, change: Callable[[Any], Any], holding: dict[int, Any], copies: Copies) -> None:
        self._kind, self._change, self._holding, self._copies = kind, change, holding, copies

    def of(self, thing: Any) -> Any:
        """What stands for one item."""
        if is_a(thing, self._kind):
            return self._change(thing)
        if type(thing) is weakref.ref:  # of a part to the whole that it belongs to
            whole = self._copies.get(id(thing()))
            return thing if whole is None else weakref.ref(whole[1])
        if id(thing) not in self._holding:
            return thing
        if id(thing) not in self._copies:
            self._made(thing)
        return self._copies[id(thing)][1]

    def _keep(self, thing: Any, copy: Any) -> None:
        self._copies[id(thing)] = thing, copy

    def _made(self, thing: Any) -> None:
        kind = type(thing)
        held = contents(thing)
        if kind is slice:
            self._keep(thing, slice(*map(self.of, held.items if held is not None else ())))
        elif issubclass(kind, (tuple, frozenset)):
            base: Any = tuple if issubclass(kind, tuple) else frozenset
            items = [self.of(item) for item in base.__iter__(thing)]
            try:
                self._keep(thing, base.__new__(kind, items))
            except TypeError:  # the results of torch's functions, which their own class makes
                self._keep(thing, kind(items))
        elif kind is types.MappingProxyType:
            self._keep(thing, types.MappingProxyType({key: self.of(item) for key, item in held.pairs()}))  # type: ignore[union-attr]  # a container
        elif issubclass(kind, functools.partial):
            given = [self.of(part) for part in (thing.func, thing.args, thing.keywords)]
            self._keep(thing, functools.partial.__new__(kind, given[0], *given[1], **given[2]))
        else:
            self._filled(thing, kind)
        if kind not in _BUILTIN:
            self._attributes(thing, self._copies[id(thing)][1])

    def _filled(self, thing: Any, kind: type) -> None:
        """One that can be changed: it is there before its items are, which may lead back to it."""
        base: Any = next(base for base in (*_FILLED, object) if issubclass(kind, base))
        try:
            copy: Any = base.__new__(kind)
        except TypeError as error:
            raise NotCopiedError(class_name(kind)) from error
        self._keep(thing, copy)
        if base is deque:
            deque.__init__(copy, map(self.of, deque.__iter__(thing)), _longest(thing))
        elif base is list:
            list.extend(copy, map(self.of, list.__iter__(thing)))
        elif base is set:
            set.update(copy, map(self.of, set.__iter__(thing)))
        elif issubclass(base, dict):
            if base is defaultdict:
                defaultdict.__init__(copy, attributes(thing)["default_factory"])
            for key, item in contents(thing).pairs():  # type: ignore[union-attr]  # a container
                base.__setitem__(copy, key, self.of(item))

    def _attributes(self, thing: Any, copy: Any) -> None:
        dictionaries, slots = stores(type(thing))
        for read in dictionaries:
            new = read(copy)
            for name, value in dict.items(read(thing)):
                dict.__setitem__(new, name, self.of(value))
        for name, slot in slots:
            held = attributes(thing)
            if name in held:
                try:
                    slot.__set__(copy, self.of(held[name]))
                except AttributeError:  # a member that only the class writes, as the parts of a partial are
                    continue


_longest = deque.__dict__["maxlen"].__get__  # what the class says, not what one derived from it may
_FILLED = (OrderedDict, defaultdict, dict, list, set, deque, types.SimpleNamespace)
