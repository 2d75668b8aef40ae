"""Statistics of the tensors of a file: the one thing for which their data is read, one piece at a time.

Source for merging the pieces: T. F. Chan, G. H. Golub, R. J. LeVeque, Updating formulae and a pairwise algorithm for
computing sample variances, 1979.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import FileError
from torchatlas.core.graph import Note, Overlay
from torchatlas.readers.archive import Archive
from torchatlas.readers.dtypes import BITS
from torchatlas.readers.source import Source
from torchatlas.readers.weights.numbers import as_floats, is_known
from torchatlas.readers.weights.stored import ByteRange, Stored, contiguous

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO

    from torchatlas.core.graph import Graph, Module

PIECE = 1 << 23
"""Bytes that are read at once; a multiple of every element's."""
NAMED = 3
MOST_OPEN = 64
"""Files that are open at once: a distributed checkpoint has one for each piece of each tensor."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the numbers of one tensor, or of several together, are like.

    Attributes:
        count: how many.
        finite: of these, how many are neither NaN nor infinite; all that follows is of them.
        mean: 0 where there is none.
        squares: the sum of squared deviations from the mean.
        low: the smallest; ``inf`` where there is none.
        high: the largest; ``-inf`` where there is none.
        zeros: how many are 0.
    """

    count: int = 0
    finite: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    zeros: int = 0

    @property
    def std(self) -> float:
        """Standard deviation of all the numbers, as of a whole population."""
        return math.sqrt(self.squares / self.finite) if self.finite else 0.0

    def with_(self, other: Statistics) -> Statistics:
        """Give the statistics of both together."""
        finite = self.finite + other.finite
        if not finite:
            return replace(self, count=self.count + other.count)
        step = other.mean - self.mean
        mean = self.mean + step * other.finite / finite
        squares = self.squares + other.squares + step * step * self.finite * other.finite / finite
        low, high = min(self.low, other.low), max(self.high, other.high)
        if not math.isfinite(mean) or not math.isfinite(squares):  # of numbers near the largest there are
            mean, squares = low / 2 + high / 2, 0.0
        return Statistics(self.count + other.count, finite, mean, squares, low, high, self.zeros + other.zeros)


def measure(tensors: Mapping[str, Stored]) -> dict[str, Statistics]:
    """Read every tensor once and give its statistics by name; those whose data cannot be read alone are left out.

    Raises:
        FileError: the data is damaged or cannot be read.
    """
    found: dict[str, Statistics] = {}
    known: dict[object, Statistics] = {}
    try:
        with ExitStack() as stack:
            files = _Files(stack)
            for name, stored in tensors.items():
                identity = stored.identity or ("alone", name)
                if identity not in known and _is_readable(stored):
                    known[identity] = _measure(stored, files)
                if identity in known:
                    found[name] = known[identity]
    except (OSError, OverflowError, RuntimeError) as error:
        raise FileError(f"the data of the tensors cannot be read: {error}. Copy the file again.") from None
    return found


def with_statistics(graph: Graph, tensors: Mapping[str, Stored]) -> Graph:
    """Give the graph with an overlay for each statistic, by module, of the parameters that it has itself.

    Raises:
        FileError: as `measure`.
    """
    measured = measure(tensors)
    values = {value.id: measured[value.names[0]] for value in graph.values if value.names[0] in measured}
    by_module = {module.path: _together(module, values) for module in graph.modules}
    rows = {path: found for path, found in by_module.items() if found.finite}
    overlays = (
        Overlay("mean", "", paths=tuple((path, found.mean) for path, found in rows.items())),
        Overlay("std", "", paths=tuple((path, found.std) for path, found in rows.items())),
        Overlay("min", "", paths=tuple((path, found.low) for path, found in rows.items())),
        Overlay("max", "", paths=tuple((path, found.high) for path, found in rows.items())),
        Overlay("zeros", "%", paths=tuple((path, 100 * found.zeros / found.count) for path, found in rows.items())),
    )
    broken = [name for name, found in measured.items() if found.finite < found.count]
    unread = len(tensors) - len(measured)
    notes = list(graph.notes)
    if broken:
        some = ", ".join(broken[:NAMED]) + (", …" if len(broken) > NAMED else "")
        notes.append(Note(f"{len(broken):,} tensors contain NaN or infinite numbers: {some}."))
    if unread:
        why = "because the file does not store their data separately"
        notes.append(Note(f"{unread:,} tensors have no statistics, {why}."))
    return replace(graph, overlays=(*graph.overlays, *overlays), notes=tuple(notes))


