"""Which dictionary of a checkpoint is the network's: layouts as people save them, and the keys that choose another."""

from __future__ import annotations

import copy
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import torchatlas as ta
from readers.weights.forged import saved
from torchatlas.cli import app
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Text

if TYPE_CHECKING:
    from pathlib import Path

State = dict[str, Any]


def net(seed: int = 0, depth: int = 3) -> nn.Module:
    """A network of some layers."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), *(nn.Linear(4, 4) for _ in range(depth)))


def state(seed: int = 0, depth: int = 3) -> State:
    """Its state dict."""
    return net(seed, depth).state_dict()


def optimizer(kind: Any = torch.optim.Adam) -> State:
    """The state of an optimizer after a step."""
    model = net()
    made = kind(model.parameters(), lr=0.1)
    sum(parameter.sum() for parameter in model.parameters()).backward()
    made.step()
    return made.state_dict()


def moments() -> State:
    """What Adam keeps of each parameter, under its name."""
    return {name: torch.zeros_like(tensor) for name, tensor in state().items() if tensor.is_floating_point()}


def undotted(seed: int = 0) -> State:
    """A network whose layers stand in dictionaries of their own."""
    linear = nn.Linear(3, 4 + seed)
    return {"encoder": {"proj": dict(linear.state_dict())}, "head": dict(linear.state_dict())}


ONE = state()
NAMES = set(ONE)
LAYOUTS: dict[str, tuple[Any, str | None, set[str]]] = {
    # what was saved, the key that leads to what is shown, the names
    "plain": (ONE, None, NAMES),
    "epoch": ({"epoch": 3, "state_dict": ONE, "best_acc1": torch.tensor(0.7)}, "state_dict", NAMES),
    "net": ({"epoch": 3, "net": ONE, "acc": 91.2}, "net", NAMES),
    "timm": ({"arch": "resnet", "state_dict": ONE, "state_dict_ema": state(1), "optimizer": optimizer(),
             "metric": 80.0},
             "state_dict", NAMES),
    "deit": ({"model": ONE, "model_ema": state(1), "optimizer": optimizer(), "scaler": {"scale": 65536.0}},
             "model", NAMES),
    "mae": ({"model": ONE, "optimizer": optimizer(), "epoch": 1, "scaler": {"_growth_tracker": 1}}, "model", NAMES),
    "lightning": ({"state_dict": ONE, "optimizer_states": [optimizer()], "lr_schedulers": [{"last_epoch": 1}],
                   "hyper_parameters": {"lr": 0.1}, "callbacks": {"EMA": {"weights": state(2)}}, "loops": {}},
                  "state_dict", NAMES),
    "fairseq": ({"args": None, "model": ONE, "optimizer_history": [{"num_updates": 1}], "extra_state": {"epoch": 1},
                 "last_optimizer_state": optimizer()}, "model", NAMES),
    "mmdet": ({"meta": {"epoch": 12, "CLASSES": ("a", "b")}, "state_dict": ONE, "optimizer": optimizer()},
             "state_dict", NAMES),
    "nested": ({"state": {"model": ONE, "optimizer": optimizer()}, "step": 1}, "state.model", NAMES),
    "whisper": ({"dims": {"n_mels": 80}, "model_state_dict": ONE}, "model_state_dict", NAMES),
    "basicsr": ({"params": ONE, "params_ema": state(1)}, "params", NAMES),
    "ema alone": ({"params_ema": ONE}, "params_ema", NAMES),
    "stylegan": ({"g_ema": ONE, "latent_avg": torch.zeros(512)}, "g_ema", NAMES),
    "loose and many": ({"g_ema": ONE, "w.avg": torch.zeros(4, 512), "w.std": torch.zeros(9)}, "g_ema", NAMES),
    "called params but small": ({"params": {"lr": torch.tensor(0.1)}, "generator": ONE}, "generator", NAMES),
    "student": ({"student": ONE, "teacher": state(1), "dino_loss": {"center": torch.zeros(1, 9)}}, "student", NAMES),
    "teacher alone": ({"teacher": ONE, "loss": {"center": torch.zeros(1, 9)}}, "teacher", NAMES),
    "torch_ema": ({"model": ONE, "ema": {"decay": 0.9, "shadow_params": list(moments().values())}}, "model", NAMES),
    "swa": ({"swa_state_dict": state(1), "network": ONE, "n_averaged": torch.tensor(3)}, "network", NAMES),
    "accelerate moments": ({"params": ONE, "exp_avg": moments(), "exp_avg_sq": moments()}, "params", NAMES),
    "optimizer by form": ({"backbone": ONE, "trainer": optimizer()}, "backbone", NAMES),
    "sgd by form": ({"backbone": ONE, "o": optimizer(lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9))},
             "backbone", NAMES),
    "optimG": ({"generator": ONE, "optimG": {"m": moments()}, "optD": {"m": moments()}}, "generator", NAMES),
    "sampler": ({"sampler": ONE, "epoch": 1}, "sampler", NAMES),
    "upsampler amplifier": ({"amplifier": ONE, "lr_sched": {"base": torch.tensor([0.1])}}, "amplifier", NAMES),
    "a list": ([ONE, optimizer()], "0", NAMES),
    "a tuple": ((ONE, 5), "0", NAMES),
    "rvc": ({"weight": ONE, "config": [1, 2], "f0": 1, "info": "100epoch"}, "weight", NAMES),
    "deep": ({"a": {"b": {"checkpoint": {"model": ONE}}}}, "a.b.checkpoint.model", NAMES),
    "best and last": ({"model": ONE, "model_best_ema": state(1)}, "model", NAMES),
    "moments among the names": ({**ONE, **{f"{name}.exp_avg": t for name, t in moments().items()},
                                 **{f"{name}.step": torch.tensor(1.0) for name in moments()}}, None, NAMES),
    "gan": ({"G": ONE, "D": state(1, 1), "g_optim": optimizer(), "d_optim": optimizer(), "G_ema": state(2)}, None,
            {f"G.{name}" for name in NAMES} | {f"D.{name}" for name in state(1, 1)}),
    "cyclegan": ({"netG_A": ONE, "netG_B": state(1)}, None, {f"netG_{x}.{name}" for x in "AB" for name in NAMES}),
    "gan below a key": ({"models": {"G": ONE, "D": state(1, 1)}, "epoch": 2}, None,
                        {f"G.{name}" for name in NAMES} | {f"D.{name}" for name in state(1, 1)}),
    "actor critic": ({"actor": ONE, "critic": state(1), "actor_target": state(2), "critic_target": state(3),
                      "actor_optimizer": optimizer()}, None, {f"{x}.{name}" for x in ("actor",
                               "critic") for name in NAMES}),
    "tree": (undotted(), None, {"encoder.proj.weight", "encoder.proj.bias", "head.weight", "head.bias"}),
    "tree under params": ({"params": undotted(), "opt_state": {"mu": undotted()}}, "params",
                          {"encoder.proj.weight", "encoder.proj.bias", "head.weight", "head.bias"}),
    "a layer": ({"weight": torch.ones(2, 3), "bias": torch.ones(2)}, None, {"weight", "bias"}),
    "a tensor": (torch.ones(2, 3), None, {"tensor"}),
    "a concept": ({"<cat>": torch.ones(768)}, None, {"<cat>"}),
    "replay": ({"policy_net": ONE, "target_net": state(1), "memory": {f"o{n}": torch.ones(2) for n in range(99)}},
               "policy_net", NAMES),
    "model and much else": ({"model": ONE, "memory": [torch.ones(2) for _ in range(99)]}, "model", NAMES),
    "a tree with a table": ({"model": {"encoder": ONE, "rope": {"inv_freq": torch.ones(4)}}}, "model",
                            {f"encoder.{name}" for name in NAMES} | {"rope.inv_freq"}),
    "ema inside": ({"model": {"state_dict": ONE, "ema_state_dict": state(1)}, "epoch": 1}, "model.state_dict", NAMES),
    "loose inside": ({"state": {"g_ema": ONE, "latent_avg": torch.zeros(512)}}, "state.g_ema", NAMES),
    "best and last alone": ({"best": ONE, "last": state(1), "best_acc": torch.tensor(0.9)}, "best", NAMES),
    "last and best": ({"weights_last": state(1), "weights_best": ONE, "net": state(2)}, "net", NAMES),
    "last layer": ({"backbone": ONE, "last_layer": nn.Linear(2, 3).state_dict()}, None,
                   {f"backbone.{name}" for name in NAMES} | {"last_layer.weight", "last_layer.bias"}),
    "encoder and projector": ({"projector": nn.Linear(2, 3).state_dict(), "ema": ONE}, None,
                              {f"ema.{name}" for name in NAMES} | {"projector.weight", "projector.bias"}),
    "slashes": ({"optimizer": optimizer(), "target": {"conv/kernel": torch.ones(3, 3), "conv/bias": torch.ones(3)}},
                "target", {"conv/kernel", "conv/bias"}),
    "target of a loss": ({"loss_fn": ONE}, "loss_fn", NAMES),
}  # fmt: skip


def opened(path: Path, key: str | None = None) -> tuple[set[str], str, str]:
    """Names, where they stand, and the notes."""
    graph = ta.open(path, key=key).graph
    names = {name for value in graph.values for name in value.names}
    return names, graph.provenance.state_dict or "", "\n".join(note.text for note in graph.notes)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_network_is_chosen_as_a_person_would(name, tmp_path):
    """Of every layout the expected dictionary, with the keys that lead to it; and asked for by these, the same."""
    thing, key, expected = LAYOUTS[name]
    path = saved(tmp_path / "a.ckpt", thing)
    names, where, notes = opened(path)
    assert names == expected
    if key is not None:
        keys = [int(each) if each.isdecimal() else each for each in key.split(".")]
        assert where == "".join(f"[{each!r}]" for each in keys)
        assert opened(path, key)[:2] == (names, where)
        assert f"The weights are under {where}" in notes


@pytest.mark.parametrize("name", ["deit", "stylegan", "moments among the names", "gan"])
def test_what_is_left_out_is_said_with_how_to_open_it(name, tmp_path):
    """Copies, loose tensors and optimizers: how many, what they are, and the key where there is one."""
    notes = opened(saved(tmp_path / "a.ckpt", LAYOUTS[name][0]))[2]
    said = {
        "deit": "13 more tensors under 'model_ema' (760 bytes; another copy of the same names) are not shown;"
        " key='model_ema' opens them.",
        "stylegan": "1 more tensor beside them (latent_avg) (2,048 bytes; other names) is not shown.",
        "moments among the names": "24 more tensors beside them",
        "gan": "under 'g_optim'",
    }[name]
    assert said in notes


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, None), (2, "'part0', 'part1'."), (5, "'part3', 'part4'."), (6, "'part3', 'part4', …."), (7, "'part4', ….")],
)
def test_dictionaries_that_are_shown_as_one_are_named(count, said, tmp_path):
    """Up to five of them; one alone is not said to be several."""
    notes = opened(saved(tmp_path / "a.pth", {f"part{number}": state(number, number) for number in range(count)}))[2]
    assert ("shown as one" in notes) == (said is not None)
    assert said is None or f"{count} dictionaries are shown as one" in notes
    assert said is None or said in notes


@pytest.mark.parametrize(("count", "more"), [(1, 0), (5, 0), (6, 1), (8, 3)])
def test_classes_that_were_not_built_are_named(count, more, tmp_path):
    """Up to five of them, and how many more there are."""
    classes = (
        Fraction(1, 2),
        Decimal(1),
        PurePosixPath("a"),
        UUID(int=1),
        timedelta(1),
        date(1, 1, 1),
        time(1),
        range(2),
    )
    notes = opened(saved(tmp_path / "a.pth", {"state_dict": ONE, "others": list(classes[:count])}))[2]
    (note,) = [line for line in notes.splitlines() if line.startswith("Not restored")]
    assert note.startswith(f"Not restored, because only weights are read: {count} objects of fractions.Fraction")
    assert note.endswith(f" and {more} more." if more else ".")
    assert ("more" in note) == bool(more)
    assert note.count(",") == min(count, 5)


def test_what_load_state_dict_takes_as_it_stands_is_handed_over_so(tmp_path):
    """Also with what a module's get_extra_state gave among the tensors; dictionaries in each other are joined first."""
    extra = saved(tmp_path / "a.pth", {**ONE, "0._extra_state": "calibrated"})
    assert "model.load_state_dict(torch.load(" in ta.skeleton(extra)
    assert "model.load_state_dict(flat(" in ta.skeleton(saved(tmp_path / "b.pth", undotted()))


