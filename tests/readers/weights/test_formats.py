"""The formats of files of weights, and what stands in checkpoints beside the weights."""

from __future__ import annotations

import json
import zipfile
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

from readers.weights.forged import pickled, saved, state
from torchatlas.core.errors import FileError
from torchatlas.readers.registry import Content
from torchatlas.readers.source import Source
from torchatlas.readers.weights import handles, read


def names(graph) -> set[str]:
    """Every name of every tensor."""
    return {name for value in graph.values for name in value.names}


def notes(graph) -> str:
    """All notes in one."""
    return "\n".join(note.text for note in graph.notes)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}])
def test_every_kind_of_tensor_is_read(options, tmp_path):
    """Views, tied, empty, scalar, complex, half, sparse, meta, parameters and subclasses: as torch has them."""
    base = torch.arange(24.0).reshape(4, 6)
    tied = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    things = {
        "whole": base, "view": base[1:3, ::2], "turned": base.t(), "empty": torch.ones(0, 3), "scalar": torch.tensor(7),
        "complex": torch.ones(2, dtype=torch.complex64), "flag": torch.tensor([True]), "one": tied, "other": tied,
        "meta": torch.ones(5, 5, device="meta"), "float8": torch.ones(4).to(torch.float8_e4m3fn),
        "coo": torch.eye(3).to_sparse(), "csr": torch.eye(3).to_sparse_csr(), "uint16": torch.ones(3).to(torch.uint16),
        "buffer": nn.Buffer(torch.ones(2)), "frozen": nn.Parameter(torch.ones(2), requires_grad=False),
    }  # fmt: skip
    graph = read(saved(tmp_path / "a.pth", things, **options))
    values = {name: value for value in graph.values for name in value.names}
    assert {name: (values[name].shape, f"torch.{values[name].dtype}") for name in things} == {
        name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in things.items()
    }
    assert values["one"] is values["other"]
    assert values["whole"].storage == values["view"].storage == values["turned"].storage
    assert values["meta"].device == "meta"
    assert values["coo"].type == "sparse_coo"
    assert values["csr"].type == "sparse_csr"
    assert not values["frozen"].requires_grad
    assert [values[name].nbytes for name in ("whole", "view", "one", "empty")] == [96, 24, 6, 0]


def test_the_legacy_format_knows_views_of_storages(tmp_path):
    """Two tensors of one storage share it there too."""
    base = torch.arange(10.0)
    path = saved(tmp_path / "a.pth", {"a": base[:4], "b": base[4:]}, _use_new_zipfile_serialization=False)
    graph = read(path)
    assert graph.values[0].storage == graph.values[1].storage


CHECKPOINTS = {
    "state_dict": (["state_dict"], {"epoch": 3}),
    "model": (["model"], {"best": 0.5, "args": {"lr": 0.1}}),
    "model_state_dict": (["model_state_dict"], {"loss": torch.tensor(1.0)}),
    "nested": (["checkpoint", "model"], {}),
    "deep": (["a", "b", "c", "module"], {}),
    "any name": (["weights of the best"], {"epoch": 3}),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_the_weights_are_found_in_a_checkpoint(name, tmp_path):
    """However deep they stand; an optimizer beside them is counted in a note and not shown."""
    keys, beside = CHECKPOINTS[name]
    model = nn.Linear(3, 4)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    held = state()
    for key in reversed(keys):
        held = {key: held}
    graph = read(saved(tmp_path / "a.ckpt", {**held, **beside, "optimizer": optimizer.state_dict()}))
    assert names(graph) == set(state())
    assert (graph.provenance.state_dict or "") == "".join(f"[{key!r}]" for key in keys)
    assert "6 more tensors under 'optimizer'" in notes(graph)


def test_an_average_beside_the_weights_is_said(tmp_path):
    """The same names twice are one model; of which the plain ones are shown."""
    graph = read(saved(tmp_path / "a.ckpt", {"ema": state(), "model": state()}))
    assert names(graph) == set(state())
    assert "another copy of the same names" in notes(graph)


def test_several_models_are_shown_beside_each_other(tmp_path):
    """Generator and discriminator: both, under their keys, and a note says so."""
    graph = read(saved(tmp_path / "a.ckpt", {"generator": state(), "discriminator": state(), "step": 1}))
    assert names(graph) == {f"{part}.{name}" for part in ("generator", "discriminator") for name in state()}
    assert "2 dictionaries are shown as one" in notes(graph)


def test_a_tree_of_dictionaries_is_a_module(tmp_path):
    """Names without dots, nested as modules are."""
    tree = {"encoder": {"proj": {"weight": torch.ones(2, 3)}}, "head": {"weight": torch.ones(4, 2)}}
    assert names(read(saved(tmp_path / "a.pth", tree))) == {"encoder.proj.weight", "head.weight"}


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (torch.ones(2, 3), {"tensor"}),
        ([torch.ones(2), torch.ones(3)], {"0", "1"}),
        ((torch.ones(2), {"a": torch.ones(3)}), {"0", "1.a"}),
        ({"a": torch.ones(2)}, {"a"}),
        ({0: torch.ones(2), (1, 2): torch.ones(3)}, {"0", "<tuple>"}),
    ],
)
def test_tensors_of_any_structure_are_opened(thing, expected, tmp_path):
    """A tensor, a list, a plain dictionary."""
    assert names(read(saved(tmp_path / "a.pt", thing))) == expected


