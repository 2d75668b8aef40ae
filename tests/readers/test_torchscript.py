"""TorchScript archives: what followed code must not lose."""

from __future__ import annotations

import warnings
import zipfile
from typing import NamedTuple

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.check import check
from torchatlas.core.measure.cost import total


def scripted(model, tmp_path, *, frozen=False):
    """The graph of the scripted model as a file."""
    path = tmp_path / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.script(model.eval())
        torch.jit.save(torch.jit.freeze(made) if frozen else made, path)
    graph = ta.open(path).graph
    check(graph)
    return graph


def history(graph, value):
    """The names of the calls that made a value, and the versions before it, the newest first."""
    found = []
    while value is not None:
        known = graph.values[value]
        if known.producer is not None:
            found.append(graph.calls[known.producer].name)
        value = known.previous if known.previous is not None else known.alias_of
    return found


class Writes(nn.Module):
    """Writes whose results nobody keeps: into a piece, both sides of a condition, and a loop."""

    def forward(self, x, n: int):
        y = x.clone()
        y[0] = 1.0
        if bool(x.sum() > 0):
            y.view(-1).add_(1)
        else:
            y.mul_(2)
        for _ in range(n):
            y.sub_(x)
        return y


def test_what_is_written_in_place_reaches_its_later_readers(tmp_path):
    """A call whose result has no name still changes its tensor, and what that is a view of."""
    graph = scripted(Writes(), tmp_path)
    (result,) = graph.calls[0].outputs
    assert history(graph, result) == ["prim.Loop", "aten.sub_", "prim.If", "merge"]
    (merge,) = [call for call in graph.calls if call.name == "merge"]
    then, otherwise = (history(graph, value) for value in merge.inputs[1:])
    assert then == ["aten.add_", "aten.copy_", "aten.clone"]
    assert otherwise == ["aten.mul_", "aten.copy_", "aten.clone"]


class Recurrent(nn.Module):
    """Layers of every kind of argument in which weights stand."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.lstm = nn.LSTM(4, 5, 2)
        self.conv = nn.ConvTranspose1d(5, 3, 2)
        self.norm = nn.BatchNorm1d(5)
        self.out = nn.Linear(3, 2)
        self.scale = nn.Parameter(torch.randn(2))

    def forward(self, ids):
        x = self.norm(self.lstm(self.embed(ids))[0].permute(1, 2, 0))
        return self.out(self.conv(x).mT) * self.scale


def test_the_weights_of_a_frozen_model_are_its_parameters(tmp_path):
    """They are constants of its code; what layers read is counted, and anything else stays a constant."""
    torch.manual_seed(0)
    model = Recurrent()
    for tensor in (*model.parameters(), *model.buffers()):  # equal ones would become one constant
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 1, 2)
    graph = scripted(model, tmp_path, frozen=True)
    elements = sum(parameter.numel() for parameter in model.parameters()) - model.scale.numel()
    assert (total(graph).parameters, total(graph).buffers) == (elements, 10)
    assert any("frozen" in note.text for note in graph.notes)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")

    @torch.jit.interface
    class Step(nn.Module):
        """What a layer that is chosen in the run can do."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            pass  # the one statement that an interface may hold


