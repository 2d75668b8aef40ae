"""Saving: the name says the format, every format is written whole or not at all, every kind of graph can be written."""

from __future__ import annotations

import json
import stat
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import nn
from typer.testing import CliRunner

import torchatlas as ta
from core.strategies import graphs
from torchatlas.cli import app
from torchatlas.cli.save import Format
from torchatlas.core.errors import FileError, InputError
from torchatlas.files import atomic, graph_json
from torchatlas.writers import model_explorer, tensorboard
from torchatlas.writers.formats import EVENTS, FORMATS, SUFFIXES, format_of

STARTS = {
    "atlas": b"\x89atlas",
    "html": b"<!doctype html>",
    "svg": b"<svg",
    "png": b"\x89PNG",
    "pdf": b"%PDF",
    "dot": b"digraph",
    "json": b'{"name":"Sequential"',
    "model-explorer": b'{"label":"Sequential"',
    "onnx": b"\x08",
}


@pytest.fixture(scope="module")
def model():
    """What the atlas below was captured from."""
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU())


@pytest.fixture(scope="module")
def atlas(model):
    """A small run."""
    return ta.capture(model, torch.zeros(1, 2))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_end_of_the_name_says_what_is_written(atlas, tmp_path, suffix):
    """In capitals too; the path comes back, and nothing else is left in the folder."""
    path = tmp_path / f"Net{suffix.upper()}"
    assert atlas.save(path) == path
    assert path.read_bytes().lower().startswith(STARTS[SUFFIXES[suffix]].lower())
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", [form for form in FORMATS if form != EVENTS])
def test_a_format_that_is_named_wants_a_name_that_says_it(atlas, tmp_path, form):
    """A name that ends in nothing, or as another format does, is refused, and nothing is written."""
    for name in ("net", "net.txt", "net.pth", "net.html" if form != "html" else "net.svg"):
        with pytest.raises(InputError, match=rf"format='{form}': give a name that ends in \."):
            atlas.save(tmp_path / name, format=form)
    assert not list(tmp_path.iterdir())


def test_a_json_file_may_be_model_explorers_where_that_is_asked_for(atlas, tmp_path):
    """The end alone would say that it is a graph."""
    path = atlas.save(tmp_path / "net.json", format="model-explorer")
    assert path.read_bytes().startswith(STARTS["model-explorer"])


def test_the_formats_of_the_command_line_are_those_of_python():
    """One list."""
    assert {form.value for form in Format} == set(FORMATS)


@pytest.mark.parametrize(
    ("path", "given", "words"),
    [
        ("net.onx", None, r"net\.onx: give a name that ends in \.atlas, \.html.*Did you mean \.onnx\?"),
        ("net", None, r"or, for a folder that TensorBoard reads, the format 'tensorboard'\.$"),
        ("net.json", "model_explorer", r"format='model_explorer' is not one of atlas,.*Did you mean model-explorer\?"),
        ("net.json", "", r"format='' is not one of atlas"),
        ("net.json", 3, r"format=3 is not one of atlas"),
    ],
)
def test_an_unknown_format_is_refused_with_those_there_are(atlas, tmp_path, path, given, words):
    """And the nearest, where one is near."""
    with pytest.raises(InputError, match=words):
        atlas.save(tmp_path / path, format=given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", [3, None, b"net.svg", ["net.svg"], "", "net\0.svg"], ids=repr)
@pytest.mark.parametrize("act", ["save", "save as", "draw", "load", "open", "skeleton"])
def test_what_is_no_name_of_a_file_is_refused(atlas, act, path):
    """In the same words wherever a file is written or read."""
    acts = {
        "save": atlas.save,
        "save as": lambda path: atlas.save(path, format="onnx"),
        "draw": atlas.draw().save,
        "load": ta.load,
        "open": ta.open,
        "skeleton": ta.skeleton,
    }
    with pytest.raises(InputError, match=r"path=.*(give the name of a file|a null character)"):
        acts[act](path)


def test_overlays_and_profiles_keep_what_a_model_file_needs(model, atlas, tmp_path):
    """Numbers laid over a run change nothing of it: it can be exported, tied and replayed as before."""
    profiled = ta.profile(model, torch.zeros(1, 2), repeats=1, warmup=0, memory=False, statistics=False)
    for number, laid in enumerate([atlas.overlay("heat", {"0": 1}), profiled, profiled.overlay("heat", {"0": 1})]):
        assert laid.save(tmp_path / f"{number}.onnx").stat().st_size > 0
    tied = ta.capture(model, torch.zeros(1, 2), grad=True)
    assert ta.backward(atlas=tied.overlay("heat", {"0": 1})).graph.calls == ta.backward(atlas=tied).graph.calls


def test_a_backward_pass_is_no_model_to_export(model, tmp_path):
    """And the message says that it is one."""
    with pytest.raises(InputError, match=r"this atlas is of a backward pass\. Capture the model"):
        ta.backward(model(torch.zeros(1, 2))).save(tmp_path / "pass.onnx")


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("a.b/net.JSON", "json"),
        ("net.model-explorer.json", "model-explorer"),
        ("events.out.tfevents.3.host", "tensorboard"),
        ("net.htm", "html"),
        ("x.atlas.onnx", "onnx"),
    ],
)
def test_the_longest_end_counts(path, form):
    """A folder's name does not."""
    assert format_of(path) == form


