"""What of an object can change (its items, its attributes, its slots), read and written without a method of its class.

Where `contents` reads what an object holds, this also writes it: containers by the methods of the built-in class that
they derive from.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from contextlib import suppress
from operator import is_
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from torchatlas.capture.objects.contents import of_class, stores
from torchatlas.capture.objects.identity_cache import IdentityCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLAIN = frozenset({dict, list, set, deque, OrderedDict, defaultdict, Counter})
FROZEN = (tuple, frozenset)
_BASES: tuple[Any, ...] = (OrderedDict, dict, list, set, deque, *FROZEN)
_BUILT_IN = PLAIN.union(FROZEN, {object, SimpleNamespace})
_HEAP, _IMMUTABLE = 1 << 9, 1 << 8  # flags of types: a class written in Python has the first alone


class Slots:
    """The attributes that an object keeps in slots, as a container."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing


class Kind:
    """How objects of a class are read.

    Attributes:
        base: the built-in class of a container; None of what is none.
        dictionaries: what gives the dictionary of attributes, where there is one.
        slots: by name, what reads and writes each.
        module: the Python module that it comes from.
        in_python: it is written in Python, and no iterator: all that it holds is seen, and it stands for itself.
    """

    __slots__ = ("base", "dictionaries", "in_python", "module", "slots")

    def __init__(self, kind: type) -> None:
        self.base = next((base for base in _BASES if issubclass(kind, base)), None)
        self.dictionaries, self.slots = stores(kind)
        module = of_class(kind, "__module__")
        self.module = module if type(module) is str else ""
        written = [base for base in _bases(kind) if id(base) not in _KNOWN]
        self.in_python = of_class(kind, "__next__") is None and all(
            _flags(base) & (_HEAP | _IMMUTABLE) == _HEAP for base in written
        )


_KNOWN = frozenset(map(id, _BUILT_IN))
_bases: Any = type.__dict__["__mro__"].__get__
_flags: Any = type.__dict__["__flags__"].__get__
_kinds: IdentityCache[type, Kind] = IdentityCache(Kind)


def kind_of(thing: Any) -> Kind:
    """How this object is read."""
    return _kinds.of(type(thing))


def parts_of(thing: Any) -> Iterator[Any]:
    """What of an object can change: a container itself, the dictionary of its attributes, its slots."""
    kind = kind_of(thing)
    if kind.base is not None:
        yield thing
    for read in kind.dictionaries:
        if type(attributes := read(thing)) is dict:
            yield attributes
    if kind.slots:
        yield Slots(thing)


def copy_of(part: Any) -> Any:
    """The items of a container, in a container of the built-in class; those of slots as a dictionary."""
    if type(part) is dict:
        return part.copy()
    base = kind_of(part).base
    if base is None:
        return _slot_values(part.thing)
    if base is OrderedDict or base is dict:
        return dict(base.items(part))
    if base is set or base is frozenset:
        return base(part)  # which ask a set of any class for nothing
    return [*base.__iter__(part)] if base is not tuple else (*tuple.__iter__(part),)


def items_of(part: Any) -> Iterable[Any]:
    """Items of a container, values of a dictionary."""
    copy = copy_of(part)
    return copy.values() if type(copy) is dict else copy


def differs(part: Any, copy: Any) -> bool:
    """Whether it holds other objects than its copy: by identity, since comparing tensors by value would compute."""
    now = part if type(part) is dict else copy_of(part)
    if len(now) != len(copy):
        return True
    if type(copy) is dict:
        return not (all(map(is_, now, copy)) and all(map(is_, now.values(), copy.values())))
    if type(copy) in (set, frozenset):  # a copy may have another order
        return set(map(id, now)) != set(map(id, copy))
    return not all(map(is_, now, copy))


def put_back(part: Any, copy: Any) -> None:
    """The items of the copy in the container, which is not touched if it has them."""
    if type(copy) in FROZEN or not differs(part, copy):
        return
    base = kind_of(part).base
    if base is None:
        _put_back_slots(part.thing, copy)
        return
    base.clear(part)
    if type(copy) is dict:
        for key, item in copy.items():
            base.__setitem__(part, key, item)
    else:
        (base.update if base is set else base.extend)(part, copy)


def _slot_values(thing: Any) -> dict[str, Any]:
    found = {}
    for name, member in kind_of(thing).slots:
        with suppress(AttributeError):  # an empty slot
            found[name] = member.__get__(thing)
    return found


def _put_back_slots(thing: Any, copy: dict[str, Any]) -> None:
    for name, member in kind_of(thing).slots:
        with suppress(AttributeError, TypeError):  # an empty slot, or one that only C may write
            if name in copy:
                member.__set__(thing, copy[name])
            else:
                member.__delete__(thing)
