"""Modules that run and are not among those of the model: where they are, and what is said of them.

A model may call modules out of a plain list, a dictionary, a closure or another object, or make one in its forward.
Such a module is looked for when it is first called: among the modules registered since the run began, then among the
attributes of those that are known, through containers and objects, with none of their methods called.
"""

from __future__ import annotations

from collections import UserDict, deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from torch import nn

from torchatlas.capture.objects.contents import OPAQUE, attributes, contents, is_a
from torchatlas.core.graph import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchatlas.core.graph import Graph, Module

LOOSE = "Tensor"
"""The class that a tensor goes by which no module registers."""
_DROPS = "Drop"  # in the names of classes that do another thing in training, and hold nothing
_NAMED = 3  # modules that a note names one by one
_VISITED = 20_000  # containers and objects, before no further one is looked into
_INTERNAL = frozenset(vars(nn.Module())) | {"_forward_hooks_always_called", "_is_full_backward_hook"}


def registered_since(known: Mapping[str, nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """(path, module) of the modules that known ones hold by now and that are not known themselves."""
    ids = {id(module) for module in known.values()}
    for path, module in known.items():
        for name, child in module._modules.items():
            if child is not None and id(child) not in ids:
                yield f"{path}.{name}" if path else name, child


def elsewhere(known: Mapping[str, nn.Module], held: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, nn.Module]]:
    """(path, module) of the modules in plain attributes of known ones, and in what a function holds.

    A path goes on from that of the module around it: ``layers[0]``, ``encoder.heads['a']``, ``tool.net``.
    """
    ids = {id(module) for module in known.values()}
    waiting: deque[tuple[str, Any]] = deque(
        (f"{path}.{name}" if path else name, item)
        for path, module in known.items()
        for name, item in attributes(module).items()
        if name not in _INTERNAL
    )
    waiting.extend(held)
    seen: set[int] = set()
    while waiting and len(seen) < _VISITED:
        path, item = waiting.popleft()
        if is_a(item, nn.Module):
            if id(item) not in ids:
                ids.add(id(item))
                yield path, item
        elif id(item) not in seen and not is_a(item, OPAQUE):
            seen.add(id(item))
            waiting.extend(_inside(path, item))


def _inside(path: str, thing: Any) -> Iterator[tuple[str, Any]]:
    """What a container or an object holds, by the path that code would write."""
    items = contents(thing)
    keyed = is_a(thing, (dict, MappingProxyType, UserDict))  # else names are those of fields
    for key, item in items.pairs() if items is not None else ():
        if type(key) is int or (keyed and type(key) is str):
            yield f"{path}[{key!r}]", item
        elif type(key) is str:
            yield f"{path}.{key}", item
    for name, item in attributes(thing).items():  # of a container, what it holds beside its items
        yield f"{path}.{name}" if path else name, item


def remark(graph: Graph) -> Note | None:
    """What must be said of modules that ran and that ``parameters()`` of the model does not give; None without any."""
    outside = [module for module in graph.modules if not module.registered and module.name != LOOSE]
    weights = {value for module in outside for _, value in module.parameters}
    weights -= {value for module in graph.modules if module.registered for _, value in module.parameters}
    called = [module for module in outside if module.path in graph.calls_of and _is_outermost(module.path, outside)]
    if not called:
        return None
    count = sum(graph.values[value].numel for value in weights)
    ran = (
        f"{len(called):,} module{'s' * (len(called) > 1)} ran that {'is' if len(called) == 1 else 'are'} not"
        " registered in the model"
    )
    names = _named(called)
    if not count and not any(module.buffers or _DROPS in module.name for module in outside):
        return None  # activations, for which train(), eval() and to() do nothing
    if not count:
        return Note(
            f"{ran} ({names}). model.train(), .eval() and .to() do not reach {_them(called)}; {_advice(called)}."
        )
    whose = "Its" if len(called) == 1 else "Their"
    return Note(
        f"{ran} ({names}). {whose} {count:,} parameters are not trained, saved or moved with the model;"
        f" {_advice(called)}."
    )


def loose(graph: Graph) -> Note | None:
    """What must be said of tensors that want a gradient and are no parameters of the model; None without any."""
    found = [module for module in graph.modules if not module.registered and module.name == LOOSE]
    if not found:
        return None
    one = len(found) == 1
    what = "1 tensor requires" if one else f"{len(found):,} tensors require"
    elements = sum(graph.values[value].numel for module in found for _, value in module.parameters)
    in_lists = all("[" in module.path for module in found)
    return Note(
        f"{what} a gradient but {'is no parameter' if one else 'are no parameters'} of the model ({_named(found)})."
        f" {'Its' if one else 'Their'} {elements:,} elements are not trained, saved or moved with the model; use "
        + ("nn.ParameterList." if in_lists else "an nn.Parameter that is an attribute.")
    )


def _named(found: Sequence[Module]) -> str:
    return ", ".join(module.path for module in found[:_NAMED]) + (", …" if len(found) > _NAMED else "")


def _is_outermost(path: str, outside: Iterable[Any]) -> bool:
    return not any(path.startswith(f"{other.path}.") for other in outside)


def _them(called: list[Any]) -> str:
    return "it" if len(called) == 1 else "them"


def _advice(called: list[Any]) -> str:
    """What registers them, by where they are."""
    if all(module.path.endswith("']") for module in called):
        return "use nn.ModuleDict"
    if all("[" in module.path for module in called):
        return "use nn.ModuleList"
    return f"assign {_them(called)} to {'an attribute' if len(called) == 1 else 'attributes'} of a module"
