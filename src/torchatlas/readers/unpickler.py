"""Reading a pickle without running it: a machine that knows what each opcode means, and calls nothing.

A pickle is a program whose instructions name functions and call them; Python's own reader does what it says, which is
why a pickle can hold anything. Here a function that is named is a `Global`, two words. What a call of it gives, the
reader of each kind of file says by those words: a record of a tensor, a container, or a `Foreign`, which only says what
would have been called. No module is imported and no attribute looked up.

A hostile program cannot make the machine work for long or take much memory: `STEPS` and `BYTES` bound it, what stands
in the file as one long string of bytes is stepped over, and nothing is hashed or compared but numbers, strings, and
objects by which of them they are.

Source: https://docs.python.org/3/library/pickletools.html, whose readers of arguments are used.
"""

from __future__ import annotations

import pickletools
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from torchatlas.core.errors import FileError
from torchatlas.core.gc_paused import collection_paused
from torchatlas.readers.pickled import Blob, Damaged, Foreign, Global, Mapping, Needs, Set

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.readers.source import Source

STEPS = 10_000_000
"""Opcodes at most; a tensor takes some forty."""

BYTES = 1 << 28
"""Bytes at most, without those of long strings of bytes."""

LONG = 1 << 12
"""Bytes in one string that is still read; a longer one is stepped over."""


class File(Protocol):
    """What is read: an open file, or a member of an archive."""

    def read(self, size: int = ..., /) -> bytes:
        """Give up to so many bytes."""

    def readline(self, size: int = ..., /) -> bytes:
        """Give the bytes up to the end of the line."""

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """Go to another place."""

    def tell(self) -> int:
        """Say where it stands."""


@dataclass(slots=True)
class Bounded:
    """A file from which no more than ``left`` bytes are taken; ``source``, where it is known, is what was opened."""

    file: File
    left: int = BYTES
    source: Source | None = None

    def read(self, size: int) -> bytes:
        """Give exactly so many bytes, or what is left of the file."""
        self._take(size)
        return self.file.read(size)

    def readline(self) -> bytes:
        """Give one line."""
        line = self.file.readline(self.left + 1)
        self._take(len(line))
        return line

    def skip(self, size: int) -> Blob:
        """Step over bytes, which must be there."""
        start = self.file.tell()
        if size:
            self.file.seek(start + size - 1)
            if self.file.tell() != start + size - 1 or len(self.file.read(1)) != 1:
                raise Damaged("it ends inside a string of bytes")
        return Blob(start, size, self.source)

    def _take(self, size: int) -> None:
        if not 0 <= size <= self.left:
            raise Damaged(f"it is larger than the {BYTES:,} bytes that are read of one")
        self.left -= size


@dataclass(slots=True)
class Machine:
    """One pickle.

    Attributes:
        file: what is read; it stands behind the pickle when that has been read.
        call: what a call of a Global gives.
        stored: what a persistent id stands for; in torch's files, a storage.
        needs: filled with what loading it needs.
    """

    file: Bounded
    call: Callable[[Global | Foreign, object], object]
    stored: Callable[[object], object]
    stack: list[Any] = field(default_factory=list)
    marks: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)

    def run(self) -> object:
        """Give the object that the pickle describes.

        Raises:
            Damaged: it is no pickle, ends too early, or goes beyond a limit.
            FileError: as ``call`` and ``stored`` raise it.
        """
        with collection_paused(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings, which are the file's
            return self._run()

    def _run(self) -> object:
        read = self.file.file.read
        for _ in range(STEPS):
            code = read(1)
            if code == b".":
                return self.stack.pop() if self.stack else _fail("it leaves nothing")
            operation = OPERATIONS.get(code)
            if operation is None:
                raise Damaged(f"the byte {code!r} is no opcode" if code else "it ends too early")
            try:
                operation(self)
            except (Damaged, FileError):
                raise
            except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, EOFError) as error:
                raise Damaged(f"the opcode {code!r} cannot be followed: {error}") from None
        raise Damaged(f"it has more than {STEPS:,} opcodes")

    def push(self, thing: object) -> None:
        """Put something on the stack."""
        self.stack.append(thing)

    def name(self, module: str, name: str) -> Global:
        """Something that the pickle names."""
        named = Global(module, name)
        self.needs.names.add(named)
        return named

    def unmark(self) -> list[Any]:
        """Give what was pushed since the last mark."""
        found, self.stack = self.stack, self.marks.pop()
        return found

    def apply(self, called: object, args: object) -> object:
        """Give what a call stands for; only what the file names can be called."""
        if not isinstance(called, (Global, Foreign)):
            raise Damaged(f"it calls a {type(called).__name__}")
        return self.call(called, args)

    def put(self, key: int) -> None:
        """Remember the top of the stack."""
        self.memo[key] = self.stack[-1]


