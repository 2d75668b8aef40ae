"""What a run captured with ``grad=True`` leaves besides its record, so that its backward pass can be tied to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchatlas.capture.objects.tree import describe_whole, places
from torchatlas.core.graph import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from torchatlas.capture.record.call_record import CallRecord

UNSURE = -1


@dataclass(frozen=True)
class ForwardLink:
    """The result of a run, with its graph, and who made which part of that.

    Attributes:
        outputs: what the model returned.
        tensors: parameters and buffers, with their value ids.
        inputs: the tensors that the run was given, by the names of the arguments.
        makers: by number of an autograd node, the innermost call that was open when it was made; `UNSURE` where
            threads gave two nodes that number.
    """

    outputs: Any
    tensors: Sequence[tuple[Tensor, int]]
    inputs: Sequence[tuple[str, Tensor]]
    makers: dict[int, int]


def given_tensors(args: Iterable[Any], keys: Sequence[str]) -> list[tuple[str, Tensor]]:
    """The tensors among the arguments of the run, by name."""
    found: list[Tensor] = []
    tree = Node("arguments", tuple(keys), tuple([describe_whole(item, found) for item in args]))
    return [(name, found[slot]) for slot, name in places(tree)]


def makers(calls: Iterable[CallRecord]) -> dict[int, int]:
    """For each number that was given out, the innermost call whose range holds it; ATen calls count for their caller.

    Numbers count up in each thread by itself, so the calls inside a call have parts of its range.
    """
    threads: dict[int, dict[int, int]] = {}
    for call in calls:
        if call.kind != "aten" and call.nodes is not None:
            threads.setdefault(call.thread, {}).update(dict.fromkeys(range(*call.nodes), call.id))
    first, *others = threads.values() or ({},)
    found = dict(first)
    for other in others:
        found.update({number: UNSURE if number in found else call for number, call in other.items()})
    return found