def content(stored: Stored) -> bytes | None:
    """Give the bytes of a tensor's elements, in the order of its strides; None where they do not stand alone.

    Raises:
        FileError: the data is damaged or cannot be read.
    """
    if stored.parts or stored.place is None or stored.place.big or not _is_readable(stored):
        return None
    try:
        with ExitStack() as stack:
            return b"".join(_Files(stack).pieces(stored))
    except (OSError, OverflowError, RuntimeError) as error:
        raise FileError(f"the data of a tensor cannot be read: {error}. Copy the file again.") from None


def _together(module: Module, values: Mapping[int, Statistics]) -> Statistics:
    own = module.parameters or module.buffers
    each = [values[value] for value in dict.fromkeys(value for _, value in own) if value in values]
    return reduce(Statistics.with_, each, Statistics())


def _is_readable(stored: Stored) -> bool:
    """Whether its elements stand one beside the other, in whatever order, and are numbers that have one."""
    if stored.parts:
        return all(map(_is_readable, stored.parts))
    quantized = stored.type.startswith("quantized")
    if stored.place is None or stored.stride is None or quantized or not is_known(stored.dtype):
        return False
    pairs = sorted((step, size) for step, size in zip(stored.stride, stored.shape, strict=True) if size != 1)
    packed = contiguous(tuple(size for _, size in pairs[::-1]))
    return tuple(step for step, _ in pairs[::-1]) == packed or not stored.numel


def _measure(stored: Stored, files: _Files) -> Statistics:
    if stored.parts:
        return reduce(Statistics.with_, (_measure(part, files) for part in stored.parts))
    found = Statistics()
    for piece in files.pieces(stored):
        found = found.with_(
            _of(as_floats(piece, stored.saved or stored.dtype, big=bool(stored.place and stored.place.big)))
        )
    return found


def _of(numbers: Any) -> Statistics:
    """Statistics of a float64 array (n,)."""
    import numpy as np  # noqa: PLC0415 - only where data is read

    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return Statistics(count=int(numbers.size))
    with np.errstate(over="ignore", invalid="ignore"):  # sums of numbers near the largest there are
        mean = float(finite.mean())
        squares = float(((finite - mean) ** 2).sum())
    low, high = float(finite.min()), float(finite.max())
    if not math.isfinite(mean) or not math.isfinite(squares):
        mean, squares = low / 2 + high / 2, 0.0
    return Statistics(
        int(numbers.size), int(finite.size), mean, squares, low, high, int(finite.size - np.count_nonzero(finite))
    )


class _Files:
    """The files that the data is in, the last few of them open; ``stack`` closes them."""

    def __init__(self, stack: ExitStack) -> None:
        self._open: dict[Source, tuple[Any, ExitStack]] = {}
        stack.callback(self._close, 0)

    def pieces(self, stored: Stored) -> Iterator[bytes]:
        """Give the data of a tensor, piece by piece.

        Raises:
            FileError: it is cut short.
        """
        place, width = stored.place, BITS[stored.saved or stored.dtype] // 8
        if place is None:
            return
        left = stored.numel * width
        with self._opened(place) as file:
            # A safetensors file gives each tensor a place of its own; in a storage of torch, several may stand.
            file.seek((0 if place.member else place.start) + stored.offset * width)
            while left:
                piece = file.read(min(left, PIECE))
                if not piece or len(piece) % width:
                    raise FileError(f"{place.file}: the data of a tensor ends too early. Copy the file again.")
                left -= len(piece)
                yield piece

    @contextmanager
    def _opened(self, place: ByteRange) -> Iterator[IO[bytes]]:
        if place.member:
            with self._kept(place.file, Archive).opened(place.member) as file:
                yield file
        else:
            yield self._kept(place.file, Source.open)

    def _kept(self, source: Source, opening: Callable[[Source], Any]) -> Any:
        """A file or archive that stays open, until so many others were opened."""
        if source not in self._open:
            self._close(MOST_OPEN - 1)
            own = ExitStack()
            self._open[source] = own.enter_context(opening(source)), own
        return self._open[source][0]

    def _close(self, left: int) -> None:
        """Close the first that were opened, until so many are left."""
        while len(self._open) > left:
            _, own = self._open.pop(next(iter(self._open)))
            own.close()
