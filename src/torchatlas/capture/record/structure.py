"""The modules of a model, called or not, and the names of the tensors they hold."""

from __future__ import annotations

import functools
import threading
from contextlib import suppress
from itertools import count
from types import BuiltinFunctionType, FunctionType, MethodType, MethodWrapperType, ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from torchatlas.capture.objects.contents import OPAQUE, attributes, class_name, is_a, of_class
from torchatlas.capture.objects.tree import PLAIN, describe, places
from torchatlas.capture.record.listen import UNKNOWN
from torchatlas.capture.record.unregistered import LOOSE, elsewhere, registered_since
from torchatlas.capture.stored import Stored, packed_parameters
from torchatlas.capture.unrecorded import unrecorded
from torchatlas.core.graph import Module, Node
from torchatlas.core.instances import maker
from torchatlas.core.measure.packing import PACKED, originals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from torchatlas.capture.record.recorder import Recorder
    from torchatlas.core.graph import Tree, ValueKind

_PATHS = 20_000  # beyond as many, a shared module's inside is not named again under each of its paths
_SEARCHES = 50  # for modules that are not known; a forward may make new ones without end
_NO_FORWARD = of_class(nn.Module, "forward")
_module = maker(Module)
_SETTING = 8  # numbers in a tuple that still is a setting (kernel_size, normalized_shape)


def uncompiled(model: Callable[..., Any]) -> Callable[..., Any]:
    """The model inside what ``torch.compile`` made: capture runs it eagerly."""
    if not is_a(model, nn.Module) or is_a(model, torch.jit.ScriptModule):
        return model
    inner = model._modules.get("_orig_mod")
    return model if inner is None else inner


def name_of(module: nn.Module) -> str:
    """The name of its class; of a scripted module, of the class that was scripted."""
    return str(module.original_name) if is_a(module, torch.jit.ScriptModule) else class_name(type(module))


def modules_of(model: Callable[..., Any]) -> dict[str, nn.Module]:
    """Every path of every module that a model, or a function through what it holds, can call."""
    found: dict[str, nn.Module] = {}
    roots = [("", model)] if is_a(model, nn.Module) else held_by(model)
    for name, root in roots:
        if is_a(root, nn.Module):
            _add_paths(name, root, found)
    return found


def _add_paths(name: str, root: nn.Module, found: dict[str, nn.Module]) -> None:
    """Paths in the order of ``named_modules``; inside itself a module is not entered, nor again once there are many."""
    waiting: list[tuple[str, nn.Module, tuple[Any, ...]]] = [(name, root, ())]
    entered: set[int] = set()
    while waiting:
        path, module, around = waiting.pop()
        found.setdefault(path, module)
        if id(module) in entered and (len(found) > _PATHS or _is_inside(module, around)):
            continue
        entered.add(id(module))
        prefix = path + "." if path else ""
        inside = (id(module), around)
        waiting += [
            (prefix + key, child, inside) for key, child in reversed(module._modules.items()) if child is not None
        ]


def _is_inside(module: nn.Module, around: tuple[Any, ...]) -> bool:
    while around:
        key, around = around
        if key == id(module):
            return True
    return False


