"""`skeleton` writes Python source: classes that register exactly the names, shapes and dtypes of a graph's weights.

Equal modules get one class. What is inferred is written with how sure it is; what the weights do not say (the order
in which modules run, strides, activations) is left to whoever completes ``forward``.
"""

from __future__ import annotations

from itertools import groupby
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

from torchatlas.core.errors import InputError
from torchatlas.core.version import __version__
from torchatlas.views.skeleton.arguments import known_arguments
from torchatlas.views.skeleton.constructors import COUNTER, WRITERS, written
from torchatlas.views.skeleton.loading import NAMES, loading
from torchatlas.views.skeleton.normed import seen_through
from torchatlas.views.skeleton.python_names import class_name, is_plain, is_taken, quoted
from torchatlas.views.skeleton.tree import inside_first, tree_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from torchatlas.core.graph import Graph, Value
    from torchatlas.views.skeleton.tree import ModuleNode

ROOT = "Model"
INDENT = "    "
WIDTH = 118
LISTS = ("Sequential", "ModuleList")
NESTED = 3
"""Lists inside lists that are written as one expression."""
GAPS = 4
"""A list with more than so many numbers for each module in it is no list."""
FLOATS = ("float", "bfloat", "complex")
SMALL = "float8"
"""Dtypes in which torch draws no random numbers, so that a layer is made in another first."""
NO_CASTS = ("float4_e2m1fn_x2", "float4_e2m1", "float6_e2m3", "float6_e3m2")
"""Dtypes to which torch casts nothing."""
SPARSE = ("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")
ARGUMENTLESS = frozenset(
    (
        "ReLU",
        "GELU",
        "SiLU",
        "Tanh",
        "Sigmoid",
        "Dropout",
        "Flatten",
        "Softsign",
        "Tanhshrink",
        "LogSigmoid",
        "Softmax2d",
    )
)
"""Layers without weights that can be made without arguments."""
RESERVED = {ROOT, "torch", "nn", "share", *NAMES}

SHARE = '''
def share(model, name, other):
    """Let two names stand for one tensor."""
    found = []
    for path in (name, other):
        *around, own = path.split(".")
        module = model
        for part in around:
            module = module._modules[part]
        found.append((module._parameters if own in module._parameters else module._buffers, own))
    (held, own), (others, theirs) = found
    held[own] = others[theirs]
'''
FORWARD = """
    def forward(self, *args, **kwargs):
        raise NotImplementedError(
            "The weights say which modules there are, not in which order they run, nor what stands between them"
            " (activations, dropout, pooling, residual sums): write it here."
        )
"""
NOT_TENSORS = """
    def _load_from_state_dict(self, state_dict, prefix, *others):
        for name in {names}:  # no tensors; torch hands them to the module
            self.not_tensors[name] = state_dict.pop(prefix + name, None)
        super()._load_from_state_dict(state_dict, prefix, *others)
"""


class Written(NamedTuple):
    """A module as an expression.

    Attributes:
        lines: the expression.
        nested: lists inside lists in it.
        comment: what is said of it.
    """

    lines: tuple[str, ...]
    nested: int = 0
    comment: str = ""


def skeleton(graph: Graph, weights: str = "weights.pth") -> str:
    """Write the Python code of a module tree that has exactly the weights of a graph.

    Args:
        graph: of a file of weights, or any other with named parameters.
        weights: the file's name, for the lines that say how it is loaded.

    Returns:
        Source text. Its class ``Model`` loads the weights: ``Model().load_state_dict(weights, strict=True)``.

    Raises:
        InputError: the graph has no named parameters or buffers.
    """
    root = tree_of(graph)
    if not root.tensors and not root.children:
        raise InputError(
            f"{graph.name} has no named parameters or buffers, of which a skeleton is made. Wanted a file of weights"
            " (.pth, .safetensors, …) or an atlas of a module."
        )
    writer = _Writer(root, _shared(graph))
    load = loading(graph.provenance, weights)
    parts = [_head(graph, weights, load.imports), *([SHARE] if writer.shared else [])]
    parts += [*writer.classes, *load.others, load.function]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _head(graph: Graph, weights: str, modules: tuple[str, ...]) -> str:
    said = "\n".join(fill(note.text, WIDTH) for note in graph.notes)
    inferred = any(module.confidence is not None for module in graph.modules)
    doubt = " Beside what was inferred and is not certain stands how sure it is." if inferred else ""
    standard = [name for name in modules if "." not in name]
    plain = "".join(f"import {name}\n" for name in standard) + ("\n" if standard else "")
    return f'''"""Skeleton of {_harmless(weights)}: modules with exactly the names, shapes and dtypes of its weights.

Written by torchatlas {__version__}.{doubt}

    model = load()

A large model is best built without memory, under torch.device("meta"), and loaded with assign=True.

{_harmless(said)}
"""

{plain}{"".join(f"import {name}{chr(10)}" for name in modules if "." in name)}import torch
from torch import nn
'''


def _harmless(text: str) -> str:
    """Text of a file that can neither end a string nor escape in it."""
    return text.replace("\\", "/").replace('"', "'").replace("\0", "?")


