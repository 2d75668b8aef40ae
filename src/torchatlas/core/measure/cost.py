"""Costs are counted for every call and module of a run: parameters, FLOPs and bytes, each tensor once.

The whole of it on a model that runs one Linear twice (float32, so 4 bytes an element):

>>> import torch, torchatlas as ta
>>> from torch.nn import Linear, ReLU, Sequential
>>> shared = Linear(4, 4)
>>> graph = ta.capture(Sequential(shared, ReLU(), shared), torch.zeros(1, 4)).graph
>>> found = costs(graph)
>>> for call in graph.calls:
...     cost = found.call(call.id)
...     print(call.name, cost.parameters, cost.flops, cost.activation_bytes)
Sequential 20 64 48
Linear 20 32 16
F.linear 20 32 16
ReLU 0 0 16
F.relu 0 0 16
Linear 20 32 16
F.linear 20 32 16

* *Work* (FLOPs, new memory) adds up: the two Linear calls did 32 FLOPs each, 2 for each of 4 x 4 multiply-adds, and the
  Sequential 64. Each call's own work is added to its parent's, last call first (`_work`).
* *Weights* do not: the Sequential has 20 parameters (4 x 4 and 4), not 40. For a module they are what is registered in
  it and below it, as ``module.parameters()`` gives them, run or not (`_Structure`). For a function they are what is
  read inside it (`_read`). There a weight is added at each of its readers and taken off once where the branches of two
  neighbouring readers meet, so that sums from below hold it once: here +20 at both F.linear and -20 at the Sequential.
  That is the method of Hui, Color set size problem with applications to string matching,
  https://doi.org/10.1007/3-540-56024-6_19.
* The parameters of modules that ran without being registered are counted apart (``unregistered``).

The other files of this folder begin here. In the order in which a table needs them: ``totals.py`` (the numbers below
it), ``sharding.py`` and ``packing.py`` (weights in parts, weights packed into integers), ``lifetime.py`` (when memory
was taken and freed), ``memory.py`` and ``training_step.py`` (peaks of inference and training), ``peaks.py`` (of each
call), ``timing.py``, ``overlay.py`` (any other number for each call), ``numbers.py`` (how numbers are written).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from torchatlas.core.errors import InputError
from torchatlas.core.paths import nearest_ancestor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchatlas.core.graph import Call, Graph, Value

# One list per quantity, one entry per call or module and a last entry, reached as -1, for everything together.
Columns: TypeAlias = "tuple[list[int], ...]"
Weights: TypeAlias = "dict[int, tuple[int, ...]]"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a subtree holds and does.

    Attributes:
        parameters: elements; a parameter counts once however often it is used, named or tied. Packed weights count as
            they are stored, with their scales; sharded ones (DTensor) in all.
        trainable: elements of the parameters that require a gradient.
        buffers: elements.
        unregistered: elements of the parameters of modules that ran and that the model does not hold, so that its
            ``parameters()`` does not give them; not in ``parameters``.
        parameter_bytes: bytes, as stored; of sharded parameters in all (`core.measure.sharding` has those per rank).
        buffer_bytes: bytes, likewise.
        unregistered_bytes: bytes of these parameters, and of the buffers of the same modules.
        input_bytes: bytes of the tensors that enter from outside, parameters and buffers apart.
        activation_bytes: bytes of all tensor memory made inside, whether freed again or not; views, tensors passed
            through and versions written in place add nothing.
        flops: floating point operations; 1 multiply-add = 2.
        elementwise: elements produced by arithmetic that has no formula and is not in ``flops``.
        unknown: calls whose arithmetic was not seen; where any, ``flops`` is a lower bound.
        unmeasured: tensors whose bytes are not known (an uninitialized parameter, a foreign subclass); where any,
            the bytes are lower bounds.
    """

    parameters: int = 0
    trainable: int = 0
    buffers: int = 0
    unregistered: int = 0
    parameter_bytes: int = 0
    buffer_bytes: int = 0
    unregistered_bytes: int = 0
    input_bytes: int = 0
    activation_bytes: int = 0
    flops: int = 0
    elementwise: int = 0
    unknown: int = 0
    unmeasured: int = 0

    @property
    def frozen(self) -> int:
        """Elements of the parameters that require no gradient."""
        return self.parameters - self.trainable

    @property
    def weight_bytes(self) -> int:
        """Bytes of all parameters and buffers that are in memory for it."""
        return self.parameter_bytes + self.buffer_bytes + self.unregistered_bytes

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return self.flops // 2

    @property
    def exact(self) -> bool:
        """Whether all arithmetic was seen."""
        return self.unknown == 0


