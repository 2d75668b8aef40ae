"""No command and no `save` writes over what it reads, over a model, or to a name that says something else."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

import torchatlas as ta
from torchatlas.cli import app
from torchatlas.core.errors import FileError, InputError
from torchatlas.files.overwriting import same_file

CODE = "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(4, 2)\n"
STATE = {"layer.weight": torch.ones(2, 4), "layer.bias": torch.ones(2)}
ENDINGS = {
    "skeleton": (".py",),
    "summary": (".txt", ".html", ".csv", ".json"),
    "draw": (".svg", ".png", ".pdf", ".dot", ".html"),
    "show": (".html",),
    "save": (".atlas", ".json", ".model-explorer.json", ".html", ".svg", ".png", ".pdf", ".dot"),
    "compare": (".txt", ".csv", ".json", ".html", ".svg"),
    "profile": (".atlas",),
}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Every kind of model, in the current folder."""
    monkeypatch.chdir(tmp_path)
    torch.save(STATE, "weights.pth")
    save_file(STATE, "weights.safetensors")
    Path("folder").mkdir()
    save_file(STATE, "folder/one.safetensors")
    index = {"weight_map": dict.fromkeys(STATE, "one.safetensors")}
    Path("folder/model.safetensors.index.json").write_text(json.dumps(index))
    Path("net.py").write_text(CODE)
    atlas = ta.capture(nn.Sequential(nn.Linear(4, 2)), torch.ones(1, 4))
    atlas.save("run.atlas")
    atlas.save("run.json")