class _Writer:
    """Expressions of all modules, from the innermost out, and the classes that they need."""

    def __init__(self, root: ModuleNode, shared: list[tuple[str, str]]) -> None:
        self._known: dict[Hashable, Written] = {}
        self._names = set(RESERVED)
        self.classes: list[str] = []
        self.shared = shared
        expressions: dict[int, Written] = {}

        def is_layer(node: ModuleNode) -> bool:
            layer = None if node is root else _layer(node)
            if layer is not None:
                expressions[id(node)] = layer
            return layer is not None

        for node in inside_first(root, is_layer):
            inside = {name: expressions[id(child)] for name, child in node.children.items()}
            if node is root:
                self.classes.append(self._class(node, inside, ROOT))
            else:
                expressions[id(node)] = self._expression(node, inside)

    def _expression(self, node: ModuleNode, inside: dict[str, Written]) -> Written:
        key = (node.kind, node.not_tensors, _sure(node), *map(_spec, node.tensors.items()), *inside.items())
        found = self._known.get(key)
        if found is None:
            found = _list(node, inside)
            if found is None:
                name = class_name(node.path, node.kind, self._names)
                self.classes.append(self._class(node, inside, name))
                found = Written((f"{name}()",))
            self._known[key] = found
        return found

    def _class(self, node: ModuleNode, inside: dict[str, Written], name: str) -> str:
        lines = [f"class {name}(nn.Module):", f"{INDENT}def __init__(self):", f"{INDENT * 2}super().__init__()"]
        if node.not_tensors:
            lines.append(f"{INDENT * 2}self.not_tensors = {{}}")
        body = [
            *(line for own, value in node.tensors.items() for line in _tensor(own, value)),
            *(line for own, written in inside.items() for line in _module(own, written, clash=own in node.tensors)),
        ]
        if name == ROOT:
            body += [f"share(self, {quoted(one)}, {quoted(other)})" for one, other in self.shared]
        lines += [INDENT * 2 + line for line in body]
        text = "\n".join(lines) + "\n"
        if node.not_tensors:
            text += NOT_TENSORS.format(names=f"[{', '.join(map(quoted, node.not_tensors))}]")
        return text + FORWARD if name == ROOT else text


def _spec(item: tuple[str, Value]) -> Hashable:
    name, value = item
    return (name, value.shape, value.dtype, value.kind, value.type)


def _sure(node: ModuleNode) -> str:
    """How sure a guess is, as a comment says it; nothing of what is known."""
    sure = None if node.module is None else node.module.confidence
    return "" if sure is None or sure >= 1 else f"{sure:.0%} sure"


def _is_known(node: ModuleNode) -> bool:
    """Whether class and settings were not inferred."""
    return node.module is not None and node.module.confidence is None


def _layer(node: ModuleNode) -> Written | None:
    """A layer of torch, if it has exactly the tensors that there are; what has none at all stands as Identity."""
    if not node.tensors and not node.children and not node.not_tensors:
        return _without_weights(node)
    if node.kind not in WRITERS:  # asked first: what is inside would be gone through at every level
        return None
    tensors = node.flat()
    if any(child.not_tensors for child in (node, *node.children.values())):
        return None
    shapes = {name: value.shape for name, value in tensors.items()}
    shapes, norms = seen_through(shapes, node.kind)
    layer = written(node.kind, node.settings, shapes)
    # Torch warns of layers without elements, and initializes none of special layouts.
    odd = any(value.type or 0 in value.shape for value in tensors.values())
    dtype = _dtype(tensors)
    small = dtype.startswith(SMALL)
    if layer is None or layer.shapes != shapes or odd or not dtype or (small and norms):
        return None
    known = known_arguments(node.kind, node.settings, shapes) if _is_known(node) else None
    parts = (known or layer.code, "" if small or dtype == "float32" else f"dtype=torch.{dtype}")
    code = ", ".join(filter(None, parts))
    made = f"nn.{node.kind}({code})" + (f".to(torch.{dtype})" if small else "")
    for norm in norms:
        made = norm.around(made, node.kind)
    return Written((made,), comment="; ".join(filter(None, (_sure(node), "" if known else layer.unknown))))


def _dtype(tensors: Mapping[str, Value]) -> str:
    """The dtype that a layer with these tensors can be made in; empty where there is none."""
    dtypes = {value.dtype for name, value in tensors.items() if name != COUNTER}
    counters = [value.dtype for name, value in tensors.items() if name == COUNTER]
    found = min(dtypes, default="")
    fits = len(dtypes) == 1 and counters in ([], ["int64"]) and found.startswith(FLOATS) and found not in NO_CASTS
    return found if fits else ""


