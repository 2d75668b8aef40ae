"""Arbitrary well-formed graphs, with everything that plain data can hold, for property tests."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import get_args

from hypothesis import strategies as st

from torchatlas.core.graph import (
    Arithmetic,
    Call,
    Graph,
    InnerTensor,
    Level,
    Mode,
    Module,
    Node,
    Note,
    NoteCode,
    Overlay,
    Provenance,
    Slot,
    Source,
    Text,
    Value,
)

# Any code points, lone surrogates too: a Python string can hold them, so a file name or a key of a dictionary can.
texts = st.text(st.characters(exclude_categories=()), max_size=8)
FIELDS = {
    "str | None": st.none() | texts,
    "bool": st.booleans(),
    "bool | None": st.none() | st.booleans(),
    "int | None": st.none() | st.integers(0, 99),
    "float | None": st.none() | st.floats(0, allow_infinity=False),
    "Mode | None": st.none() | st.sampled_from(get_args(Mode)),
    "Level | None": st.none() | st.sampled_from(get_args(Level)),
}
provenances = st.builds(Provenance, **{field.name: FIELDS[field.type] for field in fields(Provenance)})
counts = st.one_of(st.integers(0, 9), st.integers(0, 2**80))
floats = st.floats().map(lambda number: math.nan if math.isnan(number) else number)
sources = st.builds(
    Source, texts, st.integers(1, 2**64 - 1), st.none() | counts, st.none() | st.integers(1, 9), st.none() | counts
)


inner_tensors = st.builds(
    InnerTensor, texts, st.lists(counts, max_size=2).map(tuple), texts, st.none() | st.integers(0, 2**64)
)


def trees(slots: int) -> st.SearchStrategy:
    """Trees that may name slots below ``slots``."""
    plain = st.one_of(
        st.sampled_from([None, False, True, 0, 1, 0.0, -0.0, 1.0, ""]),
        st.integers(),
        st.integers(-(2**200), 2**200),
        floats,
        texts,
        st.builds(Text, texts),
    )
    leaves = plain | st.builds(Slot, st.integers(0, slots - 1)) if slots else plain
    return st.recursive(leaves, nodes, max_leaves=6)


def nodes(items: st.SearchStrategy) -> st.SearchStrategy:
    """Nodes of such items, with and without keys."""
    keyed = st.lists(st.tuples(texts, items), max_size=3)
    return st.one_of(
        st.builds(Node, texts, st.just(()), st.lists(items, max_size=3).map(tuple)),
        st.builds(
            lambda name, pairs: Node(name, tuple(key for key, _ in pairs), tuple(item for _, item in pairs)),
            texts,
            keyed,
        ),
    )


@st.composite
def values(draw, position: int, origin: tuple[int | None, int | None], calls: int) -> Value:
    """One value at that position, made by that call at that slot."""
    earlier = st.none() | st.integers(0, position - 1) if position else st.none()
    return Value(
        id=position,
        kind=draw(st.sampled_from(["activation", "output"] if origin[0] is not None else ["input", "parameter"])),
        names=tuple(draw(st.lists(texts, max_size=2))),
        shape=tuple(draw(st.lists(counts | st.just(-1), max_size=3))),
        dtype=draw(texts),
        device=draw(texts),
        nbytes=draw(st.none() | counts),
        requires_grad=draw(st.booleans()),
        producer=origin[0],
        slot=origin[1],
        previous=draw(earlier),
        alias_of=draw(earlier),
        view_of=draw(earlier),
        storage=draw(st.none() | st.integers(0, 2**64 - 1)),
        freed=draw(st.none() | st.integers(0, calls)),
        type=draw(texts),
        inner=tuple(draw(st.lists(inner_tensors, max_size=2))),
        original=draw(st.none() | st.lists(counts, max_size=2).map(tuple)),
        placements=tuple(draw(st.lists(texts, max_size=2))),
        mesh=tuple(draw(st.lists(counts, max_size=2))),
    )


@st.composite
def calls(draw, position: int, there: int, outputs: tuple[int, ...], writes: tuple[int, ...]) -> Call:
    """One call at that position, of a graph of ``there`` values, that returns and writes these."""
    inputs = tuple(draw(st.lists(st.integers(0, there - 1), max_size=3))) if there else ()
    module = draw(st.booleans())
    kind = "module" if module else draw(st.sampled_from(["function", "aten", "autograd_function", "group"]))
    return Call(
        id=position,
        kind=kind,
        name=draw(texts),
        path=draw(texts) if module else None,
        parent=draw(st.integers(0, position - 1)) if position else None,
        inputs=inputs,
        outputs=outputs,
        arguments=draw(nodes(trees(len(inputs)))),
        returns=draw(trees(len(outputs))),
        writes=writes,
        flops=draw(counts),
        arithmetic=draw(st.sampled_from(get_args(Arithmetic))),
        source=draw(st.none() | sources),
        error=draw(st.none() | texts),
        reads_data=draw(st.booleans()),
        thread=draw(st.integers(0, 3)),
        seconds=draw(st.none() | st.floats(0, allow_infinity=False)),
        repeats=draw(st.integers(1, 3)) if kind == "group" else 1,
    )


@st.composite
def modules(draw, there: int) -> Module:
    """One module of a graph of ``there`` values."""
    owned = st.lists(st.tuples(texts, st.integers(0, there - 1)), max_size=2).map(tuple) if there else st.just(())
    return Module(
        path=draw(texts),
        name=draw(texts),
        aliases=tuple(draw(st.lists(texts, max_size=2))),
        parameters=draw(owned),
        buffers=draw(owned),
        settings=tuple(draw(st.lists(st.tuples(texts, trees(0)), max_size=2))),
        extra=draw(texts),
        training=draw(st.booleans()),
        opaque=draw(st.booleans()),
        confidence=draw(st.none() | st.floats(0.01, 1)),
        registered=draw(st.booleans()),
        container=draw(st.booleans()),
    )


def overlays(calls: int) -> st.SearchStrategy:
    """Overlays of a graph of so many calls, of different names."""
    finite = st.floats(allow_nan=False, allow_infinity=False)
    by_call = st.lists(st.tuples(st.integers(0, calls - 1), finite), max_size=2) if calls else st.just([])
    by_path = st.lists(st.tuples(texts, finite), max_size=2)
    made = st.builds(Overlay, texts, texts, by_call.map(tuple), by_path.map(tuple))
    return st.lists(made, max_size=2, unique_by=lambda overlay: overlay.name).map(tuple)


@st.composite
def graphs(draw) -> Graph:
    """A well-formed graph of up to four calls; maybe the backward pass of another."""
    run = draw(runs())
    forward = draw(st.none() | runs())
    ties = st.none() | st.integers(0, len(forward.calls) - 1) if forward and forward.calls else st.none()
    return replace(run, calls=tuple([replace(call, forward=draw(ties)) for call in run.calls]), forward=forward)


@st.composite
def runs(draw) -> Graph:
    """A well-formed graph that is no backward pass."""
    leaves = draw(st.integers(0, 2))
    made = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), max_size=4))
    origins: list[tuple[int | None, int | None]] = [(None, None)] * leaves
    results = []
    for call, (returned, written) in enumerate(made):
        first = len(origins)
        origins += [(call, slot) for slot in range(returned)] + [(call, None)] * written
        results.append((tuple(range(first, first + returned)), tuple(range(first + returned, len(origins)))))
    there = st.none() | st.integers(0, len(made) - 1) if made else st.none()
    return Graph(
        name=draw(texts),
        calls=tuple([draw(calls(position, len(origins), *result)) for position, result in enumerate(results)]),
        values=tuple([draw(values(position, origin, len(made))) for position, origin in enumerate(origins)]),
        modules=tuple(draw(st.lists(modules(len(origins)), max_size=2))),
        notes=tuple(
            draw(st.lists(st.builds(Note, texts, there, st.sampled_from(get_args(NoteCode)), texts), max_size=2))
        ),
        error=draw(there),
        provenance=draw(provenances),
        overlays=draw(overlays(len(made))),
    )
