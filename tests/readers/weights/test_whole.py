"""Models that were pickled whole: classes, settings, tree and weights are read, and nothing of them is imported."""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib
import pickle
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

import torchatlas as ta
from readers.weights.forged import saved
from torchatlas.core.errors import InputError
from zoo.timm_models import MODELS as TIMM
from zoo.torchvision_models import MODELS as VISION
from zoo.transformers_models import MODELS as HUGGINGFACE

if TYPE_CHECKING:
    from pathlib import Path

    from torchatlas.core.graph import Graph, Module

OWN = """
import torch
from torch import nn

class Conv(nn.Module):
    def __init__(self, c1, c2, k=1, s=1):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, k // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU(inplace=True)

class Detect(nn.Module):
    stride = None
    def __init__(self, nc, ch):
        super().__init__()
        self.nc, self.nl = nc, len(ch)
        self.register_buffer("anchors", torch.ones(2, 3, 2), persistent=False)
        self.m = nn.ModuleList(nn.Conv2d(x, 3 * (nc + 5), 1) for x in ch)
        self.stride = torch.tensor([8.0, 16.0])

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.yaml = {"nc": 4, "backbone": [[-1, 1, "Conv", [64]]]}
        self.model = nn.Sequential(Conv(3, 8, 6, 2), Conv(8, 8, 3), nn.Upsample(scale_factor=2), Detect(4, (8, 8)))
        self.save = [1, 2]
"""


@pytest.fixture
def detector(tmp_path, monkeypatch):
    """A detector of classes whose package is gone once it was saved: what it is given is put around the model."""

    def save(around: Any, name: str = "best.pt", **options: Any) -> Path:
        package = tmp_path / "package" / "detector"
        package.mkdir(parents=True)
        (package / "yolo.py").write_text(OWN)
        monkeypatch.syspath_prepend(str(package.parent))
        model = importlib.import_module("detector.yolo").Model().half()
        torch.save(around(model), tmp_path / name, **options)
        for module in [name for name in sys.modules if name.partition(".")[0] == "detector"]:
            del sys.modules[module]
        (package / "yolo.py").unlink()
        return tmp_path / name

    return save


def notes(graph: Graph) -> str:
    """All that is said of a graph."""
    return "\n".join(note.text for note in graph.notes)


def read(thing: object, folder: Path, **options: Any) -> Graph:
    """What is read of something that torch.save wrote."""
    return ta.open(saved(folder / "a.pt", thing, **options)).graph


def comparable(module: Module) -> dict[str, Any]:
    """A module without what its code alone says: what it prints, and whether it has a forward."""
    fields = {field.name: getattr(module, field.name) for field in dataclasses.fields(module)}
    return {name: held for name, held in fields.items() if name not in ("extra", "container")}


def agree(model: nn.Module, graph: Graph) -> None:
    """The file says of a model what its capture does, to the last setting and flag."""
    captured = ta.capture(model).graph
    assert [comparable(module) for module in graph.modules] == [comparable(module) for module in captured.modules]
    for one, other in zip(graph.values, captured.values, strict=True):
        assert dataclasses.replace(one, storage=None) == dataclasses.replace(other, storage=None)
    assert all(module.confidence is None for module in graph.modules)


FAMILIES = {
    **{name: VISION[name] for name in list(VISION)[::6]},
    **{name: TIMM[name] for name in list(TIMM)[::6]},
    **{name: HUGGINGFACE[name] for name in list(HUGGINGFACE)[::6]},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_file_of_a_model_says_what_the_model_does(name, tmp_path):
    """Classes, names, settings, flags, shapes, dtypes and ties, of models of the libraries that people use."""
    model = FAMILIES[name].build()[0]
    agree(model, read(model, tmp_path))


@pytest.mark.parametrize("name", list(FAMILIES)[:2])
def test_what_layers_of_torch_print_is_printed(name, tmp_path):
    """Without their code: the numbers of a convolution stand in the column of details."""
    graph = read(FAMILIES[name].build()[0], tmp_path)
    for module in graph.modules:
        if module.name in ("Conv2d", "Linear", "Dropout", "MaxPool2d"):
            assert module.extra
    table = ta.open(tmp_path / "a.pt").summary(depth=9).text(200)
    assert "kernel_size=(" in table


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}])
def test_a_detector_is_read_without_its_package(options, detector):
    """As YOLO's files hold it: the network among averages and numbers, in half precision, its package gone."""
    path = detector(
        lambda model: {"epoch": -1, "model": model, "ema": copy.deepcopy(model), "train_args": {}}, **options
    )
    graph = ta.open(path).graph
    assert not [name for name in sys.modules if name.startswith("detector")]
    modules = graph.module_at
    assert [modules[path].name for path in ("", "model", "model.0", "model.3")] == [
        "Model",
        "Sequential",
        "Conv",
        "Detect",
    ]
    assert dict(modules["model.3"].settings)["nc"] == 4
    assert dict(modules["model.0.bn"].settings) | {"eps": 1e-3, "momentum": 0.03} == dict(
        modules["model.0.bn"].settings
    )
    assert [name for name, _ in modules["model.3"].buffers] == ["anchors"]
    assert {value.dtype for value in graph.values} == {"float16", "int64"}
    assert (
        sum(value.numel for value in graph.values if value.kind == "parameter") == 8 * 108 + 16 + 8 * 72 + 16 + 2 * 243
    )
    said = notes(graph)
    assert "they were not imported: detector.yolo (Model, Conv, Detect), torch (6 classes)" in said
    assert "key='ema' opens it" in said
    assert ta.compare(path, path).same
    assert ta.open(path, key="ema").graph.modules == graph.modules


