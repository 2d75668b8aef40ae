"""What the tensors that calls return are like: mean, spread, range, zeros, NaN and infinity; and where those came from.

Each tensor is looked at when its call returns it, and not kept. Sums are taken in double precision, a part of the
tensor at a time, so that neither half precision nor size spoils them.
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from torchatlas.capture.objects.tree import tensors_in
from torchatlas.capture.record import names
from torchatlas.capture.record.listen import Listener
from torchatlas.capture.torch_private import is_transformed
from torchatlas.capture.unrecorded import unrecorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torchatlas.capture.record.listen import Stream

_PART = 1 << 20  # elements looked at together
_Known = TypeVar("_Known")


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of the elements of one tensor, or of several; of complex numbers, of their absolute values.

    Attributes:
        count: finite elements, which alone mean, deviations and range are of.
        mean: 0 where there are none.
        squares: the sum of squared distances from the mean.
        low, high: the least and the greatest.
        zeros: elements that are zero.
        nan, inf: elements that are not a number, and infinite.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    zeros: int = 0
    nan: int = 0
    inf: int = 0

    @property
    def total(self) -> int:
        """All elements."""
        return self.count + self.nan + self.inf

    @property
    def std(self) -> float:
        """The population standard deviation: that of these elements, not an estimate from a sample."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    def and_of(self, other: Statistics) -> Statistics:
        """Both together.

        Source: Chan, Golub, LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979.
        """
        count = self.count + other.count
        if not count:
            return Statistics(nan=self.nan + other.nan, inf=self.inf + other.inf)
        step = other.mean - self.mean
        return Statistics(
            count,
            self.mean + step * other.count / count,
            self.squares + other.squares + step * step * self.count * other.count / count,
            min(self.low, other.low),
            max(self.high, other.high),
            self.zeros + other.zeros,
            self.nan + other.nan,
            self.inf + other.inf,
        )


def statistics_of(tensor: Tensor) -> Statistics | str:
    """What a tensor is like, or why that is not told, in a word."""
    why = _untold(tensor)
    if why:
        return why
    try:
        with torch.no_grad():
            return _told(tensor.detach())
    except (RuntimeError, NotImplementedError, TypeError) as error:
        return f"{type(error).__name__} while reading {tensor.dtype}"


def _untold(tensor: Tensor) -> str:
    if is_transformed(tensor):
        return "inside a torch.func transform"
    if tensor.is_nested:
        return "nested"
    if tensor.layout is not torch.strided:
        return "sparse"
    return "on the meta device" if tensor.is_meta else ""


def _told(tensor: Tensor) -> Statistics:
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    once = _once(tensor)
    found = Statistics()
    for part in once.reshape(-1).split(_PART):
        found = found.and_of(_part(part))
    return found if once is tensor else _repeated(found, tensor.numel() // max(1, once.numel()))


def _once(tensor: Tensor) -> Tensor:
    """Of memory that an expanded tensor shows again and again, each element once."""
    again = [stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True)]
    if not any(again):
        return tensor
    return tensor[tuple(slice(0, 1) if repeated else slice(None) for repeated in again)]


def _repeated(one: Statistics, times: int) -> Statistics:
    counts = (one.zeros * times, one.nan * times, one.inf * times)
    return Statistics(one.count * times, one.mean, one.squares * times, one.low, one.high, *counts)