def test_arrays_of_numpy_are_weights_too(tmp_path):
    """Older model zoos keep them so, in a plain pickle."""
    path = tmp_path / "a.pkl"
    path.write_bytes(pickled({"model": {"fc.weight": np.ones((2, 3), np.float32)}}))
    graph = read(path)
    assert [(value.names, value.shape, value.dtype, value.nbytes) for value in graph.values] == [
        (("fc.weight",), (2, 3), "float32", 24)
    ]
    assert "NumPy" in notes(graph)


def test_wrappers_are_said_and_kept(tmp_path):
    """What DataParallel and compile put before the names belongs to what loads the file."""
    for prefix, word in (("module.", "DataParallel"), ("_orig_mod.", "compile")):
        graph = read(saved(tmp_path / "a.pth", {prefix + name: tensor for name, tensor in state().items()}))
        assert names(graph) == {prefix + name for name in state()}
        assert word in notes(graph)


def test_the_modules_that_have_no_weights_are_known(tmp_path):
    """A state dict notes every module it met; as plain items it does not, and numbers that are missing say it."""
    graph = read(saved(tmp_path / "a.pth", state()))
    assert [(module.path, module.name) for module in graph.modules][1:] == [
        ("0", "Conv2d"),
        ("1", "Module"),
        ("2", "Linear"),
    ]
    graph = read(saved(tmp_path / "a.pth", OrderedDict(state().items())))
    assert graph.modules[0].name == "Sequential"
    assert [module.path for module in graph.modules] == ["", "0", "2"]


def test_an_index_opens_all_its_files(tmp_path):
    """Names, shapes; a file that is missing is said, with what was in it."""
    tensors = state()
    one, *others = tensors
    save_file({one: tensors[one]}, tmp_path / "model-1.safetensors")
    torch.save({name: tensors[name] for name in others}, tmp_path / "model-2.bin")
    where = {one: "model-1.safetensors", **dict.fromkeys(others, "model-2.bin")}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    assert names(read(index)) == set(tensors) == names(read(tmp_path))
    (tmp_path / "model-2.bin").unlink()
    graph = read(index)
    assert names(graph) == {one}
    assert "1 of 2 files are missing (model-2.bin), and with them 3 of 4 tensors" in notes(graph)
    (tmp_path / "model-1.safetensors").unlink()
    with pytest.raises(FileError, match="none of the 2 files"):
        read(index)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "", "..", "a\\b"])
def test_an_index_does_not_lead_elsewhere(name, tmp_path):
    """Files stand beside it."""
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(FileError, match="beside it"):
        read(index)


def test_a_folder_is_opened_by_what_it_holds(tmp_path):
    """One file of weights, or the index; several that may be meant are named."""
    with pytest.raises(FileError, match="without weights"):
        read(tmp_path)
    torch.save(state(), tmp_path / "pytorch_model.bin")
    save_file(state(), tmp_path / "model.safetensors")
    assert read(tmp_path).provenance.weights_format == "a .safetensors file"
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "a.pth")
    (tmp_path / "model.safetensors").rename(tmp_path / "b.safetensors")
    torch.save(state(), tmp_path / "c.safetensors")
    with pytest.raises(FileError, match="several files"):
        read(tmp_path)


def test_what_save_model_left_out_is_said(tmp_path):
    """Tied weights stand once in a safetensors file."""

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(10, 4)
            self.head = nn.Linear(4, 10, bias=False)
            self.head.weight = self.embed.weight

    save_model(Tied(), str(tmp_path / "a.safetensors"))
    assert "which share tensors that it holds: head.weight is tied to embed.weight" in notes(
        read(tmp_path / "a.safetensors")
    )


def header(text: str, data: bytes = b"") -> bytes:
    """A safetensors file of any header."""
    return len(text).to_bytes(8, "little") + text.encode() + data


