"""The weights that are read inside calls, each once.

A weight is added at every reader and taken off again where two neighbouring readers' branches meet, so that the sum
over any subtree holds it once: the method of Hui, Color set size problem with applications to string matching,
https://doi.org/10.1007/3-540-56024-6_19. ``cost.py`` has an example.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from torchatlas.core.measure.nesting import common_ancestor
from torchatlas.core.measure.subtree_sums import add_row, sum_up, zeros
from torchatlas.core.measure.weights import WEIGHT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.core.graph import Call, Graph
    from torchatlas.core.measure.nesting import Nesting
    from torchatlas.core.measure.registration import Registration
    from torchatlas.core.measure.subtree_sums import Columns
    from torchatlas.core.measure.weights import Weights


def weights_read(
    graph: Graph, nesting: Nesting, origins: list[int], weights: Weights, registration: Registration
) -> Columns:
    """Per call, subtree included: the weights of the parameters and buffers read inside, each once."""
    readers: defaultdict[int, list[int]] = defaultdict(list)
    for call in graph.calls:
        for value in call.inputs:
            if origins[value] in weights:
                readers[origins[value]].append(call.id)
    for call in _modules_in_functions(graph):
        for value in registration.below(call.path):
            readers[value].append(call.id)
    columns = zeros(WEIGHT_FIELDS, len(graph.calls))
    for value, found in readers.items():
        calls = sorted(set(found), key=nesting.begin.__getitem__)
        for call_id in calls:
            add_row(columns, call_id, weights[value])
        for one, two in pairwise(calls):
            add_row(columns, common_ancestor(one, two, nesting.parents), weights[value], sign=-1)
    sum_up(columns, nesting.parents)
    return columns


def _modules_in_functions(graph: Graph) -> Iterator[Call]:
    """Module calls that bring their parameters into a function's row, unless the module around them already does."""
    inside = [False] * len(graph.calls)
    for call in graph.calls:
        if call.parent:  # not the first call, whose row has all parameters anyway
            holder = graph.calls[call.parent]
            inside[call.id] = inside[call.parent] or holder.kind != "module"
            covered = holder.kind == "module" and f"{call.path}.".startswith(f"{holder.path}.")
            if inside[call.id] and call.kind == "module" and not covered:
                yield call
