"""Values, arguments and modules get signatures: numbers or tuples that are equal exactly for what is built alike.

Numbers that only say which of several it is (``layer_idx=3``, the ``t`` of ``x[:, t]``) are left out, because the
layers of a stack and the turns of a loop differ in nothing else:

>>> without_numbers("layers.3.mlp") == without_numbers("layers.12.mlp")
True

All other constants count, and keep their types, since ``1``, ``1.0`` and ``True`` are equal in Python:

>>> from torchatlas.core.graph import Call, Node, Slot
>>> constants(Call(0, "function", "F.dropout", arguments=Node("arguments", ("input", "p"), (Slot(0), 0.5))))
(('arguments', ('input', 'p'), 2), (0,), ('float', '0.5'))
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.graph import Node, Slot, Text

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from torchatlas.core.graph import Call, Graph, Module, Tree, Value

Atoms: TypeAlias = "tuple[Hashable, ...]"

_NUMBER = re.compile(r"\d+")
_ORDINAL = re.compile(r"idx|index$|^(layer|block|stage|level|unit|cell|expert|group)_?(id|num|number|no)$")
_POSITIONAL = re.compile(
    r"(?:__getitem__|__setitem__|select|narrow|select_scatter|slice_scatter|index_fill_?|fill_?|full|full_like|new_full"
    r"|tensor|new_tensor|as_tensor|scalar_tensor)"
)


def without_numbers(text: str) -> str:
    """The text with ``#`` for each number in it: equal for ``layers.3`` and ``layers.12``."""
    return _NUMBER.sub("#", text)


def value_signatures(values: Sequence[Value], *, sizes: bool = True) -> list[int]:
    """For each value a number, equal for equal shape, dtype, device, tensor type and, of weights, kind and training.

    Without ``sizes``, of a value that is no weight only the number of its dimensions counts.
    """
    numbers: dict[Atoms, int] = {}
    value_numbers = []
    for value in values:
        weight = (value.kind, value.requires_grad) if value.is_weight else None
        shape: Hashable = value.shape if sizes or weight else len(value.shape)
        key = (shape, value.dtype, value.device, value.type, weight)
        value_numbers.append(numbers.setdefault(key, len(numbers)))
    return value_numbers


def constants(call: Call) -> Atoms:
    """What a call was given besides tensors, and at which places the tensors stood.

    Positions (``x[:, t]``, ``torch.full(size, t)``) are left out; whether there was one stays.
    """
    return _atoms(call.arguments, positions=not _is_positional(call))


def without_sizes(given: Atoms) -> Atoms:
    """Constants as `constants` gives them, all numbers left out; whether there was one stays."""
    return tuple([_without_size(item) for item in given])


def _without_size(item: Hashable) -> Hashable:
    if type(item) is int:
        return ("number",)
    if type(item) is tuple and len(item) == 2 and item[0] != bool.__name__:  # noqa: PLR2004 - of a text or a number
        return ("text", without_numbers(item[1])) if item[0] == "text" else ("number",)
    return item


def numbers_of(call: Call) -> list[float]:
    """The numbers that a call was given, in order, positions left out."""
    if _is_positional(call):
        return []
    found: list[float] = []
    rest: list[Tree] = [call.arguments]
    while rest:
        item = rest.pop()
        if isinstance(item, Node):
            rest.extend(reversed(item.items))
        elif isinstance(item, Text):
            found += map(float, _NUMBER.findall(item.text))
        elif type(item) is int or type(item) is float:
            found.append(item)
    return found


def _is_positional(call: Call) -> bool:
    return _is_positional_name(call.name)


@lru_cache(maxsize=4096)
def _is_positional_name(name: str) -> bool:
    return _POSITIONAL.fullmatch(name.rpartition(".")[2]) is not None


def module_signatures(graph: Graph) -> dict[str, int]:
    """For each first path a number, equal for equal class, settings, weights and children, recursively.

    A module registered in several places counts there without its children, whose places are elsewhere.
    """
    value_numbers = value_signatures(graph.values)
    numbers: dict[Atoms, int] = {}
    shallow = {
        module.path: numbers.setdefault(_itself(module, value_numbers), len(numbers)) for module in graph.modules
    }
    children: dict[str, list[tuple[str, int]]] = {module.path: [] for module in graph.modules}
    for module in graph.modules:
        for path in (module.path, *module.aliases) if module.aliases else ():
            _add(children, graph, path, shallow[module.path])
    signatures: dict[str, int] = {}
    for module in reversed(graph.modules):
        inside = tuple(sorted(children[module.path]))
        number = numbers.setdefault((shallow[module.path], inside), len(numbers))
        signatures[module.path] = number
        if not module.aliases:
            _add(children, graph, module.path, number)
    return signatures


def _add(children: dict[str, list[tuple[str, int]]], graph: Graph, path: str, number: int) -> None:
    above, _, name = path.rpartition(".")
    parent = graph.module_at.get(above) if path else None
    if parent is not None:
        children[parent.path].append((name, number))


def settings_of(module: Module) -> Atoms:
    """(name, what it is set to) of each setting, equal only for equal ones; numbers that only count are left out."""
    return tuple(
        (name, "#" if type(setting) is int and _ORDINAL.search(name) else _atoms(setting))
        for name, setting in module.settings
    )


def _itself(module: Module, value_numbers: list[int]) -> Atoms:
    settings = settings_of(module)
    weights = tuple((name, value_numbers[value]) for name, value in module.parameters)
    buffers = tuple((name, value_numbers[value]) for name, value in module.buffers)
    return (module.name, settings, module.extra, module.training, module.opaque, weights, buffers)


def _atoms(tree: Tree, *, positions: bool = True) -> Atoms:
    """The tree as one flat tuple, equal only for equal trees: 1, 1.0, True and "1" differ, as do 0.0 and -0.0."""
    found: list[Hashable] = []
    rest: list[Tree] = [tree]
    while rest:
        item = rest.pop()
        kind = type(item)
        if isinstance(item, Slot):
            found.append((item.index,))
        elif isinstance(item, Node):
            found.append((item.type, item.keys, len(item.items)))
            rest.extend(reversed(item.items))
        elif isinstance(item, Text):
            found.append(("text", item.text if positions else without_numbers(item.text)))
        elif item is None or kind is str or (kind is int and positions):
            found.append(item)
        elif kind is bool or positions:
            found.append((kind.__name__, repr(item)))
        else:
            found.append(("number",))
    return tuple(found)
