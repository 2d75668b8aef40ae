"""The function that a skeleton has for loading: run by itself it loads the file strictly, of whatever kind it is."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.distributed.checkpoint as distributed
from torch import nn

import torchatlas as ta
from readers.weights.forged import attack, pickled
from torchatlas.core.graph import Graph, Module, Provenance, Value
from torchatlas.views.skeleton.loading import is_path
from torchatlas.views.skeleton.skeleton import skeleton

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHECK = """
import os
import runpy
import sys
import torch

for folder in sys.argv[1:]:
    os.chdir(folder)
    bits = {}
    for name, tensor in runpy.run_path("skeleton.py")["load"]().state_dict().items():
        tensor = tensor.dequantize() if tensor.is_quantized else tensor
        bits[name] = tensor.detach().to(torch.float64).reshape(-1)
    torch.save(bits, "loaded.pth")
assert not [name for name in sys.modules if name.partition(".")[0] == "gone"]
"""


def run(*folders: Path) -> None:
    """Load with the skeletons of some folders, in a process of its own that knows nothing of this one."""
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-c", CHECK, *map(str, folders)], env=plain, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def loaded(path: Path, folder: Path) -> dict[str, torch.Tensor]:
    """What the skeleton of a file loads, run in a folder."""
    (folder / "skeleton.py").write_text(ta.skeleton(path))
    run(folder)
    return torch.load(folder / "loaded.pth", weights_only=True)


def network() -> nn.Module:
    """Layers with and without buffers, in one that is tied."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Linear(4, 2), nn.Linear(4, 2))
    model[4].weight = model[3].weight
    return model


def expected(model: nn.Module) -> dict[str, torch.Tensor]:
    """Its weights as they are compared."""
    return {name: tensor.detach().to(torch.float64).reshape(-1) for name, tensor in model.state_dict().items()}


class Detector(nn.Module):
    """A model whose package is not there when its file is read."""

    def __init__(self) -> None:
        super().__init__()
        self.body = network()
        self.register_buffer("anchors", torch.ones(2, 3), persistent=False)
        self.items = [1, 2]
        self.args = argparse.Namespace(lr=0.1)


def zipped(folder: Path, thing: object, **options: Any) -> Path:
    """What torch.save writes."""
    torch.save(thing, folder / "a.pth", **options)
    return folder / "a.pth"


def plain(folder: Path, thing: object, protocol: int = 4) -> Path:
    """What pickle writes."""
    (folder / "a.pkl").write_bytes(pickle.dumps(thing, protocol))
    return folder / "a.pkl"


def safe(folder: Path) -> Path:
    """What safetensors writes."""
    state = {name: tensor.clone() for name, tensor in network().state_dict().items()}
    safetensors.torch.save_file(state, folder / "a.safetensors")
    return folder / "a.safetensors"


