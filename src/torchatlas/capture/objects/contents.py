"""What a container or an object of the user's holds, read without calling a method of its class.

A class may do anything when it is asked for its length, its items or an attribute: raise, load a file, wait forever. So
an object is what its type is, not what its ``__class__`` says; a container is read with the methods of the builtin
class that it derives from; of any other object, the instance dictionary and the slots are read.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
import weakref
from collections import OrderedDict, UserDict, UserList, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, TypeVar

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from torchatlas.capture.objects.identity_cache import IdentityCache
from torchatlas.capture.torch_private import OperatorBase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_T = TypeVar("_T")

_bases = type.__dict__["__mro__"].__get__
_namespace = type.__dict__["__dict__"].__get__
class_name: Callable[[type], str] = type.__dict__["__name__"].__get__
"""The name of a class, whatever its metaclass answers."""

LAZY = (UninitializedParameter, UninitializedBuffer)
"""Tensors without a shape yet, whatever else they can be asked."""

FUNCTIONS = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
)
"""What is called and has a name of its own."""

_mesh: type | None = getattr(sys.modules.get("torch.distributed.device_mesh"), "DeviceMesh", None)
_MESH = () if _mesh is None else (_mesh,)  # torch has none where it is built without distributed
OPAQUE = (
    *(nn.Module, type, types.ModuleType, *FUNCTIONS),
    *(types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType),
    *(types.CodeType, types.FrameType, types.TracebackType, types.CellType),
    *(types.GetSetDescriptorType, types.MemberDescriptorType, property, weakref.ref),
    *(torch.Generator, torch.UntypedStorage, OperatorBase),
    *_MESH,
    *(str, bytes, bytearray, int, float, complex, range, memoryview),
)
"""Kinds that are not looked into: modules and code have records of their own, and the rest holds no tensors."""


class Contents(NamedTuple):
    """What something holds.

    Attributes:
        items: in the order of the container.
        keys: of each, as the container has it (a name, a number, any object); None where items are numbered.
    """

    items: Sequence[Any]
    keys: Sequence[Any] | None = None

    def pairs(self) -> list[tuple[Any, Any]]:
        """(key or number, item) of each."""
        return list(zip(range(len(self.items)) if self.keys is None else self.keys, self.items, strict=True))


def is_a(thing: object, kinds: type[_T] | tuple[type[_T], ...]) -> TypeGuard[_T]:
    """``isinstance``, by the type alone: ``isinstance`` also asks the object for its ``__class__``."""
    return issubclass(type(thing), kinds)


def contents(thing: object) -> Contents | None:
    """The items of a container; None of anything else.

    Fields name the items of a named tuple, of a slice and of a dataclass, keys those of a dictionary.
    """
    kind = type(thing)
    if issubclass(kind, tuple):
        items: tuple[Any, ...] = tuple(tuple.__iter__(thing))  # type: ignore[arg-type]  # here and below, the check on its type
        fields = of_class(kind, "_fields")
        return Contents(items, fields if type(fields) is tuple and len(fields) == len(items) else None)
    for base, iterate in _SEQUENCES:
        if issubclass(kind, base):
            return Contents(tuple(iterate(thing)))
    if issubclass(kind, (dict, types.MappingProxyType)):
        pairs = _pairs(thing)
        return Contents([item for _, item in pairs], [key for key, _ in pairs])
    if issubclass(kind, (UserDict, UserList)):  # which are what they keep as ``data``
        return contents(attributes(thing).get("data"))
    fields = _SLICE if kind is slice else _fields_of(kind)
    return None if fields is None else _of_fields(thing, fields)


def attributes(thing: object) -> dict[str, Any]:
    """What the instance dictionary and the slots hold; of a container, what it holds beside its items."""
    dictionaries, slots = stores(type(thing))
    found: dict[str, Any] = {}
    for read in dictionaries:
        stored = read(thing)
        if issubclass(type(stored), dict):
            found.update(dict.items(stored))
    for name, slot in slots:
        with suppress(AttributeError):  # never set
            found[name] = slot.__get__(thing)
    return found


def of_class(kind: type, name: str) -> Any:
    """What a class or a base of it defines under a name, not called and not bound; None if nothing."""
    for base in _bases(kind):
        if name in _namespace(base):
            return _namespace(base)[name]
    return None


def callable_name(thing: Any) -> str:
    """What a callable goes by: a function's name, the name that an object says it has, or that of its class."""
    while is_a(thing, functools.partial):
        thing = attributes(thing)["func"]
    own: Any = attributes(thing).get("__name__")
    if issubclass(type(thing), FUNCTIONS):
        own = thing.__name__
    return own if type(own) is str else class_name(type(thing))


_SLICE = ("start", "stop", "step")
_SEQUENCES: tuple[tuple[type, Callable[[Any], Iterator[Any]]], ...] = (
    (list, list.__iter__),
    (set, set.__iter__),
    (frozenset, frozenset.__iter__),
    (deque, deque.__iter__),
)


def _pairs(thing: Any) -> list[tuple[Any, Any]]:
    if issubclass(type(thing), OrderedDict):
        try:
            return list(OrderedDict.items(thing))
        except Exception:  # noqa: BLE001 - it asks the keys for their hashes, which are the user's
            return list(dict.items(thing))
    return list((dict if issubclass(type(thing), dict) else types.MappingProxyType).items(thing))


def _fields_of(kind: Any) -> tuple[str, ...] | None:
    """The names of a dataclass's fields; None of any other class."""
    if type(of_class(kind, "__dataclass_fields__")) is not dict or issubclass(kind, OPAQUE):
        return None
    return tuple([field.name for field in dataclasses.fields(kind)])


def _of_fields(thing: object, names: tuple[str, ...]) -> Contents:
    """The fields of a dataclass: as stored, or as its class has them; one that is a property is left out."""
    stored = attributes(thing)
    found = {}
    for name in names:
        value = stored[name] if name in stored else of_class(type(thing), name)
        if name in stored or not hasattr(type(value), "__get__"):
            found[name] = value
    return Contents(list(found.values()), list(found))


def _stores(kind: type) -> tuple[list[Callable[[Any], Any]], list[tuple[str, Any]]]:
    dictionaries: list[Any] = []
    slots: list[tuple[str, Any]] = []
    for base in _bases(kind):
        for name, member in dict(_namespace(base)).items():
            if name == "__dict__" and type(member) in (types.GetSetDescriptorType, types.MemberDescriptorType):
                dictionaries.append(member.__get__)
            elif type(member) is types.MemberDescriptorType:
                slots.append((name, member))
    return dictionaries[:1], slots


stores = IdentityCache(_stores).of
"""Where objects of a class keep attributes: what gives the instance dictionary, and (name, descriptor) of slots."""
