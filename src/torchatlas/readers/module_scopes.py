"""Calls with the modules they ran in, one after the other, become module calls inside module calls.

A file lists its operations in an order in which they can run, with a scope for each. Operations that follow each other
in the same module belong to one call of it. Where others stand between them, they still do, unless what came between
needed the earlier ones and made something that the later ones need: then the module was called again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchatlas.readers.graph_builder import GraphBuilder, Step

FARTHEST = 256
"""How many operations are looked at to learn whether a module was called again; beyond, it was."""


class Scope(NamedTuple):
    """One module around an operation: what tells its calls apart, its path, its class (empty if not known)."""

    key: str
    path: str
    name: str = ""


@dataclass(eq=False, slots=True)
class OpenCall:
    """A module call in the making, and the first and last operation in it."""

    step: Step
    first: int
    last: int
    inside: dict[str, OpenCall] = field(default_factory=dict)


def nest(builder: GraphBuilder, around: Step, placed: Iterable[tuple[Step, Sequence[Scope]]]) -> None:
    """Hang operations below ``around``, in calls of the modules that their scopes name, outermost first."""
    root = OpenCall(around, 0, 0)
    positions: dict[int, int] = {}
    homes: list[list[OpenCall]] = []
    way: list[OpenCall] = []
    for position, (step, stack) in enumerate(placed):
        positions[id(step)] = position
        at, found = root, [root]
        for depth, scope in enumerate(stack):
            known = at.inside.get(scope.key)
            held = depth + 1 < len(way) and known is way[depth + 1]
            if known is None or not (held or _joins(builder, known, step, positions, homes)):
                known = _open(builder, at, scope, position)
            at = known
            found.append(at)
        at.step.children.append(step)
        for opened in found:
            opened.last = position
        homes.append(found)
        way = found


def _open(builder: GraphBuilder, around: OpenCall, scope: Scope, position: int) -> OpenCall:
    step = builder.step("module", scope.name, scope.path, derived=True)
    builder.part(scope.path, scope.name)
    around.step.children.append(step)
    opened = around.inside[scope.key] = OpenCall(step, position, position)
    return opened


def _joins(
    builder: GraphBuilder,
    known: OpenCall,
    step: Step,
    positions: dict[int, int],
    homes: list[list[OpenCall]],
) -> bool:
    """Whether an operation may belong to a call that others have followed since: no way leads out of it and back."""
    pending, seen = [step], {id(step)}
    while pending:
        reader = pending.pop()
        for value in reader.inputs:
            maker = builder.makers[value]
            at = positions.get(id(maker), -1)
            if maker is None or at < known.first or id(maker) in seen:
                continue
            if known in homes[at]:
                if reader is not step:
                    return False
                continue
            if len(seen) > FARTHEST:
                return False
            seen.add(id(maker))
            pending.append(maker)
    return True