def archived(folder: Path, name: str, member: str) -> Path:
    """A file of weights inside an archive, as other programs pack it."""
    (folder / "inner").mkdir()
    if member.endswith(".safetensors"):
        safe(folder / "inner")
        inner = folder / "inner" / "a.safetensors"
    else:
        inner = zipped(folder / "inner", STATE)
    if name.endswith(".zip"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.write(inner, member)
            archive.writestr("data", "{}")
    elif ".tar" in name:
        with tarfile.open(folder / name, "w:gz" if name.endswith("gz") else "w") as archive:
            archive.add(inner, f"./{member}")
    else:
        (folder / name).write_bytes(gzip.compress(inner.read_bytes()))
    return folder / name


STATE = network().state_dict()
NAMESPACE = argparse.Namespace(lr=0.1, best=np.float64(0.5))
SINGLE: dict[str, Callable[[Path], Path]] = {
    "a state dict": lambda folder: zipped(folder, STATE),
    "before torch 1.6": lambda folder: zipped(folder, STATE, _use_new_zipfile_serialization=False),
    "a newer pickle": lambda folder: zipped(folder, STATE, pickle_protocol=4),
    "under keys": lambda folder: zipped(folder, {"epoch": 3, "checkpoints": [1, {"state_dict": STATE}]}),
    "beside a namespace and numbers of NumPy": lambda folder: zipped(folder, {"args": NAMESPACE, "state_dict": STATE}),
    "before torch 1.6, beside a namespace": lambda folder: zipped(
        folder, {"args": NAMESPACE, "state_dict": STATE}, _use_new_zipfile_serialization=False
    ),
    "arrays of NumPy": lambda folder: zipped(folder, {name: tensor.numpy() for name, tensor in STATE.items()}),
    "a whole model": lambda folder: zipped(folder, network()),
    "a whole model, before torch 1.6": lambda folder: zipped(folder, network(), _use_new_zipfile_serialization=False),
    "a whole model under a key": lambda folder: zipped(
        folder, {"ema": None, "model": network(), "best": np.float64(1)}
    ),
    "a bound method": lambda folder: zipped(folder, network().forward),
    "a plain pickle": lambda folder: plain(folder, STATE),
    "a plain pickle of protocol 2": lambda folder: plain(folder, {"weights": STATE}, 2),
    "a plain pickle of arrays": lambda folder: plain(folder, {name: tensor.numpy() for name, tensor in STATE.items()}),
    "a plain pickle of a model": lambda folder: plain(folder, network()),
    "safetensors": safe,
    "in a zip archive": lambda folder: archived(folder, "model.zip", "policy.pth"),
    "safetensors in a zip archive": lambda folder: archived(folder, "model.zip", "model.safetensors"),
    "in a tar archive": lambda folder: archived(folder, "model.tar", "model_weights.ckpt"),
    "in a packed tar archive": lambda folder: archived(folder, "model.tar.gz", "model_weights.ckpt"),
    "packed as a whole": lambda folder: archived(folder, "model.pth.gz", "model.pth"),
}


@pytest.fixture(scope="module")
def every(tmp_path_factory) -> dict[str, dict[str, torch.Tensor]]:
    """What is loaded of each file, all in one process."""
    folders = {name: tmp_path_factory.mktemp("one") for name in SINGLE}
    for name, folder in folders.items():
        (folder / "skeleton.py").write_text(ta.skeleton(SINGLE[name](folder)))
    run(*folders.values())
    return {name: torch.load(folder / "loaded.pth", weights_only=True) for name, folder in folders.items()}


@pytest.mark.parametrize("name", SINGLE)
def test_one_file_is_loaded(name, every):
    """Every number that the model had stands in the model of the skeleton, which takes it strictly."""
    for key, tensor in expected(network()).items():
        assert torch.equal(every[name][key], tensor), key


def test_weights_only_is_asked_for_wherever_it_is_enough(tmp_path):
    """Only what torch refuses is read otherwise; and on a machine without the device of the file."""
    source = ta.skeleton(zipped(tmp_path, {"state_dict": STATE}))
    assert "torch.load(file, map_location=\"cpu\", weights_only=True)['state_dict']" in source
    assert "Placeholder" not in source
    assert "weights_only=False" in ta.skeleton(zipped(tmp_path, {"a": NAMESPACE, "state_dict": STATE}))


def test_a_model_is_loaded_without_its_package(tmp_path, monkeypatch):
    """Its classes are placeholders: buffers that are saved nowhere else are loaded too."""
    original = Detector.__module__
    monkeypatch.setattr(Detector, "__module__", "gone.models")
    module = type(sys)("gone.models")
    module.Detector = Detector
    monkeypatch.setitem(sys.modules, "gone.models", module)
    monkeypatch.setitem(sys.modules, "gone", type(sys)("gone"))
    path = zipped(tmp_path, {"model": Detector().half(), "args": NAMESPACE})
    monkeypatch.setattr(Detector, "__module__", original)
    found = loaded(path, tmp_path)
    assert torch.equal(found["anchors"], torch.ones(6, dtype=torch.float64))
    assert torch.equal(found["body.0.weight"], network()[0].weight.detach().half().to(torch.float64).reshape(-1))


def test_several_models_are_loaded_together(tmp_path):
    """Each by the key that leads to it."""
    found = loaded(zipped(tmp_path, {"netG": network(), "netD": nn.Linear(2, 2), "epoch": 3}), tmp_path)
    assert torch.equal(found["netG.0.weight"], expected(network())["0.weight"])
    assert set(found) == {f"netG.{name}" for name in STATE} | {"netD.weight", "netD.bias"}


@pytest.mark.filterwarnings("ignore")  # of quantization, by torch itself
def test_packed_weights_are_loaded(tmp_path):
    """What kernels of quantized layers keep packed, and convolutions in a form of their own."""
    convolution = torch.ao.nn.quantized.Conv2d(3, 4, 3)
    (tmp_path / "b").mkdir()
    found = loaded(zipped(tmp_path / "b", nn.Sequential(convolution)), tmp_path / "b")
    assert torch.equal(found["0.weight"], convolution.weight().dequantize().to(torch.float64).reshape(-1))
    model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 16)), {nn.Linear}, dtype=torch.qint8)
    found = loaded(zipped(tmp_path, model), tmp_path)
    weight = model[0].weight().dequantize().to(torch.float64).reshape(-1)
    assert any(tensor.shape == weight.shape and torch.allclose(tensor, weight) for tensor in found.values())


