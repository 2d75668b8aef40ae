"""What is found out once about a class, a function or code, and forgotten with it."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Thing = TypeVar("Thing")
Known = TypeVar("Known")


class IdentityCache(Generic[Thing, Known]):
    """Remembers by identity what ``make`` finds, since a metaclass may compare and hash anyhow, and code may be equal.

    Nothing is kept alive: a closure may hold anything, and a class may be made for one model.
    """

    def __init__(self, make: Callable[[Thing], Known]) -> None:
        self._make = make
        self._known: dict[int, tuple[Callable[[], Any], Known]] = {}

    def of(self, thing: Thing) -> Known:
        """What is known of this one."""
        known = self._known.get(id(thing))
        if known is None or known[0]() is not thing:  # another had this identity
            known = self._remembered(thing)
        return known[1]

    def _remembered(self, thing: Thing) -> tuple[Callable[[], Any], Known]:
        made = self._make(thing)
        try:
            reference = weakref.ref(thing, partial(self._known.pop, id(thing)))
        except TypeError:  # of a callable that takes no weak reference
            return (lambda: thing), made
        known = self._known[id(thing)] = reference, made
        return known