def test_only_an_average_may_be_there(detector):
    """While YOLO trains, the network itself is left out."""
    graph = ta.open(detector(lambda model: {"model": None, "ema": model, "updates": 3})).graph
    assert graph.modules[0].name == "Model"
    assert "is under ['ema'] in the file" in notes(graph)


class Learner:
    """As of fastai: an object that holds everything, and knows itself through its callbacks."""

    def __init__(self) -> None:
        self.model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.3))
        self.loss_func = nn.CrossEntropyLoss()
        self.cbs = [self]


def linear() -> nn.Linear:
    """A layer of twelve numbers."""
    return nn.Linear(3, 3)


HELD = {
    "an object": (Learner, ["", "0", "1"], ".model"),
    "a bound method": (lambda: linear().forward, [""], ".args[0]"),
    "a partial": (lambda: functools.partial(linear().forward, 1), [""], ".args[0].args[0]"),
    "a list": (lambda: [linear(), nn.Sequential(linear())], ["", "0", "1", "1.0"], ""),
    "two networks": (lambda: {"netG": linear(), "netD": linear(), "loss": linear()}, ["", "netG", "netD"], ""),
    "beside a tensor": (lambda: {"model": linear(), "latent_avg": torch.ones(2)}, [""], "['model']"),
    "with its own state dict": (lambda: {"net": (net := linear()), "state_dict": net.state_dict()}, [""], "['net']"),
}


@pytest.mark.parametrize("name", HELD)
def test_models_are_found_in_whatever_holds_them(name, tmp_path):
    """In objects, methods, lists and dictionaries; and where they stand is said."""
    make, paths, where = HELD[name]
    graph = read(make(), tmp_path)
    assert [module.path for module in graph.modules] == paths
    assert (graph.provenance.state_dict or "") == where


def test_a_key_that_leads_nowhere_is_told_of_those_that_do(tmp_path):
    """The models of the file by the keys that lead to them; one alone has none."""
    path = saved(tmp_path / "a.pt", {"model": linear(), "ema": linear()})
    with pytest.raises(InputError, match=r"leads to no tensors.*Models stand under 'model', 'ema'"):
        ta.open(path, key="teacher")
    with pytest.raises(InputError, match="one model; open it without a key"):
        ta.open(saved(tmp_path / "b.pt", linear()), key="model")


def test_weights_stay_weights_beside_smaller_models(tmp_path):
    """The modules that a Lightning checkpoint keeps among its settings are parts of the network, and not it."""
    network = nn.Sequential(linear(), linear())
    graph = read({"hyper_parameters": {"backbone": linear()}, "state_dict": network.state_dict()}, tmp_path)
    assert sum(value.numel for value in graph.values) == 24
    assert "key='hyper_parameters.backbone' opens it" in notes(graph)


class Sharing(nn.Module):
    """One layer in two places, one weight in two layers, and one that only shares memory."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Sequential(linear(), nn.ReLU())
        self.again = self.one
        self.tied = linear()
        self.tied.weight = self.one[0].weight
        self.viewed = linear()
        self.viewed.weight = nn.Parameter(self.tied.weight.detach())


def test_what_is_shared_is_shared(tmp_path):
    """A module under two names, and a parameter of two modules, are counted once; memory alone ties nothing."""
    model = Sharing()
    graph = read(model, tmp_path)
    agree(model, graph)
    assert graph.module_at["again.0"].path == "one.0"
    total = ta.capture(model).summary().text().partition("parameters ")[2].split()[0]
    assert ta.open(tmp_path / "a.pt").summary().text().partition("parameters ")[2].split()[0] == total


def make(size: int) -> nn.Linear:
    """What a pickle names in the place of a class."""
    return nn.Linear(size, size)


class Reduced(nn.Linear):
    """Pickled as a call of a function, with its attributes as the state."""

    def __reduce__(self) -> tuple[Any, ...]:
        """As some libraries do."""
        return make, (4,), self.__dict__


class Closed(nn.Module):
    """Its state is none of attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 4))

    def __getstate__(self) -> Any:
        """A list."""
        return [1, {"weight": self.weight}]

    def __setstate__(self, state: Any) -> None:
        """Not called here."""


def test_states_of_other_forms_are_read_or_said_to_be_closed(tmp_path):
    """A function in the place of the class, and a state that is no mapping: nothing is lost from the totals."""
    graph = read(nn.Sequential(Reduced(4, 4), Closed()), tmp_path)
    assert graph.module_at["0"].name == "make"
    assert [name for name, _ in graph.module_at["0"].parameters] == ["weight", "bias"]
    assert graph.module_at["1"].opaque
    assert sum(value.numel for value in graph.values if value.kind == "parameter") == 20 + 12
    assert "a form of their own, of which only the tensors are shown: Closed" in notes(graph)