def test_what_stands_beside_tensors_is_said_of_its_module(tmp_path):
    """In words: text as it is, an object by its kind."""
    graph = ta.open(saved(tmp_path / "a.pth", {**ONE, "0._extra_state": "calibrated", "1._extra_state": [1]})).graph
    said = {module.path: dict(module.settings).get("not tensors") for module in graph.modules}
    assert [said[path].items for path in ("0", "1")] == [(Text("calibrated"),), (Text("a list"),)]


def test_a_key_opens_what_it_leads_to(tmp_path):
    """An average, an optimizer, a dictionary in a list, and one that holds the weights further inside."""
    thing = {"model": ONE, "ema": {"decay": 0.9, "module": state(1, 1)}, "optimizer": optimizer(), "all": [state(2, 2)]}
    path = saved(tmp_path / "a.ckpt", thing)
    assert opened(path, "ema")[:2] == (set(state(1, 1)), "['ema']['module']")
    assert opened(path, "ema.module")[:2] == (set(state(1, 1)), "['ema']['module']")
    assert opened(path, "all.0")[:2] == (set(state(2, 2)), "['all'][0]")
    assert len(opened(path, "optimizer")[0]) == 30


def test_a_key_opens_what_another_key_leads_to_as_well(tmp_path):
    """One dictionary under two keys stands once in the file, and either key opens it."""
    state = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).state_dict()
    torch.save({"model": state, "nested": {"model_ema": state}, "epoch": 3}, tmp_path / "both.pt")
    first, second = (ta.open(tmp_path / "both.pt", key=key).graph for key in ("model", "nested.model_ema"))
    assert [(value.names, value.shape) for value in first.values] == [
        (value.names, value.shape) for value in second.values
    ]
    assert any("nested" in note.text for note in second.notes)
    with pytest.raises(InputError, match=r"key='nested\.model' leads to no tensors"):
        ta.open(tmp_path / "both.pt", key="nested.model")


