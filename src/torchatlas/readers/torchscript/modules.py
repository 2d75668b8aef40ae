"""The modules of a TorchScript archive and the tensors they hold, from its ``data.pkl``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchatlas.core.graph import Node
from torchatlas.readers.dtypes import nbytes
from torchatlas.readers.graph_builder import GraphBuilder
from torchatlas.readers.torchscript.code import Class
from torchatlas.readers.torchscript.objects import PickledObject, Tensor

if TYPE_CHECKING:
    from torchatlas.core.graph import Tree, ValueKind
    from torchatlas.readers.torchscript.code import Code

DEEPEST = 200
PRIVATE = "_"
PLAIN = (bool, int, float, str)


class Structure:
    """The module tree, and a value for each tensor in it."""

    def __init__(self, root: PickledObject, code: Code) -> None:
        self.root, self._code = root, code
        self.builder = GraphBuilder(short(root.type))
        self.paths: dict[int, str] = {}
        self.tensors: dict[tuple[object, ...], int] = {}
        self._read()

    def class_of(self, thing: PickledObject) -> Class:
        """Its class; an empty one where the archive holds no code of it."""
        return self._code.classes.get(thing.type, Class(short(thing.type)))

    def is_module(self, thing: Any) -> bool:
        """Whether it is a module of the tree."""
        return id(thing) in self.paths

    def tensor(self, tensor: Tensor, kind: ValueKind, name: str) -> int:
        """The value of a tensor; another name for one that is known."""
        known = self.tensors.get(tensor.place)
        if known is not None:
            names = self.builder.values[known].names
            if name and name not in names:
                self.builder.change(known, names=(*names, name))
            return known
        value = self.builder.value(kind, (name,) if name else (), **described(tensor))
        self.tensors[tensor.place] = value
        return value

    def _read(self) -> None:
        pending: list[tuple[str, PickledObject, int]] = [("", self.root, 0)]
        while pending:
            path, thing, depth = pending.pop()
            if id(thing) in self.paths or depth > DEEPEST:
                continue
            self.paths[id(thing)] = path
            inner = [(name, held) for name, held in thing.state.items() if isinstance(held, PickledObject)]
            inner = [(name, held) for name, held in inner if self._looks_like_module(held)]
            pending += [(f"{path}.{name}" if path else name, held, depth + 1) for name, held in reversed(inner)]
            self._module(path, thing)

    def _looks_like_module(self, thing: PickledObject) -> bool:
        return "training" in thing.state or (thing.type in self._code.classes and bool(self.class_of(thing).methods))

    def _module(self, path: str, thing: PickledObject) -> None:
        known = self.class_of(thing)
        part = self.builder.part(path, known.name)
        part.name = known.name
        part.training = thing.state.get("training") is True
        part.opaque = thing.type not in self._code.classes or thing.plain is not None
        part.settings = tuple(_settings(known, thing))
        for name, held in thing.state.items():
            if isinstance(held, Tensor):
                kind: ValueKind = "constant"
                if name in known.parameters:
                    kind = "parameter"
                elif name in known.buffers:
                    kind = "buffer"
                value = self.tensor(held, kind, f"{path}.{name}" if path else name)
                if kind != "constant":
                    self.builder.own(path, name, value)


def _settings(known: Class, thing: PickledObject) -> list[tuple[str, Tree]]:
    found: dict[str, Tree] = {name: value for name, value in known.constants.items() if value is not None}
    for name, value in thing.state.items():
        if isinstance(value, PLAIN) and name != "training":
            found.setdefault(name, value)
    return [(name, value) for name, value in found.items() if name[:1] != PRIVATE]


def described(tensor: Tensor) -> dict[str, Any]:
    """What a value says of it."""
    shape = tuple(max(one, -1) for one in tensor.shape)
    return {
        "shape": shape,
        "dtype": tensor.dtype,
        "device": tensor.device,
        "nbytes": nbytes(shape, tensor.dtype),
        "requires_grad": tensor.requires_grad,
    }


def short(name: str) -> str:
    """``Conv2d`` of ``__torch__.torch.nn.modules.conv.___torch_mangle_0.Conv2d``."""
    return name.rpartition(".")[2]


def tree_of(value: Any) -> Tree:
    """A plain value as an argument."""
    if value is None or isinstance(value, PLAIN):
        return value
    if isinstance(value, (list, tuple)) and all(one is None or isinstance(one, PLAIN) for one in value):
        return Node("list", (), tuple(value[:64]))
    return None
