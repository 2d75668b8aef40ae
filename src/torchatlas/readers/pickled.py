"""What a pickle holds, as plain things: names that are not looked up, objects that are not built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchatlas.readers.source import Source


@dataclass(frozen=True, slots=True)
class Global:
    """Something that the pickle names; it is not looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False, repr=False)  # its parts may hold each other
class Foreign:
    """An object that is not built: what would have been called, with what, and the state it would have been given.

    Attributes:
        made_by: what would have been called.
        args: with what.
        state: what it would have been set from.
        items: of a subclass of dict or list, what would have been put into it; None where nothing was.
    """

    made_by: Global
    args: object = ()
    state: object = None
    items: Mapping | list[Any] | None = None

    def build(self, state: object) -> None:
        """Take the state that it would have been given."""
        self.state = state


@dataclass(slots=True)
class Needs:
    """What loading a pickle needs, as far as it was read.

    Attributes:
        names: everything that it names.
        protocol: the highest that it says it is written in.
    """

    names: set[Global] = field(default_factory=set)
    protocol: int = 0


@dataclass(frozen=True, slots=True)
class Blob:
    """A long string of bytes that was stepped over; where it stands, if the pickle is all of a source."""

    start: int
    size: int
    source: Source | None = None

    def part(self, inside: str) -> Source | None:
        """Where its bytes can be read; ``inside`` says what they are."""
        return self.source and self.source.part(self.start, self.size, inside)


class Mapping(dict[Any, Any]):
    """A dictionary of the file; ``attributes`` is what a subclass of dict kept beside its items."""

    __slots__ = ("attributes",)

    def __init__(self) -> None:
        super().__init__()
        self.attributes: object = None

    @classmethod
    def of(cls, *args: object) -> Mapping:
        """What a call of OrderedDict and its like gives, made of nothing or of pairs."""
        made = cls()
        pairs = args[-1] if args else ()
        if isinstance(pairs, Mapping):
            made.update(pairs)
        elif isinstance(pairs, (list, tuple)):
            for pair in pairs:
                if isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], (str, int)):  # noqa: PLR2004 - a pair
                    made[pair[0]] = pair[1]
        return made


class Set(list[Any]):
    """A set of the file, in the order in which it stands there: nothing of a file is hashed."""

    __slots__ = ()


class Damaged(Exception):  # noqa: N818 - it never leaves the readers
    """The pickle cannot go on as it stands."""