class Holding(nn.Module):
    """Layers that torch does not know of."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = linear()
        self.layers = [linear(), nn.Conv2d(1, 1, 1)]
        self.register_forward_hook(hook)


def hook(*_: object) -> None:
    """Does nothing."""


def test_what_is_no_part_of_the_model_is_said(tmp_path):
    """Modules in plain lists, and hooks, by name."""
    said = notes(read(Holding(), tmp_path))
    assert "2 modules (Linear, Conv2d) are in plain lists" in said
    assert f"Hooks change what modules compute: {__name__}.hook" in said


def special() -> dict[str, nn.Module]:
    """Modules that keep their state in ways of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "lazy": nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d()),
            "recurrent": nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2, dropout=0.5),
            "attention": nn.Transformer(16, 4, 1, 1, 32),
            "weight norm": nn.utils.weight_norm(nn.Conv2d(3, 3, 3)),
            "spectral norm": nn.utils.spectral_norm(nn.Conv2d(3, 3, 3)),
            "data parallel": nn.DataParallel(linear()),
            "lists": nn.ModuleDict({"a": nn.ParameterList([torch.ones(2), torch.ones(3)]), "b": nn.ModuleList()}),
            "frozen": linear().requires_grad_(requires_grad=False).eval(),
            "compiled": torch.compile(nn.Sequential(linear())),
        }


@pytest.mark.parametrize("name", special())
def test_special_modules_of_torch_agree(name, tmp_path):
    """Lazy, recurrent, normed, wrapped, frozen and compiled ones, in both formats."""
    model = special()[name]
    agree(model, read(model, tmp_path))
    agree(model, read(model, tmp_path, _use_new_zipfile_serialization=False))


@pytest.mark.filterwarnings("ignore")  # of quantization, by torch itself
def test_quantized_layers_count_what_is_packed(tmp_path):
    """Weights that kernels keep packed stand in the file as tensors: their elements and bytes are there."""
    dynamic = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 16)), {nn.Linear}, dtype=torch.qint8)
    graph = read(dynamic, tmp_path)
    assert sorted((value.shape, value.dtype) for value in graph.values) == [((16,), "float32"), ((16, 8), "qint8")]
    assert ta.compare(dynamic, tmp_path / "a.pt").same
    graph = read(nn.Sequential(torch.ao.nn.quantized.Conv2d(3, 4, 3)), tmp_path)
    assert [(name, graph.values[value].nbytes) for name, value in graph.module_at["0"].parameters] == [
        ("weight", 108),
        ("bias", 16),
    ]
    assert dict(graph.module_at["0"].settings)["in_channels"] == 3


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
def test_statistics_of_a_whole_model_are_those_of_its_numbers(options, tmp_path):
    """Read from where each tensor stands, in both formats."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7, bias=False), nn.BatchNorm1d(7))
    path = saved(tmp_path / "a.pt", {"model": model}, **options)
    graph = ta.open(path, statistics=True).graph
    mean = next(dict(overlay.paths) for overlay in graph.overlays if overlay.name == "mean")
    assert mean["0"] == pytest.approx(model[0].weight.mean().item(), rel=1e-5)
    assert mean["1"] == pytest.approx(0.5)


def test_every_view_takes_a_whole_model(detector, tmp_path):
    """The picture, the page, the table as data, the file of its own, and the comparison with a changed one."""
    atlas = ta.open(detector(lambda model: model))
    assert "Detect" in atlas.draw(depth=3).svg
    atlas.show().save(tmp_path / "a.html")
    assert "SiLU" in (tmp_path / "a.html").read_text() or (tmp_path / "a.html").stat().st_size > 100_000
    atlas.save(tmp_path / "a.atlas")
    assert ta.load(tmp_path / "a.atlas").graph == atlas.graph
    one, other = nn.Sequential(nn.Conv2d(3, 4, 3)), nn.Sequential(nn.Conv2d(3, 4, 3, stride=2))
    changed = ta.compare(one, saved(tmp_path / "b.pt", other))
    assert not changed.same
    assert "stride" in str(changed)
    assert ta.compare(one, saved(tmp_path / "c.pt", one)).same


def test_a_plain_pickle_of_a_model_is_read(tmp_path):
    """``pickle.dump(model)``, whose tensors are files of torch in the file."""
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / f"{protocol}.pkl"
        path.write_bytes(pickle.dumps(model, protocol))
        agree(model, ta.open(path).graph)


def test_a_module_that_holds_itself_ends(tmp_path):
    """A pickle may say anything: trees without an end are cut, and nothing takes long."""
    model = nn.Module()
    model._modules["again"] = model
    graph = read(model, tmp_path)
    assert len(graph.modules) == 1
    nested = linear()
    for _ in range(12):
        nested = nn.ModuleList([nested, nested])
    assert len(read(nested, tmp_path).modules) == 13
