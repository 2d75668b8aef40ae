"""Other names for calls, and other paths for modules."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from torchatlas.core.editing.finding import find
from torchatlas.core.editing.notes import nothing_found, quoted, with_notes
from torchatlas.core.errors import InputError
from torchatlas.core.pattern.paths import PATHS, path_pattern

if TYPE_CHECKING:
    import re

    from torchatlas.core.graph import Graph, Module, Value

PREFIX = "rename("
SHOWN = 3


def rename(graph: Graph, pattern: str, name: str) -> Graph:
    r"""Give what matches a pattern another name.

    Args:
        graph: what ran.
        pattern: calls, as `folding.fold` takes them, or ``re:`` and a regular expression of whole module paths: then
            these paths change, with those of all modules below, of their calls and of their tensors.
        name: the new one; after ``re:`` it may refer to groups of the expression, as ``stage\1``.

    Raises:
        InputError: the pattern cannot be read; two modules would have one path, or one would have none.
    """
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"name={name!r}; give a new name, such as 'Backbone'.")
    if isinstance(pattern, str) and pattern.startswith(PATHS):
        return _paths(graph, pattern, name)
    found = find(graph, pattern, PREFIX)
    matched = {unit for match in found.matches for unit in match.chosen}
    calls = [replace(call, name=name) if call.id in matched else call for call in graph.calls]
    return with_notes(replace(graph, calls=tuple(calls)), "rename", *found.notes)


def _paths(graph: Graph, pattern: str, name: str) -> Graph:
    wanted = path_pattern(pattern, name)
    paths = list(dict.fromkeys([*graph.module_at, *graph.calls_of]))
    moved = _moved(paths, wanted, name)
    if all(path == new for path, new in moved.items()):
        return with_notes(graph, "rename", nothing_found(graph, PREFIX, pattern, paths))
    _refuse_collisions(moved, pattern, name)
    return replace(
        graph,
        calls=tuple([call if call.path is None else replace(call, path=moved[call.path]) for call in graph.calls]),
        modules=tuple([_module(module, moved) for module in graph.modules]),
        values=_values(graph, moved),
        overlays=tuple(
            [
                replace(overlay, paths=tuple([(moved.get(path, path), number) for path, number in overlay.paths]))
                for overlay in graph.overlays
            ]
        ),
    )


def _moved(paths: list[str], wanted: re.Pattern[str], name: str) -> dict[str, str]:
    """The new path of each: the outermost part of it that is renamed decides; the model itself keeps its own."""
    moved = {"": ""}
    begun: dict[str, str | None] = {"": None}
    for path in sorted(paths, key=lambda path: path.count(".")):
        parts = path.split(".")
        for end in range(1, len(parts) + 1):
            here, around = ".".join(parts[:end]), ".".join(parts[: end - 1])
            if here not in begun:
                match = wanted.fullmatch(here) if begun[around] is None else None
                fresh = begun[around] and f"{begun[around]}.{parts[end - 1]}"
                begun[here] = match.expand(name) if match else fresh
        moved[path] = begun[path] or path
    return moved


def _refuse_collisions(moved: dict[str, str], pattern: str, name: str) -> None:
    often = Counter(moved.values())
    double = [(path, new) for path, new in moved.items() if often[new] > 1 and new != path]
    if double:
        path, new = double[0]
        other = next(each for each, to in moved.items() if to == new and each != path)
        raise InputError(
            f"rename({quoted(pattern)}, {name!r}): {path!r} and {other!r} would both be named {new!r}, but paths"
            f" must be unique. Use a group of the expression in the name, as \\1."
        )
    odd = [new for path, new in moved.items() if path and (not new.strip(".") or ".." in f".{new}.")]
    if odd:
        raise InputError(
            f"rename({quoted(pattern)}, {name!r}): {odd[0]!r} is not a path; names in a path are joined by single dots."
        )


def _module(module: Module, moved: dict[str, str]) -> Module:
    return replace(module, path=moved[module.path], aliases=tuple([moved[alias] for alias in module.aliases]))


def _values(graph: Graph, moved: dict[str, str]) -> tuple[Value, ...]:
    """Parameters and buffers are named after the modules that own them."""
    named: dict[str, str] = {}
    for module in graph.modules:
        for own, _ in (*module.parameters, *module.buffers):
            for path in (module.path, *module.aliases):
                named[_joined(path, own)] = _joined(moved[path], own)
    return tuple(
        [
            replace(value, names=tuple([named.get(name, name) for name in value.names])) if value.is_weight else value
            for value in graph.values
        ]
    )


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
