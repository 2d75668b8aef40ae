"""Objects that a run may meet, and that must not be asked anything: every method notes that it was called, and raises.

Each class derives from a builtin that users derive theirs from; the models below hand the objects through and never use
one, so that whatever was called was called for looking.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

touched: list[str] = []
"""What was called, as ``Class.method``."""

METHODS = """
    __len__ __bool__ __iter__ __next__ __contains__ __getitem__ __setitem__ __delitem__ __missing__ __reversed__
    __eq__ __ne__ __lt__ __hash__ __repr__ __str__ __format__ __bytes__ __int__ __float__ __index__ __complex__
    __getattr__ __getattribute__ __setattr__ __delattr__ __dir__ __call__ __enter__ __exit__ __sizeof__
    __copy__ __deepcopy__ __reduce__ __reduce_ex__ __getstate__ __setstate__ __array__ __fspath__ __add__ __or__
    keys values items get copy pop popitem update clear setdefault append extend remove index count insert sort
    tolist numpy to cpu shape dtype device _fields _asdict _replace __name__ __wrapped__ __signature__
    __torch_function__ __dict__ __class__ __self__ __func__ data train parameters modules
""".split()  # noqa: SIM905  # eighty quoted words read worse
PROPERTIES = frozenset("__dict__ __class__ __name__ __wrapped__ __signature__ shape dtype device".split()) | {  # noqa: SIM905
    "_fields",
    "__self__",
    "__func__",
}


class TouchedError(Exception):
    """A method was called for looking."""


def hostile(base: type, **namespace: Any) -> type:
    """A class derived from ``base`` all of whose methods raise."""
    name = f"Hostile{base.__name__.title()}"
    found: dict[str, Any] = {}
    for method in METHODS:
        if method == "data" and issubclass(base, (UserDict, UserList)):
            continue
        found[method] = _raising(f"{name}.{method}")
        if method in PROPERTIES:
            found[method] = property(found[method])
    return type(name, (base,), found | namespace)


def _raising(name: str) -> Callable[..., Any]:
    def method(*_: Any, **__: Any) -> Any:
        touched.append(name)
        raise TouchedError(name)

    return method


class Plain:
    """An object with attributes."""


class Slotted:
    """One without a dictionary."""

    __slots__ = ("_private", "number", "x")


@dataclass
class Fields:
    """A dataclass whose fields are read from nowhere else."""

    x: Any = None
    count: int = 3


class Named(NamedTuple):
    """A tuple with names, one of which is the tensor."""

    x: Any
    count: int


class Store(Mapping):  # type: ignore[type-arg]  # a mapping of the user's own, that keeps a dictionary
    """What PyTorch Geometric and others keep tensors in."""

    def __init__(self) -> None:
        self._store: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        return self._store[key]

    def __iter__(self) -> Any:
        return iter(self._store)

    def __len__(self) -> int:
        return len(self._store)


class Color(Enum):
    """A member of it is one object, that is never copied."""

    RED = 1


def _attributes(made: Any, x: Any) -> Any:
    object.__setattr__(made, "x", x)
    return made


def _stored(kind: type, x: Any) -> Any:
    made = object.__new__(kind)
    _dictionary(made)["_store"] = {"x": x}
    return made


def _wrapped(kind: type, data: Any) -> Any:
    made = object.__new__(kind)
    _dictionary(made)["data"] = data
    return made


def _dictionary(made: Any) -> dict[str, Any]:
    for base in type(made).__mro__:
        if "__dict__" in vars(base) and not isinstance(vars(base)["__dict__"], property):
            return vars(base)["__dict__"].__get__(made)  # type: ignore[no-any-return]  # what it is
    raise TypeError(type(made))


def _of_dict(base: Any, kind: type, x: Any) -> Any:
    made = base.__new__(kind)
    base.__setitem__(made, "x", x)
    return made


def _of_list(base: Any, kind: type, x: Any) -> Any:
    made = base.__new__(kind)
    base.append(made, x)
    return made


def _of_set(kind: type, x: Any) -> Any:
    made = set.__new__(kind)
    set.add(made, x)
    return made


def _slotted(kind: type, x: Any) -> Any:
    made = object.__new__(kind)
    Slotted.x.__set__(made, x)  # type: ignore[attr-defined]  # its slot
    return made


HOLDING: dict[str, Callable[[Any], Any]] = {
    "object": lambda x: _attributes(hostile(Plain)(), x),
    "slots": lambda x: _slotted(hostile(Slotted, __slots__=()), x),
    "dataclass": lambda x: _attributes(object.__new__(hostile(Fields)), x),
    "namedtuple": lambda x: tuple.__new__(hostile(Named), (x, 3)),
    "tuple": lambda x: tuple.__new__(hostile(tuple), (x, 3)),
    "list": lambda x: _of_list(list, hostile(list), x),
    "deque": lambda x: _of_list(deque, hostile(deque), x),
    "set": lambda x: _of_set(hostile(set), x),
    "frozenset": lambda x: frozenset.__new__(hostile(frozenset), [x]),
    "dict": lambda x: _of_dict(dict, hostile(dict), x),
    "ordered": lambda x: _of_dict(OrderedDict, hostile(OrderedDict), x),
    "default": lambda x: _of_dict(defaultdict, hostile(defaultdict), x),
    "counter": lambda x: _of_dict(dict, hostile(Counter), x),
    "userdict": lambda x: _wrapped(hostile(UserDict), {"x": x}),
    "userlist": lambda x: _wrapped(hostile(UserList), [x]),
    "mapping": lambda x: _stored(hostile(Store), x),
    "namespace": lambda x: _attributes(hostile(SimpleNamespace)(), x),
}
"""By what it derives from: makes one that holds what it is given."""

BARE: dict[str, Callable[[], Any]] = {
    "text": lambda: str.__new__(hostile(str), "text"),
    "whole": lambda: int.__new__(hostile(int), 7),
    "number": lambda: float.__new__(hostile(float), 0.5),
    "complex": lambda: complex.__new__(hostile(complex), 1j),
    "bytes": lambda: bytes.__new__(hostile(bytes), b"abc"),
    "enumeration": lambda: Color.RED,
    "class": lambda: hostile(Plain),
}
"""The same of what holds nothing."""


class Around(nn.Module):
    """A layer, beside objects that it holds and does not use."""

    def __init__(self, *held: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.inner = Handing()
        for number, thing in enumerate(held):
            vars(self)[f"held{number}"] = thing
        self.many = list(held)
        self.named = {"held": held}

    def forward(self, x: Tensor, *given: Any, option: Any = None) -> Any:
        """What comes in beside the tensor goes through a module and out again."""
        return self.layer(x), self.inner(given, option)


class Handing(nn.Module):
    """Hands on what it is given."""

    def forward(self, given: Any, option: Any) -> Any:
        """One structure of both."""
        return {"given": given, "option": option}
