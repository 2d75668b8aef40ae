"""Graphs that earlier versions wrote are upgraded: what these had as text becomes data.

A group named ``Residual ×35`` in format 3 is one named ``Residual`` with ``repeats=35`` in format 4.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import asdict, replace
from reprlib import repr as shorten
from typing import TYPE_CHECKING, Any, get_args

from torchatlas.core.graph import Level, Mode, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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

TIMED = re.compile(r"median of (?P<runs>\d{1,9}) runs; \S+ ms without any marks(?:, spread (?P<spread>\S+) ms)?")
"""How version 0.1.0 told of times, in milliseconds."""

TEXTS = {
    "torchatlas": "torchatlas",
    "torch": "torch",
    "python": "python",
    "mode": "mode",
    "level": "level",
    "reader": "reader",
    "producer": "producer",
    "ir": "format_version",
    "schema": "format_version",
    "version": "format_version",
    "opset": "opsets",
    "file": "weights_format",
    "weights": "weights_file",
    "reads": "reads",
    "state_dict": "state_dict",
}
"""Pairs of version 0.1.0 whose text is that of a field of today's `Provenance`."""

FLAGS = {
    ("fake", "True"): ("fake", True),
    ("fake", "False"): ("fake", False),
    ("grad", "True"): ("grad", True),
    ("pass", "backward"): ("backward", True),
    ("saved", "True"): ("saved_tensors", True),
    ("saved", "False"): ("saved_tensors", False),
    ("parts", "apart"): ("apart", True),
}
NUMBERS = {"plain seconds": "plain_seconds", "marked / plain": "marked_ratio"}
WORDS = {"mode": get_args(Mode), "level": get_args(Level)}

RENAMED = {"modules": ("sure", "confidence"), "values": ("same_as", "alias_of")}
"""Fields of records that version 0.1.0 named otherwise: what they were called, and what they are called today."""


def upgraded(graph: Graph) -> Graph:
    """The graph of an ``.atlas`` file of format 1, 2 or 3, well formed, with what these knew as text alone."""
    calls = [_counted(graph, call) if call.kind == "group" else call for call in graph.calls]
    forward = None if graph.forward is None else upgraded(graph.forward)
    return replace(graph, calls=tuple(calls), notes=tuple(map(_coded, graph.notes)), forward=forward)


def _counted(graph: Graph, group: Call) -> Call:
    """A group with its count, where the name says one and so many repeats are in it, by their names."""
    match = COUNTED.fullmatch(group.name)
    if match is None:
        return group
    inside = [graph.calls[child].name for child in graph.children[group.id]]
    repeats = int(match[2])
    period, left = divmod(len(inside), repeats)
    if repeats == 1 or period == 0 or left or inside != inside[:period] * repeats:
        return group  # the user's own name
    return replace(group, name=match[1], repeats=repeats)


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


def provenance_of(pairs: Iterable[Sequence[str]]) -> Provenance:
    """Where a graph comes from, of the pairs of text that told it; those that no version wrote are left out."""
    known: dict[str, Any] = {}
    for key, text in pairs:
        known |= _fields(key, text)
    return Provenance(**known)


def _fields(key: str, text: str) -> dict[str, Any]:
    """The fields that one pair told."""
    if (key, text) in FLAGS:
        field, flag = FLAGS[key, text]
        return {field: flag}
    if key in TEXTS:
        return {TEXTS[key]: text} if text in WORDS.get(key, (text,)) else {}
    if key in NUMBERS:
        return {NUMBERS[key]: _number(text)}
    timed = TIMED.fullmatch(text) if key == "timed" else None
    if timed is None:
        return {}
    spread = _number(timed["spread"] or "")
    return {"timed_runs": int(timed["runs"]), "plain_spread": None if spread is None else spread / 1e3}


def _number(text: str) -> float | None:
    """The number that a text is, if it is one, finite and not negative."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None


def with_fields_of_today(record: dict[str, Any]) -> dict[str, Any]:
    """A graph as JSON with the names that its fields have today.

    Raises:
        ValueError: what stands for pairs of text is none.
    """
    known = dict(record)
    if "made" in known and "provenance" not in known:
        made = known.pop("made")
        if not isinstance(made, list) or not all(map(_is_pair, made)):
            raise ValueError(f"{shorten(made)} stands for a list of pairs of text.")
        known["provenance"] = asdict(provenance_of(made))
    for key, (earlier, today) in RENAMED.items():
        if isinstance(known.get(key), list):
            known[key] = [_renamed(one, earlier, today) for one in known[key]]
    if isinstance(known.get("forward"), dict):
        known["forward"] = with_fields_of_today(known["forward"])
    return known


def _renamed(record: Any, earlier: str, today: str) -> Any:
    """A record with a field under the name that it has today; what is no such record is left as it is."""
    if not isinstance(record, dict) or earlier not in record or today in record:
        return record
    return {today if field == earlier else field: held for field, held in record.items()}


def _is_pair(given: Any) -> bool:
    return isinstance(given, list) and list(map(type, given)) == [str, str]


def is_earlier(record: dict[str, Any]) -> bool:
    """Whether a graph as JSON is of a version without codes of notes, repeats of calls, and provenance field by field.

    Version 0.1.0 always wrote ``made``; what has lost that is known by its calls and notes.
    """
    return "made" in record or _lacks(record.get("calls"), "repeats") or _lacks(record.get("notes"), "code")


def _lacks(records: Any, field: str) -> bool:
    return isinstance(records, list) and any(isinstance(one, dict) and field not in one for one in records)
