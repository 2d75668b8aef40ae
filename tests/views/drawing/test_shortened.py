"""Turns of long loops that no picture shows are not sent to the engine, and every picture stays as it is."""

import json
from random import Random

import pytest
import torch
from torch import nn

import torchatlas as ta
from core.graphs import Recorder, decode_like
from torchatlas.views.drawing.engine import render
from viewing import payload_of

TURNS = 30
LABELS = ("shape", "params", "flops")


class Loop(nn.Module):
    """Runs a body as often as there are turns; ``starts`` are what its first turn is handed beside the input."""

    def __init__(self, body, starts=(), turns=TURNS):
        super().__init__()
        self.body, self.starts, self.turns = body, starts, turns
        self.cell, self.head = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        state = [torch.zeros(1, 4) if start is None else x * start for start in self.starts]
        out, kept = self.cell(x), []
        for turn in range(self.turns):
            out, state = self.body(self, out, state, x, turn)
            kept.append(out)
        return self.head(out if self.body is not stacked else torch.stack(kept))


def plain(self, out, state, x, _):
    """Hands on what it made alone."""
    return torch.tanh(self.cell(out) + x), state


def cached(self, out, state, x, _):
    """A cache that each turn makes longer."""
    grown = torch.cat([state[0], self.cell(out)])
    return torch.tanh(grown.sum(0, keepdim=True)) + x, [grown]


def delayed(self, out, state, x, _):
    """A line of values, which the loop fills from one end and reads at the other, constants at first."""
    late, *rest = state
    return torch.tanh(self.cell(out) + torch.cos(late)) + x, [*rest, out]


def swapped(self, out, state, x, _):
    """Two states change places, and one of them is a constant at first."""
    one, two = state
    return self.cell(out) + one, [torch.sin(two), torch.sin(one)]


def constant(self, out, state, x, _):
    """A state that is a constant in every turn."""
    step = state[0] + torch.arange(4.0)
    return torch.relu(self.cell(out)) * step, [step]


def written(self, out, state, x, _):
    """A state that every turn writes to in place."""
    state[0].mul_(0.5)
    state[0].add_(self.cell(out))
    return torch.tanh(state[0].clone()), state


def looked_up(self, out, state, x, turn):
    """Each turn reads another place of the input."""
    return torch.tanh(self.cell(out) + x[:, turn % 4 : turn % 4 + 1]), state


def aliased(self, out, state, x, _):
    """A view is written to, and with it what it is a view of."""
    view = out.clone().view(-1)
    view.mul_(0.5)
    return torch.tanh(self.cell(out) + view.view(1, 4)) + x, state


def stacked(self, out, state, x, _):
    """All results are read after the loop."""
    return torch.tanh(self.cell(out)), state


BODIES = [
    (plain, ()),
    (cached, (1,)),
    (delayed, (None,) * 3),
    (delayed, (None,) * 12),
    (delayed, (None,) * 28),
    (swapped, (None, 1)),
    (constant, (None,)),
    (written, (None,)),
    (looked_up, ()),
    (aliased, ()),
    (stacked, ()),
]


def ran(body, starts=()):
    """The graph of a loop."""
    return ta.capture(Loop(body, starts), torch.randn(1, 4)).graph


def calls_in(text):
    """How many calls a payload has."""
    return len(json.loads(text)["graph"]["calls"])


def same_in_both(graph, **more):
    """Whether the engine draws the same of both; the picture."""
    short, whole = (render(payload_of(graph, shorten=shorten, labels=LABELS, **more)) for shorten in (True, False))
    assert short == whole
    return short.svg


@pytest.mark.parametrize(("body", "starts"), BODIES)
def test_the_picture_of_a_loop_is_that_of_all_its_turns(body, starts):
    """Whatever turns hand each other, and however late what they are handed stops being constant."""
    graph = ran(body, starts)
    whole = body in (delayed, swapped, stacked)  # nothing of these is left out
    assert (calls_in(payload_of(graph, shorten=True)) == len(graph.calls)) == whole
    for depth in (None, 1, 2, 9):
        for constants in (False, True):
            same_in_both(graph, depth=depth, constants=constants)


def test_turns_beyond_the_first_few_are_not_sent():
    """A loop of any length costs the engine about the same."""
    graph = ran(cached, (1,))
    short, whole = calls_in(payload_of(graph, shorten=True)), calls_in(payload_of(graph))
    assert whole == len(graph.calls)
    assert short < whole / 2
    twice = ta.capture(Loop(cached, (1,), 2 * TURNS), torch.randn(1, 4)).graph
    assert calls_in(payload_of(twice, shorten=True)) == short


