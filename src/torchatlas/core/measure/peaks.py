"""The peak memory of each call is estimated from when tensors were allocated and freed.

In the example of ``lifetime.py``: during g, 32 bytes are alive, 16 of them from before it began, so its peak is 16. The
model's is 32: nothing was alive before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.measure.lifetime import alive, lifetimes
from torchatlas.core.operators.saved_for_backward import operation_of, workspace

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph
    from torchatlas.core.operators.saved_for_backward import Operation


def peaks(graph: Graph) -> list[int]:
    """For each call, bytes: the most alive at once while it ran, above what was alive when it began.

    As the run was: in train mode what autograd keeps is alive until the end, tensors that no call returned included, as
    far as `core.operators.saved_for_backward` knows of them. What an operation needs for itself while
    it runs (`workspace`) is taken into account, what an allocator keeps beside is not.
    """
    lives = lifetimes(graph)
    outlived = len(graph.calls) + 1
    freed = {memory: graph.values[memory].freed for memory in lives.born}
    # Where nothing was ever released, releases were not recorded, and what `lifetimes` takes them for has to do.
    recorded = any(moment is not None for moment in freed.values()) or lives.taped
    died = {i: outlived if moment is None else moment for i, moment in freed.items()} if recorded else lives.died
    leaves = [call for call in graph.calls if call.kind != "module" and not graph.children[call.id]]
    operations = {call.id: operation_of(graph, call) for call in leaves}
    kept = {i: one.rule.kept(one) for i, one in operations.items() if lives.taped and _differentiable(one)}
    live = alive(lives, died, kept, len(graph.calls))[:-1]
    before = list(live)
    for memory, born in lives.born.items():
        before[born] -= lives.nbytes[memory]
    for i, size in kept.items():
        before[i] -= size
    for i, one in operations.items():
        live[i] += workspace(one) - (kept.get(i, 0) if one.rule.always else 0)
    for call in reversed(graph.calls):
        if call.parent is not None:
            live[call.parent] = max(live[call.parent], live[call.id])
    return [max(0, most - least) for most, least in zip(live, before, strict=True)]


def _differentiable(operation: Operation) -> bool:
    return any(value.requires_grad for value in operation.outputs)