def held_by(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    """(name, thing) for what a function can reach by itself: its owner, bound arguments, attributes, variables."""
    found: list[tuple[str, Any]] = []
    while is_a(function, functools.partial):
        parts = attributes(function)
        found += [(f"args[{number}]", item) for number, item in enumerate(parts["args"])]
        found += parts["keywords"].items()
        function = parts["func"]
    owner: Any = function.__self__ if is_a(function, _BOUND) else None  # type: ignore[attr-defined]  # the check
    if owner is not None and not is_a(owner, ModuleType):
        found.append(("", owner))
    for thing in (owner, function):
        if thing is not None and not is_a(thing, (nn.Module, ModuleType, type)):
            found += [item for item in attributes(thing).items() if item[0][:2] != "__"]
    found += _variables(function)
    return [(name, thing) for name, thing in found if not is_a(thing, (ModuleType, type))]


_BOUND = (MethodType, BuiltinFunctionType, MethodWrapperType)


def _variables(function: Any) -> list[tuple[str, Any]]:
    """What a function, out of what is wrapped around it, reads of the functions around it and of its module."""
    seen: set[int] = set()
    while id(function) not in seen and not is_a(function, nn.Module) and "__wrapped__" in attributes(function):
        seen.add(id(function))
        function = attributes(function)["__wrapped__"]
    if not is_a(function, FunctionType):
        return []
    found: list[tuple[str, Any]] = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # it has no content yet
            found.append((name, cell.cell_contents))
    space = function.__globals__
    return found + [(name, space[name]) for name in function.__code__.co_names if name in space]


def owner_of(function: Callable[..., Any]) -> Any:
    """The object that a method belongs to, or that is called itself; None for a function or a module."""
    while is_a(function, functools.partial):
        function = attributes(function)["func"]
    owner: Any = function.__self__ if is_a(function, MethodType) else function
    return None if is_a(owner, OPAQUE) else owner


class Structure:
    """The modules of one run, registered with its recorder.

    Values and settings are taken before the run, as they stood; shapes are taken again after it, for lazy parameters.
    ``training`` holds the flags as the user left them, in the order of the modules. ``held`` is what a function reaches
    by itself; None of a model, which registers its modules.
    """

    def __init__(
        self,
        modules: dict[str, nn.Module],
        training: list[bool],
        recorder: Recorder,
        held: Sequence[tuple[str, Any]] | None = None,
    ) -> None:
        self._recorder = recorder
        self._known = dict(modules)
        self._held = held
        self._unregistered: set[int] = set()
        self._outside: dict[int, tuple[str, nn.Module, bool]] = {}
        self._searches = 0
        self._lock = threading.Lock()
        self._paths: dict[int, list[str]] = {}
        self._modules: list[nn.Module] = []
        for path, module in modules.items():
            if id(module) not in self._paths:
                self._modules.append(module)
            self._paths.setdefault(id(module), []).append(path)
        recorder.paths.update({key: paths[0] for key, paths in self._paths.items()})
        self._values: dict[int, int] = {}
        self._packed: dict[tuple[int, str], int] = {}
        self._tensors: list[tuple[Tensor, int]] = []
        self._lazy: list[tuple[Tensor, int]] = []
        self._parameters = [self._add(module, "parameter") for module in self._modules]
        self._buffers = [self._add(module, "buffer") for module in self._modules]
        self._known_settings: dict[Any, tuple[tuple[str, Tree], ...]] = {}  # modules of a class are often alike
        self._settings = [self._attributes(module) for module in self._modules]
        self._training = training
        self._places = {id(module): place for place, module in enumerate(self._modules)}
        recorder.adopt = self._adopt
        recorder.tensors.registered = self._registered

    def _adopt(self, module: nn.Module) -> str:
        """The path of a module that was not known before the run; it and what is in it are from now on."""
        if module.__dict__.get("_is_replica"):  # of a module that is known
            return UNKNOWN
        with self._lock, unrecorded():
            if id(module) not in self._recorder.paths:
                self._search(module)
        return self._recorder.paths[id(module)]

    def _search(self, module: nn.Module) -> None:
        """Take in all modules that are registered by now; else this one, from wherever it is reached."""
        if self._searches < _SEARCHES:
            self._searches += 1
            for path, root in list(registered_since(self._known)):
                self._take(path, root, registered=id(self._known[path.rpartition(".")[0]]) not in self._unregistered)
            if id(module) in self._recorder.paths:
                return
            if self._outside.get(id(module), ("", None, False))[1] is not module:
                # What a function reaches by itself is its own; what a module reaches and does not register is not.
                self._look_into(self._read_by_forwards(), registered=False)
                self._look_into(self._held or (), registered=True)
        path, known, registered = self._outside.get(id(module), ("", None, False))
        if known is not module:  # it was made in the forward, and a variable holds it: its class is its name
            path, registered = class_name(type(module)), self._held is not None
        self._take(path, module, registered=registered)

    def _look_into(self, things: Iterable[tuple[str, Any]], *, registered: bool) -> None:
        """Note where modules are: those in attributes of the known ones, then those in these things."""
        for path, root in elsewhere(self._known, things):
            below: dict[str, nn.Module] = {}
            _add_paths(path, root, below)
            for name, inner in below.items():
                self._outside.setdefault(id(inner), (name, inner, registered))

    def _read_by_forwards(self) -> list[tuple[str, Any]]:
        """What the forwards of the modules read of the functions around them and of their files, by name."""
        kinds = {id(type(module)): type(module) for module in self._modules}
        return [item for kind in kinds.values() for item in _variables(of_class(kind, "forward"))]

    def _take(self, path: str, root: nn.Module, *, registered: bool) -> None:
        number = 1
        while (name := path if number == 1 else f"{path}-{number}") in self._known:
            number += 1
        below: dict[str, nn.Module] = {}
        _add_paths(name, root, below)
        fresh = {inner: module for inner, module in below.items() if id(module) not in self._recorder.paths}
        for inner, module in fresh.items():
            self._known[inner] = module
            self._paths.setdefault(id(module), []).append(inner)
            self._recorder.paths.setdefault(id(module), inner)
        for module in {id(module): module for module in fresh.values()}.values():
            self._places[id(module)] = len(self._modules)
            self._modules.append(module)
            self._parameters.append(self._add(module, "parameter"))
            self._buffers.append(self._add(module, "buffer"))
            self._settings.append(self._attributes(module))
            self._training.append(bool(module.training))
            if not registered:
                self._unregistered.add(id(module))

    def _registered(self, tensor: Tensor) -> int | None:
        """The weight that a new tensor is, or stands for: it was put into the module that reads it during the run.

        So weights are brought to the device that runs them, and parameters made in the first forward.
        """
        path = self._recorder.innermost()
        module = None if path is None else self._known.get(path)
        place = self._places.get(id(module))
        if module is None or place is None or is_a(module, torch.jit.ScriptModule):
            return None
        stores: tuple[tuple[ValueKind, dict[str, Any], Any], ...] = (
            ("parameter", module._parameters, self._parameters),
            ("buffer", module._buffers, self._buffers),
        )
        for kind, registered, own in stores:
            name = next((name for name, one in registered.items() if one is tensor), None)
            if name is None:
                continue
            known: int | None = dict(own[place]).get(name)
            if known is None:
                known = self._recorder.tensors.add(tensor, kind, names=(f"{path}.{name}" if path else name,))
                self._recorder.tensors.values[known].view_of = None
                self._tensors.append((tensor, known))
                own[place] += ((name, known),)
            return known
        return None

    def _add(self, module: nn.Module, kind: ValueKind) -> tuple[tuple[str, int], ...]:
        """A value for each tensor that the module itself registers; another name for one that is known."""
        own = []
        tensors, paths = self._recorder.tensors, self._paths[id(module)]
        for name, tensor in (module._parameters if kind == "parameter" else module._buffers).items():
            if tensor is None:
                continue
            names = tuple([f"{path}.{name}" if path else name for path in paths])
            lazy = is_lazy(tensor)
            value = self._values.get(id(tensor))
            if value is None:
                value = tensors.weight(tensor, kind)
                if value is None:  # what the run computed stands in its place
                    continue
                self._values[id(tensor)] = value
                self._tensors.append((tensor, value))
                tensors.store(value, tensor)
                if lazy:
                    self._lazy.append((tensor, value))
            tensors.values[value].names += names
            own.append((name, value))
            if not lazy and tensor.is_leaf and tensor.grad is not None:
                tensors.name_attribute(tensor.grad, f"{names[0]}.grad")
        if kind == "parameter":
            own += [(name, self._unpacked(module, name, *packed)) for name, *packed in packed_parameters(module)]
        return tuple(own)

    def _unpacked(self, module: nn.Module, name: str, tensor: Tensor, packed: object) -> int:
        """A value for a weight in packed parameters, which may be those of another module too."""
        key = id(packed), name
        value = self._packed.get(key)
        if value is None:
            value = self._packed[key] = self._recorder.tensors.unpacked(tensor, "parameter")
        names = tuple(f"{path}.{name}" if path else name for path in self._paths[id(module)])
        self._recorder.tensors.values[value].names += names
        return value

    def _attributes(self, module: nn.Module) -> tuple[tuple[str, Tree], ...]:
        """The settings; and tensors kept as plain attributes (anchors, masks) get a name, should the run read them."""
        if is_a(module, torch.jit.ScriptModule):
            return ()
        public = [item for item in module.__dict__.items() if item[0][:1] != "_" and item[0] != "training"]
        kinds = [type(thing) for _, thing in public]
        for kind, (_, thing) in zip(kinds, public, strict=True):
            if kind not in PLAIN and not _is_plain(thing):
                return self._settings_of(module, public)
        key = (id(type(module)), *public, *kinds)  # with the classes, since 1, 1.0 and True are equal
        known = self._known_settings.get(key)
        if known is None:
            known = self._known_settings[key] = self._settings_of(module, public)
        return known

    def _settings_of(self, module: nn.Module, public: list[tuple[str, Any]]) -> tuple[tuple[str, Tree], ...]:
        settings: list[tuple[str, Tree]] = []
        for name, thing in public:
            if is_a(thing, OPAQUE) and type(thing) not in PLAIN:
                continue
            found: list[Tensor] = []
            tree = describe(thing, found)
            if found:
                self._name(found, tree, module, name)
            elif type(thing) in PLAIN or (isinstance(tree, Node) and not tree.keys and len(tree.items) <= _SETTING):
                settings.append((name, tree))
        return tuple(settings)

    def _name(self, found: list[Tensor], tree: Tree, module: nn.Module, attribute: str) -> None:
        prefix = self._paths[id(module)][0]
        for slot, place in places(tree, f"{prefix}.{attribute}" if prefix else attribute):
            self._recorder.tensors.name_attribute(found[slot], place)

    def tensors(self) -> list[tuple[Tensor, int]]:
        """Parameters and buffers, as they stood, with the ids of their values."""
        return self._tensors

    def records(self) -> tuple[Module, ...]:
        """The modules as plain data."""
        for tensor, value in self._lazy:
            self._recorder.tensors.materialized(tensor, value)
        for own in zip(self._parameters, self._buffers, strict=True):
            self._name_originals(own[0] + own[1])
        return (*map(self._record, range(len(self._modules))), *self._loose())

    def _loose(self) -> Iterator[Module]:
        """Tensors that a backward pass would reach and no module registers: each as a module of its own.

        A function has no ``parameters()``: what it reads of the functions around it is as it should be.
        """
        if self._held is not None:
            return
        taken = set(self._known)
        for value in map(self._recorder.tensors.values.__getitem__, self._recorder.tensors.loose):
            value.kind = "parameter"
            first = value.names[0] if value.names else LOOSE
            names = (first if number == 1 else f"{first}-{number}" for number in count(1))
            name = next(name for name in names if name not in taken)
            taken.add(name)
            yield Module(name, LOOSE, parameters=(("data", value.id),), registered=False, container=True)

    def _name_originals(self, own: tuple[tuple[str, int], ...]) -> None:
        """Where plain tensors of a module pack a weight (GPTQ, AWQ, MXFP4), its shape."""
        values = self._recorder.tensors.values
        if any(name.endswith(PACKED) for name, _ in own):
            shapes = {name: (values[value].shape, str(values[value].dtype)[6:]) for name, value in own}
            for name, shape in originals(shapes).items():
                values[dict(own)[name]].stored = Stored((), shape)

    def _record(self, index: int) -> Module:
        module = self._modules[index]
        first, *aliases = self._paths[id(module)]
        return _module(
            first,
            name_of(module),
            tuple(aliases),
            self._parameters[index],
            self._buffers[index],
            self._settings[index],
            _extra(module),
            self._training[index],
            is_a(module, torch.jit.ScriptModule),
            registered=id(module) not in self._unregistered,
            container=_is_container(module),
        )


def _is_container(module: nn.Module) -> bool:
    """Whether it has no forward of its own."""
    if is_a(module, torch.jit.ScriptModule):
        return not hasattr(module, "forward")
    return of_class(type(module), "forward") is _NO_FORWARD and "forward" not in attributes(module)


def _is_plain(thing: object) -> bool:
    """Whether it is of builtin classes throughout, so that no code of the user's runs to hash it."""
    return type(thing) in PLAIN or (type(thing) is tuple and all(map(_is_plain, thing)))


def _extra(module: nn.Module) -> str:
    """``extra_repr``, which is the user's code and may fail."""
    try:
        return str(module.extra_repr())
    except Exception:  # noqa: BLE001 - a broken repr must not break a capture
        return ""