def total(graph: Graph) -> Cost:
    """The whole graph; without calls, the parameters and buffers of its structure."""
    return costs(graph).total


def costs(graph: Graph) -> Costs:
    """The costs of every call and module, summed in one pass over the graph."""
    values = graph.values
    nesting = nest(graph.calls)
    origins = origins_of(values)
    apart = unregistered(graph, origins)
    weights = {
        i: _weight(values[i], registered=i not in apart)
        for i, kind in enumerate(v.kind for v in values)
        if kind in ("parameter", "buffer") and origins[i] == i
    }
    structure = _Structure.of(graph, origins, weights)
    return Costs(
        graph=graph,
        origins=origins,
        nesting=nesting,
        registered=structure.columns(weights),
        structure=structure,
        weights=weights,
        storages=storages_of_weights(values),
    )


class Sizes(NamedTuple):
    """Weights: elements of the parameters, of those that require a gradient, and bytes, with the buffers."""

    parameters: int = 0
    trainable: int = 0
    nbytes: int = 0


@dataclass(frozen=True, repr=False, eq=False)
class Costs:
    """The costs of every call and module of one graph. Made by ``costs``.

    What is read by functions, and when modules ran, is found out where somebody asks.
    """

    graph: Graph
    origins: list[int]
    nesting: Nesting
    registered: Columns
    structure: _Structure
    weights: Weights
    storages: frozenset[int]

    @cached_property
    def work(self) -> Columns:
        """Per call, subtree included, what `_work` has."""
        return _work(self.graph, self.nesting)

    @cached_property
    def _read(self) -> Columns:
        return _read(self.graph, self.nesting, self.origins, self.weights, self.structure)

    @cached_property
    def _sizes(self) -> dict[int, Sizes]:
        found = {}
        for weight in self.weights:
            value = self.graph.values[weight]
            elements = _elements(value) if value.kind == "parameter" else 0
            found[weight] = Sizes(elements, elements if value.requires_grad else 0, value.nbytes or 0)
        return found

    @cached_property
    def _runs(self) -> dict[int, list[int]]:
        return _runs(self.graph, self.nesting, self.structure)

    @property
    def total(self) -> Cost:
        """The whole graph."""
        return self._cost(_row(self.registered, -1), _row(self.work, -1), [0] if self.graph.calls else [])

    def call(self, id: int) -> Cost:  # noqa: A002 - the field's name in the data model
        """The call and all that ran inside it.

        Raises:
            InputError: the graph has no such call.
        """
        if not 0 <= id < len(self.graph.calls):
            raise InputError(f"no call {id}: the graph has {len(self.graph.calls)} calls, numbered from 0.")
        call = self.graph.calls[id]
        if id == 0:
            held = _row(self.registered, -1)
        elif call.path is not None and call.path in self.structure.index:
            held = _row(self.registered, self.structure.index[call.path])
        else:
            held = _row(self._read, id)
        return self._cost(held, _row(self.work, id), [id])

    def parameters_by_call(self) -> list[int]:
        """Of every call the elements of the parameters in it, registered or not, as `call` has them."""
        return self._held_by_call((_PARAMETERS, _UNREGISTERED))

    def weight_bytes_by_call(self) -> list[int]:
        """Of every call the bytes of its weights, as `call` has them."""
        return self._held_by_call(_BYTES)

    def flops_by_call(self) -> list[int]:
        """Of every call the floating point operations in it, as `call` has them."""
        return self.work[_FLOPS][:-1]

    def activation_bytes_by_call(self) -> list[int]:
        """Of every call the bytes of the tensors made in it, as `call` has them."""
        return self.work[_ACTIVATION_BYTES][:-1]

    def inexact_calls(self) -> list[int]:
        """The calls in which some arithmetic was not seen."""
        return [call for call, unknown in enumerate(self.work[_UNKNOWN][:-1]) if unknown]

    def _held_by_call(self, fields: Sequence[int]) -> list[int]:
        """As `_read` and `registered` have it; what is read by a call that has none inside it is added up here."""
        of_modules = [sum(numbers) for numbers in zip(*(self.registered[field] for field in fields), strict=True)]
        index, children, origins, weights = self.structure.index, self.graph.children, self.origins, self.weights
        found = []
        for call in self.graph.calls:
            at = index.get(call.path) if call.path is not None else None
            if at is not None or call.id == 0:
                found.append(of_modules[-1 if at is None else at])
            elif children[call.id]:
                found.append(sum(self._read[field][call.id] for field in fields))
            else:
                read = [weights[value] for value in {origins[value] for value in call.inputs} if value in weights]
                found.append(sum(weight[field] for weight in read for field in fields) if read else 0)
        return found

    def below(self, paths: Iterable[str]) -> set[int]:
        """Ids of the parameters and buffers that are registered in the modules at these paths and below them."""
        return {value for path in paths for value in self.structure.below(path)}

    def used(self, calls: Iterable[int]) -> set[int]:
        """Ids of the parameters and buffers that belong to modules called in these calls, or are read there."""
        found: set[int] = set()
        waiting = list(calls)
        while waiting:
            call = self.graph.calls[waiting.pop()]
            found.update(self.origins[value] for value in call.inputs)
            found |= self.structure.below(call.path)
            if call.path not in self.structure.index:
                waiting += self.graph.children[call.id]
        return {value for value in found if self.graph.values[value].is_weight}

    def sizes(self, weights: Iterable[int]) -> Sizes:
        """What these weights come to."""
        parameters = trainable = nbytes = 0
        sizes = self._sizes
        for weight in weights:
            elements, trained, stored = sizes[weight]
            parameters += elements
            trainable += trained
            nbytes += stored
        return Sizes(parameters, trainable, nbytes)

    def module(self, path: str) -> Cost:
        """The module at ``path``: what is registered in it and below it, and all calls of it.

        A container that is never called itself (``ModuleList``) costs what the modules in it cost.

        Raises:
            InputError: the graph has no such module.
        """
        if path not in self.structure.index:
            near = get_close_matches(path, self.structure.index, n=3)
            hint = f"; near: {', '.join(map(repr, near))}" if near else "; `graph.modules` lists all paths"
            raise InputError(f"no module {path!r} in {self.graph.name}, which has {len(self.graph.modules)}{hint}")
        index = self.structure.index[path]
        runs = self._runs.get(index, [])
        work = [sum(column[run] for run in runs) for column in self.work]
        return self._cost(_row(self.registered, index if path else -1), work, runs)

    def _cost(self, held: list[int], work: list[int], runs: list[int]) -> Cost:
        entering = [self.graph.values[value] for value in self._entering(runs)]
        parameters, trainable, buffers, apart, parameter_bytes, buffer_bytes, apart_bytes, unmeasured = held
        activation_bytes, flops, elementwise, unknown, unmeasured_activations = work
        return Cost(
            parameters=parameters,
            trainable=trainable,
            buffers=buffers,
            unregistered=apart,
            parameter_bytes=parameter_bytes,
            buffer_bytes=buffer_bytes,
            unregistered_bytes=apart_bytes,
            input_bytes=sum(value.local_nbytes or 0 for value in entering),
            activation_bytes=activation_bytes,
            flops=flops,
            elementwise=elementwise,
            unknown=unknown,
            unmeasured=unmeasured + unmeasured_activations + sum(value.nbytes is None for value in entering),
        )

    def _entering(self, runs: list[int]) -> Iterator[int]:
        """Tensors that ``runs`` take from outside themselves, each once. ``runs`` are disjoint, in running order."""
        starts = [self.nesting.begin[run] for run in runs]
        read = dict.fromkeys(self.origins[value] for run in runs for value in self.graph.calls[run].inputs)
        for value in read:
            if self.graph.values[value].is_weight or self.graph.values[value].storage in self.storages:
                continue
            producer = self.graph.values[value].producer
            if producer is not None:
                moment = self.nesting.begin[producer]
                last = bisect_right(starts, moment) - 1
                if last >= 0 and moment < self.nesting.end[runs[last]]:
                    continue
            yield value


