"""ONNX files: checked, run, read by Netron, and the model is as it was."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import warnings
from dataclasses import dataclass

import netron
import numpy as np
import onnx
import pytest
import torch
from netron.onnx import ModelFactory
from onnx.reference import ReferenceEvaluator
from torch import nn

import torchatlas as ta
from models import MODELS
from state import differences, fingerprint
from torchatlas.core.errors import FileError, InputError, MissingError
from writers.chromium import CHROMIUM, opened, with_cookie


class Net(nn.Module):
    """Convolution, norm, a keyword, a dictionary in and out, a branch that is folded away."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout()
        self.head = nn.Linear(4, 5)

    def forward(self, image, *, extra, scale=1.0):
        x = self.drop(self.norm(self.conv(image)).relu()).mean((2, 3)) * scale
        return {"logits": self.head(x) + extra["bias"], "states": [x, None]}


@pytest.fixture
def net():
    """A model in training mode."""
    return Net()


def arguments():
    """What it is called with."""
    return (torch.randn(2, 3, 6, 6),), {"extra": {"bias": torch.randn(5)}, "scale": 2.0}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model in training mode, whose running statistics are not those it began with, and its file."""
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(0)
    model = Net()
    model(torch.randn(8, 3, 6, 6), extra={"bias": torch.zeros(5)})
    written = ta.capture(model, *arguments()).save(folder / "net.onnx")
    assert [path.name for path in folder.iterdir()] == [written.name] == ["net.onnx"]
    return model, written


def test_the_file_is_well_formed_and_computes_what_the_model_computes(exported):
    """By the checker and the reference implementation of ONNX, on numbers that the capture did not see."""
    net, written = exported
    onnx.checker.check_model(written, full_check=True)
    model = onnx.load(written)
    assert [value.name for value in model.graph.input] == ["image", "extra_bias"]
    assert [value.name for value in model.graph.output] == ["logits", "states.0"]
    assert {"conv.weight", "head.bias"} <= {tensor.name for tensor in model.graph.initializer}
    image, bias = torch.randn(2, 3, 6, 6), torch.randn(5)
    found = ReferenceEvaluator(model).run(None, {"image": image.numpy(), "extra_bias": bias.numpy()})
    with torch.no_grad():
        wanted = copy.deepcopy(net).eval()(image, extra={"bias": bias}, scale=2.0)
    np.testing.assert_allclose(found[0], wanted["logits"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], wanted["states"][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_model_is_left_as_it_was_and_nothing_is_said(net, tmp_path, mode, capfd):
    """Flags, hooks, weights, statistics, random state; also where the export fails."""
    args, kwargs = arguments()
    atlas = ta.capture(net, args, kwargs, mode=mode)
    before = fingerprint(net, args, kwargs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        atlas.save(tmp_path / "net.onnx")
    assert not caught
    assert capfd.readouterr() == ("", "")  # the exporter has much to say
    assert not [line for line in differences(before, fingerprint(net, args, kwargs)) if "threads" not in line]
    net.forward = lambda image, *, extra, scale: 1 / 0
    before = fingerprint(net, args, kwargs)
    with pytest.raises(InputError, match="Net cannot be exported to ONNX: ZeroDivisionError: division by zero"):
        atlas.save(tmp_path / "other.onnx")
    assert not [line for line in differences(before, fingerprint(net, args, kwargs)) if "threads" not in line]
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_model_is_refused_with_what_to_save_instead(tmp_path):
    """The exporter follows Python alone; the capture sees a scripted model as one closed box."""
    scripted = torch.jit.script(nn.Linear(3, 3))
    atlas = ta.capture(scripted, torch.zeros(1, 3))
    with pytest.raises(InputError, match=r"Linear is a TorchScript module.*Capture the module that it was made from"):
        atlas.save(tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    ["structures/nested", "transformers/llama"],
)
def test_models_of_the_zoo_are_exported_with_all_their_results(name, tmp_path):
    """Arguments and results of any structure, a cache among them."""
    case = MODELS[name]
    with case.ready() as built:
        atlas = ta.capture(built.model, built.args, dict(built.kwargs), mode=case.mode)
        model = onnx.load(atlas.save(tmp_path / "net.onnx"))
    onnx.checker.check_model(model)
    assert len(model.graph.output) == len(atlas.graph.calls[0].outputs)


class Asks(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_what_cannot_be_exported_is_said_in_a_few_lines(tmp_path, capfd):
    """The innermost reason, the line of the model, and the exporter's own exception below."""
    model = Asks()
    atlas = ta.capture(model, torch.ones(2))
    (tmp_path / "net.onnx").write_text("mine")
    with pytest.raises(
        InputError, match=r"Asks cannot be exported.*data-dependent.*test_onnx\.py.*in forward"
    ) as caught:
        atlas.save(tmp_path / "net.onnx")
    assert len(str(caught.value)) < 900
    assert caught.value.__cause__ is not None
    assert (tmp_path / "net.onnx").read_text() == "mine"
    assert capfd.readouterr() == ("", "")