def test_a_second_key_beside_a_pickled_model_opens_too(tmp_path):
    """As without the model."""
    state = nn.Linear(2, 3).state_dict()
    path = saved(tmp_path / "all.pt", {"ema": net(), "best": state, "last": state})
    assert all({v.names[0] for v in ta.open(path, key=key).graph.values} == set(state) for key in ("best", "last"))


def test_a_key_that_is_a_number_stays_one(tmp_path):
    """In the code that loads what it opens."""
    state = nn.Linear(2, 3).state_dict()
    path = saved(tmp_path / "all.pt", {0: state, 1: state})
    for key in ("0", "1"):
        space: dict[str, Any] = {}
        exec(compile(ta.skeleton(path, key=key), "skeleton", "exec"), space)  # noqa: S102 - what it is for
        assert set(space["load"](path).state_dict()) == set(state)


def test_lists_that_are_shared_are_followed_once(tmp_path):
    """Forty in each other, each twice, are 2**40 ways."""
    shared: list[Any] = [1]
    for _ in range(40):
        shared = [shared, shared]
    model = nn.Linear(2, 3)
    path = saved(tmp_path / "all.pt", {**model.state_dict(), "more": shared})
    assert ta.compare(model, path).loading.unexpected == ("more",)
    assert ta.compare(model, torch.load(path)).loading.unexpected == ("more",)


