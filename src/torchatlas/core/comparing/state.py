"""A state dict without tensors: what a file of weights holds, described, so that torch can be asked about it later.

It consists of dictionaries (``OrderedDict``, with module versions in ``_metadata`` if torch wrote them), plain data,
and these records in the place of objects: for ``{"fc.weight": tensor of 2 x 3}`` it is
``OrderedDict({"fc.weight": TensorSpec((2, 3), "float32", …)})``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchatlas.core.graph import numel_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor.

    Attributes:
        shape: sizes; -1 where they vary.
        dtype: torch's name of it, without the prefix.
        stride: in elements; None for what has none, or the order of rows.
        device: where it was.
        type: empty for a plain one; else a layout (``sparse_coo``), ``nested``, ``ndarray``, ``quantized`` with its
            scheme and axis, or the name of a class.
        parameter: it was saved as an ``nn.Parameter``.
        requires_grad: as it was saved.
        nbytes: of its elements; None where that is not known.
        storage: equal for tensors that share memory; None where it has none of its own.
        offset: of its first element in the storage, in elements.
        read: gives its bytes, in the order of its strides, None where they do not stand alone; itself None where they
            are not to be read.
    """

    shape: tuple[int, ...]
    dtype: str
    stride: tuple[int, ...] | None = None
    device: str = "cpu"
    type: str = ""
    parameter: bool = False
    requires_grad: bool = False
    nbytes: int | None = None
    storage: Hashable = None
    offset: int = 0
    read: Callable[[], bytes | None] | None = None

    @property
    def numel(self) -> int:
        """Number of elements; 0 where a size varies."""
        return numel_of(self.shape)


@dataclass(frozen=True, slots=True)
class LazyTensor:
    """A tensor that was saved before it had a shape."""

    parameter: bool


@dataclass(frozen=True, slots=True)
class TorchConstant:
    """A constant of torch, as ``torch.qint8``: a dtype, a layout or a scheme."""

    name: str


@dataclass(frozen=True, slots=True)
class ScriptObject:
    """An object of a C++ class of torch, as the packed weights of quantized layers are.

    Attributes:
        kind: the class.
        state: what it is pickled as, tensors as `TensorSpec`.
    """

    kind: str
    state: object


@dataclass(frozen=True, slots=True)
class NotBuilt:
    """An object that is not built, because that would import and run code; ``words`` say what it is."""

    words: str
