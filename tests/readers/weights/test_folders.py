"""Folders: shards without an index, slices, single layers, pipelines, snapshots; which files make one model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

import torchatlas as ta
from readers.weights.forged import saved, state
from torchatlas.api.target import is_file
from torchatlas.cli import app
from torchatlas.core.check import check
from torchatlas.core.errors import FileError, InputError
from torchatlas.readers.weights import folder

if TYPE_CHECKING:
    from pathlib import Path


def shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    """Shapes by name."""
    return {name: value.shape for value in graph.values for name in value.names}


def notes(graph: Any) -> str:
    """All notes in one."""
    return "\n".join(note.text for note in graph.notes)


def expected(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """Shapes of tensors."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def opened(path: Path, **options: Any) -> Any:
    """The graph, which is well formed."""
    graph = ta.open(path, **options).graph
    check(graph)
    return graph


SHARDS = (
    "pytorch_model-{:05}-of-00004.bin",
    "model-{:05}-of-00004.safetensors",
    "model_{:05}_of_00004.pt",
    "m{}-of-4.pth",
)


@pytest.mark.parametrize("pattern", SHARDS)
def test_shards_without_an_index_are_one_model(pattern, tmp_path):
    """By the numbers in their names; statistics too. What is missing is said by its number."""
    tensors = {name: tensor.clone() for name, tensor in state().items()}
    for number, (name, tensor) in enumerate(tensors.items(), start=1):
        path = tmp_path / pattern.format(number)
        if path.suffix == ".safetensors":
            save_file({name: tensor}, path)
        else:
            saved(path, {name: tensor})
    (tmp_path / "README.md").write_text("a model")
    saved(tmp_path / "optimizer.pt", {"state": {}, "param_groups": []})
    assert shapes(opened(tmp_path)) == expected(tensors)
    graph = opened(tmp_path, statistics=True)
    linear = torch.cat([tensor.flatten() for name, tensor in tensors.items() if name.startswith("2")])
    assert dict(graph.overlays[0].paths)["2"] == pytest.approx(linear.mean().item())
    (tmp_path / pattern.format(3)).unlink()
    (tmp_path / pattern.format(4)).unlink()
    assert "2 of 4 files are missing (number 3, 4)" in notes(opened(tmp_path))
    one = tmp_path / pattern.format(1)
    assert "one of 4 files of a model" in notes(opened(one))


def test_safetensors_come_before_pickles(tmp_path):
    """A snapshot of a hub holds the same weights twice; shown is the one that holds no program, and said the other."""
    (tmp_path / "config.json").write_text("{}")
    save_file({name: tensor.clone() for name, tensor in state().items()}, tmp_path / "model.safetensors")
    save_file({"half": torch.ones(2)}, tmp_path / "model.fp16.safetensors")
    saved(tmp_path / "pytorch_model.bin", state())
    for name in ("training_args.bin", "optimizer.pt", "rng_state.pth", "scheduler.pt"):
        saved(tmp_path / name, {"state": {}})
    (tmp_path / "global_step5").mkdir()
    saved(tmp_path / "global_step5" / "mp_rank_00_model_states.pt", {"module": {"w": torch.ones(1)}})
    graph = opened(tmp_path)
    assert shapes(graph) == expected(state())
    assert "other files beside it were not read: model.fp16.safetensors, pytorch_model.bin" in notes(graph)


def test_slices_of_tensor_parallelism_are_said(tmp_path):
    """The same names in each file: shapes are of one of them, and a note says so."""
    for rank in range(2):
        tensors = {"tok.weight": torch.ones(8, 4), "wq.weight": torch.ones(2, 4), "norm.weight": torch.ones(4)}
        saved(tmp_path / f"consolidated.{rank:02}.pth", tensors)
    graph = opened(tmp_path)
    assert shapes(graph) == {"tok.weight": (8, 4), "wq.weight": (2, 4), "norm.weight": (4,)}
    assert "The 2 shards of tensor parallelism" in notes(graph)
    assert "consolidated.00.pth, with 44 of 88 elements" in notes(graph)


def test_one_consolidated_file_is_a_model(tmp_path):
    """There is nothing to say of it."""
    saved(tmp_path / "consolidated.00.pth", state())
    assert shapes(opened(tmp_path)) == expected(state())
    assert "parallel" not in notes(opened(tmp_path))


def test_files_of_single_layers_are_one_model(tmp_path):
    """The file's name stands before those of its tensors, in the order of the numbers."""
    for layer in (0, 2, 10):
        saved(tmp_path / f"layer_{layer}.pt", nn.Linear(2, layer + 1).state_dict())
    graph = opened(tmp_path)
    assert list(shapes(graph)) == [f"layer_{n}.{name}" for n in (0, 2, 10) for name in ("weight", "bias")]
    assert "3 files of one layer each" in notes(graph)


def test_numbered_copies_are_not_put_together(tmp_path):
    """A file for each epoch is a whole model each: which is meant must be said."""
    for epoch in range(3):
        saved(tmp_path / f"epoch_{epoch}.pth", state())
    with pytest.raises(FileError, match=r"several files of weights .*key='epoch_0\.pth'"):
        ta.open(tmp_path)
    assert shapes(opened(tmp_path, key="epoch_1.pth", statistics=True)) == expected(state())


