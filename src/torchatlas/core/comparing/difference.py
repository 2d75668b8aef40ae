"""Differences between two matched modules, or two matched calls, as rows of what differs and both sides of it.

>>> import torch, torchatlas as ta
>>> a = ta.capture(torch.nn.Conv2d(3, 8, 3), torch.zeros(1, 3, 9, 9)).graph
>>> b = ta.capture(torch.nn.Conv2d(3, 8, 3, stride=2), torch.zeros(1, 3, 9, 9)).graph
>>> for found in module_differences(a.modules[0], b.modules[0], a, b):
...     print(found.what, found.a, found.b)
stride (1, 1) (2, 2)
output [1, 8, 7, 7] [1, 8, 4, 4]
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from torchatlas.core.comparing.likeness import is_foreign
from torchatlas.core.comparing.vocabulary import torch_name
from torchatlas.core.folding.signature import constants, settings_of
from torchatlas.core.graph import Node, Slot, Text
from torchatlas.core.measure.numbers import figure, figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchatlas.core.graph import Call, Graph, Module, Tree, Value

NONE = "-"
SHOWN = 60
"""Letters of an argument that are shown."""

DEEPEST = 3
LISTED = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs.

    Attributes:
        what: the field's word: ``class``, a setting (``kernel_size``), a tensor (``weight``), ``dtype``,
            ``requires_grad``, ``tied``, ``output``, ``runs``, ``calls``.
        a: how it is in the first graph; ``-`` where there is none.
        b: how it is in the second.
    """

    what: str
    a: str
    b: str


def module_differences(one: Module, other: Module, a: Graph, b: Graph) -> Iterator[Difference]:
    """The differences of two modules themselves, without the modules inside them.

    What was inferred from weights is not compared with what is known, nor is anything that another program's file
    leaves out. The training flag and devices are state, not structure, and are not compared.
    """
    known = one.confidence is None and other.confidence is None
    if known:
        yield from _settings(one, other, whole=not (is_foreign(a) or is_foreign(b)))
    yield from _tensors(one, other, a, b, known=known)
    if a.calls and b.calls:
        yield from _runs(one, other, a, b)


def _settings(one: Module, other: Module, *, whole: bool) -> Iterator[Difference]:
    """Class, then settings; if the classes differ or a file holds only some settings, those that both have."""
    if one.name != other.name:
        yield Difference("class", one.name, other.name)
    left, right = (dict(zip(dict(m.settings), settings_of(m), strict=True)) for m in (one, other))
    said_a, said_b = dict(one.settings), dict(other.settings)
    if not whole:  # a file says for each axis what a model says once
        alike = [name for name in said_a if name in said_b and _once(said_a[name]) == _once(said_b[name])]
        left |= dict.fromkeys(alike, ())
        right |= dict.fromkeys(alike, ())
    found = False
    for name in dict.fromkeys((*left, *right)):
        both = name in left and name in right
        if left.get(name) != right.get(name) and (both or (whole and one.name == other.name)):
            found = True
            yield _of_two(name, said_a, said_b)
    if whole and not found and one.name == other.name and one.extra != other.extra:
        # Settings that only number equal layers are not reported, unless the module prints them: then it means them.
        counting = [name for name in said_a if name in said_b and said_a[name] != said_b[name]]
        for name in counting:
            yield _of_two(name, said_a, said_b)
        if not counting:
            texts = one.extra, other.extra
            short = tuple(_cut(figures(text)) or NONE for text in texts)
            yield Difference("printed", *(short if short[0] != short[1] else (_cut(text) or NONE for text in texts)))


def _of_two(name: str, a: Mapping[str, Tree], b: Mapping[str, Tree]) -> Difference:
    """A setting or an argument that differs; with all digits if the two look the same otherwise."""
    for exact in (False, True):
        here, there = (argument_text(of[name], exact=exact) if name in of else NONE for of in (a, b))
        if here != there:
            break
    return Difference(name, here, there)


def _once(setting: Tree) -> str:
    """A setting as it would be typed; ``(2, 2)``, the same number for each axis, as ``2``."""
    if isinstance(setting, Node) and setting.items and len(set(setting.items)) == 1:
        return argument_text(setting.items[0])
    return argument_text(setting)


