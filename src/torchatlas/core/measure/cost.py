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
  Sequential 64. Each call's own work is added to its parent's, last call first (``work.py``).
* *Weights* do not: the Sequential has 20 parameters (4 x 4 and 4), not 40. For a module they are what is registered in
  it and below it, as ``module.parameters()`` gives them, run or not (``registration.py``). For a function they are what
  is read inside it: a weight is added at each of its readers and taken off once where the branches of two neighbouring
  readers meet, so that sums from below hold it once (``weights_read.py``); here +20 at both F.linear and -20 at the
  Sequential.
* The parameters of modules that ran without being registered are counted apart (``unregistered``).

Below this file: ``aliasing.py`` (which values are one tensor, or share memory), ``weights.py`` (what each weight adds),
``nesting.py`` (which calls ran inside which), ``module_runs.py`` (when modules ran), ``subtree_sums.py`` (the sums).

Above it, in the order in which a table needs them: ``totals.py`` (the numbers below it), ``sharding.py`` and
``packing.py`` (weights in parts, weights packed into integers), ``lifetime.py`` (when memory was taken and freed),
``memory.py`` and ``training_step.py`` (peaks of inference and training), ``peaks.py`` (of each call), ``timing.py``,
``overlay.py`` (any other number for each call), ``numbers.py`` (how numbers are written).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError
from torchatlas.core.measure.aliasing import origins_of, storages_of_weights
from torchatlas.core.measure.module_runs import outermost_runs
from torchatlas.core.measure.nesting import nest
from torchatlas.core.measure.registration import Registration
from torchatlas.core.measure.subtree_sums import row
from torchatlas.core.measure.weights import BYTES, PARAMETERS, UNREGISTERED, WeightSizes, elements_of, weights_of
from torchatlas.core.measure.weights_read import weights_read
from torchatlas.core.measure.work import work_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchatlas.core.graph import Graph
    from torchatlas.core.measure.nesting import Nesting
    from torchatlas.core.measure.subtree_sums import Columns
    from torchatlas.core.measure.weights import Weights
    from torchatlas.core.measure.work import Work


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
    """The whole graph; without calls, the parameters and buffers of its registration."""
    return costs(graph).total


def costs(graph: Graph) -> Costs:
    """The costs of every call and module, summed in one pass over the graph."""
    values = graph.values
    nesting = nest(graph.calls)
    origins = origins_of(values)
    weights = weights_of(graph, origins)
    registration = Registration.of(graph, origins, weights)
    return Costs(
        graph=graph,
        origins=origins,
        nesting=nesting,
        registered=registration.columns(weights),
        registration=registration,
        weights=weights,
        storages=storages_of_weights(values),
    )


@dataclass(frozen=True, repr=False, eq=False)
class Costs:
    """The costs of every call and module of one graph. Made by ``costs``.

    What is read by functions, and when modules ran, is found out where somebody asks.
    """

    graph: Graph
    origins: list[int]
    nesting: Nesting
    registered: Columns
    registration: Registration
    weights: Weights
    storages: frozenset[int]

    @cached_property
    def work(self) -> Work:
        """The work of every call, subtree included."""
        return work_of(self.graph, self.nesting)

    @cached_property
    def _read(self) -> Columns:
        return weights_read(self.graph, self.nesting, self.origins, self.weights, self.registration)

    @cached_property
    def _sizes(self) -> dict[int, WeightSizes]:
        found = {}
        for weight in self.weights:
            value = self.graph.values[weight]
            elements = elements_of(value) if value.kind == "parameter" else 0
            found[weight] = WeightSizes(elements, elements if value.requires_grad else 0, value.nbytes or 0)
        return found

    @cached_property
    def _runs(self) -> dict[int, list[int]]:
        return outermost_runs(self.graph, self.nesting, self.registration)

    @property
    def total(self) -> Cost:
        """The whole graph."""
        return self._cost(row(self.registered, -1), row(self.work, -1), [0] if self.graph.calls else [])

    def call(self, id: int) -> Cost:  # noqa: A002 - the field's name in the data model
        """The call and all that ran inside it.

        Raises:
            InputError: the graph has no such call.
        """
        if not 0 <= id < len(self.graph.calls):
            raise InputError(f"no call {id}: the graph has {len(self.graph.calls)} calls, numbered from 0.")
        call = self.graph.calls[id]
        if id == 0:
            held = row(self.registered, -1)
        elif call.path is not None and call.path in self.registration.index:
            held = row(self.registered, self.registration.index[call.path])
        else:
            held = row(self._read, id)
        return self._cost(held, row(self.work, id), [id])

    def parameters_by_call(self) -> list[int]:
        """Of every call the elements of the parameters in it, registered or not, as `call` has them."""
        return self._held_by_call((PARAMETERS, UNREGISTERED))

    def weight_bytes_by_call(self) -> list[int]:
        """Of every call the bytes of its weights, as `call` has them."""
        return self._held_by_call(BYTES)

    def flops_by_call(self) -> list[int]:
        """Of every call the floating point operations in it, as `call` has them."""
        return self.work.flops[:-1]

    def activation_bytes_by_call(self) -> list[int]:
        """Of every call the bytes of the tensors made in it, as `call` has them."""
        return self.work.activation_bytes[:-1]

    def inexact_calls(self) -> list[int]:
        """The calls in which some arithmetic was not seen."""
        return [call for call, unknown in enumerate(self.work.unknown[:-1]) if unknown]

    def _held_by_call(self, fields: Sequence[int]) -> list[int]:
        """As `_read` and `registered` have it; what is read by a call that has none inside it is added up here."""
        of_modules = [sum(numbers) for numbers in zip(*(self.registered[field] for field in fields), strict=True)]
        index, children, origins, weights = self.registration.index, self.graph.children, self.origins, self.weights
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
        return {value for path in paths for value in self.registration.below(path)}

    def used(self, calls: Iterable[int]) -> set[int]:
        """Ids of the parameters and buffers that belong to modules called in these calls, or are read there."""
        found: set[int] = set()
        waiting = list(calls)
        while waiting:
            call = self.graph.calls[waiting.pop()]
            found.update(self.origins[value] for value in call.inputs)
            found |= self.registration.below(call.path)
            if call.path not in self.registration.index:
                waiting += self.graph.children[call.id]
        return {value for value in found if self.graph.values[value].is_weight}

    def sizes(self, weights: Iterable[int]) -> WeightSizes:
        """What these weights come to."""
        parameters = trainable = nbytes = 0
        sizes = self._sizes
        for weight in weights:
            elements, trained, stored = sizes[weight]
            parameters += elements
            trainable += trained
            nbytes += stored
        return WeightSizes(parameters, trainable, nbytes)

    def module(self, path: str) -> Cost:
        """The module at ``path``: what is registered in it and below it, and all calls of it.

        A container that is never called itself (``ModuleList``) costs what the modules in it cost.

        Raises:
            InputError: the graph has no such module.
        """
        if path not in self.registration.index:
            near = get_close_matches(path, self.registration.index, n=3)
            hint = f"; near: {', '.join(map(repr, near))}" if near else "; `graph.modules` lists all paths"
            raise InputError(f"no module {path!r} in {self.graph.name}, which has {len(self.graph.modules)}{hint}")
        index = self.registration.index[path]
        runs = self._runs.get(index, [])
        work = [sum(column[run] for run in runs) for column in self.work]
        return self._cost(row(self.registered, index if path else -1), work, runs)

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
