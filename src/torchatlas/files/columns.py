"""Columns: sequences of one type as bytes, the layer of an ``.atlas`` file under its records (`files.records`).

A column writes a whole sequence at once and reads it back, given how many items to expect; columns nest
(`Ragged(Deltas())`). Numbers are little-endian, in the narrowest width that holds the column, and their bytes are
transposed (all lowest bytes first), because that is what compresses, as in HDF5's shuffle filter and Blosc. 300 is
``2c 01``, so 1, 2 and 300 need two bytes each, low bytes first:

>>> out = bytearray()
>>> INTS.put([1, 2, 300], out)
>>> out.hex(" ")
'02 01 02 2c 00 00 01'

Every item takes at least one byte, so what a column can be made to allocate is bounded by the bytes at hand. Bytes that
no column wrote raise ``ValueError``.
"""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from itertools import accumulate, chain, count, islice
from operator import sub
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

T = TypeVar("T")
S = TypeVar("S")

WIDTHS = {1: "b", 2: "h", 4: "i", 8: "q"}
HEXADECIMAL = 0
"""In place of a width: the numbers follow as text, because one of them has more than 64 bits."""

FARTHEST = 2**64


class Reader:
    """The bytes of a file, read from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def cut(self, size: int) -> bytes:
        """Give the next ``size`` bytes."""
        end = self.position + size
        if end > len(self.data):
            raise ValueError(f"{size} bytes wanted at {self.position}, {len(self.data) - self.position} left")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def count(self) -> int:
        """Give the next number that says how much follows."""
        return int.from_bytes(self.cut(8), "little")

    def need_end(self) -> None:
        """Raise ``ValueError`` unless all was read."""
        if self.position != len(self.data):
            raise ValueError(f"{len(self.data) - self.position} bytes are left over")


def put_count(number: int, out: bytearray) -> None:
    """Write what ``Reader.count`` reads."""
    out += number.to_bytes(8, "little")


class Column(Protocol[T]):
    """One type of sequence: ``take(reader, len(values))`` gives what ``put(values, out)`` wrote."""

    def put(self, values: Sequence[T], out: bytearray) -> None:
        """Append the values to ``out``."""

    def take(self, reader: Reader, count: int) -> Sequence[T]:
        """Read ``count`` values."""
        ...


class Ints:
    """Integers of any size."""

    def put(self, values: Sequence[int], out: bytearray) -> None:
        """Write the width, then the numbers."""
        low, high = min(values, default=0), max(values, default=0)
        bits = 1 + max(low.bit_length() if low >= 0 else (~low).bit_length(), high.bit_length())
        width = next((width for width in WIDTHS if bits <= 8 * width), HEXADECIMAL)
        out.append(width)
        if width == HEXADECIMAL:
            text = " ".join([f"{value:x}" for value in values]).encode()
            put_count(len(text), out)
            out += text
        else:
            put_planes(struct.pack(f"<{len(values)}{WIDTHS[width]}", *values), width, out)

    def take(self, reader: Reader, count: int) -> Sequence[int]:
        """Read the width, then the numbers."""
        width = reader.cut(1)[0]
        if width == HEXADECIMAL:
            words = reader.cut(reader.count()).decode("ascii").split()
            if len(words) != count:
                raise ValueError(f"{count} numbers wanted, {len(words)} found")
            return [int(word, 16) for word in words]
        if width not in WIDTHS:
            raise ValueError(f"no numbers are {width} bytes wide")
        return struct.unpack(f"<{count}{WIDTHS[width]}", take_planes(reader, count, width))


def put_planes(data: bytes, width: int, out: bytearray) -> None:
    """Write numbers of ``width`` bytes transposed: every first byte, then every second byte, and so on."""
    for plane in range(width):
        out += data[plane::width]


def take_planes(reader: Reader, count: int, width: int) -> bytes:
    """Read what ``put_planes`` wrote."""
    data = reader.cut(count * width)
    if width == 1:
        return data
    numbers = bytearray(len(data))
    for plane in range(width):
        numbers[plane::width] = data[plane * count : (plane + 1) * count]
    return bytes(numbers)


class Deltas:
    """Integers near the one before, such as ids; at most 2**64 apart."""

    def put(self, values: Sequence[int], out: bytearray) -> None:
        """Write each as its distance from the one before."""
        INTS.put(list(map(sub, values, chain((0,), values))), out)

    def take(self, reader: Reader, count: int) -> Sequence[int]:
        """Add the distances up; each sum being a number of its own, one huge distance would make many huge numbers."""
        distances = INTS.take(reader, count)
        if distances and not (min(distances) >= -FARTHEST and max(distances) <= FARTHEST):
            raise ValueError("two numbers in a row are more than 2**64 apart")
        return list(accumulate(distances))


class Positions:
    """The integers 0, 1, 2, …: nothing needs to be written."""

    def put(self, values: Sequence[int], out: bytearray) -> None:
        """Write nothing."""

    def take(self, reader: Reader, count: int) -> Sequence[int]:  # noqa: ARG002 - nothing was written
        """Count."""
        return range(count)


class Flags:
    """True and False."""

    def put(self, values: Sequence[bool], out: bytearray) -> None:
        """Write one byte for each."""
        out += bytes(values)

    def take(self, reader: Reader, count: int) -> Sequence[bool]:
        """Read one byte for each."""
        return list(map((False, True).__getitem__, indices(reader.cut(count), 2)))


class Floats:
    """Floating point numbers, bit for bit, except that every NaN is read as ``math.nan`` itself.

    Python's containers hold an object equal to itself, so that records which hold ``math.nan`` stay equal.
    """

    def put(self, values: Sequence[float], out: bytearray) -> None:
        """Write eight bytes for each."""
        put_planes(struct.pack(f"<{len(values)}d", *values), 8, out)

    def take(self, reader: Reader, count: int) -> Sequence[float]:
        """Read eight bytes for each."""
        numbers = struct.unpack(f"<{count}d", take_planes(reader, count, 8))
        return [math.nan if math.isnan(number) else number for number in numbers]


class Texts:
    """Strings of any characters, lone surrogates among them."""

    def put(self, values: Sequence[str], out: bytearray) -> None:
        """Write the lengths in bytes, then the strings."""
        encoded = [value.encode("utf-8", "surrogatepass") for value in values]
        INTS.put(list(map(len, encoded)), out)
        out += b"".join(encoded)

    def take(self, reader: Reader, count: int) -> Sequence[str]:
        """Cut the strings by their lengths."""
        lengths = sizes(INTS.take(reader, count))
        return [reader.cut(length).decode("utf-8", "surrogatepass") for length in lengths]


class Maybe(Generic[T]):
    """Values of which some are None."""

    def __init__(self, inner: Column[T]) -> None:
        self.inner = inner

    def put(self, values: Sequence[T | None], out: bytearray) -> None:
        """Write which are there, then those."""
        FLAGS.put([value is not None for value in values], out)
        there = [value for value in values if value is not None]
        self.inner.put(there, out)

    def take(self, reader: Reader, count: int) -> Sequence[T | None]:
        """Put None between the values."""
        flags = FLAGS.take(reader, count)
        there = iter(self.inner.take(reader, sum(flags)))
        return [next(there) if flag else None for flag in flags]


class Ragged(Generic[T]):
    """Tuples of any lengths."""

    def __init__(self, inner: Column[T]) -> None:
        self.inner = inner

    def put(self, values: Sequence[Sequence[T]], out: bytearray) -> None:
        """Write the lengths, then all items in one sequence."""
        INTS.put(list(map(len, values)), out)
        self.inner.put(list(chain.from_iterable(values)), out)

    def take(self, reader: Reader, count: int) -> Sequence[tuple[T, ...]]:
        """Cut the sequence by the lengths."""
        lengths = sizes(INTS.take(reader, count))
        items = iter(self.inner.take(reader, sum(lengths)))
        return [tuple(islice(items, length)) for length in lengths]


class Pairs(Generic[S, T]):
    """Tuples of two."""

    def __init__(self, first: Column[S], second: Column[T]) -> None:
        self.first = first
        self.second = second

    def put(self, values: Sequence[tuple[S, T]], out: bytearray) -> None:
        """Write all the first, then all the second."""
        self.first.put([first for first, _ in values], out)
        self.second.put([second for _, second in values], out)

    def take(self, reader: Reader, count: int) -> Sequence[tuple[S, T]]:
        """Join the first with the second."""
        return list(zip(self.first.take(reader, count), self.second.take(reader, count), strict=True))


class Interned(Generic[T]):
    """Values many of which are equal: each is written once, and read as one shared object.

    ``key`` gives what to compare values by, where their own hash is slow or calls different things equal.
    """

    def __init__(self, inner: Column[T], key: Callable[[T], Hashable] | None = None) -> None:
        self.inner = inner
        self.key = key

    def put(self, values: Sequence[T], out: bytearray) -> None:
        """Write the distinct values, then for each value which one it is."""
        ranks: defaultdict[Hashable, int] = defaultdict(count().__next__)
        keys = list(map(self.key, values)) if self.key else values
        rows = list(map(ranks.__getitem__, keys))
        put_count(len(ranks), out)
        self.inner.put(list(dict(zip(keys, values, strict=True)).values()), out)
        INTS.put(rows, out)

    def take(self, reader: Reader, count: int) -> Sequence[T]:
        """Look each value up among the distinct."""
        length = reader.count()
        distinct = self.inner.take(reader, length)
        return list(map(distinct.__getitem__, indices(INTS.take(reader, count), length)))


def indices(numbers: Sequence[int], length: int) -> Sequence[int]:
    """Give the numbers if all are positions in a sequence of that length; raise ``ValueError`` otherwise."""
    if numbers and not (min(numbers) >= 0 and max(numbers) < length):
        raise ValueError(f"positions from {min(numbers)} to {max(numbers)} in a sequence of {length}")
    return numbers


def sizes(numbers: Sequence[int]) -> Sequence[int]:
    """Give the numbers if none is negative; raise ``ValueError`` otherwise."""
    if numbers and min(numbers) < 0:
        raise ValueError(f"a length of {min(numbers)}")
    return numbers


INTS = Ints()
FLAGS = Flags()