def origins_of(values: Sequence[Value]) -> list[int]:
    """For each value the first version of the tensor that it is: passed through and written in place stay the same."""
    origins: list[int] = []
    for value in values:
        earlier = value.alias_of if value.alias_of is not None else value.previous
        origins.append(value.id if earlier is None else origins[earlier])
    return origins


def allocated(values: Sequence[Value]) -> Iterator[Value]:
    """The values for which the run allocated new memory, each storage once; weights that it made are left out.

    Tensors on meta count as memory if the model runs on them; beside real inputs they take none.
    """
    seen = set(storages_of_weights(values))
    devices = {value.device for value in values if value.kind == "input"}
    real = bool(devices) and "meta" not in devices
    for value in values:
        known = value.storage is not None and value.storage in seen
        if value.storage is not None:
            seen.add(value.storage)
        alias = value.view_of is not None or value.alias_of is not None or value.previous is not None
        if real and value.device == "meta":
            continue
        if value.producer is not None and not (known or alias or value.is_weight or value.kind == "input"):
            yield value


def storages_of_weights(values: Sequence[Value]) -> frozenset[int]:
    """The memory that parameters and buffers have, whatever else is over it."""
    return frozenset(value.storage for value in values if value.is_weight and value.storage is not None)


_WEIGHT = 8
"""Fields of a row of weights: the first of ``Cost``, then the tensors whose bytes are not known."""

