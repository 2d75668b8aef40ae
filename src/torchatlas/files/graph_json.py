"""A graph as JSON, of the form that ``schema/graph.json`` says: core's records field by field, and the folds.

A file of it comes back as an equal Graph (``write``, ``read``). What JSON has no number for stands in trees as a Node
that no tree can hold, for it has one key and no item: ``{"type": "float", "keys": ["-inf"], "items": []}``, also
``nan``, and ``{"type": "int", "keys": ["0x…"], "items": []}`` for whole numbers of more digits than Python reads. Other
whole numbers stand as they are; readers that are not exact beyond 2**53 round them. One thing JSON cannot tell: a
string that holds the two halves of a character as two characters is read as that character.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, fields
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchatlas.core.check import check
from torchatlas.core.errors import FileError, InputError
from torchatlas.core.folding.fold import fold_calls
from torchatlas.core.graph import Call, Graph, Module, Node, Note, Overlay, Slot, Source, Text, Value
from torchatlas.files import atomic
from torchatlas.files.earlier import is_earlier, upgraded, with_fields_of_today
from torchatlas.files.json_records import LONGEST, graph_of
from torchatlas.files.sniff import ENOUGH, looks_like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torchatlas.core.folding.fold import Fold
    from torchatlas.core.graph import Tree

WANTED = "Wanted: a graph as JSON, as Atlas.save and `torchatlas save` write it to a .json file."


def to_json(graph: Graph) -> str:
    """The whole graph, of ASCII alone; the same graph always gives the same text.

    Raises:
        InputError: the graph is not well formed (`core.check`), or a number in it is too long.
    """
    check(graph)
    try:
        return json.dumps(_nested(graph), separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise InputError(f"the graph of {graph.name!r} has a number that JSON cannot hold: {error}.") from error


def from_json(text: str | bytes, name: str = "the text") -> Graph:
    """The Graph that was written; every NaN in it is ``math.nan``.

    Args:
        text: JSON, in UTF-8 where it is bytes.
        name: what messages call it, such as its path.

    Raises:
        FileError: it is no JSON, or no graph, or one that is not well formed; the message says where.
    """
    try:
        record = json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise FileError(f"{name} is nested too deeply. {WANTED}") from error
    except ValueError as error:
        raise FileError(f"{name} is not JSON: {error}. {WANTED}") from error
    if not isinstance(record, dict) or not {"name", "calls", "values", "modules"} <= record.keys():
        raise FileError(f"{name} is JSON, but not a graph: it is {_described(record)}. {WANTED}")
    try:
        graph = graph_of(with_fields_of_today(record))
        check(graph)
        graph = upgraded(graph) if is_earlier(record) else graph
    except (ValueError, RecursionError) as error:
        raise FileError(f"{name} is not a graph that torchatlas wrote: {error} {WANTED}") from error
    return graph


def write(graph: Graph, path: str | os.PathLike[str]) -> Path:
    """Write a graph to a ``.json`` file; an old file is replaced only when all of the new one is written.

    Raises:
        InputError: the graph cannot be written as JSON.
        FileError: the file cannot be written.
    """
    return atomic.write(path, to_json(graph).encode(), graph=True)


def read(path: str | os.PathLike[str]) -> Graph:
    """Read a graph from a ``.json`` file.

    Raises:
        FileError: there is none, or it holds something else; the message says what.
    """
    name = os.fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{name} cannot be read: {error.strerror}. {WANTED}") from error
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        found = f"looks like {looks_like(data[:ENOUGH])}" if data else "is empty"
        raise FileError(f"{name} is not a graph as JSON: it {found}. {WANTED}")
    return from_json(data, name)


def form(
    graph: Graph,
    folds: Iterable[Fold],
    tree: Callable[[Tree], Any],
    is_complete: Callable[[Call], bool] = lambda _: True,
) -> dict[str, Any]:
    """The graph, without the one that it is the backward pass of, as what `json.dumps` takes.

    Args:
        graph: the records.
        folds: of its calls.
        tree: how arguments, results and settings are written.
        is_complete: whether a call is written with its arguments, results and source line.
    """
    calls = list(_records(Call, graph.calls))
    for record, call in zip(calls, graph.calls, strict=True):
        known = is_complete(call)
        record["arguments"] = tree(call.arguments if known else Node("arguments", (), ()))
        record["returns"] = tree(call.returns) if known else None
        record["source"] = asdict(call.source) if known and isinstance(call.source, Source) else None
    modules = list(_records(Module, graph.modules))
    for record in modules:
        record["settings"] = [(name, tree(setting)) for name, setting in record["settings"]]
    values = list(_records(Value, graph.values))
    for record in values:
        if record["inner"]:
            record["inner"] = list(map(asdict, record["inner"]))
    return {
        "name": graph.name,
        "calls": calls,
        "values": values,
        "modules": modules,
        "notes": list(_records(Note, graph.notes)),
        "error": graph.error,
        "provenance": asdict(graph.provenance),
        "overlays": list(_records(Overlay, graph.overlays)),
        "forward": None,
        "folds": [asdict(fold) for fold in folds],
    }


def _nested(graph: Graph) -> dict[str, Any]:
    forward = None if graph.forward is None else _nested(graph.forward)
    folds = chain.from_iterable(fold_calls(graph).values())
    return {**form(graph, folds, _exact), "forward": forward}


def _records(kind: type, instances: Iterable[object]) -> Iterable[dict[str, Any]]:
    """Each instance as a dictionary of its fields, as they are."""
    names = tuple(field.name for field in fields(kind))
    read_all: Callable[[object], tuple[Any, ...]] = attrgetter(*names)
    return (dict(zip(names, read_all(instance), strict=True)) for instance in instances)


def _exact(tree: Tree) -> Any:
    """A tree, which is nested no deeper than `core.check` allows."""
    if isinstance(tree, Node):
        return {"type": tree.type, "keys": tree.keys, "items": [_exact(item) for item in tree.items]}
    if isinstance(tree, Slot):
        return {"slot": tree.index}
    if isinstance(tree, Text):
        return {"text": tree.text}
    if isinstance(tree, float) and not math.isfinite(tree):
        return {"type": "float", "keys": [repr(float(tree))], "items": []}
    if isinstance(tree, int) and tree.bit_length() > LONGEST:
        return {"type": "int", "keys": [hex(tree)], "items": []}
    return tree


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no number in JSON")


def _described(record: Any) -> str:
    if isinstance(record, dict):
        keys = ", ".join(repr(key) for key in list(record)[:4])
        return f"an object with the keys {keys}" if keys else "an empty object"
    return f"a list of {len(record):,}" if isinstance(record, list) else repr(record)[:40]
