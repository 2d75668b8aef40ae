"""Modules get four numbers for ``alignment.py``; modules of two graphs with an equal number are alike in that degree.

    degree    equal for modules with equal                      Linear(8, 2)   Linear(8, 3)
    0         class, settings, shapes, dtypes, and parts        0              4
    1         shapes, and parts                                 1              5
    2         tensor names, and parts in any order              2              2
    3         class                                             3              3

If one graph was read from weights alone, its classes and settings are guesses, and only tensors count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.comparing.tree import LEVELS, Tree, by_alphabet
from torchatlas.core.comparing.vocabulary import torch_name
from torchatlas.core.folding.signature import settings_of
from torchatlas.core.paths import nearest_ancestor

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from torchatlas.core.graph import Graph, Module, Value

Interned = dict["Hashable", int]


def module_trees(a: Graph, b: Graph) -> tuple[Tree, Tree]:
    """The modules of two graphs, in the order of ``Graph.modules``, with likenesses to each other."""
    bare = is_inferred(a) or is_inferred(b)
    numbers: Interned = {}
    return _tree(a, numbers, bare=bare), _tree(b, numbers, bare=bare)


def is_inferred(graph: Graph) -> bool:
    """Whether its modules were inferred from weights alone."""
    return not graph.calls and any(module.confidence is not None for module in graph.modules)


def is_foreign(graph: Graph) -> bool:
    """Whether it was read from another program's file, which holds only those settings that the computation needs."""
    return reader_of(graph) != ""


def reader_of(graph: Graph) -> str:
    """The reader of another program's file, empty for our own graphs: each reader has its own function names."""
    return graph.provenance.reader or ""


def _tree(graph: Graph, numbers: Interned, *, bare: bool) -> Tree:
    paths = {module.path: index for index, module in enumerate(graph.modules)}
    parents = tuple(parent_of(module.path, paths) for module in graph.modules)
    children: list[list[int]] = [[] for _ in graph.modules]
    for node in range(len(parents) - 1, 0, -1):
        children[parents[node]].append(node)
    has_tensors = [False] * len(parents)
    kinds: list[tuple[int, ...]] = [()] * len(parents)
    names = tuple(_below(module.path, parents[at], graph) for at, module in enumerate(graph.modules))
    for node in range(len(parents) - 1, -1, -1):
        module = graph.modules[node]
        inside = children[node][::-1]
        has_tensors[node] = bool(module.parameters or module.buffers) or any(has_tensors[child] for child in inside)
        held = [child for child in inside if has_tensors[child]] if bare else inside
        parts = [[(names[child], kinds[child][level]) for child in held] for level in range(LEVELS)]
        keys = _bare(graph, module, parts) if bare else _known(graph, module, parts)
        kinds[node] = tuple(numbers.setdefault((level, key), len(numbers)) for level, key in enumerate(keys))
    return Tree(names, parents, tuple(kinds), tuple(has_tensors), _own_tensors(graph, numbers, bare=bare))


def _own_tensors(graph: Graph, numbers: Interned, *, bare: bool) -> tuple[int, ...]:
    """A number for the tensors of each module; none where a file has sorted them by name."""
    if is_inferred(graph) and by_alphabet((name, value.shape) for value in graph.values for name in value.names[:1]):
        return (-1,) * len(graph.modules)
    keys = []
    for module in graph.modules:
        tensors = _tensors(module, graph)
        keys.append(frozenset((torch_name(name), value.shape) for name, value in tensors if value.shape or not bare))
    return tuple(numbers.setdefault(key, len(numbers)) if key else -1 for key in keys)


def parent_of(path: str, paths: Mapping[str, int]) -> int:
    """The index of the nearest module above, -1 for the root."""
    above = nearest_ancestor(path, paths)
    return -1 if above is None else paths[above]


def _below(path: str, parent: int, graph: Graph) -> str:
    above = graph.modules[parent].path if parent >= 0 else ""
    return path[len(above) + 1 :] if above else path


def _tensors(module: Module, graph: Graph) -> Iterable[tuple[str, Value]]:
    return ((name, graph.values[value]) for name, value in (*module.parameters, *module.buffers))


def _known(graph: Graph, module: Module, parts: Sequence[Sequence[tuple[str, int]]]) -> tuple[Hashable, ...]:
    """The class of what holds modules is a name that anybody gives; that of a leaf says what it computes."""
    tensors = list(_tensors(module, graph))
    shapes = tuple((name, value.shape) for name, value in tensors)
    leaf = "" if parts[0] else module.name
    return (
        (module.name, settings_of(module), module.extra, module.opaque, shapes, _dtypes(tensors), tuple(parts[0])),
        (leaf, shapes, tuple(parts[1])),
        (leaf, tuple(name for name, _ in tensors), tuple(sorted(parts[2]))),
        module.name,
    )


def _dtypes(tensors: Iterable[tuple[str, Value]]) -> tuple[tuple[str, bool], ...]:
    return tuple((value.dtype, value.requires_grad) for _, value in tensors)


def _bare(graph: Graph, module: Module, parts: Sequence[Sequence[tuple[str, int]]]) -> tuple[Hashable, ...]:
    """Only tensors that every file has: a counter of batches may have been left out."""
    tensors = [(torch_name(name), value) for name, value in _tensors(module, graph) if value.shape]
    sizes = tuple(sorted((name, value.shape) for name, value in tensors))
    return (
        (sizes, tuple(sorted(parts[0]))),
        (tuple(sorted(value.shape for _, value in tensors)), tuple(sorted(kind for _, kind in parts[1]))),
        (tuple(sorted((name, len(value.shape)) for name, value in tensors)), tuple(sorted(parts[2]))),
        (tuple(sorted(len(value.shape) for _, value in tensors)), tuple(sorted({kind for _, kind in parts[3]}))),
    )