def _fail(why: str) -> Any:
    raise Damaged(why)


def _fill(mapping: object, items: list[Any]) -> None:
    if isinstance(mapping, Foreign):
        mapping.items = mapping.items if isinstance(mapping.items, Mapping) else Mapping()
        mapping = mapping.items
    if not isinstance(mapping, Mapping) or len(items) % 2:
        raise Damaged("it sets items of what is no dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        mapping[key if isinstance(key, (str, int, float, bytes, type(None), Foreign)) else _label(key, mapping)] = value


def _label(key: object, mapping: Mapping) -> str:
    """What stands for a key that is not hashed, since that could take for ever."""
    label = f"<{type(key).__name__}>"
    return label if label not in mapping else f"{label[:-1]} {len(mapping)}>"


def _extend(collection: object, items: list[Any]) -> None:
    if isinstance(collection, Foreign):
        collection.items = collection.items if isinstance(collection.items, list) else []
        collection = collection.items
    if not isinstance(collection, list):
        raise Damaged("it appends to what is no list")
    collection.extend(items)


def _constant(make: Callable[[], object]) -> Callable[[Machine], None]:
    return lambda machine: machine.stack.append(make())


def _read(code: str) -> Callable[[Any], Any]:
    """The reader of an opcode's argument, as the standard library has it."""
    argument = next(operation for operation in pickletools.opcodes if operation.name == code).arg
    assert argument is not None  # noqa: S101 - only opcodes with one are asked for
    return argument.reader


def _pushed(code: str) -> Callable[[Machine], None]:
    reader = _read(code)
    return lambda machine: machine.stack.append(reader(machine.file))


def _latin(code: str) -> Callable[[Machine], None]:
    """A string of Python 2, where text and bytes were one."""
    reader = _read(code)

    def push(machine: Machine) -> None:
        text = reader(machine.file)
        machine.stack.append(text.decode("latin-1") if isinstance(text, bytes) else text)

    return push


def _bytes(width: int) -> Callable[[Machine], None]:
    def push(machine: Machine) -> None:
        size = int.from_bytes(_exactly(machine, width), "little")
        machine.stack.append(_exactly(machine, size) if size <= LONG else machine.file.skip(size))

    return push


def _exactly(machine: Machine, size: int) -> bytes:
    found = machine.file.read(size)
    if len(found) != size:
        raise Damaged("it ends too early")
    return found


def _get(code: str) -> Callable[[Machine], None]:
    reader = _read(code)
    return lambda machine: machine.stack.append(machine.memo[reader(machine.file)])


def _put(code: str) -> Callable[[Machine], None]:
    reader = _read(code)
    return lambda machine: machine.put(reader(machine.file))


def _tuple(count: int) -> Callable[[Machine], None]:
    def push(machine: Machine) -> None:
        if len(machine.stack) < count:
            raise Damaged("a tuple wants more than there is")
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return push


def _mark(machine: Machine) -> None:
    machine.marks.append(machine.stack)
    machine.stack = []


def _reduce(machine: Machine) -> None:
    args = machine.stack.pop()
    machine.push(machine.apply(machine.stack.pop(), args))


def _newobj_ex(machine: Machine) -> None:
    keywords, args = machine.stack.pop(), machine.stack.pop()
    machine.push(machine.apply(machine.stack.pop(), (args, keywords) if keywords else args))


def _inst(machine: Machine) -> None:
    module, _, name = _read("INST")(machine.file).partition(" ")
    machine.push(machine.apply(machine.name(module, name), tuple(machine.unmark())))


def _obj(machine: Machine) -> None:
    called, *args = machine.unmark()
    machine.push(machine.apply(called, tuple(args)))


def _global(machine: Machine) -> None:
    module, _, name = _read("GLOBAL")(machine.file).partition(" ")
    machine.push(machine.name(module, name))


def _stack_global(machine: Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise Damaged("it names something by what is no text")
    machine.push(machine.name(module, name))


def _build(machine: Machine) -> None:
    state = machine.stack.pop()
    thing = machine.stack[-1]
    if isinstance(thing, Foreign):
        thing.build(state)
    elif isinstance(thing, Mapping):
        thing.attributes = state


def _dict(machine: Machine) -> None:
    items, mapping = machine.unmark(), Mapping()
    _fill(mapping, items)
    machine.push(mapping)


def _setitem(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _fill(machine.stack[-1], [key, value])


def _setitems(machine: Machine) -> None:
    items = machine.unmark()
    _fill(machine.stack[-1], items)


def _append(machine: Machine) -> None:
    item = machine.stack.pop()
    _extend(machine.stack[-1], [item])


def _appends(machine: Machine) -> None:
    items = machine.unmark()
    _extend(machine.stack[-1], items)


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.unmark()


def _pop_mark(machine: Machine) -> None:
    machine.unmark()


def _memoize(machine: Machine) -> None:
    machine.put(len(machine.memo))


def _persistent(machine: Machine) -> None:
    machine.push(machine.stored(machine.stack.pop()))


def _persistent_line(machine: Machine) -> None:
    machine.push(machine.stored(_read("PERSID")(machine.file)))


def _protocol(machine: Machine) -> None:
    machine.needs.protocol = max(machine.needs.protocol, *_exactly(machine, 1))


OPERATIONS: dict[bytes, Callable[[Machine], None]] = {
    b"\x80": _protocol,
    b"\x95": lambda machine: None if machine.file.read(8) else _fail("it ends too early"),  # FRAME
    b"(": _mark,
    b"0": _pop,
    b"1": _pop_mark,
    b"2": lambda machine: machine.push(machine.stack[-1]),
    b"N": _constant(lambda: None),
    b"\x88": _constant(lambda: True),
    b"\x89": _constant(lambda: False),
    b"]": _constant(list),
    b"}": _constant(Mapping),
    b")": _constant(tuple),
    b"\x8f": _constant(Set),
    **{
        pickletools_code: _pushed(name)
        for pickletools_code, name in (
            (b"I", "INT"),
            (b"J", "BININT"),
            (b"K", "BININT1"),
            (b"M", "BININT2"),
            (b"L", "LONG"),
            (b"\x8a", "LONG1"),
            (b"\x8b", "LONG4"),
            (b"F", "FLOAT"),
            (b"G", "BINFLOAT"),
            (b"V", "UNICODE"),
            (b"X", "BINUNICODE"),
            (b"\x8c", "SHORT_BINUNICODE"),
            (b"\x8d", "BINUNICODE8"),
        )
    },
    **{
        pickletools_code: _latin(name)
        for pickletools_code, name in (
            (b"S", "STRING"),
            (b"T", "BINSTRING"),
            (b"U", "SHORT_BINSTRING"),
        )
    },
    b"C": _bytes(1),
    b"B": _bytes(4),
    b"\x8e": _bytes(8),
    b"\x96": _bytes(8),  # a bytearray
    b"t": lambda machine: machine.push(tuple(machine.unmark())),
    b"l": lambda machine: machine.push(machine.unmark()),
    b"d": _dict,
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"\x91": lambda machine: machine.push(Set(machine.unmark())),  # a frozenset
    b"\x90": _appends,
    b"a": _append,
    b"e": _appends,
    b"s": _setitem,
    b"u": _setitems,
    b"g": _get("GET"),
    b"h": _get("BINGET"),
    b"j": _get("LONG_BINGET"),
    b"p": _put("PUT"),
    b"q": _put("BINPUT"),
    b"r": _put("LONG_BINPUT"),
    b"\x94": _memoize,
    b"c": _global,
    b"\x93": _stack_global,
    b"i": _inst,
    b"o": _obj,
    b"R": _reduce,
    b"\x81": _reduce,  # NEWOBJ
    b"\x92": _newobj_ex,
    b"b": _build,
    b"P": _persistent_line,
    b"Q": _persistent,
}
