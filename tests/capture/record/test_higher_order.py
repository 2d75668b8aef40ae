"""Higher-order operators: what they call is recorded, on the first capture of a process too."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests import higher_order
from tests.higher_order import CASES, Model

import torchatlas as ta

SCRIPT = Path(higher_order.__file__)


# What torch 2.6 lacks or runs without gradients alone.
LATER = ("scan", "map", "associative_scan", "nested_compile_region")
OLD = not hasattr(torch.compiler, "nested_compile_region")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.skipif(OLD and name in LATER, reason="a newer torch")) for name in CASES],
)
def test_the_first_capture_of_a_process_records_what_a_higher_order_operator_calls(name):
    """Calls, counts by hand, replay, results and gradients as torch has them; at both levels and without data."""
    case = CASES[name]
    run = subprocess.run([sys.executable, str(SCRIPT), name], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    seen = json.loads(run.stdout)
    assert seen["calls"] == case.calls
    levels = 3 if case.fake else 2
    assert seen["mult_adds"][:levels] == [case.mult_adds] * levels
    assert seen["unknown"] == [0, 0, 0]
    assert seen["replay"]
    assert seen["plain"]
    if case.grad:
        assert seen["gradients"]
        assert seen["backward"] > 2


def test_the_branch_of_a_condition_that_did_not_run_is_named():
    """And the predicate stands among what the call reads."""
    graph = ta.capture(Model(CASES["cond_of_modules"].forward), torch.ones(3, 4)).graph
    call = next(call for call in graph.calls if call.name == "cond")
    assert "torch.cond ran Linear; the false branch, Linear, did not run." in [note.text for note in graph.notes]
    assert graph.values[call.inputs[0]].producer == next(one.id for one in graph.calls if one.name == "Tensor.gt")
    asked = next(one for one in graph.calls if one.parent == call.id and one.name == "Tensor.__bool__")
    assert asked.reads_data
    assert asked.inputs == call.inputs[:1]


def test_a_loop_of_torch_hands_its_values_from_turn_to_turn():
    """The layer reads what it made a turn before; the turns are one loop."""
    atlas = ta.capture(Model(CASES["while_loop"].forward), torch.ones(3, 4))
    graph = atlas.graph
    tanh = [call for call in graph.calls if call.name == "Tensor.tanh"]
    layers = graph.calls_of["a"]
    assert [graph.calls[layer].inputs[0] for layer in layers[1:]] == [call.outputs[0] for call in tanh[:-1]]
    assert "a x3" in str(atlas.summary())


def test_without_data_a_condition_takes_its_true_branch_and_a_loop_one_turn_and_say_so():
    """Neither can be known without data."""
    for name, words in (("cond_false", "the true branch is recorded"), ("while_loop_of_data", "One is recorded")):
        forward = CASES[name].forward if name in CASES else _until_large
        atlas = ta.capture(Model(forward), torch.ones(3, 4), fake=True)
        assert len(atlas.graph.calls_of["a"]) == 1
        assert any(words in note.text for note in atlas.graph.notes)


def _until_large(model, x):
    return torch._higher_order_ops.while_loop(lambda x: x.sum() < 5, lambda x: (model.a(x),), (x,))[0]


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda _, x: torch.cond(x.sum() > 0, torch.sin, lambda x: x.double(), (x,)), "dtypes"),
        (lambda _, x: torch.cond(x.sum() > 0, torch.sin, lambda x: x.sum(), (x,)), "dimensions"),
        (lambda _, x: torch.cond(x.sum() > 0, torch.sin, lambda x: (x.sin(), x.cos()), (x,)), "structure"),
        (lambda _, x: _loop(lambda x: (x.double(),), x), r"float64.*float32"),
        (lambda _, x: _loop(lambda x: (torch.cat([x, x]),), x), r"\[6, 4\].*\[3, 4\]"),
        (lambda _, x: _loop(lambda x: (x, x), x), "2 and 1"),
        (lambda _, x: _loop(lambda x: [x], x, going=lambda x: x), "boolean"),
        (
            lambda _, x: torch._higher_order_ops.scan(lambda h, x: (torch.cat([h, h]), x + 1), torch.zeros(4), x),
            "carry",
        ),
    ],
)
def test_what_torch_refuses_of_a_higher_order_operator_is_refused(forward, words):
    """Torch raises here too, a kind of RuntimeError."""
    with pytest.raises(RuntimeError, match=words):
        ta.capture(Model(forward), torch.ones(3, 4))


def _loop(body, x, going=lambda x: x.sum() < 1e6):
    return torch._higher_order_ops.while_loop(going, body, (x,))[0]


def test_the_branch_that_is_only_looked_at_leaves_no_trace():
    """Neither calls, nor statistics, nor random numbers drawn."""
    norm, model = torch.nn.BatchNorm1d(4), Model(_branches)
    model.norm = norm
    before = torch.get_rng_state()
    graph = ta.capture(model, torch.ones(3, 4), mode="train").graph
    assert graph.calls_of.get("norm") is None
    assert norm.num_batches_tracked == 0
    assert torch.equal(norm.running_mean, torch.zeros(4))
    assert torch.equal(before, torch.get_rng_state())


def _branches(model, x):
    return torch.cond(x.sum() > 0, model.a, lambda x: torch.dropout(model.norm(x), 0.5, train=True), (x,))


@pytest.mark.filterwarnings("ignore:flex_attention called without")
def test_a_block_mask_is_said_to_be_counted_as_if_it_left_nothing_out():
    """Without one, nothing is said."""
    said = [
        any(
            "block mask" in note.text
            for note in ta.capture(Model(CASES[name].forward), torch.ones(2, 4, 8, 16)).graph.notes
        )
        for name in ("flex_attention", "flex_attention_alone")
    ]
    assert said == [True, False]


def test_a_condition_is_profiled():
    """Time is measured of the calls inside too."""
    atlas = ta.profile(Model(CASES["cond"].forward), torch.ones(3, 4), repeats=2, warmup=1)
    (layer,) = atlas.graph.calls_of["a"]
    assert atlas.graph.calls[layer].seconds > 0