_PARAMETERS, _UNREGISTERED, _BYTES = 0, 3, (4, 5, 6)
"""Where these stand among them."""

_ACTIVATION_BYTES, _FLOPS, _UNKNOWN = 0, 1, 3
"""Where these stand among the columns of work."""


def _weight(value: Value, *, registered: bool) -> tuple[int, ...]:
    """What one parameter or buffer adds, in the order of the first fields of ``Cost``, then 1 if bytes are unknown."""
    elements = _elements(value)
    nbytes, unmeasured = value.nbytes or 0, int(value.nbytes is None)
    if not registered:
        return (0, 0, 0, elements if value.kind == "parameter" else 0, 0, 0, nbytes, unmeasured)
    if value.kind == "parameter":
        return (elements, elements if value.requires_grad else 0, 0, 0, nbytes, 0, 0, unmeasured)
    return (0, 0, elements, 0, 0, nbytes, 0, unmeasured)


def unregistered(graph: Graph, origins: Sequence[int]) -> set[int]:
    """The parameters and buffers that only modules have which the model does not hold."""
    found: set[int] = set()
    held: set[int] = set()
    for module in graph.modules:
        own = (origins[value] for _, value in (*module.parameters, *module.buffers))
        (held if module.registered else found).update(own)
    return found - held


def _elements(value: Value) -> int:
    """Its elements; none where the shape is not known: then it is a scalar without bytes, as lazy parameters are."""
    return value.numel if value.shape or value.nbytes is not None else 0


def _row(columns: Columns, index: int) -> list[int]:
    return [column[index] for column in columns]


def _columns(width: int, height: int) -> Columns:
    return tuple([0] * (height + 1) for _ in range(width))


def _add(columns: Columns, index: int, row: Iterable[int], sign: int = 1) -> None:
    for column, number in zip(columns, row, strict=True):
        if number:  # half of them are 0
            column[index] += sign * number


@dataclass(frozen=True, slots=True)
class Nesting:
    """The tree of calls: who holds whom (-1 for nobody), and the half-open interval of each in depth-first order.

    Ids alone are not depth-first where several threads ran.
    """

    parents: list[int]
    begin: list[int]
    end: list[int]


def nest(calls: Sequence[Call]) -> Nesting:
    """Read the tree off the calls' parents."""
    parents = [-1 if call.parent is None else call.parent for call in calls]
    (size,) = _columns(1, len(calls))
    _sum_up((size,), parents, own=1)
    begin, next_child = [0] * len(calls), [0] * (len(calls) + 1)
    for call, parent in enumerate(parents):
        begin[call] = next_child[parent]
        next_child[parent] += size[call]
        next_child[call] = begin[call] + 1
    return Nesting(parents, begin, [start + size[call] for call, start in enumerate(begin)])


def _sum_up(columns: Columns, parents: list[int], own: int = 0) -> None:
    """Add each row, and ``own``, to its parent's, last rows first: a parent's id is lower than its children's."""
    for column in columns:
        for row in range(len(parents) - 1, -1, -1):
            column[row] += own
            if column[row]:
                column[parents[row]] += column[row]


def _work(graph: Graph, nesting: Nesting) -> Columns:
    """Per call, subtree included: activation bytes, FLOPs, elementwise elements, unknown calls, unmeasured tensors."""
    columns = activation_bytes, flops, elementwise, unknown, unmeasured = _columns(5, len(graph.calls))
    for value in allocated(graph.values):
        if value.producer is not None:
            activation_bytes[value.producer] += value.local_nbytes or 0
            unmeasured[value.producer] += value.nbytes is None
    for call in graph.calls:
        flops[call.id] = call.flops
        unknown[call.id] = call.arithmetic == "unknown"
        if call.arithmetic == "elementwise":
            produced = dict.fromkeys((*call.outputs, *call.writes))
            elementwise[call.id] = sum(_elements(graph.values[value]) for value in produced)
    _sum_up(columns, nesting.parents)
    return columns