def contents() -> dict[str, str]:
    """What all files hold; a link is what it leads to."""
    files = [path for path in Path().rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def refused(*arguments: str) -> str:
    """What a command says that refuses and changes nothing."""
    before = contents()
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2, result.output
    assert contents() == before
    assert "Traceback" not in result.output
    return result.output


def command(name: str, target: str, output: str | Path) -> list[str]:
    """A command that reads a target and writes an output."""
    run = ["-i", "1,4"] if ".py" in target else []
    second = [target] if name == "compare" else []
    return [name, target, *second, *run, "-o", str(output)]


TARGETS = (
    "weights.pth",
    "weights.safetensors",
    "folder",
    "folder/model.safetensors.index.json",
    "run.atlas",
    "run.json",
)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", [name for name in ENDINGS if name != "profile"])
def test_no_command_writes_over_its_file(name, target):
    """By the same name, another spelling of the path, and links of both kinds with every ending that it writes."""
    assert "-o" in refused(*command(name, target, target))
    if Path(target).is_dir():
        return
    assert "reads" in refused(*command(name, target, Path("folder") / ".." / target))
    assert "reads" in refused(*command(name, target, Path(target).resolve()))
    for ending in ENDINGS[name]:
        Path(f"soft{ending}").symlink_to(target)
        os.link(target, f"hard{ending}")
        for link in ("soft", "hard"):
            assert "reads" in refused(*command(name, target, link + ending))
            Path(link + ending).unlink()


@pytest.mark.parametrize("target", ["net.py:Net", "net:Net"])
@pytest.mark.parametrize("name", [name for name in ENDINGS if name != "skeleton"])
def test_no_command_writes_over_the_code_of_its_model(name, target):
    """Given as a file or as a module, directly or by a link."""
    refused(*command(name, target, "net.py"))
    for ending in ENDINGS[name]:
        Path(f"soft{ending}").symlink_to("net.py")
        os.link("net.py", f"hard{ending}")
        assert "reads" in refused(*command(name, target, f"soft{ending}"))
        assert "reads" in refused(*command(name, target, f"hard{ending}"))


def test_files_of_a_folder_and_of_an_index_are_read_too():
    """A link to a shard is no place for the code of the whole."""
    Path("shard.py").symlink_to("folder/one.safetensors")
    for target in ("folder", "folder/model.safetensors.index.json"):
        assert "reads" in refused("skeleton", target, "-o", "shard.py")


def test_the_second_of_two_that_are_compared_is_read_too():
    """Not only the first is safe."""
    assert "reads" in refused("compare", "run.atlas", "run.json", "-o", "run.json")


@pytest.mark.parametrize("name", ENDINGS)
def test_only_names_with_the_ending_of_what_is_written_are_taken(name):
    """A command refuses every other ending, upper case or not, and names those that there are."""
    target = "net.py:Net" if name == "profile" else "weights.pth"
    for ending in (".pth", ".PT", ".bin", ".safetensors", ".ckpt", ".txt.pth", "", ".md"):
        said = refused(*command(name, target, f"new{ending}"))
        assert ENDINGS[name][0] in said
    for other in {".py", ".atlas", ".svg", ".csv"} - {*ENDINGS[name]}:
        refused(*command(name, target, f"new{other}"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("summary", "run.atlas", "--format", "csv", "-o", "new.json"),
        ("summary", "run.atlas", "--format", "text", "-o", "new"),
        ("save", "run.atlas", "--format", "svg", "-o", "new.png"),
        ("save", "run.atlas", "--format", "json", "-o", "new.pth"),
        ("save", "run.atlas", "--format", "atlas", "-o", "new.onnx"),
        ("save", "run.atlas", "--format", "tensorboard", "-o", "weights.pth"),
    ],
)
def test_a_format_does_not_make_another_ending_right(arguments):
    """What is asked for and how the name ends must agree."""
    refused(*arguments)


def test_two_outputs_of_one_command_are_two_files():
    """The same name twice, two spellings, or a link: one picture would replace the other."""
    assert "the same file" in refused("draw", "run.atlas", "-o", "new.svg", "-o", "./new.svg")
    Path("link.svg").symlink_to("new.svg")
    assert "the same file" in refused("draw", "run.atlas", "-o", "new.svg", "-o", "link.svg")


@pytest.mark.parametrize("name", ENDINGS)
def test_a_result_may_be_written_anew(name):
    """Over what the same command wrote before, and over an empty file."""
    target = "net.py:Net" if name == "profile" else "weights.pth" if name == "skeleton" else "run.atlas"
    for ending in ENDINGS[name]:
        Path(f"new{ending}").touch()
        for _ in range(2):
            result = CliRunner().invoke(app, command(name, target, f"new{ending}"))
            assert result.exit_code == 0, result.output
        assert Path(f"new{ending}").stat().st_size


SAVES = {
    **{f"atlas{end}": lambda path: ta.open("run.atlas").save(path) for end in (".atlas", ".json", ".html", ".svg")},
    **{
        f"picture{end}": lambda path: ta.open("run.atlas").draw().save(path) for end in (".svg", ".png", ".pdf", ".dot")
    },
    "page.html": lambda path: ta.open("run.atlas").show().save(path),
    **{
        f"comparison{end}": lambda path: ta.compare(*(ta.open("run.atlas"),) * 2).save(path)
        for end in (".txt", ".csv", ".json", ".html", ".svg")
    },
}


@pytest.mark.parametrize("name", SAVES)
def test_no_save_replaces_a_model_under_a_name_that_fits(name):
    """Weights, an index or a picture under a name that says otherwise, and links to them, stay; the error says what."""
    save, ending = SAVES[name], Path(name).suffix
    for target in ("weights.pth", "weights.safetensors", "net.py"):
        Path(f"soft{ending}").unlink(missing_ok=True)
        Path(f"soft{ending}").symlink_to(target)
        before = contents()
        with pytest.raises(FileError, match=r"is a link to"):
            save(f"soft{ending}")
        assert contents() == before
    for target in ("weights.pth", "weights.safetensors"):
        Path(f"copy{ending}").write_bytes(Path(target).read_bytes())
        before = contents()
        with pytest.raises(FileError, match=r"holds .*archive|holds a safetensors"):
            save(f"copy{ending}")
        assert contents() == before


@pytest.mark.parametrize("name", SAVES)
def test_every_save_refuses_the_ending_of_another(name):
    """Names of models, and of nothing."""
    before = contents()
    for path in ("weights.pth", "weights.safetensors", "new.pt", "new.bin", "new", "net.py"):
        with pytest.raises(InputError, match=r"[Gg]ive a name|[Ee]nd the name"):
            SAVES[name](path)
    assert contents() == before


def test_an_atlas_may_be_saved_where_it_came_from_in_the_same_form_only():
    """A record replaces a record; a table or another program's JSON does not, nor does anything an index."""
    for path in ("run.atlas", "run.json"):
        graph = ta.open(path).graph
        ta.open(path).save(path)
        assert ta.open(path).graph == graph
    atlas, index = ta.open("run.json"), "folder/model.safetensors.index.json"
    before = contents()
    with pytest.raises(FileError, match="a graph that torchatlas wrote"):
        atlas.save("run.json", format="model-explorer")
    with pytest.raises(FileError, match="a graph that torchatlas wrote"):
        ta.compare(atlas, atlas).save("run.json")
    with pytest.raises(FileError, match="index of weights"):
        ta.open(index).save(index)
    assert contents() == before


def test_paths_that_lead_to_one_file_are_one():
    """Also where the system takes capital letters for small ones, as the file itself says."""
    assert same_file(Path("run.atlas"), Path("folder/../run.atlas"))
    assert same_file(Path("missing/../new"), Path("new"))
    assert not same_file(Path("run.atlas"), Path("run.json"))