class Double(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


class Chosen(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList([Double(), Double()])

    def forward(self, x, which: int):
        step: Step = self.steps[which]
        return step.forward(x).relu()


def test_a_layer_that_the_run_chooses_is_a_call_of_unknown_arithmetic(tmp_path):
    """The way from input to output is whole, and what is not known is said."""
    graph = scripted(Chosen(), tmp_path)
    chosen, relu = [call for call in graph.calls if call.kind == "function"]
    assert (chosen.name, chosen.arithmetic, relu.name) == ("forward", "unknown", "aten.relu")
    assert (chosen.inputs, relu.inputs) == (graph.calls[0].inputs, chosen.outputs)
    assert [note.call for note in graph.notes] == [chosen.id]


class Asks(nn.Module):
    def forward(self, x):
        if bool(x.sum() > 0):
            x = x.sin()
        while bool(x.max() < 1):
            x = x * 2
        return x


def test_what_decides_a_condition_and_a_loop_goes_into_them(tmp_path):
    """The comparison is read by what it decides."""
    graph = scripted(Asks(), tmp_path)
    condition, loop = (call for call in graph.calls if call.name in {"prim.If", "prim.Loop"})
    (merge,) = [call for call in graph.calls if call.name == "merge"]
    deciders = [graph.calls[graph.values[call.inputs[0]].producer].name for call in (condition, merge, loop)]
    assert deciders == ["aten.gt", "aten.gt", "aten.lt"]


class Raising(nn.Module):
    """Writes in a branch inside a branch, and raises there."""

    def forward(self, x):
        if bool(x.sum() > 0):  # noqa: SIM102 - a branch in a branch is what is asked
            if bool(x.sum() > 1):
                x.mul_(2)
                raise ValueError
        return x + 1


class Counting(nn.Module):
    """A loop that writes into what decides whether it goes on."""

    def forward(self, x):
        c = x.sum()
        while bool(c > 0):
            c.sub_(1)
        return c


def test_what_a_branch_wrote_before_it_raised_is_taken_back(tmp_path):
    """Also for the branch around it, which is left as if nothing had been written."""
    graph = scripted(Raising(), tmp_path)
    (added,) = [call for call in graph.calls if call.name == "aten.add"]
    assert history(graph, added.inputs[0]) == []


def test_a_loop_reads_what_was_there_before_it(tmp_path):
    """What its body writes comes out of it, and does not go into it."""
    graph = scripted(Counting(), tmp_path)
    loop = next(call for call in graph.calls if call.name == "prim.Loop")
    assert loop.inputs
    assert not set(loop.inputs) & set(loop.outputs)
    assert all(value < min(loop.outputs) for value in loop.inputs)


def eager(model):
    """The graph of the model as Python runs it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.(fork|wait)` is deprecated")
        return ta.capture(model, torch.zeros(1, 4)).graph


def plain(name):
    """What an operator is called everywhere: ``linear`` of ``F.linear`` and of ``aten.linear``."""
    return name.rpartition(".")[2]


def wiring(graph):
    """Each call that holds no other: its name, the module it runs in, and which such calls made what it reads."""
    around = {call.parent for call in graph.calls}
    leaves = [call for call in graph.calls if call.id not in around]
    position = {call.id: at for at, call in enumerate(leaves)}
    found = []
    for call in leaves:
        module = call
        while module.kind != "module":
            module = graph.calls[module.parent]
        makers = (graph.values[value].producer for value in call.inputs)
        found.append((plain(call.name), module.path, [position[maker] for maker in makers if maker in position]))
    return found


def passed(graph):
    """Each call of a module, with how many tensors that are no weights go in and come out."""
    weights = {"parameter", "buffer"}
    return [
        (call.path, len({v for v in call.inputs if graph.values[v].kind not in weights}), len(set(call.outputs)))
        for call in graph.calls
        if call.kind == "module"
    ]


def shifted(x: torch.Tensor, by: int = 2) -> torch.Tensor:
    """A function of its own."""
    return torch.relu(x) + by


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x).relu()


class Forking(nn.Module):
    """Layers that forks of every kind may run."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = Layer(), Layer(), nn.Linear(4, 4)

    def pair(self, x):
        return self.a(x), self.b(x)

    def nested(self, x):
        inner = torch.jit.fork(self.b, x)
        return self.a(x) * torch.jit.wait(inner)

    def whole(self, x: torch.Tensor, futures: list[torch.jit.Future[torch.Tensor]]) -> torch.Tensor:
        return x + torch.jit.wait(futures[1]) - torch.jit.wait(futures[0])


class OfModule(Forking):
    def forward(self, x):
        future = torch.jit.fork(self.a, x)
        y = self.b(x)
        return torch.jit.wait(future) + y


class OfMethod(Forking):
    def forward(self, x):
        future = torch.jit.fork(self.pair, x)
        y = self.c(x)
        p, q = torch.jit.wait(future)
        return p * q + y


class OfFunction(Forking):
    def forward(self, x):
        future = torch.jit.fork(shifted, self.c(x), by=3)
        other = torch.jit.fork(nn.functional.linear, x, self.c.weight, self.c.bias)
        return torch.jit.wait(future) * torch.jit.wait(other)


class Nested(Forking):
    def forward(self, x):
        future = torch.jit.fork(self.nested, x)
        return self.c(future.wait())


class Twice(Forking):
    def forward(self, x):
        future = torch.jit.fork(self.a, x)
        return torch.jit.wait(future) * self.c(torch.jit.wait(future))


class Passed(Forking):
    """Lists of futures go into functions, and dictionaries hold some."""

    def forward(self, x):
        futures = torch.jit.annotate(list[torch.jit.Future[torch.Tensor]], [])
        futures.append(torch.jit.fork(self.a, x))
        futures.append(torch.jit.fork(self.b, x))
        named = {"c": torch.jit.fork(self.c, x)}
        return self.whole(x, futures) * torch.jit.wait(named["c"])


class Starts(Forking):
    def forward(self, x: torch.Tensor) -> torch.jit.Future[torch.Tensor]:
        return torch.jit.fork(self.a, x)


class Returned(nn.Module):
    """A module gives a future, and another waits for it."""

    def __init__(self):
        super().__init__()
        self.starts, self.c = Starts(), nn.Linear(4, 4)

    def forward(self, x):
        future = self.starts(x)
        return self.c(x) * torch.jit.wait(future)


class Writing(Forking):
    """Forked work writes into a tensor that is read after it."""

    def write(self, x: torch.Tensor) -> torch.Tensor:
        return x.add_(self.a(x))

    def forward(self, x):
        y = x.clone()
        torch.jit.wait(torch.jit.fork(self.write, y))
        return self.c(y)


FORKS = [OfModule, OfMethod, OfFunction, Nested, Twice, Passed, Returned, Writing]


@pytest.mark.parametrize("kind", FORKS)
def test_forked_work_stands_where_it_is_started(kind, tmp_path):
    """The same calls of the same modules, wired alike, as when Python runs the model."""
    model = kind().eval()
    ran = eager(model)
    graph = scripted(model, tmp_path)
    assert wiring(graph) == wiring(ran)
    assert passed(graph) == passed(ran)
    assert not graph.notes


@pytest.mark.parametrize("kind", FORKS)
def test_forks_of_traced_models_are_followed(kind, tmp_path):
    """A trace writes the work down as code inside the code, as scripting does."""
    model = kind().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(model, torch.zeros(1, 4)), tmp_path / "net.pt")
    graph = ta.open(tmp_path / "net.pt").graph
    check(graph)
    ran = eager(model)
    assert [(path, made) for path, _, made in passed(graph)] == [(path, made) for path, _, made in passed(ran)]
    assert wiring(graph) == wiring(ran)


@pytest.mark.parametrize("kind", FORKS)
def test_forks_of_frozen_models_are_followed(kind, tmp_path):
    """Modules are gone, their calls are not."""
    model = kind().eval()
    graph = scripted(model, tmp_path, frozen=True)
    ran = eager(model)
    names = [(name, makers) for name, _, makers in wiring(ran)]
    assert [(name, makers) for name, _, makers in wiring(graph)] == names


def test_forks_of_models_optimized_for_inference_are_followed(tmp_path):
    """Two layers are forked and one is not: in whatever form torch gives them, all reach the result."""
    path = tmp_path / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.optimize_for_inference(torch.jit.script(OfMethod().eval())), path)
    graph = ta.open(path).graph
    check(graph)
    products = [at for at, (name, _, _) in enumerate(wiring(graph)) if name in {"linear", "matmul", "addmm"}]
    reached, pending = set(), [len(wiring(graph)) - 1]
    while pending:
        at = pending.pop()
        reached.add(at)
        pending += wiring(graph)[at][2]
    assert len(products) == 3
    assert set(products) <= reached