def _read(graph: Graph, nesting: Nesting, origins: list[int], weights: Weights, structure: _Structure) -> Columns:
    """Per call, subtree included: the weights of the parameters and buffers read inside, each once.

    A value is added at every reader and taken off again where two neighbouring readers' branches meet, so that the
    sum over any subtree holds it once.
    """
    readers: defaultdict[int, list[int]] = defaultdict(list)
    for call in graph.calls:
        for value in call.inputs:
            if origins[value] in weights:
                readers[origins[value]].append(call.id)
    for call in _modules_in_functions(graph):
        for value in structure.below(call.path):
            readers[value].append(call.id)
    columns = _columns(_WEIGHT, len(graph.calls))
    for value, found in readers.items():
        calls = sorted(set(found), key=nesting.begin.__getitem__)
        for call_id in calls:
            _add(columns, call_id, weights[value])
        for one, two in pairwise(calls):
            _add(columns, _meet(one, two, nesting.parents), weights[value], sign=-1)
    _sum_up(columns, nesting.parents)
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


def _meet(one: int, two: int, parents: list[int]) -> int:
    while one != two:
        if one > two:
            one = parents[one]
        else:
            two = parents[two]
    return one


@dataclass(frozen=True, slots=True)
class _Structure:
    """Who registers what. A shared module has several parents; a module may even be found below itself."""

    index: dict[str, int]
    parents: list[list[int]]
    children: list[list[int]]
    own: list[list[int]]

    @classmethod
    def of(cls, graph: Graph, origins: list[int], weights: Weights) -> _Structure:
        index = {path: i for i, m in enumerate(graph.modules) for path in (m.path, *m.aliases)}
        parents: list[list[int]] = [[] for _ in graph.modules]
        children: list[list[int]] = [[] for _ in graph.modules]
        for path, module in index.items():
            above = nearest_ancestor(path, index)
            if above is not None and index[above] not in parents[module]:
                parents[module].append(index[above])
                children[index[above]].append(module)
        own = [
            [origins[value] for _, value in (*m.parameters, *m.buffers) if origins[value] in weights]
            for m in graph.modules
        ]
        return cls(index, parents, children, own)

    def below(self, path: str | None) -> set[int]:
        """Values registered in the module or below it."""
        if path is None or path not in self.index:
            return set()
        return {value for module in _reach([self.index[path]], self.children) for value in self.own[module]}

    def columns(self, weights: Weights) -> Columns:
        """Per module, what is below it included: the weights of what is registered. The last row has all values."""
        columns = _columns(_WEIGHT, len(self.own))
        owners: defaultdict[int, list[int]] = defaultdict(list)
        for module, own in enumerate(self.own):
            for value in dict.fromkeys(own):
                owners[value].append(module)
        # Values with the same holders climb together: one walk per module, not one per tensor.
        together: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for value, holders in owners.items():
            together[tuple(holders)].append(value)
        for group, held in together.items():
            sums = [sum(numbers) for numbers in zip(*(weights[value] for value in held), strict=True)]
            for module in _reach(group, self.parents):
                _add(columns, module, sums)
        for column, numbers in zip(columns, zip(*weights.values(), strict=True), strict=False):
            column[-1] = sum(numbers)
        return columns


def _reach(start: Iterable[int], edges: list[list[int]]) -> set[int]:
    found = set(start)
    open_ends = list(found)
    while open_ends:
        for module in edges[open_ends.pop()]:
            if module not in found:
                found.add(module)
                open_ends.append(module)
    return found


def _runs(graph: Graph, nesting: Nesting, structure: _Structure) -> dict[int, list[int]]:
    """For each module the outermost calls of it, or of modules below it, in running order.

    While a module runs, so do those that hold it: the walk upwards ends at the first that is running already.
    """
    runs: defaultdict[int, list[int]] = defaultdict(list)
    until = [0] * len(graph.modules)
    for call in sorted(graph.calls, key=lambda call: nesting.begin[call.id]):
        if call.path is None or call.path not in structure.index:
            continue
        open_ends = [structure.index[call.path]]
        while open_ends:
            module = open_ends.pop()
            if until[module] <= nesting.begin[call.id]:
                until[module] = nesting.end[call.id]
                runs[module].append(call.id)
                open_ends += structure.parents[module]
    return runs