def _part(part: Tensor) -> Statistics:
    if part.numel() == 0:
        return Statistics()
    narrow = part.device.type == "mps"
    if part.is_complex():
        part = part.to(torch.complex64 if narrow else torch.complex128)
        wide = part.abs()
    else:
        part = wide = part.to(torch.float32 if narrow else torch.float64)
    finite = part.isfinite()
    nan = inf = 0
    if not finite.all():
        nan = int(part.isnan().sum())  # of a complex number, where either half is
        inf = wide.numel() - int(finite.sum()) - nan
        wide = wide[finite]
        if wide.numel() == 0:
            return Statistics(nan=nan, inf=inf)
    mean = wide.mean()
    low, high = wide.aminmax()
    squares = (wide - mean).square_().sum()
    zeros = wide.numel() - int(wide.count_nonzero())
    return Statistics(wide.numel(), float(mean), float(squares), float(low), float(high), zeros, nan, inf)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one call.

    Attributes:
        outputs: of all tensors that it returned together; None where nothing can be told of any.
        untold: why of some nothing can be told.
        made: of ``nan`` and ``inf``, what it has in its outputs, or has written, and had in no input.
        brought: of the same, by number of the input, what it was given that no call before it had returned.
    """

    outputs: Statistics | None
    untold: tuple[str, ...]
    made: tuple[str, ...]
    brought: tuple[tuple[int, str], ...] = ()


class Looks(Listener):
    """Notes, at the end of every call, what its outputs are like."""

    def __init__(self, paths: Mapping[int, str], root: Any) -> None:
        super().__init__(paths, root, functions=True)
        self._known: dict[int, tuple[weakref.ref[Tensor], int | None, Statistics | str]] = {}
        self._checked: dict[int, tuple[weakref.ref[Tensor], int | None, tuple[str, ...]]] = {}

    def around(self, stream: Stream, thing: Any, run: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Look at what goes in, for what is not finite, and at what comes out."""
        with unrecorded():
            had: set[str] = set()
            brought: list[tuple[int, str]] = []
            for slot, tensor in enumerate(tensors_in((args, kwargs))):
                is_new = self._is_new(tensor)
                bad = self._bad(tensor)
                had.update(bad)
                brought += [(slot, one) for one in bad if is_new]
            written = _written(thing, args, kwargs)
        stream.append((thing, None))
        look = Look(None, (), ())
        try:
            out = run(*args, **kwargs)
            with unrecorded():
                outputs = tensors_in(out)
                whole, untold = self.of(outputs)
                bad_now = {bad for tensor in (*outputs, *written) for bad in self._bad(tensor)}
                look = Look(whole, untold, tuple(sorted(bad_now - had)), tuple(brought))
            return out
        finally:
            stream.append((None, look))

    def of(self, tensors: Iterable[Tensor]) -> tuple[Statistics | None, tuple[str, ...]]:
        """What tensors are like together, and why nothing is told of some."""
        whole: Statistics | None = None
        untold: dict[str, None] = {}
        for tensor in tensors:
            one = self._statistics(tensor)
            if isinstance(one, str):
                untold[one] = None
            else:
                whole = one if whole is None else whole.and_of(one)
        return whole, tuple(untold)

    def _statistics(self, tensor: Tensor) -> Statistics | str:
        known = _current(self._known, tensor)
        if known is None:
            known = statistics_of(tensor)
            self._known[id(tensor)] = weakref.ref(tensor), _version(tensor), known
        return known

    def _is_new(self, tensor: Tensor) -> bool:
        """Whether it was seen nowhere before: no call had returned it."""
        seen = self._known.get(id(tensor)) or self._checked.get(id(tensor))
        return seen is None or seen[0]() is not tensor

    def _bad(self, tensor: Tensor) -> tuple[str, ...]:
        """Which of ``nan`` and ``inf`` a tensor holds; of a parameter or an input, which may be large, no more."""
        known = _current(self._known, tensor)
        if known is not None:
            return () if isinstance(known, str) else _bad_of(known)
        bad = _current(self._checked, tensor)
        if bad is None:
            found = Statistics() if _is_finite(tensor) else statistics_of(tensor)
            bad = () if isinstance(found, str) else _bad_of(found)
            self._checked[id(tensor)] = weakref.ref(tensor), _version(tensor), bad
        return bad


def _current(known: Mapping[int, tuple[weakref.ref[Tensor], int | None, _Known]], tensor: Tensor) -> _Known | None:
    """What is known of this very object, unless it may have been written since."""
    found = known.get(id(tensor))
    if found is None or found[0]() is not tensor or found[1] is None or found[1] != _version(tensor):
        return None
    return found[2]


def _bad_of(found: Statistics) -> tuple[str, ...]:
    return tuple(name for name, count in (("inf", found.inf), ("nan", found.nan)) if count)


def _is_finite(tensor: Tensor) -> bool:
    """Whether all is finite, or nothing can be told."""
    if _untold(tensor) or tensor.is_quantized or not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    try:
        with torch.no_grad():
            return all(bool(part.isfinite().all()) for part in _once(tensor.detach()).reshape(-1).split(_PART))
    except (RuntimeError, NotImplementedError, TypeError):
        return True


def _written(thing: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """What a function says that it writes."""
    if isinstance(thing, (str, torch.nn.Module)):
        return []
    known = names.function(thing)
    return known.writes(args, kwargs) if known.may_write or "out" in kwargs else []


def _version(tensor: Tensor) -> int | None:
    try:
        return tensor._version
    except RuntimeError:  # inference tensors have none
        return None
