"""Nothing of a file is run, whatever it holds; what can do harm is refused, what is only unknown is named."""

from __future__ import annotations

import argparse
import builtins
import enum
import functools
import importlib
import os
import pathlib
import pickle
import shutil
import socket
import subprocess
import sys
import webbrowser

import numpy as np
import pytest
import torch

from readers.weights.forged import Calls, archived, attack, pickled, saved, state
from torchatlas.core.errors import FileError
from torchatlas.readers.weights import read

GREETING = "import os; os.system('true')"
HARMFUL = {
    "os.system": Calls(os.system, "true"),
    "os.popen": Calls(os.popen, "true"),
    "subprocess.Popen": Calls(subprocess.Popen, ["true"]),
    "builtins.eval": Calls(eval, "1"),
    "builtins.exec": Calls(exec, GREETING),
    "builtins.open": Calls(open, "/nowhere", "w"),
    "builtins.__import__": Calls(__import__, "os"),
    "builtins.compile": Calls(compile, GREETING, "", "exec"),
    "importlib.import_module": Calls(importlib.import_module, "os"),
    "shutil.rmtree": Calls(shutil.rmtree, "/nowhere"),
    "socket.create_connection": Calls(socket.create_connection, ("localhost", 1)),
    "webbrowser.open": Calls(webbrowser.open, "about:blank"),
    "sys.exit": Calls(sys.exit, 0),
    "torch.load": Calls(torch.load, "/nowhere"),
    "torch.hub.load": Calls(torch.hub.load, "a/b", "c"),
    "numpy.load": Calls(np.load, "/nowhere"),
    "functools.reduce": Calls(functools.reduce, max, [1]),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_what_can_do_harm_is_refused_by_name(name, tmp_path):
    """The message says what the pickle calls, and that nothing was run; the same for pickles and for archives."""
    for path in (
        archived(tmp_path / "a.pth", pickled({"weight": HARMFUL[name]})),
        saved(tmp_path / "b.pth", {"epoch": HARMFUL[name], **state()}),
        saved(tmp_path / "c.pth", {"epoch": [HARMFUL[name]], **state()}, _use_new_zipfile_serialization=False),
    ):
        with pytest.raises(FileError, match=r"calls \S+, which has no place.*Nothing of it was run"):
            read(path)


def test_an_attack_leaves_no_trace(tmp_path):
    """The command that a pickle names is not run: wherever it stands, in whatever protocol, and in every format."""
    marker = tmp_path / "marker"
    for number, thing in enumerate((attack(marker), [attack(marker)], {"state_dict": {"w": (attack(marker), 1)}})):
        for protocol in range(6):
            path = tmp_path / f"{number}-{protocol}.bin"
            path.write_bytes(pickled(thing, protocol))
            archived(tmp_path / "in.pth", pickled(thing, protocol))
            for each in (path, tmp_path / "in.pth"):
                with pytest.raises(FileError):
                    read(each)
    assert not marker.exists()
    pickle.loads(pickled(attack(marker)))  # noqa: S301 - the same bytes, in Python's own hands
    assert marker.exists(), "the attack is a real one"


def test_what_getattr_finds_is_not_called(tmp_path):
    """An enumeration is kept by ``getattr``, which is harmless; a call of what it finds can be anything."""
    opened = Calls(getattr, pathlib.Path, "home")
    read(archived(tmp_path / "held.pth", pickled({"by": opened, **plain()})))
    code = b"\x80\x02cbuiltins\ngetattr\ncpathlib\nPath\nX\x04\x00\x00\x00home\x86R)R."
    with pytest.raises(FileError, match=r"calls what builtins\.getattr finds"):
        read(archived(tmp_path / "called.pth", code))


def test_a_module_reached_through_another_is_refused(tmp_path):
    """Protocol 4 follows dots in names, so that ``os`` can be had from whoever imported it."""
    code = b"\x80\x04\x8c\x13torch.serialization\x8c\tos.system\x93\x8c\x04true\x85R."
    with pytest.raises(FileError, match=r"torch\.serialization\.os\.system"):
        read(archived(tmp_path / "a.pth", code))


@pytest.mark.parametrize(
    "name",
    ["torch.nn Module.__init__.__globals__", "mine Net.os.system", "mine os", "torch.storage _load_from_bytes",
     "torch.package PackageImporter", "xml.sax.expatreader sys", "os.path join", "http.client HTTPConnection"],
)  # fmt: skip
def test_a_name_that_leads_to_harm_is_refused(name, tmp_path):
    """Through the attributes of a class, the modules that a module has imported, or what both are inside of."""
    module, named = name.split()
    with pytest.raises(FileError, match="has no place"):
        read(archived(tmp_path / "a.pth", calling(module, named)))


@pytest.mark.parametrize(
    "name",
    ["mine Outer.Inner", "mine signal", "mine.os.tools Tool", "io BytesIO", "threading Lock", "operator itemgetter",
     "torch.hubs Net", "mine eval", "code.model Net"],
)  # fmt: skip
def test_a_name_that_only_looks_like_harm_is_kept(name, tmp_path):
    """What stands beside weights under such a name is not built, and the weights are read."""
    module, named = name.split()
    graph = read(archived(tmp_path / "a.pth", calling(module, named)))
    assert [value.names for value in graph.values] == [("fc.weight",)]
    assert any(f"{module}.{named}" in note.text for note in graph.notes)


def calling(module: str, name: str) -> bytes:
    """A pickle that calls a name without arguments, in protocol 4, beside weights."""
    words = b"".join(b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, name))
    weights = pickled({"fc.weight": np.ones((2, 3), np.float32)})
    return weights[:-1] + b"\x8c\x05thing" + words + b"\x93)Rs."