ENTRY = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
HEADERS = {
    "no JSON": (header("{nothing}"), "in JSON"),
    "a name twice": (header('{"a":' + ENTRY + ',"a":' + ENTRY + "}", bytes(8)), "'a' stands twice"),
    "a dtype of nobody": (header('{"a":{"dtype":"F7","shape":[2],"data_offsets":[0,8]}}', bytes(8)), "'F7'"),
    "a shape that does not fit": (
        header('{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', bytes(8)),
        "8 bytes",
    ),
    "a negative size": (header('{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}', bytes(8)), "whole numbers"),
    "a hole": (header('{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', bytes(12)), "begins at"),
    "too little data": (header('{"a":' + ENTRY + "}", bytes(4)), "cut short"),
    "too much data": (header('{"a":' + ENTRY + "}", bytes(9)), "follow the data"),
    "data of two": (header('{"a":' + ENTRY + ',"b":' + ENTRY + "}", bytes(8)), "begins at"),
    "a header longer than the file": ((99).to_bytes(8, "little") + b"{}", "a header of 99 bytes"),
    "metadata of numbers": (header('{"__metadata__":{"a":1}}'), "text"),
    "a million brackets": (header("{" + '"a":[' * 10**5), "in JSON"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_wrong_header_is_refused(name, tmp_path):
    """What the format forbids is named."""
    data, said = HEADERS[name]
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(FileError, match=said):
        read(path)


def test_what_is_wrong_with_an_archive_is_said(tmp_path):
    """Encrypted, incomplete, without its storages, or with short ones."""
    whole = saved(tmp_path / "a.pth", {"w": torch.ones(100)}).read_bytes()
    with zipfile.ZipFile(tmp_path / "a.pth") as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    marked = bytearray(whole)
    at = whole.index(b"PK\x01\x02")
    marked[at + 8] |= 1
    for name, data, said in (
        ("encrypted", bytes(marked), "encrypted"),
        ("cut", whole[: len(whole) // 2], "damaged or cut short"),
        ("other", b"PK\x03\x04" + bytes(100), "damaged or cut short"),
        ("changed", whole.replace(b"X\x01\0\0\0w", b"X\x01\0\0\0v"), "member 'a/data.pkl' is damaged: Bad CRC"),
    ):
        (tmp_path / f"{name}.pth").write_bytes(data)
        with pytest.raises(FileError, match=said):
            read(tmp_path / f"{name}.pth")
    for change, said in (({}, "is missing from the archive"), ({"a/data/0": b"1234"}, "has 4 bytes")):
        with zipfile.ZipFile(tmp_path / "b.pth", "w") as archive:
            kept = {name: data for name, data in members.items() if "data/" not in name}
            for name, data in {**kept, **change}.items():
                archive.writestr(name, data)
        with pytest.raises(FileError, match=said):
            read(tmp_path / "b.pth")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "an empty file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(600), "a PNG image"),
        (b"GGUF" + bytes(600), "a GGUF model"),
        (b"hello", "text"),
        (bytes(257) + b"ustar" + bytes(300), "a tar archive"),
        (b"\x80\x02N.", "without the weights"),
        (b"\x80\x02}.", "an empty dictionary"),
    ],
)
def test_another_file_is_named(data, said, tmp_path):
    """What it is, and what was wanted."""
    path = tmp_path / "a.pth"
    path.write_bytes(data)
    with pytest.raises(FileError, match=said):
        read(path)
    with pytest.raises(FileError, match="no such file"):
        read(tmp_path / "absent.pth")


def test_it_knows_its_files(tmp_path):
    """By content: an archive of TorchScript has the same beginning and is another's."""
    weights = saved(tmp_path / "a.pth", state())
    torch.save(state(), tmp_path / "b.pth", _use_new_zipfile_serialization=False)
    save_file(state(), tmp_path / "c.any")
    for path in (weights, tmp_path / "b.pth", tmp_path / "c.any"):
        assert handles(Content.of(Source(path), path.name))
    content = Content.of(Source(weights), "a.pth")
    assert not handles(replace(content, members=("m/data.pkl", "m/constants.pkl", "m/code/a.py")))
    assert not handles(Content(Source(weights), "a.pth", b"\x89PNG"))
    assert handles(Content(Source(tmp_path), tmp_path.name))


def test_tensors_of_two_files_are_never_one(tmp_path):
    """Each file of torch.save counts its storages from 0: only within one are equal numbers the same memory."""
    for number in (1, 2):
        torch.save({f"layers.{number}.weight": torch.ones(3, 3)}, tmp_path / f"model-0000{number}-of-00002.bin")
    graph = read(tmp_path)
    assert [value.names for value in graph.values] == [("layers.1.weight",), ("layers.2.weight",)]
    assert len({value.storage for value in graph.values}) == 2