def test_a_key_that_leads_nowhere_lists_those_that_do(tmp_path):
    """With the number of tensors of each; a file of one dictionary has none."""
    path = saved(tmp_path / "a.ckpt", {"state": {"model": ONE, "ema": state(1)}, "optimizer": optimizer()})
    with pytest.raises(InputError, match=r"'state' \(26 tensors\).*'state.model' \(13 tensors\), 'state.ema' \(13"):
        ta.open(path, key="modle")
    with pytest.raises(InputError, match="one dictionary of tensors"):
        ta.open(saved(tmp_path / "b.pth", ONE), key="model")
    for wrong in ("", 3):
        with pytest.raises(InputError, match="wanted the keys"):
            ta.open(path, key=wrong)


def test_statistics_and_skeletons_are_of_the_key(tmp_path):
    """The numbers and the code of the dictionary that was asked for."""
    average = copy.deepcopy(ONE)
    for name in ("4.weight", "4.bias"):
        average[name].fill_(0.25)
    path = saved(tmp_path / "a.ckpt", {"model": ONE, "model_ema": average, "small": {"fc.weight": torch.ones(1, 2)}})
    graph = ta.open(path, key="model_ema", statistics=True).graph
    assert dict(graph.overlays[3].paths)["4"] == 0.25
    assert "fc" in ta.skeleton(path, key="small")
    assert "fc" not in ta.skeleton(path)


def test_every_command_takes_a_key(tmp_path):
    """Summary, draw, show, save, skeleton and compare; a model has no keys."""
    small = nn.Sequential(nn.Linear(7, 9)).state_dict()
    path = str(saved(tmp_path / "a.ckpt", {"model": ONE, "small": small, "other": state(0, 1)}))
    run = CliRunner().invoke
    assert "7, 9" in run(app, ["summary", path, "--key", "small"]).stdout
    assert "7, 9" in run(app, ["skeleton", path, "--key", "small"]).stdout
    for command, name in (("draw", "a.svg"), ("show", "a.html"), ("save", "a.atlas")):
        assert run(app, [command, path, "--key", "small", "-o", str(tmp_path / name)]).exit_code == 0
    assert "7, 9" in run(app, ["summary", str(tmp_path / "a.atlas")]).stdout
    assert run(app, ["compare", path, path]).exit_code == 0
    assert run(app, ["compare", path, path, "--key", "other"]).exit_code == 0
    assert run(app, ["compare", path, path, "--key", "model", "--key", "other"]).exit_code == 1
    for wrong, said in (
        (["summary", path, "--key", "absent"], "leads to no tensors"),
        (["summary", "torch.nn:Linear", "--key", "a"], "no file"),
        (["summary", str(tmp_path / "a.atlas"), "--key", "a"], "holds a graph"),
        (["compare", path, "torch.nn:Linear", "--key", "a", "--key", "b"], "2 --key for 1 files"),
    ):
        refused = run(app, wrong)
        assert (refused.exit_code, said in refused.stderr) == (2, True)
