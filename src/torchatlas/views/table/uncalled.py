"""The module structure as the table shows it: what stands inside a module that has no call to speak for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchatlas.core.folding.fold import fold_modules
from torchatlas.core.paths import nearest_ancestor
from torchatlas.views.uncalled import uncalled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchatlas.core.folding.fold import ModuleFold
    from torchatlas.core.graph import Graph

NotRun: TypeAlias = Literal["structure", "never ran", "weights used", "inside TorchScript, not seen"]
UNCALLED = frozenset({"never ran", "weights used", "inside TorchScript, not seen"})
"""States of rows that say why there is no call."""

# They are never called and hold nothing of their own: their content is named through them (``layers.3``).
CONTAINERS = frozenset({"ModuleList", "ModuleDict"})


@dataclass(frozen=True, slots=True)
class UncalledModules:
    """Modules that get one row without a call: one module, the same place in each repeat, or a repeating stretch."""

    paths: tuple[str, ...]
    type: str
    count: int = 1
    members: tuple[UncalledModules, ...] = ()


def relative(path: str, place: str) -> str:
    """``path`` as it is called inside the module at ``place``; the whole path if it is not inside."""
    return path[len(place) + 1 :] if place and path.startswith(place + ".") else path


class Structure:
    """Questions about the modules of a graph: which are absent from the run, where, and whose weights they hold."""

    def __init__(self, graph: Graph, *, fold: bool) -> None:
        self.graph = graph
        self.order = {module.path: index for index, module in enumerate(graph.modules)}
        self.kids: dict[str, list[str]] = {"": [], **{module.path: [] for module in graph.modules}}
        for module in graph.modules:
            if module.path:
                self.kids[nearest_ancestor(module.path, self.kids) or ""].append(module.path)
        self.around = {above for path in graph.calls_of for above in _prefixes(path)}
        self._fold = fold

    @cached_property
    def folds(self) -> dict[str, ModuleFold]:
        """What repeats among modules, by the first of its paths; nobody asks where all modules ran."""
        return _starts(fold_modules(self.graph)) if self._fold else {}

    @cached_property
    def used(self) -> set[str]:
        """Modules, and those around them, that are the first to hold a parameter that was read; as `folds`."""
        seen: set[int] = set()
        used: set[str] = set()
        for module in self.graph.modules:
            for _, value in module.parameters:
                if value not in seen and self.graph.readers[value]:
                    used.update(_prefixes(module.path))
                seen.add(value)
        return used

    def roots(self) -> list[UncalledModules]:
        """The model itself; none for a function."""
        return [self._part("")] if "" in self.graph.module_at else []

    def inside(self, part: UncalledModules) -> list[UncalledModules]:
        """The rows directly inside a row, for one repeat."""
        return list(part.members) if part.members else self.absent(part.paths[0])

    def absent(self, path: str) -> list[UncalledModules]:
        """The topmost modules inside ``path`` that have no row through a call of theirs or of their content."""
        found: list[UncalledModules] = []
        stack = self._entries(path)
        while stack:
            part = stack.pop()
            if part.count > 1 or not self._is_transparent(part.paths[0]):
                found.append(part)
            else:
                stack.extend(self._entries(part.paths[0]))
        return found

    def state(self, paths: tuple[str, ...]) -> NotRun:
        """Why the modules have no call."""
        if not self.graph.calls:
            return "structure"
        reasons = [uncalled(self.graph.module_at[path]) for path in paths]
        if "inside TorchScript, not seen" in reasons:
            return "inside TorchScript, not seen"
        if any(path in self.used for path in paths):
            return "weights used"
        return "never ran" if "never ran" in reasons else "structure"

    def _entries(self, path: str) -> list[UncalledModules]:
        """Direct content that did not run, folded, last first."""
        kids = self.kids.get(path, [])
        found: list[UncalledModules] = []
        at = 0
        while at < len(kids):
            kid = kids[at]
            fold = None if kid in self.around else self.folds.get(kid)
            if fold is not None and self.around.isdisjoint(fold.paths):
                found.append(self._folded(fold))
                at += fold.period * fold.count
                continue
            if kid not in self.graph.calls_of:
                found.append(self._part(kid))
            at += 1
        return found[::-1]

    def _part(self, path: str) -> UncalledModules:
        return UncalledModules((path,), self.graph.module_at[path].name)

    def _folded(self, fold: ModuleFold) -> UncalledModules:
        if fold.period == 1:
            return UncalledModules(fold.paths, self.graph.module_at[fold.paths[0]].name, fold.count)
        members = tuple(self._part(path) for path in fold.paths[: fold.period])
        return UncalledModules(fold.paths, ", ".join(member.type for member in members), fold.count, members)

    def _is_transparent(self, path: str) -> bool:
        module = self.graph.module_at[path]
        if path in self.around:
            return True
        return module.name in CONTAINERS and not module.parameters and not module.buffers and bool(path)


def _starts(folds: Mapping[str, Sequence[ModuleFold]]) -> dict[str, ModuleFold]:
    return {fold.paths[0]: fold for found in folds.values() for fold in found}


def _above(path: str) -> str:
    return path.rpartition(".")[0]


def _prefixes(path: str) -> Iterator[str]:
    """The path itself, then those around it, up to the model."""
    while path:
        yield path
        path = _above(path)
    yield ""
