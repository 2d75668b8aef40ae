"""Names for the nodes and scopes of a graph, unique, with the paths of modules as scopes: ``layer1/0/conv1/conv2d``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.operators.names import plain_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torchatlas.core.graph import Call, Graph


class Names:
    """Names given out so far. Paths of modules are kept free for the first call of each."""

    def __init__(self, paths: Iterable[str], clean: Callable[[str], str]) -> None:
        self._clean = clean
        self._free: set[str] = set()
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}
        self._scopes = {"": ""}
        for path in paths:
            self.of_path(path)

    def of_path(self, path: str) -> str:
        """The scope of a module, another one for every path, inside that of the one around it; empty for the root."""
        missing = []
        while path not in self._scopes:
            missing.append(path)
            path = path.rpartition(".")[0]
        scope = self._scopes[path]
        for inner in reversed(missing):
            part = self._clean(inner.rpartition(".")[2])
            scope = self._scopes[inner] = self._unused(f"{scope}/{part}" if scope else part)
            self._free.add(scope)
        return scope

    def scope(self, name: str) -> str:
        """A scope for a call of the module of that name: the name itself for the first."""
        if name in self._free:
            self._free.remove(name)
            self._taken.add(name)
            return name
        return self._unique(name)

    def inside(self, scope: str, label: str) -> str:
        """A name for something else in a scope."""
        part = self._clean(label)
        return self._unique(f"{scope}/{part}" if scope else part)

    def _unique(self, name: str) -> str:
        found = self._unused(name)
        self._taken.add(found)
        return found

    def _unused(self, name: str) -> str:
        number = self._next.get(name, 0)
        found = f"{name}_{number}" if number else name
        while found in self._taken or found in self._free:
            number += 1
            found = f"{name}_{number}"
        self._next[name] = number + 1
        return found


def scopes_of(graph: Graph, names: Names) -> tuple[list[str], list[str]]:
    """For each call the scope that it stands in, and the one that it is: for what ran inside it, or for its weights.

    A module stands where its path says, wherever it was called from; a second call of it has a scope of its own beside
    the first. A function stands in the call around it. The root is the empty scope.
    """
    around: list[str] = []
    own: list[str] = []
    near: list[Call | None] = []  # for each call, the innermost module that it is, or is in
    for call in graph.calls:
        parent = None if call.parent is None else near[call.parent]
        around.append("" if call.parent is None else own[call.parent])
        near.append(call if call.path is not None else parent)
        if call.parent is None:
            own.append("")
        elif call.path is not None:
            own.append(names.scope(_module_scope(call, parent, own, names)))
        elif graph.children[call.id]:
            own.append(names.inside(around[-1], label_of(call)))
        else:
            own.append(around[-1])
    return around, own


def _module_scope(call: Call, parent: Call | None, own: list[str], names: Names) -> str:
    """Where its path says, inside that call of the module around it which it ran in."""
    path = call.path or call.name  # a root that calls itself
    if parent is None or not parent.path or not path.startswith(f"{parent.path}."):
        return names.of_path(path)
    rest = names.of_path(path)[len(names.of_path(parent.path)) + 1 :]
    return f"{own[parent.id]}/{rest}" if own[parent.id] else rest


def label_of(call: Call) -> str:
    """What a node is called: ``Conv2d``, ``relu``, ``add``."""
    return call.label if call.kind in {"module", "group", "backward", "saved"} else plain_name(call.name)
