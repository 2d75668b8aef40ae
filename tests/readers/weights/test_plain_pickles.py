"""Plain pickles: tensors, each of which is a file of torch.save inside the pickle, and arrays of NumPy."""

from __future__ import annotations

import io
import pickle
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

import torchatlas as ta
from readers.weights.forged import Calls, attack, saved
from torchatlas.core.check import check
from torchatlas.core.errors import AtlasError, FileError

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOLS = (2, 3, 4, 5)


class Net(nn.Module):
    """A tied head, buffers, tensors of several sizes and dtypes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(100, 64)
        self.norm = nn.BatchNorm1d(64)
        self.half = nn.Linear(64, 3).to(torch.bfloat16)
        self.head = nn.Linear(64, 100, bias=False)
        self.head.weight = self.embed.weight


def dumped(path: Path, thing: Any, protocol: int) -> Path:
    """What pickle.dump writes."""
    path.write_bytes(pickle.dumps(thing, protocol=protocol))
    return path


def shapes(graph: Any) -> dict[str, tuple[Any, ...]]:
    """Shape, dtype and bytes by name."""
    return {name: (v.shape, f"torch.{v.dtype}", v.nbytes) for v in graph.values for name in v.names}


def expected(state: dict[str, torch.Tensor]) -> dict[str, tuple[Any, ...]]:
    """The same of tensors."""
    return {name: (tuple(t.shape), str(t.dtype), t.numel() * t.element_size()) for name, t in state.items()}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickled_state_dict_is_read(protocol, tmp_path):
    """Names, shapes, dtypes and the numbers themselves, of tensors that Python's pickle wrote without torch.save."""
    state = Net().state_dict()
    path = dumped(tmp_path / "weights.pkl", {"epoch": 3, "model": state}, protocol)
    graph = ta.open(path, statistics=True).graph
    check(graph)
    assert shapes(graph) == expected(state)
    means = dict(graph.overlays[0].paths)
    for name in ("embed", "half"):
        own = torch.cat([tensor.double().flatten() for key, tensor in state.items() if key.startswith(name)])
        assert means[name] == pytest.approx(own.mean().item())


def test_pickled_parameters_keep_what_they_are(tmp_path):
    """Parameters say so, and one under two names is one tensor."""
    net = Net()
    path = dumped(tmp_path / "a.pkl", dict(net.named_parameters(remove_duplicate=False)), 4)
    graph = ta.open(path).graph
    assert any(set(value.names) == {"embed.weight", "head.weight"} for value in graph.values)
    assert {value.kind for value in graph.values} == {"parameter"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pickled_arrays_are_read(protocol, tmp_path):
    """By rows and by columns, small and large, of either byte order; their numbers too."""
    rng = np.random.default_rng(0)
    arrays = {
        "a.weight": rng.normal(size=(40, 60)).astype(np.float32),
        "b.weight": np.asfortranarray(rng.normal(size=(40, 60))),
        "c.weight": rng.normal(size=(3, 2)).astype(">f4"),
        "d.weight": np.arange(5),
        "e.weight": rng.normal(size=(6, 4)).astype(np.float16)[::2],
    }
    graph = ta.open(dumped(tmp_path / "a.pkl", arrays, protocol), statistics=True).graph
    check(graph)
    assert {name: value[0] for name, value in shapes(graph).items()} == {n: a.shape for n, a in arrays.items()}
    means = dict(graph.overlays[0].paths)
    for name, array in arrays.items():
        assert means[name[0]] == pytest.approx(array.astype(np.float64).mean(), abs=1e-12)


def test_an_attack_inside_an_inner_file_is_refused(tmp_path):
    """The file inside the pickle is read as any other: nothing of it is run, and what can do harm is named."""
    marker = tmp_path / "marker"
    inner = io.BytesIO()
    torch.save({"w": attack(marker)}, inner)
    for protocol in PROTOCOLS:
        thing = {"w": Calls(torch.storage._load_from_bytes, inner.getvalue())}
        with pytest.raises(FileError, match=r"calls posix\.system"):
            ta.open(dumped(tmp_path / "a.pkl", thing, protocol))
    assert not marker.exists()


def test_files_inside_each_other_come_to_an_end(tmp_path):
    """A file in a file in a file, deeper than anybody writes."""
    data = b"no file"
    for _ in range(50):
        data = pickle.dumps({"w": Calls(torch.storage._load_from_bytes, data)}, protocol=4)
    path = tmp_path / "a.pkl"
    path.write_bytes(data)
    with pytest.raises(FileError, match="too deep inside each other"):
        ta.open(path)


def test_a_pickle_inside_an_archive_is_read(tmp_path):
    """A state dict as bytes that were pickled by themselves, in what torch.save wrote."""

    class Held:
        def __reduce__(self) -> tuple[Any, ...]:
            inner = io.BytesIO()
            torch.save({"fc.weight": torch.ones(30, 50)}, inner)
            return torch.storage._load_from_bytes, (inner.getvalue(),)

    graph = ta.open(saved(tmp_path / "a.pt", {"model": Held()}), statistics=True).graph
    assert shapes(graph) == {"fc.weight": ((30, 50), "torch.float32", 6000)}
    assert dict(graph.overlays[0].paths) == {"fc": 1.0}


def test_files_of_joblib_are_named(tmp_path):
    """They hold numbers between the words of a pickle; the message says how to write them anew."""
    code = b"\x80\x04\x8c\x12joblib.numpy_pickle\x94\x8c\x11NumpyArrayWrapper\x94\x93)\x81."
    code = code.replace(b"\x8c\x12", b"\x8c\x13")
    (tmp_path / "a.joblib").write_bytes(code)
    with pytest.raises(FileError, match=r"a file of joblib.*pickle\.dump\(joblib\.load"):
        ta.open(tmp_path / "a.joblib")


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_pickle_gives_our_error_or_a_graph(seed, tmp_path):
    """Bytes flipped, cut and spliced, in the pickle and in the files inside it."""
    rng = random.Random(seed)  # noqa: S311 - to damage a file with
    data = bytearray(pickle.dumps(Net().state_dict(), protocol=rng.choice(PROTOCOLS)))
    for _ in range(3):
        at = rng.randrange(len(data))
        if rng.random() < 0.6:
            data[at] ^= 1 << rng.randrange(8)
        else:
            del data[at : at + rng.randrange(1, 40)]
    path = tmp_path / "a.pkl"
    path.write_bytes(bytes(data))
    try:
        check(ta.open(path, statistics=True).graph)
    except AtlasError as error:
        assert str(path) in str(error)  # noqa: PT017 - whatever it says, it names the file
