"""Backward nodes grouped as the forward was: a frame for each module call of the forward that made one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torchatlas.core.graph import Call, Node, Slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchatlas.core.graph import CallKind, Graph, Tree


_NOTHING = Node("arguments", (), ())


@dataclass
class CallInMaking:
    """A `Call` of the backward pass while the graph is being made."""

    id: int
    kind: CallKind
    name: str
    parent: int | None
    path: str | None = None
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    arguments: Node = _NOTHING
    returns: Tree = None
    forward: int | None = None

    def frozen(self, forward: Graph | None) -> Call:
        """As plain data, with the line of the user's code that made the forward."""
        made = forward.calls[self.forward] if forward is not None and self.forward is not None else None
        return Call(
            self.id,
            self.kind,
            self.name,
            self.path,
            self.parent,
            tuple(self.inputs),
            tuple(self.outputs),
            self.arguments,
            self.returns,
            arithmetic="unknown" if self.kind == "backward" else "movement",
            source=made.source if made is not None else None,
            forward=self.forward,
        )


def begin(calls: list[CallInMaking], kind: CallKind, name: str, parent: int | None, **more: Any) -> CallInMaking:
    """One more call."""
    call = CallInMaking(len(calls), kind, name, parent, **more)
    calls.append(call)
    return call


class Frames:
    """The frames so far, by the forward's module call.

    Args:
        forward: the forward run; None without one, and then there are no frames.
        calls: of the pass so far, which frames are added to.
    """

    def __init__(self, forward: Graph | None, calls: list[CallInMaking]) -> None:
        self._forward = forward
        self._made = calls
        self._frames: dict[int, int] = {}

    def around(self, made: int | None) -> int:
        """The frame for what the forward's call ``made`` has made, opened if it is the first of it.

        The pass as a whole stands for the model itself.
        """
        if self._forward is None or made is None:
            return 0
        calls = self._forward.calls
        wanted: list[Call] = []
        at: int | None = made
        while at and at not in self._frames:
            if calls[at].kind == "module":
                wanted.append(calls[at])
            at = calls[at].parent
        frame = self._frames[at] if at else 0
        for call in reversed(wanted):
            frame = self._frames[call.id] = begin(
                self._made, "module", call.name, frame, path=call.path, forward=call.id
            ).id
        return frame


def connect(
    calls: Sequence[CallInMaking], readers: Mapping[int, Sequence[int]], makers: Mapping[int, int | None]
) -> None:
    """Say of each frame which gradients enter and leave it.

    Args:
        calls: all of them; frames get inputs, outputs, arguments and returns.
        readers: by gradient, the calls that read it; the first call reads what it returns.
        makers: by gradient, the call that made it; None for those that the pass starts from.
    """
    for value, maker in makers.items():
        inside = _frames_around(calls, maker)
        arounds = [_frames_around(calls, reader) for reader in readers.get(value, ())]
        for frame in dict.fromkeys([frame for around in arounds for frame in around if frame not in inside]):
            calls[frame].inputs.append(value)
        for frame in inside:
            if any(frame not in around for around in arounds):
                calls[frame].outputs.append(value)
    for call in calls:
        if call.kind == "module":
            if call.inputs:
                call.arguments = Node("arguments", ("gradients",), (slots(call.inputs),))
            call.returns = slots(call.outputs)


def slots(values: Sequence[int]) -> Tree:
    """One value as it is, several as a tuple."""
    if len(values) == 1:
        return Slot(0)
    return Node("tuple", (), tuple(map(Slot, range(len(values))))) if values else None


def _frames_around(calls: Sequence[CallInMaking], call: int | None) -> list[int]:
    found = []
    at = calls[call].parent if call is not None else None
    while at:
        found.append(at)
        at = calls[at].parent
    return found
