"""The models that the demo and the documents show."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name: str):
    """The module of one example, imported from its file."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_resnet_has_the_parameters_of_resnet_18():
    """11,689,512 is the number that the paper's architecture and torchvision's ResNet-18 have."""
    model = load("resnet").ResNet()
    assert sum(parameter.numel() for parameter in model.parameters()) == 11_689_512
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)


def test_gpt_sees_no_later_token():
    """Changing the last token changes no score before it."""
    model = load("gpt").GPT(words=50, width=32, depth=2, heads=4, context=8).eval()
    tokens = torch.randint(49, (1, 8))
    changed = tokens.clone()
    changed[0, -1] = 49
    with torch.no_grad():
        before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :-1], after[:, :-1])
    assert not torch.equal(before[:, -1], after[:, -1])


def test_the_demo_prints_both_summaries(monkeypatch, capsys):
    """`make demo` shows the ResNet's well known total and the GPT beneath it."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    load("demo").main()
    shown = capsys.readouterr().out
    assert "11,689,512" in shown
    assert "GPT" in shown
    for name in ("gpt", "resnet"):
        sys.modules.pop(name)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_the_graph_network_hears_of_neighbours_of_neighbours_alone():
    """Two rounds: what changes at a node reaches those two edges away, no further, and in the direction of edges."""
    example = load("graph")
    model = example.GraphNet().eval()
    path = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]])
    x = torch.rand(5, 4)
    changed = x.clone()
    changed[1] += 1
    with torch.no_grad():
        before, after = (model(SimpleNamespace(x=each, edge_index=path)) for each in (x, changed))
    assert (before != after).any(dim=1).tolist() == [False, True, True, True, False]
