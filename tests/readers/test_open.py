"""What a file is, is told from its content; what it is not, in a message that helps."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from contextlib import suppress

import pytest
import torch
from typer.testing import CliRunner

import torchatlas as ta
from readers.files import made, write
from torchatlas.cli import app
from torchatlas.readers.torchscript.objects import PickledObject, unpickle

FOREIGN = {
    "TensorFlow Lite": b"\x1c\0\0\0TFL3" + bytes(40),
    "ONNX Runtime": b"\x1c\0\0\0ORTM" + bytes(40),
    "PyTorch Mobile": b"\x1c\0\0\0PTMF" + bytes(40),
    "ExecuTorch": b"\x1c\0\0\0ET12" + bytes(40),
    "GGUF": b"GGUF\x03\0\0\0" + bytes(40),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(40),
    "TensorRT": b"ptrt" + bytes(40),
    "SavedModel": b"\x08\x01\x12\x90\x10\x0a\x07\x12\x05serve",
    "GraphDef": b"\x0a\x20\x0a\x01x\x12\x0bPlaceholder*\x0b",
    "OpenVINO": b'<?xml version="1.0"?><net name="x" version="11">',
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
    "tar archive": bytes(257) + b"ustar\x0000",
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(40),
    "text": b"hello",
    "unknown binary": bytes(range(1, 200)) * 3,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_is_named(tmp_path, kind):
    """By what it is, and with what was wanted."""
    path = tmp_path / "file.onnx"
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(ta.FileError, match=kind) as caught:
        ta.open(path)
    assert str(path) in str(caught.value)
    assert "Wanted" in str(caught.value)


def test_a_missing_an_empty_file_and_a_folder_are_said_to_be_that(tmp_path):
    """The simplest mistakes first."""
    (tmp_path / "empty").touch()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.onnx").touch()
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("absent.onnx", "does not exist"),
        ("empty", "is empty"),
        ("pipe", "is a pipe"),
        ("models", r"folder.* holds net.onnx"),
    ):
        with pytest.raises(ta.FileError, match=words):
            ta.open(tmp_path / name)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"model.weights.h5": b""}, "Keras"),
        ({"x/saved_model.pb": b""}, "SavedModel"),
        ({"a.npy": b""}, "NumPy"),
        ({"notes.txt": b""}, "holds notes.txt"),
        ({"m/archive_format": b"pt2", "m/data/aotinductor/model/x.so": b""}, "compiled code holds no graph"),
        ({"m/constants.pkl": b"", "m/data.pkl": b"garbage"}, "pickle in it is damaged"),
        ({"m/archive_format": b"pt2", "m/models/model.json": b"{"}, "damaged"),
        ({"m/archive_format": b"pt2", "m/models/model.json": b"[" * 100_000}, "damaged"),
    ],
)
def test_a_zip_archive_is_named_by_what_it_holds(tmp_path, members, words):
    """Many formats are zip archives."""
    path = tmp_path / "file.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ta.FileError, match=words):
        ta.open(path)


def test_an_encrypted_archive_is_not_guessed_at(tmp_path):
    """The flag of each member says it."""
    path = tmp_path / "file.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/constants.pkl", b"secret")
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ta.FileError, match=r"encrypted.*password"):
        ta.open(path)


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path):
    """A bomb of a few kilobytes."""
    path = tmp_path / "file.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("m/archive_format", b"pt2")
        with archive.open("m/models/model.json", "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(bytes(1 << 20))
    with pytest.raises(ta.FileError, match="at most"):
        ta.open(path)


class Spy:
    """Leaves a mark where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_nothing_in_a_file_is_executed(tmp_path):
    """A pickle that would write a file, in every place where an archive has a pickle."""
    mark = tmp_path / "mark"
    evil = pickle.dumps(Spy(mark), protocol=2)
    model = write("scripted", made(torch.nn.Linear(2, 2)), (), tmp_path)
    exported = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),)), exported)
    for path in (model, exported):
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        for name in [name for name in members if name.endswith((".pkl", "sample_inputs/model.pt"))]:
            with zipfile.ZipFile(path, "w") as archive:
                for member, data in members.items():
                    archive.writestr(member, evil if member == name else data)
            with suppress(ta.FileError):
                ta.open(path)
            assert not mark.exists()
    assert isinstance(unpickle(evil), PickledObject)


def test_the_command_line_takes_a_file_of_any_name(tmp_path):
    """A table, a picture, a page and an .atlas file of a model without its code."""
    net = made(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()))
    path = write("scripted", net, (), tmp_path).rename(tmp_path / "weights")
    run = CliRunner().invoke
    shown = run(app, ["summary", str(path)])
    assert (shown.exit_code, "Linear" in shown.stdout) == (0, True)
    for command, name in (("draw", "net.svg"), ("show", "net.html"), ("save", "net.atlas")):
        assert run(app, [command, str(path), "-o", str(tmp_path / name)]).exit_code == 0
    assert run(app, ["summary", str(tmp_path / "net.atlas")]).stdout == shown.stdout
    refused = run(app, ["summary", str(path), "--input", "1,2"])
    assert (refused.exit_code, "--input would have no effect" in refused.stderr) == (2, True)


def test_opening_imports_no_torch(tmp_path):
    """A program and TorchScript are read without it."""
    path = write("scripted", made(torch.nn.Linear(2, 2)), (), tmp_path)
    code = f"import sys, torchatlas as ta; ta.open({str(path)!r}); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"


def test_an_onnx_model_without_the_package_names_the_extra(tmp_path, monkeypatch):
    """The package is needed for these files alone."""
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x0a\x3a\x02\x12\x00")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ta.MissingError, match=r"torchatlas\[onnx\]"):
        ta.open(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends too early"),
        (b"\x80\x02\x82\x01.", "no opcode"),  # a class by a number that another library gave it
        (b"\x80\x02])R.", "calls a list"),
        (b"\x80\x02)Q.", "a storage has no name"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\0))\x89)tR.", "no storage"),
        (b"\x80\x02X\xff\xff\xff\x7fa.", "larger than"),
    ],
)
def test_what_is_wrong_with_a_pickle_is_said(data, words):
    """A pickle of TorchScript goes through the machine that reads those of weights."""
    with pytest.raises(ta.FileError, match=words):
        unpickle(data)
