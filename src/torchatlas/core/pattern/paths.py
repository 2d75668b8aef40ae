r"""Patterns of module paths, regular expressions after ``re:``: ``re:layer(\d)\..*`` with the name ``Stage \1``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError
from torchatlas.core.pattern.language import compiled, marked

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph

PATHS = "re:"


def path_pattern(pattern: str, name: str = "") -> re.Pattern[str]:
    """The expression after ``re:``.

    Raises:
        InputError: it cannot be read, or ``name`` refers to a group that it does not have.
    """
    found = compiled(pattern.removeprefix(PATHS), pattern)
    try:
        found.sub(name, "")  # which reads the name, whether or not there is something to replace
    except (re.error, IndexError) as error:
        at = getattr(error, "pos", None) or 0
        message = getattr(error, "msg", None) or str(error)
        raise InputError(marked(f"the name cannot be filled in from {pattern!r}: {message}", name, at)) from None
    return found


def by_path(graph: Graph, wanted: re.Pattern[str], name: str) -> list[tuple[str, list[int]]]:
    """The outermost calls of modules whose whole path matches, neighbours of one name together.

    Neighbours have nothing between them in the same call but what is below the level of functions.
    """
    inside = [False] * len(graph.calls)
    names: dict[int, str] = {}
    for call in graph.calls:
        if call.parent is not None and inside[call.parent]:
            inside[call.id] = True
        elif call.path is not None and call.parent is not None:
            match = wanted.fullmatch(call.path)
            if match is not None:
                inside[call.id] = True
                names[call.id] = match.expand(name).strip() or (call.path if name else "")
    found: list[tuple[str, list[int]]] = []
    for parent in dict.fromkeys(graph.calls[call].parent for call in names):
        last: str | None = None
        for child in graph.children[parent or 0]:
            title = names.get(child)
            if title is not None and title == last:
                found[-1][1].append(child)
            elif title is not None:
                found.append((title, [child]))
            if title is not None or graph.calls[child].kind != "aten":
                last = title
    return sorted(found, key=lambda each: each[1][0])
