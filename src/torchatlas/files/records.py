"""What an ``.atlas`` file holds: a column for every field of every record of a Graph.

The columns below, in their order, are the file's format: whoever changes them, or a field of `core.graph`, raises
``FORMAT``.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from torchatlas.core.graph import Call, Graph, InnerTensor, Module, Note, Overlay, Provenance, Source, Value
from torchatlas.files.columns import Deltas, Flags, Floats, Interned, Ints, Maybe, Pairs, Positions, Ragged, Texts
from torchatlas.files.earlier import provenance_of
from torchatlas.files.trees import Trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.files.columns import Column, Reader

R = TypeVar("R")

FORMAT = 4


class Records(Generic[R]):
    """Instances of one dataclass, field by field in the order of its definition."""

    def __init__(self, record: type[R], **columns: Column[Any]) -> None:
        self.record = record
        self.columns = columns

    def put(self, values: Sequence[R], out: bytearray) -> None:
        """Write each field of all instances as a column."""
        for name, column in self.columns.items():
            column.put(list(map(attrgetter(name), values)), out)

    def take(self, reader: Reader, count: int) -> Sequence[R]:
        """Read the columns and build the instances from them."""
        return list(map(self.record, *[column.take(reader, count) for column in self.columns.values()]))

    def until(self, name: str, **changed: Column[Any]) -> Records[R]:
        """The fields before ``name``, as an earlier format had them; those after it take their defaults."""
        names = list(self.columns)
        return Records(self.record, **{field: self.columns[field] for field in names[: names.index(name)]} | changed)


WORDS: Column[str] = Interned(Texts())
NAMES: Column[tuple[str, ...]] = Interned(Ragged(Texts()))
IDS: Column[int | None] = Maybe(Deltas())
TEXT: Column[str | None] = Maybe(Texts())
OWNED: Column[tuple[tuple[str, int], ...]] = Ragged(Pairs(WORDS, Deltas()))

SOURCE = Records(
    Source,
    file=WORDS,
    line=Deltas(),
    column=Maybe(Ints()),
    end_line=Maybe(Deltas()),
    end_column=Maybe(Ints()),
)

SIZES: Column[tuple[int, ...]] = Interned(Ragged(Ints()))
INNER = Records(InnerTensor, name=WORDS, shape=SIZES, dtype=WORDS, nbytes=Maybe(Ints()))

VALUE = Records(
    Value,
    id=Positions(),
    kind=WORDS,
    names=NAMES,
    shape=SIZES,
    dtype=WORDS,
    device=WORDS,
    nbytes=Interned(Maybe(Ints())),
    requires_grad=Flags(),
    producer=IDS,
    slot=Maybe(Ints()),
    previous=IDS,
    alias_of=IDS,
    view_of=IDS,
    storage=IDS,
    freed=IDS,
    type=WORDS,
    inner=Interned(Ragged(INNER)),
    original=Interned(Maybe(SIZES)),
    placements=NAMES,
    mesh=SIZES,
)

CALL = Records(
    Call,
    id=Positions(),
    kind=WORDS,
    name=WORDS,
    path=Interned(Maybe(Texts())),
    parent=IDS,
    inputs=Ragged(Deltas()),
    outputs=Ragged(Deltas()),
    arguments=Trees(),
    returns=Trees(),
    writes=Ragged(Deltas()),
    flops=Interned(Ints()),
    arithmetic=WORDS,
    source=Maybe(Interned(SOURCE, attrgetter("file", "line", "column", "end_line", "end_column"))),
    error=Maybe(WORDS),
    reads_data=Flags(),
    thread=Ints(),
    seconds=Maybe(Floats()),
    forward=IDS,
    repeats=Ints(),
)

MODULE = Records(
    Module,
    path=Texts(),
    name=WORDS,
    aliases=NAMES,
    parameters=OWNED,
    buffers=OWNED,
    settings=Ragged(Pairs(WORDS, Trees())),
    extra=WORDS,
    training=Flags(),
    opaque=Flags(),
    confidence=Maybe(Floats()),
    registered=Flags(),
    container=Flags(),
)

OVERLAY = Records(
    Overlay,
    name=Texts(),
    unit=WORDS,
    calls=Ragged(Pairs(Deltas(), Floats())),
    paths=Ragged(Pairs(Texts(), Floats())),
)

NOTE = Records(Note, text=Texts(), call=IDS, code=WORDS, about=WORDS)

PROVENANCE = Records(
    Provenance,
    torchatlas=TEXT,
    torch=TEXT,
    python=TEXT,
    mode=TEXT,
    level=TEXT,
    fake=Maybe(Flags()),
    grad=Flags(),
    backward=Flags(),
    saved_tensors=Maybe(Flags()),
    timed_runs=Maybe(Ints()),
    plain_seconds=Maybe(Floats()),
    plain_spread=Maybe(Floats()),
    marked_ratio=Maybe(Floats()),
    reader=TEXT,
    producer=TEXT,
    format_version=TEXT,
    opsets=TEXT,
    weights_format=TEXT,
    weights_file=TEXT,
    reads=TEXT,
    state_dict=TEXT,
    apart=Flags(),
)

RUN = Records(
    Graph,
    name=Texts(),
    calls=Ragged(CALL),
    values=Ragged(VALUE),
    modules=Ragged(MODULE),
    notes=Ragged(NOTE),
    error=IDS,
    provenance=PROVENANCE,
    overlays=Ragged(OVERLAY),
)

GRAPH = Records(Graph, **RUN.columns, forward=Maybe(RUN))


class _ProvenancePairs:
    """Provenance as formats 1 to 3 have it, in pairs of text; none is written any more."""

    pairs = Ragged(Pairs(Texts(), Texts()))

    def put(self, values: Sequence[Provenance], out: bytearray) -> None:
        """Refuse."""
        raise NotImplementedError

    def take(self, reader: Reader, count: int) -> Sequence[Provenance]:
        """Read the pairs, and what they told."""
        return list(map(provenance_of, self.pairs.take(reader, count)))


# Formats 1 to 3 wrote how often a group repeats into its name, and of notes the sentences alone (`files.earlier`).
CALLS_3: Column[tuple[Call, ...]] = Ragged(CALL.until("repeats"))
NOTES_3: Column[tuple[Note, ...]] = Ragged(NOTE.until("code"))
RUN_3_COLUMNS: dict[str, Column[Any]] = {
    **RUN.columns,
    "calls": CALLS_3,
    "notes": NOTES_3,
    "provenance": _ProvenancePairs(),
}
RUN_3 = Records(Graph, **RUN_3_COLUMNS)

# Formats 1 and 2 knew of no module that is not the model's and of no container; a weight had no other stored form.
VALUES_2: Column[tuple[Value, ...]] = Ragged(VALUE.until("inner"))
MODULES_2: Column[tuple[Module, ...]] = Ragged(MODULE.until("registered"))
RUN_2_COLUMNS: dict[str, Column[Any]] = {**RUN_3.columns, "values": VALUES_2, "modules": MODULES_2}
RUN_2 = Records(Graph, **RUN_2_COLUMNS)

# Format 1 knew of no overlay, no backward pass and no class that was inferred.
CALLS_1: Column[tuple[Call, ...]] = Ragged(CALL.until("forward"))
RUN_1 = RUN_2.until("overlays", calls=CALLS_1, modules=Ragged(MODULE.until("confidence")))

FORMATS = {
    1: RUN_1,
    2: Records(Graph, **RUN_2.columns, forward=Maybe(RUN_2)),
    3: Records(Graph, **RUN_3.columns, forward=Maybe(RUN_3)),
    FORMAT: GRAPH,
}
"""What files of every format hold."""