class Many(Forking):
    """Futures in lists that loops fill and empty."""

    def forward(self, x):
        futures = torch.jit.annotate(list[torch.jit.Future[torch.Tensor]], [])
        for _ in range(3):
            futures.append(torch.jit.fork(self.a, x))
        y = self.c(x)
        for future in futures:
            y = y + torch.jit.wait(future)
        if len(futures) > 1:
            y = self.b(y)
        return y * torch.jit.wait(futures[2])


def sources(graph, value):
    """The modules whose calls a value depends on."""
    made = {}
    for call in graph.calls:
        made |= dict.fromkeys(call.outputs, call)
    paths, pending, seen = set(), [value], set()
    while pending:
        at = pending.pop()
        if at in seen or at is None:
            continue
        seen.add(at)
        pending += [graph.values[at].alias_of, graph.values[at].previous]
        maker = graph.calls[graph.values[at].producer] if graph.values[at].producer is not None else None
        while maker is not None:
            pending += maker.inputs if maker.kind == "function" and at in maker.outputs else ()
            paths |= {maker.path} if maker.kind == "module" else set()
            maker = graph.calls[maker.parent] if maker.parent is not None else None
    return paths - {""}


def test_futures_in_lists_that_a_loop_fills_reach_who_waits(tmp_path):
    """How many there are is not known: every item is what a turn made, and the length decides nothing."""
    model = Many().eval()
    graph = scripted(model, tmp_path)
    paths = [call.path for call in graph.calls if call.kind == "module"]
    assert paths == ["", "a", "a.fc", "c", "b", "b.fc"]
    assert any("one iteration of each loop" in note.text for note in graph.notes)
    loops = [call for call in graph.calls if call.name == "prim.Loop"]
    (forked,) = loops[0].outputs
    added = next(call for call in graph.calls if call.name == "aten.add")
    assert forked in added.inputs
    last = graph.calls[graph.values[graph.calls[0].outputs[0]].producer]
    assert (last.name, last.inputs[1]) == ("aten.mul", forked)
    assert sources(graph, graph.calls[0].outputs[0]) == {"a", "a.fc", "b", "b.fc", "c"}
    (inside,) = [call for call in graph.calls if call.path == "a"]
    assert inside.outputs == (graph.values[forked].alias_of,)