@dataclass
class Batch:
    image: torch.Tensor


class TakesBatch(nn.Linear):
    def forward(self, batch):
        return super().forward(batch.image)


def gone():
    """An atlas whose model nobody holds."""
    atlas = ta.capture(nn.Linear(2, 2), torch.zeros(1, 2))
    gc.collect()
    return atlas


def failed():
    """The atlas of a run that failed."""
    with pytest.raises(RuntimeError) as caught:
        ta.capture(nn.Linear(2, 2), torch.zeros(1, 3))
    return caught.value.atlas


HELD = [nn.Linear(2, 2, device="meta"), TakesBatch(2, 2)]
REFUSED = {
    "gone": (gone, "the captured model no longer exists"),
    "not run": (lambda: ta.capture(nn.Linear(2, 2)), "this atlas is of a model that was not run"),
    "failed": (failed, "this atlas is of a run that failed at F.linear"),
    "a record": (lambda: ta.Atlas(gone().graph), "this atlas holds only the record"),
    "a function": (lambda: ta.capture(torch.relu, torch.zeros(1)), "captured is a function"),
    "meta": (lambda: ta.capture(HELD[0], torch.zeros(1, 2, device="meta")), "on the meta device"),
    "opaque": (lambda: ta.capture(HELD[1], Batch(torch.zeros(1, 2))), "inside an object that no exporter looks into"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_without_a_model_the_message_says_what_to_do(case, tmp_path):
    """Each reason by its own words, and nothing is written."""
    make, words = REFUSED[case]
    with pytest.raises(InputError, match=words):
        make().save(tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_model_captured_on_fake_tensors_is_exported_with_its_weights(net, tmp_path):
    """The run was without arithmetic; the model itself is real."""
    args, kwargs = arguments()
    model = onnx.load(ta.capture(net, args, kwargs, fake=True).save(tmp_path / "net.onnx"))
    (weight,) = [tensor for tensor in model.graph.initializer if tensor.name == "head.bias"]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(weight), net.head.bias.detach())


def test_an_atlas_is_copied_with_its_model_and_pickled_without(net):
    """Another process has no model."""
    atlas = ta.capture(net, *arguments())
    assert copy.deepcopy(atlas).origin is copy.copy(atlas).origin is atlas.origin
    assert pickle.loads(pickle.dumps(atlas)).origin is None  # noqa: S301 - what was just pickled


def test_large_weights_stand_beside_the_file(net, tmp_path, monkeypatch):
    """As two files, both or none; what stood there is replaced."""
    monkeypatch.setattr("torch.onnx._internal.exporter._onnx_program._LARGE_MODEL_THRESHOLD", 0)
    args, kwargs = arguments()
    atlas = ta.capture(net, args, kwargs)
    (tmp_path / "net.onnx.data").write_text("of an older file")
    atlas.save(tmp_path / "net.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"net.onnx", "net.onnx.data"}
    onnx.checker.check_model(tmp_path / "net.onnx")
    with pytest.raises(FileError, match="cannot be written"):
        atlas.save(tmp_path / "absent" / "net.onnx")


def test_without_onnxscript_the_extra_is_named(net, tmp_path, monkeypatch):
    """Before anything is run."""
    args, kwargs = arguments()
    atlas = ta.capture(net, args, kwargs)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingError, match=r"needs onnxscript, .*pip install torchatlas\[onnx\]"):
        atlas.save(tmp_path / "net.onnx")


def test_netrons_python_reads_it(exported):
    """Every node, with its inputs and weights by name."""
    (graph,) = ModelFactory().open(onnx.load(exported[1])).to_json()["graphs"]
    assert "Conv" in [node["type"]["name"] for node in graph["nodes"]]
    names = {argument["name"] for argument in graph["values"]}
    assert {"image", "conv.weight", "logits"} <= names


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_netrons_page_draws_it(exported, tmp_path):
    """Served by Netron's package, opened in a browser: the operators stand in the picture."""
    host, port = netron.serve(str(exported[1]), None, address=("localhost", 0), browse=False)
    try:
        with with_cookie("consent=1", f"http://{host}:{port}/") as url:
            page = opened(url, tmp_path / "browser", "--dump-dom")
    finally:
        netron.stop((host, port))
    for operator in ("Conv", "Relu", "Gemm"):
        assert f">{operator}<" in page
