"""Nested tensors as inputs: parts of several lengths, in either layout."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import torchatlas as ta
from torchatlas.core.errors import InputError
from torchatlas.core.measure.cost import total

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")

LENGTHS = (2, 5, 3)
LAYOUTS = pytest.mark.parametrize("layout", [torch.strided, torch.jagged], ids=["strided", "jagged"])


def ragged(layout):
    """Three parts of eight features."""
    return torch.nested.nested_tensor([torch.randn(length, 8) for length in LENGTHS], layout=layout)


class Layers(nn.Module):
    """A nested tensor goes in and comes out."""

    def __init__(self):
        super().__init__()
        self.mix, self.norm = nn.Linear(8, 4), nn.LayerNorm(4)

    def forward(self, x):
        return self.norm(self.mix(x).relu())


class Attention(nn.Module):
    """Heads over each part."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(8, 8)

    def forward(self, x):
        heads = self.mix(x).unflatten(-1, (2, 4)).transpose(1, 2)
        return F.scaled_dot_product_attention(heads, heads, heads).transpose(1, 2).flatten(-2)


@LAYOUTS
@pytest.mark.parametrize("level", ["op", "aten"])
def test_a_nested_input_is_captured_counted_and_replayed(layout, level):
    """A size that varies is -1 in values, table and file; mult-adds are those of the rows there are."""
    atlas = ta.capture(Layers(), ragged(layout), level=level, replay=True)
    graph = atlas.graph
    assert graph.values[graph.calls[0].inputs[0]].shape == (3, -1, 8)
    assert graph.values[graph.calls[0].outputs[0]].shape == (3, -1, 4)
    assert total(graph).flops == 2 * sum(LENGTHS) * 8 * 4
    assert total(graph).unknown == 0
    assert "[3, -1, 8]" in str(atlas.summary())
    assert "LayerNorm" in atlas.draw().dot()
    assert atlas.replay().equal


@LAYOUTS
def test_gradients_of_a_nested_input_are_drawn(layout):
    """The backward pass reaches the weights."""
    atlas = ta.capture(Layers(), ragged(layout), mode="train", grad=True)
    graph = ta.backward(sum(part.sum() for part in atlas.outputs.unbind()), atlas=atlas).graph
    assert {"mix.weight", "mix.bias", "norm.weight", "norm.bias"} <= {
        name for value in graph.values for name in value.names
    }


def test_attention_over_a_nested_input_is_captured():
    """Torch's decompositions are written for tensors with a shape and are not asked."""
    atlas = ta.capture(Attention(), ragged(torch.jagged), replay=True)
    assert atlas.replay().equal
    assert total(atlas.graph).flops >= 2 * sum(LENGTHS) * 8 * 8


@LAYOUTS
def test_fake_tensors_of_a_nested_input_are_refused(layout):
    """Torch has none; what was given and what to do is said."""
    with pytest.raises(InputError, match=r"nested tensor of 3 parts.*fake=False"):
        ta.capture(Layers(), ragged(layout), fake=True)


@LAYOUTS
def test_a_replay_of_a_nested_result_compares_its_parts(layout, monkeypatch):
    """One that differs in a part is said to differ."""
    model, x = nn.ReLU(), ragged(layout)
    atlas = ta.capture(model, x, replay=True)
    assert atlas.replay().equal
    monkeypatch.setattr(torch, "equal", lambda *_: False)
    assert not atlas.replay().equal
