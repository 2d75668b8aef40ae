"""Paths of modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container


def nearest_ancestor(path: str, paths: Container[str]) -> str | None:
    """The nearest of these modules above one, None for the root.

    A path may lead through something that is no module: ``block`` holds ``block.tool.net``.
    """
    while path:
        path = path.rpartition(".")[0]
        if path in paths:
            return path
    return None
