"""Whether a model takes weights: what is said is held against what ``load_state_dict`` does."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import re
import subprocess
import sys
from collections import OrderedDict, UserDict

import pytest
import torch
from torch import nn
from torch.nn.parameter import is_lazy
from typer.testing import CliRunner

import torchatlas as ta
from loads import PAIRS, Tally, pair_of
from models import MODELS
from state import differences, fingerprint
from torchatlas.capture.loading import load_state
from torchatlas.cli import app

LARGEST = 2_000_000
"""Elements up to which a model of the zoo is tried."""


def outcome(model, state):
    """Whether it loads, the keys that torch names (None where it raises before it names any), and the sizes."""
    seen = []
    if not isinstance(model, torch.jit.ScriptModule):
        model.register_load_state_dict_post_hook(
            lambda _, keys: seen.append((tuple(keys.missing_keys), tuple(keys.unexpected_keys)))
        )
    try:
        model.load_state_dict(state)
    except Exception as error:  # noqa: BLE001 - code of the models raises anything
        sizes = set(re.findall(r"size mismatch for (.*?): copying", str(error)))
        return False, seen[-1] if seen else None, sizes
    return True, ((), ()), set()


def has_numbers(held):
    """Whether it is a tensor with a shape."""
    return isinstance(held, torch.Tensor) and not is_lazy(held)


def said(found):
    """The same, as a comparison has it."""
    return found.passes, (found.missing, found.unexpected), {key for key, _, _ in found.unfit}


def agree(found, truth):
    """The verdict is the model's own, and the same."""
    assert found.taken is not None, found.unasked
    passes, keys, sizes = said(found)
    assert passes == truth[0]
    assert truth[1] is None or keys == truth[1]
    assert sizes == truth[2]
    return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("where", ["file", "memory"])
@pytest.mark.parametrize("name", PAIRS)
def test_awkward_weights_are_judged_as_torch_does(name, where, tmp_path):
    """Extra states, hooks, versions, wrappers, tensors of all kinds; and the model is as it was."""
    model, state = pair_of(name)
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    before = fingerprint(model)
    comparison = ta.compare(model, path if where == "file" else state)
    assert not differences(before, fingerprint(model))
    truth = outcome(*pair_of(name))
    agree(comparison.loading, truth)
    assert comparison.same == truth[0]
    assert comparison.text()
    assert comparison.json()