def test_json_is_read_back_equal(atlas, tmp_path):
    """What ta.open reads."""
    assert graph_json.read(atlas.save(tmp_path / "net.json")) == atlas.graph


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_any_graph_is_written_for_other_programs(graph):
    """Whatever names, sizes, structures and numbers a record may hold; nothing is raised."""
    assert tensorboard.events(graph)
    assert json.loads(model_explorer.to_json(graph))


@pytest.mark.parametrize(
    ("name", "step"),
    [
        *(("net.json", "fsync"), ("net.svg", "replace"), ("net.html", "replace"), ("net.model-explorer.json", "fsync")),
        *(("tfevents", "replace"), ("net.onnx", "replace")),
    ],
)
def test_an_interrupted_write_loses_nothing(atlas, tmp_path, monkeypatch, step, name):
    """What stood there is untouched, and nothing is left beside it."""
    (tmp_path / name).write_text("mine")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"os.{step}", fail)
    with pytest.raises(FileError, match="No space left on device"):
        atlas.save(tmp_path / name)
    monkeypatch.undo()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_a_writer_of_its_own_files_goes_through_links_and_keeps_modes(tmp_path):
    """Several files at once, as one that makes them itself does."""
    real, link = tmp_path / "real.bin", tmp_path / "link.bin"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    with atomic.beside(link) as place:
        place.write_text("new")
        place.with_name("real.bin.data").write_text("more")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "real.bin": "new",
        "link.bin": "new",
        "real.bin.data": "more",
    }
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    with pytest.raises(UnicodeEncodeError), atomic.beside(link) as place:
        place.write_text("half \ud800")
    with pytest.raises(FileError, match="Is a directory"), atomic.beside(tmp_path) as place:
        pass
    assert len(list(tmp_path.iterdir())) == 3


# The command line.

NET = """
import torch
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 2), nn.ReLU())

class Bad(nn.Linear):
    def __init__(self):
        super().__init__(5, 2)
"""


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Work in a folder that holds ``net_to_save.py``, and leave Python's import state as it was."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net_to_save.py").write_text(NET)
    yield tmp_path
    sys.modules.pop("net_to_save", None)


def run(*args: str):
    """What ``torchatlas save`` does with these arguments, in this process."""
    return CliRunner().invoke(app, ["save", *args], prog_name="torchatlas")


@pytest.mark.parametrize(
    "name", ["net.atlas", "net.json", "net.onnx", "net.dot", "net.model-explorer.json", "net.html"]
)
def test_the_command_line_writes_each_format(here, name):
    """Of a model in a file, which nobody but the command holds."""
    result = run("net_to_save.py:Net", "-i", "3,4", "-o", name)
    assert result.exit_code == 0, result.output
    assert f"{name}: 5 calls, {(here / name).stat().st_size:,} bytes" in result.stderr
    assert result.stdout == ""


def test_the_command_line_writes_into_a_folder_of_logs(here):
    """Which is made, and may be there; also from a file."""
    assert run("net_to_save.py:Net", "-i", "3,4", "-o", "net.atlas").exit_code == 0
    for count in (1, 2):
        result = run("net.atlas", "-o", "runs/net", "--format", "tensorboard")
        assert result.exit_code == 0, result.output
        assert len(list((here / "runs" / "net").iterdir())) == count
    assert "tfevents" in result.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["net_to_save.py:Net", "-i", "3,4", "-o", "net.onx"], "Did you mean .onnx?"),
        (["net_to_save.py:Net", "-i", "3,4", "-o", "absent/net.onnx"], "there is no folder 'absent'"),
        (["net_to_save.py:Net", "-o", "net.onnx"], "this atlas is of a model that was not run"),
    ],
)
def test_the_command_line_refuses_in_one_line(here, args, words):
    """With exit code 2, and nothing written."""
    result = run(*args)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert [path.name for path in here.iterdir()] == ["net_to_save.py"]


def test_a_failed_run_is_written_as_far_as_it_went(here):
    """With exit code 1; the model itself cannot be."""
    result = run("net_to_save.py:Bad", "-i", "3,4", "-o", "net.model-explorer.json")
    assert result.exit_code == 1, result.output
    assert "the file goes up to the failing call" in result.stderr
    assert '"key":"error"' in (here / "net.model-explorer.json").read_text()
    assert run("net_to_save.py:Bad", "-i", "3,4", "-o", "net.onnx").exit_code == 2


def test_help_lists_the_formats():
    """Each end of a name, and each format."""
    text = " ".join(run("--help").stdout.split())
    for word in (*SUFFIXES, *FORMATS):
        assert word in text
