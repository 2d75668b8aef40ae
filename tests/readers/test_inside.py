"""A model inside an archive: zip and tar, packed or not, as other programs write them; hostile and damaged ones."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save
from torch import nn
from typer.testing import CliRunner

import torchatlas as ta
from readers.files import made, write
from readers.weights.forged import attack, pickled, state
from readers.weights.test_distributed import training
from torchatlas.cli import app
from torchatlas.core.check import check
from torchatlas.core.errors import AtlasError, FileError
from torchatlas.readers import package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
Members = dict[str, bytes]


def file_of(thing: Any) -> bytes:
    """What torch.save writes."""
    file = io.BytesIO()
    torch.save(thing, file)
    return file.getvalue()


def zipped(path: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip archive."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: Mapping[str, bytes], packing: str = "") -> Path:
    """A tar archive."""
    with tarfile.open(path, f"w:{packing}") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    """Shapes by name."""
    return {name: value.shape for value in graph.values for name in value.names}


def notes(graph: Any) -> str:
    """All notes in one."""
    return "\n".join(note.text for note in graph.notes)


def expected() -> dict[str, tuple[int, ...]]:
    """Those of the weights that stand in most archives here."""
    return {name: tuple(tensor.shape) for name, tensor in state().items()}


def baselines() -> Members:
    """As Stable-Baselines3 saves an agent."""
    return {
        "data": b'{"policy_class": {}}',
        "pytorch_variables.pth": file_of({"log_ent_coef": torch.zeros(1)}),
        "policy.pth": file_of(state()),
        "policy.optimizer.pth": file_of(torch.optim.Adam(nn.Linear(2, 2).parameters()).state_dict()),
        "_stable_baselines3_version": b"2.3.0",
        "system_info.txt": b"Linux",
    }


def served(model: bytes) -> Members:
    """As torch-model-archiver packs a model."""
    manifest = {"model": {"modelName": "net", "serializedFile": "weights-v1.bin2", "handler": "image_classifier"}}
    return {
        "MAR-INF/MANIFEST.json": json.dumps(manifest).encode(),
        "weights-v1.bin2": model,
        "other.pth": file_of({"not this": torch.ones(1)}),
        "model.py": b"class Net: ...",
    }


def nemo() -> Members:
    """As NeMo writes its models."""
    return {"./model_config.yaml": b"name: net\n", "./model_weights.ckpt": file_of(state()), "./tokenizer.model": b"x"}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_an_agent_of_stable_baselines_opens_at_its_policy(compression, tmp_path):
    """Not at its optimizer, nor at its other variables; a note names the member, and statistics are those of torch."""
    path = zipped(tmp_path / "ppo.zip", baselines(), compression)
    graph = ta.open(path, statistics=True).graph
    check(graph)
    assert shapes(graph) == expected()
    assert "Read from the member policy.pth" in notes(graph)
    linear = torch.cat([tensor.flatten() for name, tensor in state().items() if name.startswith("2")])
    assert dict(graph.overlays[0].paths)["2"] == pytest.approx(linear.mean().item())
    assert graph.name == "ppo"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_of_torchserve_opens_at_its_model(compression, tmp_path):
    """Whatever it is called, by the manifest; of TorchScript with its graph."""
    graph = ta.open(zipped(tmp_path / "net.mar", served(file_of(state())), compression)).graph
    assert shapes(graph) == expected()
    assert "Read from the member weights-v1.bin2" in notes(graph)
    script = write("scripted", made(nn.Sequential(nn.Linear(2, 3), nn.ReLU())), (), tmp_path).read_bytes()
    graph = ta.open(zipped(tmp_path / "traced.mar", served(script), compression)).graph
    check(graph)
    assert [call.name for call in graph.calls if call.kind == "module"] == ["Sequential", "Linear", "ReLU"]
    assert "Read from the member weights-v1.bin2" in notes(graph)


def test_a_folder_with_torchscript_opens_at_its_graph(tmp_path):
    """A ``model.pt`` may be either."""
    (tmp_path / "net").mkdir()
    write("scripted", made(nn.Linear(2, 3)), (), tmp_path).rename(tmp_path / "net" / "model.pt")
    assert [call.name for call in ta.open(tmp_path / "net").graph.calls if call.kind == "module"] == ["Linear"]


@pytest.mark.parametrize("packing", ["", "gz", "bz2", "xz"])
def test_a_model_of_nemo_opens_at_its_weights(packing, tmp_path):
    """A tar archive, packed or not; its numbers too."""
    graph = ta.open(tarred(tmp_path / "asr.nemo", nemo(), packing), statistics=True).graph
    check(graph)
    assert shapes(graph) == expected()
    assert "Read from the member model_weights.ckpt" in notes(graph)
    assert [overlay.name for overlay in graph.overlays] == ["mean", "std", "min", "max", "zeros"]
    assert len(graph.overlays[0].paths) == 2


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_distributed_checkpoint_inside_an_archive_is_opened(pack, tmp_path):
    """As newer models of NeMo hold one."""
    folder, model = training(tmp_path / "weights")
    members = {f"model_weights/{path.name}": path.read_bytes() for path in folder.iterdir()}
    graph = ta.open(pack(tmp_path / "llm.nemo", {**members, "model_config.yaml": b"a: 1"}), statistics=True).graph
    check(graph)
    assert set(shapes(graph)) == set(model.state_dict())
    assert dict(graph.overlays[2].paths)["2"] == min(p.min().item() for p in model[2].parameters())


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_shards_inside_an_archive_are_one_model(pack, tmp_path):
    """A folder that somebody packed opens as the folder does."""
    tensors = {name: tensor.clone() for name, tensor in state().items()}
    shards = {f"net/model-{n}-of-4.safetensors": save({k: v}) for n, (k, v) in enumerate(tensors.items(), start=1)}
    assert shapes(ta.open(pack(tmp_path / "net.any", {**shards, "net/config.json": b"{}"})).graph) == expected()


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("data", [file_of(state()), save(dict(state())), pickled(dict(state()), 4)])
def test_a_file_that_is_packed_as_a_whole_is_opened(packed, data, tmp_path):
    """A file of torch.save, safetensors, or a plain pickle."""
    path = tmp_path / "net.pth.packed"
    path.write_bytes(packed(data))
    graph = ta.open(path).graph
    assert shapes(graph) == expected()
    assert "compressed as a whole" in notes(graph)


def test_a_key_chooses_inside_an_archive(tmp_path):
    """In the interface and on the command line; without weights to choose among it is refused."""
    members = {"net/final.pth": file_of({"model": state(), "ema": {"fc.weight": torch.ones(2, 3)}})}
    path = tarred(tmp_path / "net.tar.gz", members, "gz")
    assert shapes(ta.open(path).graph) == expected()
    assert shapes(ta.open(path, key="ema").graph) == {"fc.weight": (2, 3)}
    run = CliRunner().invoke
    assert "3, 2" in run(app, ["summary", str(path), "--key", "ema"]).stdout
    assert run(app, ["summary", str(path), "--key", "absent"]).exit_code == 2


def test_a_model_is_asked_for_weights_in_an_archive(tmp_path):
    """As for those of any file, and by the key too."""
    members = {"net/final.pth": file_of({"model": state(), "ema": {"fc.weight": torch.ones(2, 3)}})}
    path = tarred(tmp_path / "net.tar.gz", members, "gz")
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 2))
    found = ta.compare(model, path)
    assert found.loading.taken is True
    assert found.same
    other = ta.compare(model, ta.open(path, key="ema"))
    assert other.loading.taken is False
    assert other.loading.unexpected == ("fc.weight",)


def test_a_member_is_named_by_a_key(tmp_path):
    """Where several may be meant, the message says how; a folder of an archive too."""
    members = {
        "nets/a/one.pth": file_of(state()),
        "nets/a/two.pth": file_of({"fc.weight": torch.ones(2, 3)}),
        "nets/b/three.pth": file_of({"out.weight": torch.ones(5, 3)}),
    }
    for path in (tarred(tmp_path / "a.tar", members), zipped(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED)):
        with pytest.raises(FileError, match=r"several folders \(a, b\).*key='nets/a'"):
            ta.open(path)
        with pytest.raises(FileError, match=r"several files of weights \(one.pth, two.pth\)"):
            ta.open(path, key="nets/a")
        assert shapes(ta.open(path, key="nets/a/two.pth").graph) == {"fc.weight": (2, 3)}
        assert shapes(ta.open(path, key="nets/b").graph) == {"out.weight": (5, 3)}
        assert len(ta.open(path, key="nets/b", statistics=True).graph.overlays) == 5


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    """What was unpacked is gone, in memory or beyond it; no file ever had the name of a member."""
    monkeypatch.setattr(package, "IN_MEMORY", 100)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    handles = Path("/proc/self/fd")
    before = len(list(handles.iterdir())) if handles.is_dir() else 0
    for path in (
        zipped(tmp_path / "a.zip", baselines(), zipfile.ZIP_DEFLATED),
        tarred(tmp_path / "a.nemo", nemo(), "gz"),
    ):
        assert shapes(ta.open(path, statistics=True).graph) == expected()
    assert not list((tmp_path / "temporary").iterdir())
    assert (len(list(handles.iterdir())) if before else 0) <= before


TRICKS = ("../model.pth", "/etc/model.pth", "a/../../model.pth", "..\\model.pth")


@pytest.mark.parametrize("name", TRICKS)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_members_that_lead_elsewhere_are_not_opened(name, pack, tmp_path):
    """A path out of the archive is none of its members."""
    with pytest.raises(FileError, match=r"which torchatlas does not read|archive without weights"):
        ta.open(pack(tmp_path / "a.zip", {name: file_of(state()), "readme": b"x"}))


def test_links_in_a_tar_archive_are_not_followed(tmp_path):
    """They may lead anywhere."""
    (tmp_path / "secret.pth").write_bytes(file_of(state()))
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for kind, name in ((tarfile.SYMTYPE, "model.pth"), (tarfile.LNKTYPE, "model.bin")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, str(tmp_path / "secret.pth")
            archive.addfile(info)
    with pytest.raises(FileError, match="archive without weights"):
        ta.open(tmp_path / "a.tar")


def bombs(folder: Path) -> Iterator[Path]:
    """Little that unpacks to much."""
    data = bytes(1 << 22)
    yield zipped(folder / "a.zip", {"model.pth": data}, zipfile.ZIP_DEFLATED)
    yield tarred(folder / "a.nemo", {"model_weights.ckpt": data}, "gz")
    for packed in (gzip.compress, bz2.compress, lzma.compress):
        (folder / packed.__module__).write_bytes(packed(data))
        yield folder / packed.__module__
    (folder / "twice").write_bytes(gzip.compress(gzip.compress(data)))
    yield folder / "twice"


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    """By what one packed byte becomes, and by how much comes out in all."""
    monkeypatch.setattr(package, "FREE", 1 << 16)
    for path in bombs(tmp_path):
        with pytest.raises(FileError, match=r"unpacks to more than [\d,]+ bytes"):
            ta.open(path)
    monkeypatch.setattr(package, "FREE", 1 << 30)
    monkeypatch.setattr(package, "MOST_BYTES", 1 << 16)
    for path in bombs(tmp_path):
        with pytest.raises(FileError, match=r"unpacks to more than 6[15],\d{3} bytes"):
            ta.open(path)


def test_an_attack_inside_an_archive_is_refused(tmp_path):
    """Its pickle is read as any other."""
    marker = tmp_path / "marker"
    for path in (
        zipped(tmp_path / "a.zip", {"policy.pth": file_of({"w": attack(marker)})}, zipfile.ZIP_DEFLATED),
        tarred(tmp_path / "a.tar", {"policy.pth": pickled(attack(marker))}),
    ):
        with pytest.raises(FileError, match=r"calls posix\.system"):
            ta.open(path)
    assert not marker.exists()


@pytest.mark.parametrize("seed", range(80))
def test_a_damaged_archive_gives_our_error_or_a_graph(seed, tmp_path):
    """Cut short, bytes flipped and lost, in every kind of archive."""
    rng = random.Random(seed)  # noqa: S311 - to damage a file with
    kinds = (
        lambda: zipped(tmp_path / "a", baselines(), rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])),
        lambda: tarred(tmp_path / "a", nemo(), rng.choice(["", "gz", "bz2", "xz"])),
        lambda: zipped(tmp_path / "a", served(file_of(state())), zipfile.ZIP_DEFLATED),
    )
    path = kinds[seed % len(kinds)]()
    data = bytearray(path.read_bytes())
    if rng.random() < 0.3:
        del data[rng.randrange(1, len(data)) :]
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data))
        if rng.random() < 0.7:
            data[at] ^= 1 << rng.randrange(8)
        else:
            del data[at : at + rng.randrange(1, 40)]
    path.write_bytes(bytes(data) or b"x")
    try:
        check(ta.open(path, statistics=True).graph)
    except AtlasError as error:
        assert str(path) in str(error)  # noqa: PT017 - whatever it says, it names the file


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_exported_program_opens_inside_an_archive(compression, tmp_path):
    """Its suffix names it among the members where no weights do; what it is, its content says."""
    torch.export.save(torch.export.export(nn.Linear(2, 3), (torch.ones(1, 2),)), tmp_path / "net.pt2")
    program = (tmp_path / "net.pt2").read_bytes()
    graph = ta.open(zipped(tmp_path / "net.zip", {"readme.md": b"x", "m/net.pt2": program}, compression)).graph
    assert graph.calls == ta.open(tmp_path / "net.pt2").graph.calls
    assert "Read from the member m/net.pt2 of an archive" in notes(graph)
    with pytest.raises(ta.FileError, match=r"net.pt2.*text"):
        ta.open(zipped(tmp_path / "not.zip", {"m/net.pt2": b"hello"}))
