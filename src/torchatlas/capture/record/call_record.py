"""A call while the run goes on: what the recorder fills in, mutable and cheap, until the run has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.capture.record.source import resolve
from torchatlas.core.graph import Call, Node
from torchatlas.core.instances import maker

if TYPE_CHECKING:
    from torchatlas.capture.record.source import Place
    from torchatlas.core.graph import Arithmetic, CallKind, Tree

_NOTHING = Node("arguments", (), ())
_call = maker(Call)


class CallRecord:
    """A `Call` while the run goes on.

    Attributes:
        first_value: how many values there were once its inputs were read.
        nodes: half open, the numbers of the autograd nodes that were made in it; None where nobody asked.
    """

    __slots__ = (
        "arguments",
        "arithmetic",
        "error",
        "first_value",
        "flops",
        "id",
        "inputs",
        "kind",
        "name",
        "nodes",
        "outputs",
        "parent",
        "path",
        "place",
        "reads_data",
        "returns",
        "thread",
        "writes",
    )
    arguments: Node
    returns: Tree

    def __init__(self, number: int, kind: CallKind, name: str, path: str | None, parent: int | None) -> None:
        self.id, self.kind, self.name, self.path, self.parent = number, kind, name, path, parent
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self.arguments = _NOTHING
        self.returns = None
        self.writes: list[int] = []
        self.flops = 0
        self.arithmetic: Arithmetic = "movement"
        self.place: Place | None = None
        self.error: str | None = None
        self.reads_data = False
        self.thread = 0
        self.first_value = 0
        self.nodes: tuple[int, int] | None = None


def frozen(call: CallRecord) -> Call:
    """The record as plain data."""
    return _call(
        call.id,
        call.kind,
        call.name,
        call.path,
        call.parent,
        tuple(call.inputs),
        tuple(call.outputs),
        call.arguments,
        call.returns,
        tuple(call.writes),
        call.flops,
        call.arithmetic,
        resolve(call.place) if call.place is not None else None,
        call.error,
        call.reads_data,
        call.thread,
    )