DAMAGES = {
    "whole": lambda state, _: state,
    "without some": lambda state, rng: _only(state, lambda key: key not in rng.sample(sorted(state), len(state) // 3)),
    "behind a prefix": lambda state, _: _keys(state, lambda key: f"module.{key}"),
    "with one renamed": lambda state, rng: _keys(state, {(old := rng.choice(sorted(state))): f"{old}_"}.get),
    "with one resized": lambda state, rng: _one(state, rng, lambda tensor: torch.zeros(*tensor.shape, 2)),
    "with a number for a tensor": lambda state, rng: _one(state, rng, lambda _: 3),
    "with more": lambda state, _: OrderedDict({**state, "extra.weight": torch.zeros(2), "_extra_state": 1}),
    "without versions": lambda state, _: _only(dict(state), lambda key: "num_batches_tracked" not in key),
    "without counters": lambda state, _: _only(state, lambda key: "num_batches_tracked" not in key),
    "on meta": lambda state, rng: _one(state, rng, lambda tensor: tensor.to("meta")),
    "in another type": lambda state, rng: _one(state, rng, lambda tensor: tensor.to(torch.float64)),
}
"""What happens to weights."""


def _only(state, wanted):
    chosen = {key for key in state if wanted(key)}
    for key in [key for key in state if key not in chosen]:
        del state[key]
    return state


def _keys(state, new):
    return OrderedDict((new(key) or key, tensor) for key, tensor in state.items())


def _one(state, rng, new):
    tensors = sorted(key for key, held in state.items() if isinstance(held, torch.Tensor))
    key = rng.choice(tensors)
    state[key] = new(state[key])
    return state


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_damaged_weights_of_the_zoo_are_judged_as_torch_does(name):
    """Each way of damage, for each model that is not too large: verdict and keys equal torch's."""
    with MODELS[name].ready() as built:
        model = built.model
        if not isinstance(model, nn.Module) or not model.state_dict():
            pytest.skip("nothing to load")
        sizes = [
            held.numel() for held in model.state_dict().values() if isinstance(held, torch.Tensor) and not is_lazy(held)
        ]
        if sum(sizes) > LARGEST:
            pytest.skip("large")
        for number, (damage, apply) in enumerate(DAMAGES.items()):
            state = apply(copy.copy(model.state_dict()), random.Random(number))  # noqa: S311 - to choose a key
            if not any(map(has_numbers, state.values())):
                continue
            found = ta.compare(model, state).loading
            assert agree(found, outcome(model, state)), damage


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*PAIRS][::6])
def test_the_command_ends_with_0_only_where_torch_loads(name, tmp_path, monkeypatch):
    """A script that loads and then uses the weights goes on exactly where it can."""
    state = pair_of(name)[1]
    torch.save(state, tmp_path / "weights.pth")
    (tmp_path / "net.py").write_text(f"from loads import pair_of\n\ndef make():\n    return pair_of({name!r})[0]\n")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["compare", "net.py:make", "weights.pth"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == (0 if outcome(*pair_of(name))[0] else 1), result.output


def run_code(found, state, model):
    """What is printed, as a user pastes it; what the last line printed."""
    printed = []
    space = {"state": state, "model": model, "print": printed.append}
    exec(found.text, space)  # noqa: S102 - as said above
    return space["state"], printed


class Net(nn.Module):
    """Small, with a list and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(5))
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 3)


def renamed(state):
    """As another author called them."""
    return OrderedDict((f"net.{key}".replace("layers", "blocks"), tensor) for key, tensor in state.items())


LEFT = {
    "nothing": lambda state: state,
    "a key too much": lambda state: {**state, "net.teacher.weight": torch.zeros(7)},
    "a key too few": lambda state: _only(state, lambda key: key != "net.norm.weight"),
    "another shape": lambda state: {**state, "net.head.weight": torch.zeros(9, 4)},
    "no tensor": lambda state: {**state, "net.head.bias": "none"},
    "all of these": lambda state: {
        **_only(state, lambda key: key != "net.norm.weight"),
        "net.head.weight": torch.zeros(9, 4),
        "net.head.bias": None,
        "epoch": 3,
        "other.scale": torch.zeros(2),
    },
}


@pytest.mark.parametrize("name", LEFT)
def test_the_renaming_that_is_printed_ends_in_a_load_that_works(name):
    """With keys left over too: what fits is loaded, value for value, and the rest is named as torch names it."""
    torch.manual_seed(1)
    trained, model = Net(), Net()
    state = LEFT[name](renamed(trained.state_dict()))
    found = ta.compare(model, state).loading
    assert found.rules
    left, printed = run_code(found, state, model)
    own = {key: tensor for key, tensor in trained.state_dict().items() if key in left}
    assert len(own) >= len(trained.state_dict()) - 3
    assert all(torch.equal(model.state_dict()[key], tensor) for key, tensor in own.items())
    assert bool(printed) == (name != "nothing")
    if printed:
        assert set(printed[0].unexpected_keys) == set(found.rest.unexpected)
        assert set(printed[0].missing_keys) - set(found.rest.unfit) == set(found.rest.missing)


@pytest.mark.parametrize("prefix", ["", "net."])
@pytest.mark.parametrize("where", ["file", "memory"])
def test_arrays_are_made_tensors_by_the_code(prefix, where, tmp_path):
    """With a renaming, or where the names are right already."""
    trained, model = Net(), Net()
    state = {f"{prefix}{key}": tensor.numpy() for key, tensor in trained.state_dict().items()}
    torch.save({**state, f"{prefix}head.bias": torch.ones(3)}, tmp_path / "arrays.pth")
    state = torch.load(tmp_path / "arrays.pth", weights_only=False)
    found = ta.compare(model, state if where == "memory" else tmp_path / "arrays.pth").loading
    assert not found.passes
    run_code(found, state, model)
    assert torch.equal(model.head.weight, trained.head.weight)
    assert torch.equal(model.head.bias, torch.ones(3))


@pytest.mark.parametrize("prefix", ["", "net."])
def test_arrays_alone_in_memory_are_made_tensors_by_the_code(prefix):
    """As those of a file are."""
    trained, model = Net(), Net()
    state = {f"{prefix}{key}": tensor.numpy() for key, tensor in trained.state_dict().items()}
    found = ta.compare(model, state).loading
    assert not found.passes
    run_code(found, state, model)
    assert torch.equal(model.head.weight, trained.head.weight)


@pytest.mark.parametrize("where", ["file", "memory"])
@pytest.mark.parametrize("around", [list, tuple, UserDict])
def test_weights_in_lists_and_mappings_are_joined_by_the_code(around, where, tmp_path):
    """Whatever the names lead through; none of them fits before."""
    if around is UserDict and where == "file":
        pytest.skip("an object of a class of Python's library, which weights_only does not load")
    other, model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    parts = [layer.state_dict() for layer in other]
    state = {"m": UserDict({str(at): part for at, part in enumerate(parts)}) if around is UserDict else around(parts)}
    torch.save(state, tmp_path / "parts.pth")
    found = ta.compare(model, state if where == "memory" else tmp_path / "parts.pth").loading
    assert not found.fitting
    assert len(found.missing) == 4
    run_code(found, state, model)
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), other.parameters(), strict=True))


def test_many_keys_of_another_shape_are_left_out_by_a_condition():
    """The code stays short, and loads the others."""
    model = nn.ModuleDict({f"l{at}": nn.Linear(3, 3) for at in range(20)})
    state = {f"net.{key}": torch.ones(9) if "bias" in key else torch.ones(3, 3) for key in model.state_dict()}
    found = ta.compare(model, state).loading
    assert len(found.rest.unfit) == 20
    assert len(found.text) < 600
    run_code(found, state, model)
    assert all(bool((tensor == 1).all()) == ("weight" in key) for key, tensor in model.state_dict().items())


def test_an_extra_state_beside_many_keys_of_another_shape_is_loaded_by_the_code():
    """It has no shape."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(10))

        def get_extra_state(self):
            return {"steps": 1}

        def set_extra_state(self, state):
            self.steps = state["steps"]

    model = Net()
    state = {f"net.{key}": held for key, held in model.state_dict().items()}
    state |= {key: torch.ones(9) for key in state if key.endswith("bias")} | {"net._extra_state": {"steps": 7}}
    found = ta.compare(model, state).loading
    assert len(found.rest.unfit) == 10
    run_code(found, state, model)
    assert model.steps == 7


def test_dictionaries_that_need_no_other_names_are_joined_by_the_code():
    """Joining alone mends everything."""
    model, other = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    parts = {str(at): layer.state_dict() for at, layer in enumerate(other)}
    comparison = ta.compare(model, parts)
    assert not comparison.loading.passes
    assert "code that joins the dictionaries, for the weights as `state`:" in comparison.text()
    run_code(comparison.loading, parts, model)
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), other.parameters(), strict=True))