class Either(Forking):
    """What is forked, a condition decides."""

    def forward(self, x: torch.Tensor, more: bool):
        futures = torch.jit.annotate(list[torch.jit.Future[torch.Tensor]], [])
        named = torch.jit.annotate(dict[str, torch.jit.Future[torch.Tensor]], {})
        if more:
            futures.append(torch.jit.fork(self.a, x))
            named["c"] = torch.jit.fork(self.c, x)
        else:
            futures.append(torch.jit.fork(self.b, x))
        y = x
        for name in ["a", "c"]:
            if name in named:
                y = y + torch.jit.wait(named[name])
        for future in named.values():
            y = y - torch.jit.wait(future)
        return y * torch.jit.wait(futures[0])


def test_futures_that_a_condition_decides_come_from_either_branch(tmp_path):
    """They meet where the branches do, and nothing outside reads what is inside a branch."""
    graph = scripted(Either(), tmp_path)
    last = graph.calls[graph.values[graph.calls[0].outputs[0]].producer]
    branch = next(call for call in graph.calls if call.name == "prim.If")
    assert last.inputs[1] in branch.outputs
    (merge,) = [call for call in graph.calls if call.name == "merge" and call.parent == branch.id]
    assert [sources(graph, value) for value in merge.inputs] == [{"a", "a.fc"}, {"b", "b.fc"}]
    (subtracted,) = [call for call in graph.calls if call.name == "aten.sub"]
    assert sources(graph, subtracted.inputs[1]) == {"c"}