def plain() -> dict[str, np.ndarray]:
    """Weights that a plain pickle holds."""
    return {"fc.weight": np.ones((2, 3), np.float32), "fc.bias": np.ones(2, np.float32)}


class Colour(enum.Enum):
    """As settings of a training have."""

    RED = 1


def test_what_stands_beside_weights_is_named_and_not_built(tmp_path):
    """Settings of a training do not keep the weights from being read."""
    settings = argparse.Namespace(lr=0.1, path=pathlib.PurePosixPath("/data"), by=Colour.RED, seed=np.float64(1))
    loss = functools.partial(torch.nn.functional.cross_entropy, label_smoothing=0.1)
    graph = read(saved(tmp_path / "a.ckpt", {"hyper_parameters": settings, "loss": loss, "state_dict": state()}))
    assert {name for value in graph.values for name in value.names} == set(state())
    note = next(note.text for note in graph.notes if "argparse.Namespace" in note.text)
    assert "functools.partial" in note


def test_code_of_a_file_is_refused_where_no_module_stands(tmp_path):
    """What torch.fx rebuilds runs code of the file: a module is shown, with a warning, anything else refused."""
    hostile = Calls(torch.fx.graph_module.reduce_graph_module, {"_code": GREETING}, "import os")
    with pytest.raises(FileError, match="runs code that stands in the file"):
        read(saved(tmp_path / "a.pt", {"x": hostile, **state()}))
    traced = torch.fx.symbolic_trace(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()))
    graph = read(saved(tmp_path / "b.pt", traced))
    assert [module.name for module in graph.modules] == ["GraphModule", "Linear", "ReLU"]
    assert any("code" in note.text and "trust" in note.text for note in graph.notes)


def test_classes_are_made_by_type_and_nothing_is_read_from_none(tmp_path):
    """``type(None)`` is what a pickle has for NoneType; with three arguments ``type`` makes a class."""
    assert read(saved(tmp_path / "a.pt", {"kind": type(None), **state()})).values
    with pytest.raises(FileError, match=r"builtins?\w*\.type"):
        read(saved(tmp_path / "b.pt", {"kind": Calls(type, "Mine", (), {}), **state()}))


def test_a_package_with_a_name_of_pythons_is_somebodys_own(tmp_path):
    """``code.model.Net`` cannot be of Python's own module ``code``, which is no package; ``code.interact`` is."""
    own = b"\x80\x02}X\x01\x00\x00\x00acCODE\nNet\n)\x81s.".replace(b"CODE", b"code.model")
    with pytest.raises(FileError, match="without the weights"):
        read(archived(tmp_path / "a.pth", own))
    with pytest.raises(FileError, match="has no place"):
        read(archived(tmp_path / "b.pth", own.replace(b"code.model", b"code").replace(b"Net", b"interact")))


def test_weights_beside_a_pickled_model_are_read(tmp_path):
    """A checkpoint that holds both is opened by its weights."""
    graph = read(saved(tmp_path / "a.pt", {"net": torch.nn.Linear(2, 3), "state_dict": state()}))
    assert len(graph.values) == len(state())
    assert any("key='net' opens it" in note.text for note in graph.notes)


BOMBS = {
    "a memo of four billion": b"\x80\x02Nr\xff\xff\xff\xff.",
    "a string of eight exabytes": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.",
    "bytes of eight exabytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fa.",
    "a list in a list, very deep": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "tuples that double forty times": b"\x80\x02)" + b"2\x86" * 40 + b".",
    "tuples that double, as a key": b"\x80\x02})" + b"2\x86" * 40 + b"Ns.",
    "a list that holds itself": b"\x80\x02]q\x00h\x00a.",
    "a dictionary that holds itself": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
    "an object that is its own state": b"\x80\x02cargparse\nNamespace\n)\x81q\x00h\x00b.",
    "a number of a million digits": b"I" + b"9" * 10**6 + b"\n.",
    "very many marks": b"\x80\x02" + b"(" * 200_000 + b".",
    "an extension that nobody registered": b"\x80\x02\x82\x01.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_an_error_at_once(name, tmp_path):
    """What would take all memory, all time or all of the stack ends as a FileError."""
    for path in (archived(tmp_path / "a.pth", BOMBS[name]), tmp_path / "b.bin"):
        if not path.exists():
            path.write_bytes(b"\x80\x02" + BOMBS[name].removeprefix(b"\x80\x02"))
        with pytest.raises(FileError):
            read(path)


def test_no_name_of_a_file_is_imported(tmp_path, monkeypatch):
    """Not even that of a module that is not there: importing is running."""
    wanted = []
    original = builtins.__import__

    def watched(name: str, *args: object, **kwargs: object) -> object:
        wanted.append(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", watched)
    code = b"\x80\x02}X\x01\x00\x00\x00acnot_there\nThing\n)Rs."
    with pytest.raises(FileError):
        read(archived(tmp_path / "a.pth", code))
    assert not [name for name in wanted if "not_there" in name]
