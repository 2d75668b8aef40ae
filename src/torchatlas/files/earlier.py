"""Graphs that earlier versions wrote are upgraded: what these had as text becomes data.

A group named ``Residual ×35`` in format 3 is one named ``Residual`` with ``repeats=35`` in format 4.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchatlas.core.graph import Call, Graph, Note, NoteCode

COUNTED = re.compile(r"(.+) ×([1-9]\d{0,8})", re.DOTALL)
"""The name of a group of repeats, of a version that wrote their count into it."""

OVERLAID = re.compile(r"""overlay ('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"): the number for """)
SENTENCES: tuple[tuple[NoteCode, str], ...] = (
    ("not run", "not run, since no input was given"),
    ("fake", "run on fake tensors: "),
    ("fused path", "not captured, nn.MultiheadAttention and nn.TransformerEncoderLayer may take"),
    ("fold", "fold("),
    ("prune", "prune("),
    ("prune", "prune_branch("),
    ("rename", "rename("),
)
"""How notes of version 0.1.0 begin that programs ask for."""


def upgraded(graph: Graph) -> Graph:
    """The graph of an ``.atlas`` file of format 1, 2 or 3, well formed, with what these knew as text alone."""
    calls = [_counted(graph, call) if call.kind == "group" else call for call in graph.calls]
    forward = None if graph.forward is None else upgraded(graph.forward)
    return replace(graph, calls=tuple(calls), notes=tuple(map(_coded, graph.notes)), forward=forward)


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


def _coded(note: Note) -> Note:
    """A note of which version 0.1.0 wrote the sentence alone, with what it is about."""
    overlay = OVERLAID.match(note.text)
    if overlay is not None:
        return replace(note, code="overlay", about=_unquoted(overlay[1]))
    return replace(note, code=next((code for code, begin in SENTENCES if note.text.startswith(begin)), note.code))


def _unquoted(text: str) -> str:
    """The string that ``repr`` wrote so; as it stands where it did not."""
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text


def is_earlier(record: dict[str, Any]) -> bool:
    """Whether a graph as JSON was written by a version that had no codes of notes, and no repeats of calls."""
    return _lacks(record.get("calls"), "repeats") or _lacks(record.get("notes"), "code")


def _lacks(records: Any, field: str) -> bool:
    return isinstance(records, list) and any(isinstance(one, dict) and field not in one for one in records)
