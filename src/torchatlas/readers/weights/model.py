"""A pickled model as the Graph of a model that was not run: nothing is inferred, all of it stands in the file."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.graph import Graph, Module, Note, Value
from torchatlas.readers.pickled import Foreign, Mapping
from torchatlas.readers.weights.dtensor import of_one_rank
from torchatlas.readers.weights.harmful import GETATTR
from torchatlas.readers.weights.loadable import provenance_of
from torchatlas.readers.weights.packed import saved_otherwise
from torchatlas.readers.weights.rebuilt import GRAPH_MODULE, word
from torchatlas.readers.weights.settings import details, settings_of
from torchatlas.readers.weights.stored import Stored
from torchatlas.readers.weights.whole import class_of, expression, modules_in, stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from torchatlas.core.graph import ValueKind
    from torchatlas.readers.weights.checkpoint import Checkpoint
    from torchatlas.readers.weights.whole import PickledModule

NAMED = 8
"""How many Python modules, and hooks, a note names."""
LISTED = 12
"""How many classes of each."""
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def graph_of(checkpoint: Checkpoint, path: Path) -> Graph:
    """Give the Graph of the modules that a file holds whole.

    Args:
        checkpoint: what was read; ``modules`` is not empty.
        path: of the file.
    """
    values = _Values()
    parameters = [values.of(paths, module.parameters, "parameter") for paths, module in checkpoint.modules]
    buffers = [values.of(paths, module.buffers, "buffer") for paths, module in checkpoint.modules]
    modules = tuple(
        _module(paths, module, own, beside)
        for (paths, module), own, beside in zip(checkpoint.modules, parameters, buffers, strict=True)
    )
    if checkpoint.around:
        modules = (Module("", checkpoint.around), *modules)
    return Graph(
        modules[0].name if not checkpoint.around else path.name.split(".")[0] or path.name,
        values=values.all(),
        modules=modules,
        notes=tuple(Note(text) for text in _notes(checkpoint)),
        provenance=replace(provenance_of(checkpoint), reader="pickle", apart=False),
    )


class _Values:
    """A Value for every tensor, however many names it has: what is one object in the file is one tensor."""

    def __init__(self) -> None:
        self._ids: dict[int, int] = {}
        self._names: list[list[str]] = []
        self._made: list[tuple[ValueKind, object]] = []

    def of(self, paths: tuple[str, ...], held: dict[str, object], kind: ValueKind) -> tuple[tuple[str, int], ...]:
        """The tensors of one module, by their own names."""
        found = []
        for name, thing in held.items():
            if not isinstance(thing, (Stored, Foreign)):
                continue
            number = self._ids.setdefault(id(thing), len(self._made))
            if number == len(self._made):
                self._made.append((kind, thing))
                self._names.append([])
            self._names[number] += [f"{path}.{name}" if path else name for path in paths]
            found.append((name, number))
        return tuple(found)

    def all(self) -> tuple[Value, ...]:
        """All of them, in order."""
        storages: dict[object, int] = {}
        latest: dict[object, int] = {}
        found = []
        for number, ((kind, thing), names) in enumerate(zip(self._made, self._names, strict=True)):
            value, memory = _value(number, kind, tuple(names), thing)
            if memory is not None:
                storage = storages.setdefault(memory, len(storages))
                value = replace(value, storage=storage, view_of=latest.get(memory))
                latest[memory] = number
            found.append(value)
        return tuple(found)


def _value(number: int, kind: ValueKind, names: tuple[str, ...], thing: object) -> tuple[Value, object]:
    """The Value of a tensor, and what is equal for those that share memory."""
    tensor = stored(thing)
    if tensor is None:  # a lazy one, or an object of a class that keeps no tensor
        trained = isinstance(thing, Foreign) and isinstance(thing.args, tuple) and thing.args[:1] == (True,)
        return Value(number, kind, names, (), "float32", "cpu", None, requires_grad=trained), None
    value = Value(
        number,
        kind,
        names,
        tensor.shape,
        tensor.dtype,
        tensor.device,
        tensor.nbytes,
        requires_grad=tensor.requires_grad,
        type=tensor.type,
        inner=tensor.inner,
        placements=tensor.placements,
        mesh=tensor.mesh,
    )
    return value, tensor.memory


def _module(
    paths: tuple[str, ...],
    module: PickledModule,
    parameters: tuple[tuple[str, int], ...],
    buffers: tuple[tuple[str, int], ...],
) -> Module:
    settings = settings_of(module)
    return Module(
        paths[0],
        module.name,
        paths[1:],
        parameters,
        buffers,
        settings,
        details(module, settings),
        training=module.state is not None and module.state.get("training") is True,
        opaque=module.state is None,
    )


def _notes(checkpoint: Checkpoint) -> Iterator[str]:
    modules = [module for _, module in checkpoint.modules]
    yield (
        f"Classes are those named in the file; they were not imported: {_classes(modules)}. Settings and weights"
        " are as they were saved."
    )
    yield (
        "A file of a whole model names its classes but does not hold their code, so the order in which modules run"
        " is unknown."
    )
    if checkpoint.inside:
        yield f"The model is under {expression(checkpoint.inside)} in the file."
    coded = sum(module.defined == GRAPH_MODULE for module in modules)
    if coded:
        yield (
            f"The file holds the code of {coded:,} modules of torch.fx, which torch.load(weights_only=False) would run."
            " Load it only if you trust its source."
        )
    closed = Counter(module.name for module in modules if module.state is None)
    if closed:
        yield (
            "These keep their content in a form of their own, of which only the tensors are shown:"
            f" {', '.join(closed)}."
        )
    hooks = list(dict.fromkeys(name for module in modules for name in _hooks(module)))
    if hooks:
        yield f"Hooks change what modules compute: {', '.join(hooks[:NAMED])}{', …' if len(hooks) > NAMED else ''}."
    yield from saved_otherwise(checkpoint.tensors.values())
    yield from of_one_rank(checkpoint.tensors.values())
    yield from _unheld(checkpoint)
    yield from checkpoint.notes


def _classes(modules: list[PickledModule]) -> str:
    """The classes by where they are defined, those of torch in a number."""
    places: dict[str, dict[str, None]] = {}
    for module in modules:
        place = module.defined.module
        places.setdefault("torch" if place.partition(".")[0] == "torch" else place, {})[module.defined.name] = None
    torch = places.pop("torch", {})
    parts = [f"{place} ({_some(names)})" for place, names in list(places.items())[:NAMED]]
    parts += [f"{len(places) - NAMED:,} more modules"] if len(places) > NAMED else []
    parts += [f"torch ({len(torch):,} {'classes' if len(torch) > 1 else 'class'})"] if torch else []
    return ", ".join(parts)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:LISTED]) + (f" and {len(listed) - LISTED:,} more" if len(listed) > LISTED else "")


def _hooks(module: PickledModule) -> Iterator[str]:
    for kind in HOOKS:
        held = module.state.get(kind) if module.state is not None else None
        for hook in held.values() if isinstance(held, Mapping) else ():
            named = hook.made_by if isinstance(hook, Foreign) else hook
            if isinstance(hook, Foreign) and str(named) in GETATTR and isinstance(hook.args, tuple):
                named = hook.args[-1]  # a method of an object
            if str(named) != LAZY:
                yield word(named)


LAZY = "_infer_parameters"
"""The hook by which lazy modules make their weights."""


def _unheld(checkpoint: Checkpoint) -> Iterator[str]:
    """Modules that stand in plain attributes, lists and dictionaries of modules: ``state_dict`` has none of them."""
    held = {id(module.thing) for _, module in checkpoint.modules}
    found: dict[int, str] = {}
    met: set[int] = set()
    for _, module in checkpoint.modules:
        for name, item in module.state.items() if module.state is not None else ():
            if str(name) not in INSIDE and isinstance(item, (list, tuple, Mapping, Foreign)):
                for _, each in modules_in(item, met):
                    if id(each) not in held:
                        found.setdefault(id(each), class_of(each.made_by))
    if found:
        names = ", ".join(dict.fromkeys(found.values()))
        yield (
            f"{len(found):,} modules ({names}) are in plain lists, dictionaries or objects of other modules; to"
            " torch they are not part of the model, and they are not shown."
        )


INSIDE = frozenset(("_modules", "_parameters", "_buffers", *HOOKS, "_state_dict_hooks", "_load_state_dict_pre_hooks"))