def test_dictionaries_in_a_dictionary_are_joined_by_the_code():
    """Torch would list two unexpected keys; the code makes one dictionary of them."""
    parts = {"first": nn.Linear(3, 2).state_dict(), "second": nn.Linear(2, 4).state_dict()}
    model = nn.ModuleDict({"one": nn.Linear(3, 2), "two": nn.Linear(2, 4)})
    found = ta.compare(model, parts).loading
    assert found.unexpected == ("first", "second")
    run_code(found, parts, model)
    assert torch.equal(model["two"].weight, parts["second"]["weight"])


def test_the_code_of_an_inference_loads_too():
    """Only records are in hand: names and shapes are all there is, and that is said."""
    model = Net()
    graph = ta.capture(model).graph
    state = {**renamed(model.state_dict()), "net.extra": torch.zeros(3)}
    comparison = ta.compare(graph, state)
    assert comparison.loading.taken is None
    assert "as far as names and shapes tell" in comparison.verdict
    assert "only a record" in comparison.text()
    _, printed = run_code(comparison.loading, state, model)
    assert printed[0].unexpected_keys == ["extra"]


def test_where_in_the_file_the_weights_stand_is_said(tmp_path):
    """The verdict is on the part that was chosen, and the part loads."""
    model = Net()
    torch.save({"epoch": 3, "state_dict": model.state_dict()}, tmp_path / "last.ckpt")
    verdict = ta.compare(model, tmp_path / "last.ckpt").verdict
    assert verdict == "load_state_dict(strict=True) takes the weights under ['state_dict']: 17 keys fit"
    model.load_state_dict(torch.load(tmp_path / "last.ckpt")["state_dict"])


