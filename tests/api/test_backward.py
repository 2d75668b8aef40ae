"""`ta.backward` as a user meets it: what it returns is an atlas like any other, with the same views."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.folding.fold import fold_calls
from torchvision_cpu import torchvision_models
from viewing import payload_of

GOLDEN = Path(__file__).parents[1] / "golden" / "drawing"
TEXT = "{http://www.w3.org/2000/svg}text"


class Residual(nn.Module):
    """A branch around two layers."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, x):
        return x + self.body(x)


class Net(nn.Module):
    """Two residuals and a head, with an input that may require a gradient."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Residual(), Residual())
        self.head = nn.Linear(4, 1)

    def forward(self, tokens):
        hidden = self.blocks(tokens)
        return {"score": self.head(hidden), "hidden": hidden}


def texts(svg: str) -> list[str]:
    """What is written in a picture."""
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(TEXT)]


@pytest.fixture
def golden(request):
    """Compare a picture with a golden file; ``pytest --golden`` writes it anew."""

    def compare(name: str, svg: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--golden"):
            path.write_text(svg, encoding="utf-8", newline="\n")
        assert svg == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def tied() -> ta.Atlas:
    """A pass with everything known: modules, parameters, the input's gradient, two outputs by name."""
    return ta.backward(atlas=ta.capture(Net(), torch.zeros(2, 4, requires_grad=True), grad=True))


def test_a_tied_pass_is_drawn_by_module(tied, golden):
    """Outputs above, by their keys; frames as in the forward; the input's gradient below."""
    golden("backward.svg", tied.draw(depth=3).svg)


def test_saved_tensors_are_drawn_with_shape_and_bytes(golden):
    """They are no constants to be hidden; what is a view of a parameter says so."""
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    torch.manual_seed(0)
    svg = ta.backward(model(torch.zeros(2, 4)).mean(), params=model, saved=True).draw().svg
    assert {"mat1", "saved", "2×8", "64 B", "view of 2.weight"} <= set(texts(svg))
    golden("backward-saved.svg", svg)


def test_names_are_readable_and_torchs_own_stay_visible(tied):
    """`AddmmBackward0` is `Addmm`, with torch's name below; a leaf has its parameter's."""
    said = texts(tied.draw(depth=4).svg)
    assert {"Addmm", "AddmmBackward0", "AccumulateGrad", "weight", "bias", "tokens.grad", "score", "hidden"} <= set(
        said
    )


def test_a_decoder_of_32_layers_is_drawn_folded():
    """One layer with ×32 on it, although the last one's gradient is a sum of fewer, in a picture of a page."""
    torchvision_models()  # transformers imports torchvision, and fails where its operators are not
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415  # as above

    small = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=99, num_hidden_layers=32, **small))
    atlas = ta.capture(model, torch.zeros(1, 8, dtype=torch.int64), grad=True)
    for outputs in (atlas.outputs, atlas.outputs.logits):
        backward = ta.backward(outputs, atlas=atlas)
        (fold,) = [fold for folds in fold_calls(backward.graph).values() for fold in folds]
        assert (fold.period, fold.count) == (1, 32)
        drawing = backward.draw()
        assert "×32" in texts(drawing.svg)
        assert len(drawing.scene.boxes) < 50
        assert drawing.scene.width < 1200


def test_without_an_atlas_layers_fold_too():
    """A flat pass of twelve layers is one repeat."""
    layers = [module for _ in range(12) for module in (nn.Linear(4, 4), nn.Tanh())]
    graph = ta.backward(nn.Sequential(*layers)(torch.zeros(2, 4))).graph
    (fold,) = fold_calls(graph)[0]
    assert fold.count >= 11


def test_residuals_fold_although_the_last_ones_gradient_is_a_sum_of_fewer():
    """The first repeat of the pass is handed one gradient, those after it the sum of two; drawn both ways."""
    model = nn.Sequential(nn.Linear(4, 4), *[Residual() for _ in range(6)])
    x = torch.zeros(2, 4)
    flat = ta.backward(model(x), params=model)
    tied = ta.backward(atlas=ta.capture(model, x, grad=True))
    for backward in (flat, tied):
        (fold,) = fold_calls(backward.graph)[0]
        assert fold.count == 6
        assert fold.kind == "stack"
        assert "×6" in texts(backward.draw().svg)


def test_a_pass_has_a_table_and_a_page(tied, tmp_path):
    """The views of any atlas: parameters are counted, and the page holds every node with its forward call."""
    table = str(tied.summary())
    parameters = sum(map(torch.numel, Net().parameters()))
    assert re.search(rf"^parameters +{parameters} ", table, re.MULTILINE)
    assert "backward of Net" in table
    tied.save(tmp_path / "pass.html")
    assert (tmp_path / "pass.html").stat().st_size > 10_000
    tied.draw().save(tmp_path / "pass.pdf")


def test_a_pass_says_nothing_of_the_memory_that_a_run_takes(tied):
    """Peaks of inference and of a training step are a whole run's; the forward's atlas tells them."""
    table = tied.summary()
    assert "estimated peak" not in str(table)
    assert json.loads(table.json())["memory"] is None


def test_a_pass_is_like_a_captured_one_to_json(tied):
    """Every node tells the page which call of the forward it belongs to."""
    calls = json.loads(payload_of(tied.graph, details=True))["graph"]["calls"]
    assert [call["forward"] for call in calls] == [call.forward for call in tied.graph.calls]
    assert {call["kind"] for call in calls} == {"function", "module", "backward"}


def test_the_users_pass_works_afterwards():
    """`loss.backward()` after a look gives gradients, twice if the user keeps the graph."""
    model = Net()
    loss = model(torch.ones(2, 4))["score"].sum()
    ta.backward(loss, params=model, saved=True).draw()
    loss.backward(retain_graph=True)
    first = model.head.weight.grad.clone()
    ta.backward(loss, params=model).draw()
    loss.backward()
    assert torch.equal(model.head.weight.grad, 2 * first)


def test_a_run_is_not_taken_for_its_outputs():
    """An atlas holds parameters and inputs too, which would all be outputs."""
    atlas = ta.capture(Net(), torch.ones(2, 4), grad=True)
    with pytest.raises(ta.InputError, match=r"outputs=Atlas.*backward\(atlas=…\)"):
        ta.backward(atlas)


@pytest.mark.parametrize("atlas", [3, "net.atlas", Net()], ids=["number", "name", "model"])
def test_what_is_no_atlas_is_refused(atlas):
    """With how to get one."""
    with pytest.raises(ta.InputError, match=r"atlas=.*give the run that made the outputs, as capture\(model"):
        ta.backward(Net()(torch.ones(2, 4)), atlas=atlas)