class Named(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


class Stored(Forking):
    """Futures of a named tuple, in a dictionary and in a list of lists, at positions that only a run decides."""

    def named(self, x: torch.Tensor) -> Named:
        return Named(first=x, second=self.a(x))

    def forward(self, x: torch.Tensor):
        first = torch.jit.wait(torch.jit.fork(self.named, x)).second.sin()
        by_number = torch.jit.annotate(dict[int, torch.jit.Future[torch.Tensor]], {})
        rows = torch.jit.annotate(list[list[torch.jit.Future[torch.Tensor]]], [])
        for at in range(2):
            row = torch.jit.annotate(list[torch.jit.Future[torch.Tensor]], [])
            for _ in range(2):
                row.append(torch.jit.fork(self.b, x))
            rows.append(row)
            by_number[at] = torch.jit.fork(self.c, x)
        futures = [torch.jit.fork(torch.tan, x), torch.jit.fork(torch.tan, x)]
        for at in range(2):
            futures[at] = torch.jit.fork(self.a, torch.jit.wait(futures[at]))
        return (
            first,
            torch.jit.wait(by_number[1]).cos(),
            torch.jit.wait(rows[1][1]).exp(),
            torch.jit.wait(futures[0]).log(),
        )


def test_futures_at_positions_that_a_run_decides_reach_who_waits(tmp_path):
    """What may stand there is read; a note says that a run decides."""
    graph = scripted(Stored(), tmp_path)
    readers = {plain(call.name): sources(graph, call.inputs[0]) for call in graph.calls if call.inputs}
    expected = {"sin": {"a", "a.fc"}, "cos": {"c"}, "exp": {"b", "b.fc"}, "log": {"a", "a.fc"}}
    assert {name: readers[name] for name in expected} == expected
    assert {note.text for note in graph.notes} == {
        "Both branches of an `if` and one iteration of each loop are counted.",
        "Only a run decides which item of a list is read.",
    }


class Given(Forking):
    def forward(self, future: torch.jit.Future[torch.Tensor]):
        return self.a(torch.jit.wait(future))


def test_work_behind_a_future_from_outside_is_not_counted_and_said(tmp_path):
    """Nobody but the caller knows it: the sums are lower bounds."""
    graph = scripted(Given(), tmp_path)
    (waits,) = [call for call in graph.calls if call.name == "aten.wait"]
    assert (waits.inputs, waits.arithmetic) == (graph.calls[0].inputs, "unknown")
    assert next(call for call in graph.calls if call.path == "a").inputs == waits.outputs
    assert [note.call for note in graph.notes] == [waits.id]


class Awaiting(Forking):
    def forward(self, x):
        later = torch.jit._awaitable(self.a, x)
        return self.c(x) * torch.jit._awaitable_wait(later)


def test_awaited_work_stands_in_the_graph(tmp_path):
    """A run does it at the first wait: a note says that it is shown before."""
    model = Awaiting().eval()
    ran = eager(model)
    graph = scripted(model, tmp_path)
    assert sorted(passed(graph)) == sorted(passed(ran))
    assert sources(graph, graph.calls[0].outputs[0]) == {"a", "a.fc", "c"}
    assert [note.text for note in graph.notes if "_awaitable" in note.text]


def test_forks_of_what_the_archive_does_not_hold_are_unknown(tmp_path):
    """Code that another program wrote: a call whose work is not counted stands where it is started."""
    path, other = tmp_path / "net.pt", tmp_path / "other.pt"
    scripted(OfModule(), tmp_path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w") as changed:
        for name in archive.namelist():
            changed.writestr(name, archive.read(name).replace(b"fork(__forked_function)", b"fork(elsewhere, x)"))
    graph = ta.open(other).graph
    check(graph)
    (fork,) = [call for call in graph.calls if call.name == "prim.fork"]
    assert (fork.inputs, fork.arithmetic) == (graph.calls[0].inputs, "unknown")
    assert [note.call for note in graph.notes] == [fork.id]
    added = next(call for call in graph.calls if call.name == "aten.add")
    assert set(fork.outputs) < set(added.inputs)