def test_an_atlas_asks_the_model_while_it_lives(tmp_path):
    """Afterwards only its record is in hand."""
    model = Tally()
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    atlas, weights = ta.capture(model), ta.open(tmp_path / "weights.pth")
    assert ta.compare(atlas, weights).loading.taken
    assert ta.compare(weights, atlas).loading.taken
    assert ta.compare(atlas, weights.graph).loading.unasked == "only a record of the weights is at hand"
    del model
    gc.collect()
    assert ta.compare(atlas, weights).loading.unasked == "only a record of the model is at hand"
    (tmp_path / "weights.pth").unlink()
    assert ta.compare(Tally(), weights).loading.taken is None


def test_keys_of_a_lazy_layer_fit_whatever_their_shape(tmp_path):
    """Also where others do not: the layer takes the shapes of the file."""
    net = nn.Sequential(nn.Linear(4, 3), nn.LazyLinear(2))
    state = {
        "0.weight": torch.ones(5, 4),
        "0.bias": torch.ones(3),
        "1.weight": torch.ones(2, 3),
        "1.bias": torch.ones(2),
    }
    torch.save(state, tmp_path / "w.pth")
    for weights in (state, ta.open(tmp_path / "w.pth")):
        found = ta.compare(net, weights).loading
        assert set(found.fitting) == {"0.bias", "1.weight", "1.bias"}
        assert found.unfit == (("0.weight", (3, 4), (5, 4)),)


def test_a_function_is_not_asked():
    """It has no load_state_dict, and that is said."""
    layer = nn.Linear(3, 2)
    comparison = ta.compare(lambda x: 2 * layer(x), layer.state_dict())
    assert comparison.loading.unasked == "a function was given, which has no load_state_dict"


def test_a_model_of_a_billion_parameters_takes_no_memory(monkeypatch):
    """Neither the copy nor the weights have any: tensors stand in, and nothing is copied."""
    monkeypatch.setattr(load_state, "_OnCopies", lambda: pytest.fail("copied"))
    with torch.device("meta"):
        model = nn.Sequential(*(nn.Linear(16_384, 16_384, bias=False) for _ in range(4)))
        state = {key: torch.empty(1).expand(tensor.shape) for key, tensor in model.state_dict().items()}
    real = {key: torch.empty(1).expand(tensor.shape) for key, tensor in state.items()}
    assert ta.compare(model, real).loading.taken
    assert ta.compare(model, state).loading.taken


def test_a_program_in_an_extra_state_is_not_given_to_the_model(tmp_path):
    """What the model would unpickle stays in the file; the verdict says so."""

    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("it was run",))

    class Opened(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def get_extra_state(self):
            return torch.frombuffer(bytearray(pickle.dumps(Bomb())), dtype=torch.uint8)

        def set_extra_state(self, state):
            pickle.loads(state.numpy().tobytes())  # noqa: S301 - as libraries do

    torch.save(Opened().state_dict(), tmp_path / "weights.pth")
    found = ta.compare(Opened(), tmp_path / "weights.pth").loading
    assert found.taken is None
    assert "_extra_state, whose content is not read from the file" in found.unasked


def test_weights_that_are_swapped_in_are_judged_too():
    """With torch.__future__.set_swap_module_params_on_conversion, a tensor takes the place of another."""
    sparse = {"weight": torch.zeros(2, 3).to_sparse(), "bias": torch.zeros(2)}
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        assert ta.compare(nn.Linear(3, 2), nn.Linear(3, 2).state_dict()).loading.taken
        agree(ta.compare(nn.Linear(3, 2), sparse).loading, outcome(nn.Linear(3, 2), sparse))
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


def test_asking_does_not_import_the_compiler():
    """It would take longer than all the rest."""
    code = (
        "import sys, torch, torchatlas as ta\nfrom torch import nn\n"
        "assert ta.compare(nn.Linear(3, 2), nn.Linear(3, 2).state_dict()).loading.taken\n"
        "assert 'torch._dynamo' not in sys.modules and 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_hooks_print_is_not_in_the_table(tmp_path, monkeypatch):
    """It goes to standard error."""
    code = (
        "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(3, 2)\n"
        "    def _load_from_state_dict(self, *args):\n        print('loading!')\n"
        "        super()._load_from_state_dict(*args)\n"
    )
    (tmp_path / "net.py").write_text(code)
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "weights.pth")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["compare", "net.py:Net", "weights.pth"])
    assert result.exit_code == 0
    assert "loading!" not in result.stdout
    assert "loading!" in result.stderr