def pipeline(folder: Path) -> Path:
    """A pipeline as diffusers saves it: weights in two formats, in shards, and parts without any."""
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.30.0",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "safety_checker": [None, None],
        "requires_safety_checker": True,
    }
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps(index))
    for name in ("unet", "vae", "text_encoder", "tokenizer"):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text("{}")
    tensors = {name: tensor.clone() for name, tensor in state().items()}
    one, *others = tensors
    save_file({one: tensors[one]}, folder / "unet" / "diffusion_pytorch_model-00001-of-00002.safetensors")
    rest = {name: tensors[name] for name in others}
    save_file(rest, folder / "unet" / "diffusion_pytorch_model-00002-of-00002.safetensors")
    where = {one: "diffusion_pytorch_model-00001-of-00002.safetensors"}
    where |= dict.fromkeys(others, "diffusion_pytorch_model-00002-of-00002.safetensors")
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    saved(folder / "vae" / "diffusion_pytorch_model.bin", nn.Linear(2, 3).state_dict())
    save_file({"half.weight": torch.ones(2, 2).half()}, folder / "text_encoder" / "model.fp16.safetensors")
    return folder


def test_a_pipeline_is_one_model_with_a_scope_for_each_part(tmp_path):
    """Its parts and their classes are said, those without weights too; a key opens one part alone."""
    folder = pipeline(tmp_path / "sd")
    graph = opened(folder)
    vae = {f"vae.{name}": shape for name, shape in expected(nn.Linear(2, 3).state_dict()).items()}
    unet = {f"unet.{name}": shape for name, shape in expected(state()).items()}
    assert shapes(graph) == {**unet, **vae, "text_encoder.half.weight": (2, 2)}
    said = notes(graph)
    assert "(StableDiffusionPipeline)" in said
    assert "unet (UNet2DConditionModel), vae (AutoencoderKL), text_encoder (CLIPTextModel)" in said
    assert "These have no weights: tokenizer (CLIPTokenizer)" in said
    assert shapes(opened(folder, key="vae")) == expected(nn.Linear(2, 3).state_dict())
    with pytest.raises(InputError, match="has weights in unet, vae, text_encoder"):
        ta.open(folder, key="tokenizer")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"unet": 3}', '{"../../etc": ["a", "b"]}', "[" * 10**5])
def test_an_index_of_a_pipeline_that_is_none_is_refused(text, tmp_path):
    """Damaged, of another kind, or leading elsewhere."""
    (tmp_path / "model_index.json").write_text(text)
    saved(tmp_path / "a.pth", state())
    with pytest.raises(FileError, match=r"index of a pipeline was wanted|pipeline without weights"):
        ta.open(tmp_path)


def test_the_only_folder_with_weights_is_opened(tmp_path):
    """Its name is said; folders of an optimizer are none, and of several one must be named."""
    for name in ("weights/final", "optimizer_0", "logs"):
        (tmp_path / name).mkdir(parents=True)
    saved(tmp_path / "weights" / "final" / "net.pth", state())
    saved(tmp_path / "optimizer_0" / "a.pt", {"state": {}})
    graph = opened(tmp_path)
    assert shapes(graph) == expected(state())
    assert "those of the folder weights" in notes(graph)
    assert graph.provenance.weights_file == "weights/final/net.pth"
    (tmp_path / "other").mkdir()
    saved(tmp_path / "other" / "net.pth", state())
    with pytest.raises(FileError, match=r"several folders \(other, weights\)"):
        ta.open(tmp_path)


def test_folders_of_processes_are_slices(tmp_path):
    """As Megatron keeps them."""
    for rank in range(2):
        folder = tmp_path / f"mp_rank_{rank:02}"
        folder.mkdir()
        saved(folder / "model_optim_rng.pt", {"model": {"language_model": {"embedding": {"w": torch.ones(2, 3)}}}})
    graph = opened(tmp_path)
    assert shapes(graph) == {"language_model.embedding.w": (2, 3)}
    assert "The 2 folders, one for each process" in notes(graph)


def test_a_link_to_a_file_is_followed(tmp_path):
    """As the cache of a hub has them."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    saved(tmp_path / "blobs" / "123abc", state())
    (tmp_path / "snapshot" / "pytorch_model.bin").symlink_to("../blobs/123abc")
    assert shapes(opened(tmp_path / "snapshot")) == expected(state())


def test_a_folder_is_one_of_weights_on_the_command_line(tmp_path, monkeypatch):
    """Also where its name could be that of a Python module; a package stays one."""
    monkeypatch.chdir(tmp_path)
    for name in ("checkpoint", "package", "empty"):
        (tmp_path / name).mkdir()
    saved(tmp_path / "checkpoint" / "pytorch_model.bin", state())
    (tmp_path / "checkpoint" / "modeling_net.py").write_text("raise SystemExit(9)")
    (tmp_path / "package" / "__init__.py").write_text("")
    saved(tmp_path / "package" / "weights.pth", state())
    run = CliRunner().invoke
    shown = run(app, ["summary", "checkpoint"])
    assert (shown.exit_code, "Conv2d" in shown.stdout) == (0, True)
    assert not is_file("package")
    refused = run(app, ["summary", "empty"])
    assert (refused.exit_code, "empty is a folder" in refused.stderr) == (2, True)


def test_a_model_beside_very_many_files_is_opened(tmp_path, monkeypatch):
    """A folder of data in it is not listed to its end."""
    monkeypatch.setattr(folder, "MOST", 10)
    for name in ("data", "more"):
        (tmp_path / name).mkdir()
        for number in range(20):
            (tmp_path / name / f"{number}.jpg").write_bytes(b"")
    saved(tmp_path / "net.pth", state())
    assert shapes(opened(tmp_path)) == expected(state())
    assert len(folder.Folder.of(tmp_path).files) == 21
