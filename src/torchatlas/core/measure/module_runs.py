"""When modules ran: the calls of each, and of what is in it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.nesting import Nesting
    from torchatlas.core.measure.registration import Registration


def outermost_runs(graph: Graph, nesting: Nesting, registration: Registration) -> dict[int, list[int]]:
    """For each module the outermost calls of it, or of modules below it, in running order.

    While a module runs, so do those that hold it: the walk upwards ends at the first that is running already.
    """
    runs: defaultdict[int, list[int]] = defaultdict(list)
    until = [0] * len(graph.modules)
    for call in sorted(graph.calls, key=lambda call: nesting.begin[call.id]):
        if call.path is None or call.path not in registration.index:
            continue
        open_ends = [registration.index[call.path]]
        while open_ends:
            module = open_ends.pop()
            if until[module] <= nesting.begin[call.id]:
                until[module] = nesting.end[call.id]
                runs[module].append(call.id)
                open_ends += registration.parents[module]
    return runs
