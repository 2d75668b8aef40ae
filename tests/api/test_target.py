"""What a target on the command line leads to, and what is said when it leads nowhere."""

from __future__ import annotations

import sys

import pytest
from torch import nn

from torchatlas.api.target import Target, parse, resolve
from torchatlas.core.errors import TargetError

MODELS = """
from functools import partial

import torch
from torch import nn

import neighbour

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.layer = nn.Linear(width, width)
    def forward(self, x):
        return self.layer(x)

class Wide(Net):
    def __init__(self, width, *, depth):
        super().__init__(width)
        self.depth = depth

class Config:
    pass

def make(width=3):
    return Net(width)

def loss(prediction, wanted):
    return (prediction - wanted).square().mean()

def number():
    return 7

def broken():
    return [][0]

async def later():
    pass

net = Net(5)
config = Config()
half = partial(Net, 6)
"""


@pytest.fixture(autouse=True)
def _fresh_imports(monkeypatch, tmp_path):
    """Leave Python's import state as it was, and work in an empty folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def models(tmp_path):
    """A folder, not the current one, that holds a file of models and a neighbour that it imports."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "neighbour.py").write_text("HERE = True\n")
    (folder / "models.py").write_text(MODELS)
    return folder / "models.py"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("package.module:Net", Target("package.module", "Net", is_file=False)),
        ("module:models.Net", Target("module", "models.Net", is_file=False)),
        ("module", Target("module", "", is_file=False)),
        ("file.py:Net", Target("file.py", "Net", is_file=True)),
        ("file.py", Target("file.py", "", is_file=True)),
        ("a:b/file.py:net.layer", Target("a:b/file.py", "net.layer", is_file=True)),
        ("a:b/file.py", Target("a:b/file.py", "", is_file=True)),
        (r"C:\models\file.py:Net", Target(r"C:\models\file.py", "Net", is_file=True)),
        (r"C:\models\file.py", Target(r"C:\models\file.py", "", is_file=True)),
        ("C:file.py", Target("C:file.py", "", is_file=True)),
    ],
)
def test_a_target_splits_into_place_and_attribute(text, wanted):
    """Colons in paths do not split, the last colon before a name does."""
    assert parse(text) == wanted


@pytest.mark.parametrize("text", ["a/b:Net", "my-model:Net", "", ":Net", "http://x/y"])
def test_what_is_neither_file_nor_module_is_refused(text):
    """The message says which forms there are."""
    with pytest.raises(TargetError, match=r"neither a file nor a module.*file\.py:attribute"):
        parse(text)


@pytest.mark.parametrize(
    ("attribute", "arguments", "width"),
    [
        ("Net", None, 4),
        ("Net", {"width": 8}, 8),
        ("Net", [9], 9),
        ("net", None, 5),
        ("make", None, 3),
        ("make", {"width": 2}, 2),
        ("Wide", {"width": 7, "depth": 1}, 7),
        ("half", None, 6),
    ],
)
def test_class_factory_and_instance_lead_to_a_model(models, attribute, arguments, width):
    """A class is made, a factory called, an instance taken as it is."""
    model = resolve(f"{models}:{attribute}", arguments)
    assert isinstance(model, nn.Module)
    assert model.layer.in_features == width


def test_a_dotted_attribute_leads_inside(models):
    """A part of a model is a model."""
    assert isinstance(resolve(f"{models}:net.layer"), nn.Linear)


def test_a_module_is_found_in_the_current_folder(models, monkeypatch):
    """As ``python -m`` finds it, without an installation."""
    models.rename(models.with_name("nets_of_this_folder.py"))
    monkeypatch.chdir(models.parent)
    assert isinstance(resolve("nets_of_this_folder:Net"), nn.Module)


def test_a_function_that_needs_arguments_is_captured_itself_when_inputs_are_given(models):
    """A loss function is no factory; without inputs there would be nothing to run it on."""
    assert resolve(f"{models}:loss", has_input=True).__name__ == "loss"
    with pytest.raises(TargetError, match="missing a required argument: 'prediction'"):
        resolve(f"{models}:loss")


def test_a_file_named_like_an_imported_module_does_not_replace_it(models):
    """A user's ``json.py`` must not become everybody's ``json``."""
    import json  # noqa: PLC0415 the module that must survive

    mine = models.with_name("json.py")
    mine.write_text(MODELS)
    resolve(f"{mine}:Net")
    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("attribute", "arguments", "words"),
    [
        ("Nett", None, ["has no 'Nett'", "Did you mean 'Net'", "Wide (class)", "make (function)", "net (a Net)"]),
        ("net.lair", None, ["models.py:net' has no 'lair'", "Did you mean 'layer'"]),
        ("Wide", None, ["missing a required argument", "Wide(width, *, depth)", '{"width": …, "depth": …}']),
        ("Net", {"wide": 1}, ["unexpected keyword argument 'wide'", "Net(width=4)"]),
        ("net", {"width": 1}, ["is already a Net", "no --arguments"]),
        ("Config", None, ["is the class Config, not a class of nn.Module"]),
        ("config", None, ["is not a model: it is a Config"]),
        ("number", None, ["returns a int, not a model"]),
        ("later", None, ["is a coroutine function"]),
        ("broken", None, ["calling", "return [][0]", "IndexError: list index out of range"]),
        ("", None, ["does not name an attribute", "Net (class)"]),
    ],
)
def test_what_is_no_model_is_said_with_a_way_on(models, attribute, arguments, words):
    """Each message repeats what was given, and names what is there or how to give what is missing."""
    with pytest.raises(TargetError) as caught:
        resolve(f"{models}:{attribute}" if attribute else str(models), arguments)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import nowhere_at_all\n", ["import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"]),
        ("def f(:\n", ["line 1", "SyntaxError"]),
        ("1 / 0\n", ["line 1", "ZeroDivisionError"]),
        ("raise SystemExit(3)\n", ["SystemExit(3)", "__name__ == '__main__'"]),
    ],
)
def test_an_import_that_fails_shows_the_users_line_alone(tmp_path, code, words):
    """The traceback holds the user's code, nothing of ours and nothing of Python's import machinery."""
    (tmp_path / "bad.py").write_text(code)
    for text in ("bad:Net", "bad.py:Net"):
        with pytest.raises(TargetError) as caught:
            resolve(text)
        message = str(caught.value)
        assert [word for word in words if word not in message] == []
        assert "importlib" not in message
        assert "target.py" not in message
        assert "bad" not in sys.modules


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("code/modles.py:Net", "no file 'code/modles.py'. Did you mean 'code/models.py'?"),
        ("nowhere.py:Net", "no file 'nowhere.py'."),
        ("nowhere_at_all:Net", "no module 'nowhere_at_all'"),
        ("torch.nowhere:Net", "no module 'torch.nowhere'"),
        ("modles:Net", "Did you mean 'models'?"),
    ],
)
def test_a_place_that_is_not_there_is_named_with_its_neighbours(models, text, words):
    """A misspelt file or module is answered by the one that is there."""
    models.parent.with_name("models.py").write_text("")
    with pytest.raises(TargetError) as caught:
        resolve(text)
    assert words in str(caught.value)