def _tensors(one: Module, other: Module, a: Graph, b: Graph, *, known: bool) -> Iterator[Difference]:
    """Own parameters and buffers: which, of what shape and dtype, trained or not, tied or not."""
    left = {_called(name, known): a.values[value] for name, value in (*one.parameters, *one.buffers)}
    right = {_called(name, known): b.values[value] for name, value in (*other.parameters, *other.buffers)}
    for name in dict.fromkeys((*left, *right)):
        first, second = left.get(name), right.get(name)
        if (first is not None and second is not None and first.shape != second.shape) or (
            (first is None or second is None) and (known or not _may_lack(first or second))
        ):
            yield Difference(name, shape(first), shape(second))
    both = [(left[name], right[name]) for name in left if name in right]
    if any(first.dtype != second.dtype for first, second in both):
        yield Difference("dtype", _words(v.dtype for v, _ in both), _words(v.dtype for _, v in both))
    if known and any(first.requires_grad != second.requires_grad for first, second in both):
        yield Difference("requires_grad", _words(_flag(v) for v, _ in both), _words(_flag(v) for _, v in both))
    for name, first in left.items():
        if name in right and (len(first.names) > 1) != (len(right[name].names) > 1):
            yield Difference("tied", _tie(first), _tie(right[name]))


def _called(name: str, known: bool) -> str:
    return name if known else torch_name(name)


def _may_lack(value: Value | None) -> bool:
    """A buffer that a file of weights need not have."""
    return value is not None and value.kind == "buffer"


def _flag(value: Value) -> str:
    return str(value.requires_grad)


def _tie(value: Value) -> str:
    return " = ".join(value.names) if len(value.names) > 1 else NONE


def _words(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words)) or NONE


def shape(value: Value | None) -> str:
    """As people write it: ``[64, 3, 7, 7]``."""
    return NONE if value is None else str(list(value.shape))


def _runs(one: Module, other: Module, a: Graph, b: Graph) -> Iterator[Difference]:
    """How often it ran, and what its first call gave."""
    first, second = a.calls_of.get(one.path, ()), b.calls_of.get(other.path, ())
    if len(first) != len(second):
        yield Difference("runs", str(len(first)), str(len(second)))
    if first and second:
        yield from result_differences(a.calls[first[0]], b.calls[second[0]], a, b)


def result_differences(one: Call, other: Call, a: Graph, b: Graph) -> Iterator[Difference]:
    """Shapes, or else dtypes, of what two calls gave, where both are known."""
    left = [a.values[value] for value in one.outputs]
    right = [b.values[value] for value in other.outputs]
    if not all(value.dtype for value in (*left, *right)):
        return
    if [v.shape for v in left] != [v.shape for v in right]:
        yield Difference("output", _shapes(left, right), _shapes(right, left))
    elif [v.dtype for v in left] != [v.dtype for v in right]:
        yield Difference("output dtype", _words(v.dtype for v in left), _words(v.dtype for v in right))


def _shapes(values: Sequence[Value], others: Sequence[Value]) -> str:
    """The first shape that the others do not have in its place, and how many more tensors there are."""
    here, there = (list(map(shape, side)) for side in (values, others))
    first = next((one for one, other in zip_longest(here, there) if one != other), None) or NONE
    return f"{first} +{len(here) - 1}" if len(here) > 1 else first


def call_differences(one: Call, other: Call, a: Graph, b: Graph) -> Iterator[Difference]:
    """What differs about two calls of functions: their arguments, tensors apart, and what they gave."""
    if one.name != other.name:
        yield Difference("name", one.name, other.name)
    if constants(one) != constants(other):
        left, right = _arguments(one), _arguments(other)
        for difference in (_of_two(name, left, right) for name in dict.fromkeys((*left, *right))):
            if difference.a != difference.b:
                yield difference
    yield from result_differences(one, other, a, b)


def _arguments(call: Call) -> dict[str, Tree]:
    keys = call.arguments.keys or tuple(str(at) for at in range(len(call.arguments.items)))
    return dict(zip(keys, call.arguments.items, strict=True))


def order_difference(lone_a: Sequence[str], lone_b: Sequence[str]) -> Difference | None:
    """The functions that only one of two modules calls itself."""
    if not lone_a and not lone_b:
        return None
    return Difference("calls", _listed(lone_a), _listed(lone_b))


def _listed(names: Sequence[str]) -> str:
    more = f" +{len(names) - LISTED}" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more or NONE


def argument_text(tree: Tree, depth: int = 0, *, exact: bool = False) -> str:
    """An argument as it would be typed; long numbers are shortened, and long texts lose their middle."""
    if isinstance(tree, Slot):
        return "tensor"
    if isinstance(tree, Text):
        return _cut(tree.text)
    if isinstance(tree, Node):
        if depth >= DEEPEST:
            return "…"
        items = [argument_text(item, depth + 1, exact=exact) for item in tree.items]
        if tree.keys:
            items = [f"{key}={item}" for key, item in zip(tree.keys, items, strict=True)]
        return _cut(f"({', '.join(items)})")
    return figure(tree) if isinstance(tree, float) and not exact else _cut(repr(tree))


def _cut(text: str) -> str:
    half = SHOWN // 2
    return text if len(text) <= SHOWN else f"{text[:half]}…{text[-half:]}"
