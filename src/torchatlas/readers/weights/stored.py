"""Tensors as a file describes them, before any of their data is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.graph import numel_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from torchatlas.core.graph import InnerTensor
    from torchatlas.readers.source import Source


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Where the bytes of a tensor, or of what holds it, stand.

    Attributes:
        file: which bytes.
        start: the first byte.
        size: how many.
        member: inside a zip archive, the member's name; ``start`` counts from where its data begins.
        big: the bytes of a number stand in big-endian order.
    """

    file: Source
    start: int
    size: int
    member: str = ""
    big: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor.

    Attributes:
        shape: sizes; -1 where a size varies.
        dtype: torch's name of it, without the prefix.
        device: where it was when it was saved.
        nbytes: of its elements; None where the file does not say.
        storage: equal for tensors that share memory; None where it has none of its own.
        offset: of its first element in the storage, in elements.
        stride: steps in elements; None for one that is laid out in another way (sparse, nested).
        parameter: it was saved as an ``nn.Parameter``, which says what a plain tensor does not.
        requires_grad: as it was saved.
        type: the tensor subclass or layout, empty for a plain one.
        place: where the bytes of the storage are.
        inner: of a subclass that holds other tensors, those; then dtype and bytes are theirs.
        original: as in ``Value.original``.
        placements: of a ``DTensor``, as in ``Value.placements``; then ``inner`` is the part that one rank has.
        mesh: of a ``DTensor``, as in ``Value.mesh``.
        saved: the dtype that its numbers have in the file, where the layer has them in another.
        parts: of a tensor that was cut into pieces, these, where they can be read; together they have its elements.
    """

    shape: tuple[int, ...]
    dtype: str
    device: str = "cpu"
    nbytes: int | None = None
    storage: Hashable = None
    offset: int = 0
    stride: tuple[int, ...] | None = None
    parameter: bool = False
    requires_grad: bool = False
    type: str = ""
    place: ByteRange | None = None
    parts: tuple[Stored, ...] = ()
    inner: tuple[InnerTensor, ...] = ()
    original: tuple[int, ...] | None = None
    placements: tuple[str, ...] = ()
    mesh: tuple[int, ...] = ()
    saved: str = ""

    @property
    def numel(self) -> int:
        """Number of elements; 0 where a size varies."""
        return numel_of(self.shape)

    @property
    def memory(self) -> Hashable:
        """Equal for tensors that share memory; None where the file cannot tell. Of two files, none do."""
        if self.storage is None:
            return None
        return (self.place.file if self.place is not None else None, self.storage)

    @property
    def identity(self) -> Hashable:
        """Equal for two names of one tensor; None where the file cannot tell."""
        if self.storage is None or self.stride is None or not self.numel:
            return None
        return (self.memory, self.offset, self.shape, self.stride, self.dtype)


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor whose elements stand one after the other, as torch counts them."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))