def _without_weights(node: ModuleNode) -> Written:
    """A layer that takes no arguments; in the place of any other, Identity, with what it is in words."""
    doubt = _sure(node)
    known = known_arguments(node.kind, node.settings) if _is_known(node) else None
    if known is not None:
        return Written((f"nn.{node.kind}({known})",))
    if node.kind in ARGUMENTLESS:
        return Written((f"nn.{node.kind}()",), comment=f"{doubt}, by its name" if doubt else "")
    if node.kind in ("", "Module", "Identity"):
        return Written(("nn.Identity()",), comment="no weights")
    said = f"; {node.kind}, {doubt}" if doubt else f": {node.kind}"
    return Written(("nn.Identity()",), comment=f"no weights{said}")


def _list(node: ModuleNode, inside: dict[str, Written]) -> Written | None:
    """Numbered modules as a list of torch; None where they are not numbered from 0 on, or too far apart."""
    numbers = [int(name) for name in inside if name.isdecimal() and name.isascii() and str(int(name)) == name]
    if node.tensors or node.not_tensors or len(numbers) != len(inside) or numbers != sorted(numbers):
        return None
    nested = 1 + max((written.nested for written in inside.values()), default=0)
    if nested > NESTED or numbers[-1] >= GAPS * (len(numbers) + 1):
        return None
    missing = Written(("nn.Identity()",), comment="no weights")
    every = [inside.get(str(number), missing) for number in range(numbers[-1] + 1)]
    kind = node.kind if node.kind in LISTS else LISTS[0]
    runs = [(written, len(list(run))) for written, run in groupby(every)]
    only, count = runs[0]
    opened, closed = ("(", ")") if kind == LISTS[0] else ("([", "])")
    if len(runs) == 1 and count > 1 and len(only.lines) == 1:
        star = "*" if kind == LISTS[0] else ""
        code = f"{only.lines[0]} for _ in range({count})"
        made = f"nn.{kind}({star}[{code}])" if star else f"nn.{kind}({code})"
        return Written((made,), nested, only.comment)
    body = [INDENT + line for written, count in runs for line in _items(written, count)]
    return Written((f"nn.{kind}{opened}", *body, closed), nested, _sure(node))


def _items(written: Written, count: int) -> Iterator[str]:
    """Lines of a list: one module, or some that are alike."""
    first, *rest = written.lines
    said = f"  # {written.comment}" if written.comment else ""
    if count > 1 and not rest:
        yield f"*[{first} for _ in range({count})],{said}"
        return
    for _ in range(count):
        if not rest:
            yield f"{first},{said}"
        else:
            yield f"{first}{said}"
            yield from rest[:-1]
            yield f"{rest[-1]},"


def _tensor(name: str, value: Value) -> Iterable[str]:
    """The line that registers a tensor."""
    made = _empty(value)
    if value.kind == "parameter":
        made = (
            f"nn.Parameter({made})" if value.dtype.startswith(FLOATS) else f"nn.Parameter({made}, requires_grad=False)"
        )
        if is_plain(name):
            return [f"self.{name} = {made}"]
        kept = "_parameters"
    else:
        if name and not is_taken(name):
            return [f"self.register_buffer({quoted(name)}, {made})"]
        kept = "_buffers"
    return [f"self.{kept}[{quoted(name)}] = {made}"]


def _empty(value: Value) -> str:
    """A tensor of the same shape and dtype, without content."""
    shape = tuple(max(size, 0) for size in value.shape)
    kind, _, how = value.type.partition(" ")
    if kind == "quantized":
        return _quantized(shape, value.dtype, how)
    sizes = ", ".join(map(str, shape)) or "()"
    layout = f", layout=torch.{value.type}" if value.type in SPARSE else ""
    dtype = "" if value.dtype == "float32" else f", dtype=torch.{value.dtype}"
    return f"torch.empty({sizes}{dtype}{layout})"


def _quantized(shape: tuple[int, ...], dtype: str, how: str) -> str:
    """A quantized tensor, quantized in the same way: torch copies no other into it."""
    scheme, _, axis = how.partition(" ")
    if not scheme or not 0 <= int(axis) < len(shape):
        return f"torch.quantize_per_tensor(torch.zeros({shape}), 1.0, 0, torch.{dtype})"
    count = shape[int(axis)]
    points = f"torch.zeros({count}{'' if 'float' in scheme else ', dtype=torch.int64'})"
    return f"torch.quantize_per_channel(torch.zeros({shape}), torch.ones({count}), {points}, {axis}, torch.{dtype})"


def _module(name: str, written: Written, *, clash: bool) -> Iterable[str]:
    """The lines that register a module."""
    first, *rest = written.lines
    said = f"  # {written.comment}" if written.comment else ""
    if is_plain(name) and not clash:
        return [f"self.{name} = {first}{said}", *rest]
    if name and not is_taken(name) and not clash:
        return [
            f"self.add_module({quoted(name)}, {first}{'' if rest else ')'}{said}",
            *rest[:-1],
            *(f"{last})" for last in rest[-1:]),
        ]
    return [f"self._modules[{quoted(name)}] = {first}{said}", *rest]


def _shared(graph: Graph) -> list[tuple[str, str]]:
    """Names that stand for a tensor which another name has made."""
    weights = [value for value in graph.values if value.is_weight]
    return [(name, value.names[0]) for value in weights for name in value.names[1:]]
