"""What earlier versions wrote otherwise, as this one has it: files of theirs are read, and become graphs of today."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchatlas.core.graph import Call, Graph

COUNTED = re.compile(r"(.+) ×([1-9]\d{0,8})", re.DOTALL)
"""The name of a group of repeats, of a version that wrote their count into it."""


def upgraded(graph: Graph) -> Graph:
    """The graph of an ``.atlas`` file of format 1, 2 or 3, well formed, with what these knew as text alone."""
    calls = [_counted(graph, call) if call.kind == "group" else call for call in graph.calls]
    forward = None if graph.forward is None else upgraded(graph.forward)
    return replace(graph, calls=tuple(calls), forward=forward)


def _counted(graph: Graph, group: Call) -> Call:
    """A group with its count, where the name says one and so many repeats are in it, by their names."""
    told = COUNTED.fullmatch(group.name)
    if told is None:
        return group
    inside = [graph.calls[child].name for child in graph.children[group.id]]
    repeats = int(told[2])
    period, left = divmod(len(inside), repeats)
    if repeats == 1 or period == 0 or left or inside != inside[:period] * repeats:
        return group  # the user's own name
    return replace(group, name=told[1], repeats=repeats)


def is_earlier(record: dict[str, Any]) -> bool:
    """Whether a graph as JSON was written by a version before this form."""
    calls = record.get("calls")
    return isinstance(calls, list) and any(isinstance(call, dict) and "repeats" not in call for call in calls)
