"""Modules that were pickled whole, as ``torch.save(model)`` does: where they stand in a file, and what is kept of each.

Nothing is imported and nothing runs: a class is two words, and an object is the state that it would have been given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, TypeAlias

from torchatlas.readers.pickled import Foreign, Global, Mapping
from torchatlas.readers.weights.packed import unpacked
from torchatlas.readers.weights.rebuilt import GRAPH_MODULE
from torchatlas.readers.weights.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Keys: TypeAlias = "tuple[str | int, ...]"


class Attribute(str):
    """The name of an attribute that leads on, in the place of a key."""

    __slots__ = ()


class Argument(int):
    """Which of the arguments of a call leads on."""


DEEPEST = 32
"""Containers inside containers that are looked into for modules."""
QUANTIZED = (
    "torch.ao.nn.quantized.",
    "torch.ao.nn.intrinsic.quantized.",
    "torch.nn.quantized.",
    "torch.nn.intrinsic.q",
)
CONVOLUTION = (
    *("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "transposed", "output_padding"),
    *("groups", "padding_mode", "weight", "bias", "scale", "zero_point", "training"),
)
"""What a quantized convolution keeps as one tuple."""
COMPILED = "_orig_mod"
"""Where ``torch.compile`` keeps the module that it was given."""

PATHS = 20_000
"""Beyond as many, the inside of a shared module is not named again under each of its paths."""


@dataclass(frozen=True, slots=True, eq=False)
class PickledModule:
    """What a file keeps of one module.

    Attributes:
        thing: the object that the file describes.
        state: its attributes; None where it kept its state in a form of its own.
        parameters: its own, by name, with what a quantized layer keeps packed.
        buffers: its own, by name.
        children: the modules in it, by name.
    """

    thing: Foreign
    state: Mapping | None
    parameters: dict[str, object]
    buffers: dict[str, object]
    children: dict[str, Foreign]

    @property
    def tensors(self) -> Iterator[tuple[str, object]]:
        """Parameters, then buffers, by name."""
        yield from self.parameters.items()
        yield from self.buffers.items()

    @property
    def defined(self) -> Global:
        """Its class, with where that stands: ``models.yolo.Detect``."""
        return self.thing.made_by

    @property
    def name(self) -> str:
        """The class alone."""
        return class_of(self.defined, self.state)


def class_of(defined: Global, state: Mapping | None = None) -> str:
    """The name of a class without where it stands; what ``torch.fx`` makes has a name of its own."""
    named = state.get("_graphmodule_cls_name") if state is not None and defined == GRAPH_MODULE else None
    return named[:80] if isinstance(named, str) else defined.name.rpartition(".")[2][:80]


def attributes(thing: Foreign) -> Mapping | None:
    """The attributes that an object would have had; None where its state is of another form."""
    state = thing.state
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], Mapping):  # noqa: PLR2004 - dict and slots
        both = Mapping()
        both.update(state[0] if isinstance(state[0], Mapping) else {})
        both.update(state[1])
        return both
    if isinstance(state, tuple) and len(state) == len(CONVOLUTION) and str(thing.made_by).startswith(QUANTIZED):
        return _convolution(state)
    return state if isinstance(state, Mapping) else None


def _convolution(state: tuple[Any, ...]) -> Mapping:
    found, kept = Mapping(), Mapping()
    for name, item in zip(CONVOLUTION, state, strict=True):
        if isinstance(item, Stored):
            kept[name] = replace(item, requires_grad=False)
        else:
            found[name] = item
    found["_parameters"], found["_buffers"], found["_modules"] = kept, Mapping(), Mapping()
    return found


def is_module(thing: object) -> bool:
    """Whether an object is an ``nn.Module``: by what every one keeps."""
    state = attributes(thing) if isinstance(thing, Foreign) else None
    return state is not None and all(isinstance(state.get(name), Mapping) for name in ("_modules", "_parameters"))


def pickled_module(thing: Foreign) -> PickledModule:
    """What the file keeps of a module."""
    state = attributes(thing)
    if state is None or not isinstance(state.get("_modules"), Mapping):
        loose = dict(_tensors("state", thing.state))
        trained = {name: tensor for name, tensor in loose.items() if tensor.parameter}
        return PickledModule(
            thing, None, dict(trained), {name: loose[name] for name in loose if name not in trained}, {}
        )
    parameters, buffers, modules = (_named(state.get(name)) for name in ("_parameters", "_buffers", "_modules"))
    children = {name: child for name, child in modules.items() if isinstance(child, Foreign)}
    packed = {key: tensor for name, item in state.items() for key, tensor in unpacked(str(name), item).items()}
    return PickledModule(thing, state, parameters | packed, buffers, children)


def _named(held: object) -> dict[str, object]:
    items = held.items() if isinstance(held, Mapping) else ()
    return {str(name): item for name, item in items if item is not None}


def _tensors(name: str, state: object) -> Iterator[tuple[str, Stored]]:
    """Tensors in a state that is no mapping of attributes, by where they stand."""
    waiting: list[tuple[str, object, int]] = [(name, state, 0)]
    while waiting:
        at, thing, depth = waiting.pop()
        if isinstance(thing, Stored):
            yield at, thing
        elif depth < 4 and isinstance(thing, (tuple, list, Mapping)) and len(thing) <= 64:  # noqa: PLR2004 - few and near
            pairs = thing.items() if isinstance(thing, Mapping) else enumerate(thing)
            waiting += [(f"{at}.{key}" if len(thing) > 1 else at, item, depth + 1) for key, item in pairs][::-1]


def modules_in(root: object, met: set[int] | None = None) -> list[tuple[Keys, Foreign]]:
    """Every module that stands in no other, with the keys or attributes that lead to it; the nearest first.

    Args:
        root: what is looked through.
        met: what was looked through before and is not again; it grows.
    """
    found: list[tuple[Keys, Foreign]] = []
    waiting: list[tuple[Keys, object]] = [((), root)]
    met = set() if met is None else met
    for keys, thing in waiting:  # it grows meanwhile
        if id(thing) in met or len(keys) > DEEPEST or not isinstance(thing, (Foreign, Mapping, list, tuple)):
            continue
        met.add(id(thing))
        if is_module(thing):
            assert isinstance(thing, Foreign)  # noqa: S101 - as is_module says
            found.append((keys, thing))
        else:
            waiting += [((*keys, key), item) for key, item in inside(thing) if _may_hold(item)]
    return found


def inside(thing: object) -> Iterator[tuple[str | int, object]]:
    """What a container or an object of the file holds, each by its key."""
    if isinstance(thing, Foreign):
        state = attributes(thing)
        for name, item in state.items() if state is not None else ():
            yield Attribute(name), item
        yield from inside(thing.items)
        for at, item in enumerate(thing.args if isinstance(thing.args, (list, tuple)) else ()):
            yield Argument(at), item
    elif isinstance(thing, Mapping):
        yield from ((key if isinstance(key, int) else str(key), item) for key, item in thing.items())
    elif isinstance(thing, (list, tuple)):
        yield from enumerate(thing)


def expression(keys: Keys) -> str:
    """Keys as Python that follows them: ``['ema'].model``."""
    return "".join(
        (f".{key}" if key.isidentifier() and not iskeyword(key) else f".__dict__[{str(key)!r}]")
        if isinstance(key, Attribute)
        else f".args[{int(key)}]"
        if isinstance(key, Argument)
        else f"[{key!r}]"
        for key in keys
    )


def _may_hold(item: object) -> bool:
    return isinstance(item, (Foreign, Mapping, list, tuple))


def uncompiled(module: Foreign) -> Foreign:
    """The module in what ``torch.compile`` made, whose names have it alone."""
    inner = pickled_module(module).children.get(COMPILED) if is_module(module) else None
    return inner if inner is not None and is_module(inner) else module


def stored(held: object) -> Stored | None:
    """The tensor that a module keeps: None for one that is not made yet, and for an object without a tensor in it."""
    if isinstance(held, Stored):
        return held
    if not isinstance(held, Foreign):
        return None
    parts = [tensor for _, tensor in (*_tensors("", held.args), *_tensors("", attributes(held) or held.state))]
    if not parts:
        return None
    largest = max(parts, key=lambda part: part.nbytes or 0)
    total = sum(part.nbytes or 0 for part in parts)
    return Stored(
        largest.shape,
        largest.dtype,
        largest.device,
        total,
        parameter=True,
        type=held.made_by.name.rpartition(".")[2][:40],
    )


def tree(roots: Iterable[tuple[str, Foreign]]) -> tuple[tuple[tuple[str, ...], PickledModule], ...]:
    """Every module once, with all its paths, in the order of ``named_modules``.

    Args:
        roots: each with its path, which is empty for one alone.
    """
    paths: dict[int, list[str]] = {}
    known: dict[int, PickledModule] = {}
    count = 0
    waiting: list[tuple[str, Foreign, tuple[Any, ...]]] = [(path, root, ()) for path, root in roots][::-1]
    while waiting:
        path, module, around = waiting.pop()
        entered = id(module) in known
        if not entered:
            known[id(module)], paths[id(module)] = pickled_module(module), []
        paths[id(module)].append(path)
        count += 1
        if entered and (count > PATHS or _is_inside(module, around)):
            continue
        prefix = f"{path}." if path else ""
        held = (id(module), around)
        waiting += [(prefix + name, child, held) for name, child in known[id(module)].children.items()][::-1]
    return tuple((tuple(paths[key]), each) for key, each in known.items())


def _is_inside(module: Foreign, around: tuple[Any, ...]) -> bool:
    while around:
        key, around = around
        if key == id(module):
            return True
    return False


def named_tensors(modules: Iterable[tuple[tuple[str, ...], PickledModule]]) -> dict[str, Stored]:
    """The tensors of all modules by every name that they have."""
    return {
        f"{path}.{name}" if path else name: tensor
        for paths, module in modules
        for name, held in module.tensors
        if (tensor := stored(held)) is not None
        for path in paths
    }