def test_what_is_not_made_yet_is_left_out(tmp_path):
    """A lazy layer has no weights to load before its first run."""
    found = loaded(zipped(tmp_path, nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(3))), tmp_path)
    assert set(found) == {"0.weight", "0.bias"}


def test_several_files_are_loaded(tmp_path):
    """By their index, of two formats; and by the numbers in their names alone."""
    names = list(STATE)
    parts = {"one.safetensors": names[:3], "two.bin": names[3:]}
    safetensors.torch.save_file(
        {name: STATE[name].clone() for name in parts["one.safetensors"]}, tmp_path / "one.safetensors"
    )
    torch.save({name: STATE[name] for name in parts["two.bin"]}, tmp_path / "two.bin")
    index = {"weight_map": {name: file for file, held in parts.items() for name in held}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    for path in (tmp_path / "model.safetensors.index.json", tmp_path):
        found = loaded(path, tmp_path)
        assert all(torch.equal(found[name], tensor) for name, tensor in expected(network()).items())
    (tmp_path / "shards").mkdir()
    for number, held in enumerate(parts.values()):
        torch.save({name: STATE[name] for name in held}, tmp_path / "shards" / f"model-{number + 1:05}-of-00002.bin")
    found = loaded(tmp_path / "shards", tmp_path / "shards")
    assert all(torch.equal(found[name], tensor) for name, tensor in expected(network()).items())


@pytest.mark.filterwarnings("ignore")  # of one process alone, by torch itself
def test_a_distributed_checkpoint_is_loaded(tmp_path):
    """From its shards, by torch's own reader."""
    distributed.save({"model": network().state_dict(), "step": 3}, checkpoint_id=tmp_path / "run")
    found = loaded(tmp_path / "run", tmp_path)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected(network()).items())


def test_a_pipeline_is_loaded(tmp_path):
    """Each part from its own folder, with its name before the names in it."""
    (tmp_path / "model_index.json").write_text(json.dumps({"unet": ["diffusers", "UNet"], "vae": ["diffusers", "VAE"]}))
    for name in ("unet", "vae"):
        (tmp_path / name).mkdir()
        safetensors.torch.save_file(
            {"weight": torch.full((3,), float(len(name)))}, tmp_path / name / "model.safetensors"
        )
    found = loaded(tmp_path, tmp_path)
    assert {name: tensor[0].item() for name, tensor in found.items()} == {"unet.weight": 4.0, "vae.weight": 3.0}


def test_nothing_of_a_file_runs_when_a_skeleton_loads_it(tmp_path):
    """The reader that stands in a skeleton makes tensors and placeholders: a real attack leaves no trace."""
    marker = tmp_path / "marker"
    source = skeleton(ta.open(zipped(tmp_path, {"args": NAMESPACE, "state_dict": STATE})).graph, "a.pth")
    space: dict[str, Any] = {}
    exec(compile(source, "skeleton", "exec"), space)  # noqa: S102 - it is what is tested
    for protocol in range(2, 6):
        hostile = pickled({"args": attack(marker), "state_dict": {}}, protocol)
        with zipfile.ZipFile(tmp_path / "b.pth", "w") as archive:
            archive.writestr("archive/data.pkl", hostile)
            archive.writestr("archive/byteorder", "little")
            archive.writestr("archive/version", "3\n")
        saved = space["read"](tmp_path / "b.pth")
        assert type(saved["args"]).__mro__[1].__name__ == "Placeholder"
    assert not marker.exists()


def test_a_graph_of_others_cannot_put_code_into_a_skeleton():
    """What leads to the weights comes from a file: anything but keys and attributes is left out."""
    assert all(map(is_path, ("", "['a'][0].b", "{'x': saved['a']['b'].c}", '[\'a"""b\']', "[-1]")))
    hostile = (
        "['a']; import os",
        ".system('x')",
        "[open('x')]",
        "\nimport os",
        "{'a': os}",
        "[(lambda: 1)()]",
        "[f'{x}']",
    )
    assert not any(map(is_path, hostile))
    value = Value(0, "parameter", ("weight",), (2,), "float32", "cpu", 8)
    for at in hostile:
        for known in (
            Provenance(reads=json.dumps([["torch", at, "flat", "", ""]])),
            Provenance(weights_format="a file of torch.save", state_dict=at),
        ):
            graph = Graph("a", values=(value,), modules=(Module("", "Module", (), (("weight", 0),)),), provenance=known)
            assert at not in skeleton(graph)
            compile(skeleton(graph), "skeleton", "exec")
