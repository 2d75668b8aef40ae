"""Checkpoints of DeepSpeed: shapes where ZeRO left empty tensors, and the files of a folder as one model."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

import torchatlas as ta
from readers.weights.forged import saved
from torchatlas.core.check import check
from torchatlas.core.errors import FileError


class Net(nn.Module):
    """A head that is tied, a norm with buffers, a layer that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.norm = nn.BatchNorm1d(4)
        self.fixed = nn.Linear(4, 4).requires_grad_(requires_grad=False)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embed.weight


def states(net: nn.Module, stage: int) -> dict[str, Any]:
    """What DeepSpeed saves of a process: at stage 3, no numbers of parameters."""
    module = net.half().state_dict()
    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
    frozen = {name: p for name, p in net.named_parameters() if not p.requires_grad}
    if stage == 3:
        names = {*trained, *frozen, "head.weight"}
        for name in names:
            module[name] = torch.empty(0, dtype=torch.float16)
    groups = [OrderedDict((name, p.shape) for name, p in list(trained.items())[at::2]) for at in range(2)]
    return {
        "module": module,
        "buffer_names": ["norm.running_mean"],
        "optimizer": None,
        "param_shapes": groups,
        "frozen_param_shapes": OrderedDict((name, p.shape) for name, p in frozen.items()),
        "shared_params": {"head.weight": "embed.weight"},
        "lr_scheduler": None,
        "skipped_steps": 0,
        "ds_config": {"train_batch_size": 4},
        "ds_version": "0.16.0",
    }


def optimizer_states() -> dict[str, Any]:
    """One process's piece of all parameters together."""
    return {"optimizer_state_dict": {"zero_stage": 3, "partition_count": 2, "fp32_flat_groups": [torch.ones(64)]}}


def shapes(graph: Any) -> dict[str, tuple[Any, ...]]:
    """Shape and dtype by name."""
    return {name: (value.shape, f"torch.{value.dtype}") for value in graph.values for name in value.names}


def notes(graph: Any) -> str:
    """All notes in one."""
    return "\n".join(note.text for note in graph.notes)


def expected(net: nn.Module) -> dict[str, tuple[Any, ...]]:
    """The same of the model."""
    return {name: (tuple(t.shape), str(t.dtype)) for name, t in net.half().state_dict().items()}


def test_empty_placeholders_have_the_shapes_beside_them(tmp_path):
    """One file alone; buffers are as saved, tied weights are one, and parameters are counted as the model has them."""
    net = Net()
    graph = ta.open(saved(tmp_path / "zero_pp_rank_0_mp_rank_00_model_states.pt", states(net, 3))).graph
    check(graph)
    assert shapes(graph) == expected(net)
    assert sum(v.nbytes for v in graph.values if v.kind == "parameter") == sum(p.nbytes for p in net.parameters())
    assert any(set(value.names) == {"embed.weight", "head.weight"} for value in graph.values)
    assert "6 tensors are empty in the file" in notes(graph)


def test_a_comparison_with_empty_placeholders_says_on_what_it_stands(tmp_path):
    """The shapes fit the model; torch could not load the file as it is, and was not asked."""
    path = saved(tmp_path / "zero_pp_rank_0_mp_rank_00_model_states.pt", states(Net(), 3))
    found = ta.compare(Net(), path)
    assert (found.loading.taken, found.loading.missing, found.loading.unfit) == (None, (), ())
    assert "not asked of the model: the tensors are empty in the file" in found.text()
    with pytest.raises(RuntimeError, match="size mismatch"):
        Net().load_state_dict(torch.load(path)["module"])


def test_a_folder_of_steps_opens_the_latest(tmp_path):
    """As ``latest`` says, and without it the one of the highest number; the optimizer's files are counted."""
    net = Net()
    for step, stage in ((90, 2), (100, 3)):
        folder = tmp_path / f"global_step{step}"
        folder.mkdir()
        saved(folder / "mp_rank_00_model_states.pt", states(net, stage))
        for rank in range(2):
            saved(folder / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt", optimizer_states())
    for latest, stage in ((None, 3), ("global_step90", 2), ("../elsewhere", 3)):
        if latest:
            (tmp_path / "latest").write_text(latest)
        graph = ta.open(tmp_path).graph
        assert shapes(graph) == expected(net)
        assert ("empty in the file" in notes(graph)) == (stage == 3)
        assert "Shown is the step global_step" in notes(graph)
        assert "2 files hold the state of the optimizer" in notes(graph)
    assert shapes(ta.open(tmp_path / "global_step100").graph) == expected(net)


def test_the_states_of_an_optimizer_are_no_model(tmp_path):
    """They have no names; the message says which file has."""
    path = saved(tmp_path / "zero_pp_rank_0_mp_rank_00_optim_states.pt", optimizer_states())
    with pytest.raises(FileError, match=r"state of an optimizer that DeepSpeed divided.*model_states\.pt"):
        ta.open(path)


def test_layers_of_a_pipeline_are_one_model(tmp_path):
    """Each in its own file, by its number; slices of tensor parallelism are said and not added up."""
    for layer in (0, 2, 11):
        for part in range(2):
            path = tmp_path / f"layer_{layer:02}-model_{part:02}-model_states.pt"
            saved(path, nn.Linear(4, 2 + layer).state_dict())
    saved(tmp_path / "mp_rank_00_model_states.pt", {"module": None, "ds_version": "0.16.0"})
    graph = ta.open(tmp_path).graph
    assert {name: shape for name, (shape, _) in shapes(graph).items() if name.endswith("weight")} == {
        "0.weight": (2, 4),
        "2.weight": (4, 4),
        "11.weight": (13, 4),
    }
    assert "The 2 shards of tensor parallelism" in notes(graph)


def test_experts_stand_beside_the_rest(tmp_path):
    """Mixtures of experts keep each expert in a file."""
    net = Net()
    saved(tmp_path / "mp_rank_00_model_states.pt", states(net, 1))
    for expert in range(3):
        weights = {f"moe.experts.deepspeed_experts.{expert}.weight": torch.ones(2, 3)}
        saved(tmp_path / f"layer_0_expert_{expert}_mp_rank_00_model_states.pt", weights)
    assert len(shapes(ta.open(tmp_path).graph)) == len(expected(net)) + 3


def test_shapes_that_are_none_are_damage(tmp_path):
    """A word in the place of a shape."""
    broken = states(Net(), 3)
    broken["param_shapes"] = [{"embed.weight": "wide"}]
    with pytest.raises(FileError, match="is no shape"):
        ta.open(saved(tmp_path / "a.pt", broken))
