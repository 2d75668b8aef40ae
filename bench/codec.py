"""Size and speed of .atlas files of 100,000 calls, beside what anybody would write first: JSON and pickle in gzip."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Section, race, run
from torchatlas.files.codec import decode, encode

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from core.graphs import irregular, llama_like

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph

ROUNDS = int(os.environ.get("ROUNDS", "3"))
MEGABYTE = 1e6


def by_name(record: Any) -> dict[str, object]:
    """One record as JSON wants it."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def to_json(graph: Graph) -> bytes:
    """All fields by name; what reads it back below gives dictionaries, not yet a graph."""
    return gzip.compress(json.dumps(graph, default=by_name).encode(), 6)


def from_json(data: bytes) -> object:
    """The dictionaries that ``to_json`` wrote."""
    return json.loads(gzip.decompress(data))


def to_pickle(graph: Graph) -> bytes:
    """Python's own; reading it can run anything."""
    return gzip.compress(pickle.dumps(graph, protocol=5), 6)


def from_pickle(data: bytes) -> object:
    """The graph that ``to_pickle`` wrote."""
    return pickle.loads(gzip.decompress(data))  # noqa: S301 - written a moment ago by this bench


FORMATS = {
    ".atlas": (encode, decode),
    "pickle + gzip": (to_pickle, from_pickle),
    "JSON + gzip": (to_json, from_json),
}


def compare(title: str, graph: Graph) -> Section:
    """One table: a row for each format."""
    data = {name: put(graph) for name, (put, _) in FORMATS.items()}
    if decode(data[".atlas"]) != graph:
        raise SystemExit(f"{title}: the graph that was read is not the one that was written")
    writing = race({name: partial(put, graph) for name, (put, _) in FORMATS.items()}, rounds=ROUNDS)
    reading = race({name: partial(take, data[name]) for name, (_, take) in FORMATS.items()}, rounds=ROUNDS)
    rows = tuple(
        (
            name,
            f"{len(data[name]) / MEGABYTE:.2f} MB",
            f"{writing[name].wall:.2f} s",
            f"{reading[name].wall:.2f} s",
            f"{writing[name].ratio:.2f}",
            f"{reading[name].ratio:.2f}",
        )
        for name in FORMATS
    )
    head = ("format", "size", "write", "read", "write / .atlas", "read / .atlas")
    words = (
        f"{len(graph.calls):,} calls, {len(graph.values):,} values. Goals for .atlas: under 3 MB, written and read in"
        " under 2 s each. JSON is read as dictionaries only; .atlas alone is checked, on writing and on reading."
    )
    return Section(f".atlas files: {title}", head, rows, words)


def main() -> list[Section]:
    """A model that repeats itself, and a program that does not."""
    return [
        compare("equal layers, as in a decoder", llama_like(126, 634)),
        compare("no repeats at all", irregular(100_000)),
    ]


if __name__ == "__main__":
    run(main)