def test_loops_in_loops_that_write_to_views_are_drawn_as_whole():
    """What was written and not returned has no place in a turn, and is drawn for each."""

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.Linear(4, 4)

        def forward(self, x):
            kept = x.clone()
            for _ in range(6):
                view = kept.view(-1)
                view.mul_(0.5)
                x = torch.tanh(self.cell(x) + view.view(1, 4))
            return x

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def forward(self, x):
            for _ in range(14):
                x = self.inner(x).reshape(-1, 4)[:1]
            return x

    for level in ("op", "aten"):
        graph = ta.capture(Outer(), torch.randn(1, 4), level=level).graph
        for depth in (None, 2, 4):
            same_in_both(graph, depth=depth, level=level)


def test_the_steps_of_a_decoder_are_sent_as_few_of_them():
    """Its cache grows, layers are folded in each step, and the picture names the length that is reached."""
    graph = decode_like(40, 3)
    assert len(graph.calls) == 1 + 2 * 3 + 40 * (5 + 22 * 3)
    assert calls_in(payload_of(graph, shorten=True)) < len(graph.calls) / 3
    for depth in (None, 1, 3):
        assert "cache 3..43" in same_in_both(graph, depth=depth)


@pytest.mark.parametrize(("body", "starts"), [(stacked, ()), (delayed, (None,) * 28)])
def test_loops_that_are_read_from_outside_or_do_not_settle_are_sent_whole(body, starts):
    """What every turn makes may be drawn where it is read; a constant of any turn where it stops being one."""
    graph = ran(body, starts)
    assert calls_in(payload_of(graph, shorten=True)) == len(graph.calls)


def test_ids_of_calls_after_a_loop_stay_as_they_are():
    """They are the keys of boxes, to which colours and signs are given."""
    graph = ran(plain)
    read = json.loads(payload_of(graph, shorten=True))["graph"]
    (head,) = (call.id for call in graph.calls if call.path == "head")
    assert [call["id"] for call in read["calls"] if call["path"] == "head"] == [head]
    assert len(read["calls"]) < head


def test_a_module_is_said_to_have_run_as_often_as_it_did():
    """Also in the turns that are not sent."""
    assert f"(run 1 of {TURNS + 1})" in same_in_both(ran(plain))


@pytest.mark.parametrize("option", ["fold", "expand"])
def test_what_opens_a_turn_is_drawn_of_all_turns(option):
    """A turn that is asked for has its box, wherever it stands in the loop."""
    graph = ran(plain)
    middle = [call.id for call in graph.calls if call.path == "cell"][TURNS // 2]
    options = {option: {"fold": False, "expand": middle}[option]}
    drawing = ta.Atlas(graph).draw(**options)
    assert drawing.svg == render(payload_of(graph, **options)).svg
    assert drawing.svg != ta.Atlas(graph).draw().svg


def body_at_random(seed):
    """A loop whose turns do the same few calls, reading each other's results, constants and inputs as it happens."""
    random, recorder = Random(seed), Recorder("Random")  # noqa: S311 - no secret
    shape = (4, 4)
    outside = [recorder.leaf(kind, kind, shape) for kind in ("parameter", "constant", "buffer", "input")]
    recorder.begin("Random", (outside[-1],), "")
    outside.append(recorder.call("torch.arange", (), shape))
    states = [random.choice(outside) for _ in range(random.randint(1, 5))]
    calls, width = random.randint(3, 6), len(outside) + len(states)
    reads = [[random.randrange(width + call) for _ in range(random.randint(0, 2))] for call in range(calls)]
    hands = [random.randrange(len(outside), width + calls) for _ in states]
    is_module = [random.random() < 0.5 for _ in range(calls)]
    for _ in range(random.randint(9, 40)):
        values = [*outside, *states]
        for call, read in enumerate(reads):
            given = [values[at] for at in read]
            if is_module[call]:
                recorder.begin("Cell", given, f"cell{call}")
                made = recorder.call("torch.tanh", given, shape)
                recorder.end((made,))
            else:
                made = recorder.call(f"torch.op{call}", given, shape)
            values.append(made)
        states = [values[at] for at in hands]
    recorder.end([recorder.call("torch.sum", states, shape)])
    return recorder.graph()


@pytest.mark.parametrize("seed", range(30))
def test_loops_at_random_are_drawn_as_whole(seed):
    """Of any wiring, constants hidden or shown."""
    graph = body_at_random(seed)
    for options in ({}, {"depth": 1}, {"depth": 3}, {"depth": 3, "constants": True}):
        same_in_both(graph, **options)


def test_most_loops_at_random_are_shortened():
    """Else the test before would compare graphs with themselves."""
    graphs = [body_at_random(seed) for seed in range(30)]
    assert sum(calls_in(payload_of(graph, shorten=True)) < len(graph.calls) for graph in graphs) > 15
