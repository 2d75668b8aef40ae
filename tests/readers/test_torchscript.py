"""TorchScript archives: what followed code must not lose."""

from __future__ import annotations

import warnings

import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.check import check


def scripted(model, tmp_path, *, frozen=False):
    """The graph of the scripted model as a file."""
    path = tmp_path / "net.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.script(model.eval())
        torch.jit.save(torch.jit.freeze(made) if frozen else made, path)
    graph = ta.open(path).graph
    check(graph)
    return graph


def history(graph, value):
    """The names of the calls that made a value, and the versions before it, the newest first."""
    found = []
    while value is not None:
        known = graph.values[value]
        if known.producer is not None:
            found.append(graph.calls[known.producer].name)
        value = known.previous if known.previous is not None else known.same_as
    return found


class Writes(nn.Module):
    """Writes whose results nobody keeps: into a piece, both sides of a condition, and a loop."""

    def forward(self, x, n: int):
        y = x.clone()
        y[0] = 1.0
        if bool(x.sum() > 0):
            y.view(-1).add_(1)
        else:
            y.mul_(2)
        for _ in range(n):
            y.sub_(x)
        return y


def test_what_is_written_in_place_reaches_its_later_readers(tmp_path):
    """A call whose result has no name still changes its tensor, and what that is a view of."""
    graph = scripted(Writes(), tmp_path)
    (result,) = graph.calls[0].outputs
    assert history(graph, result) == ["prim.Loop", "aten.sub_", "prim.If", "merge"]
    (merge,) = [call for call in graph.calls if call.name == "merge"]
    then, otherwise = (history(graph, value) for value in merge.inputs)
    assert then == ["aten.add_", "aten.copy_", "aten.clone"]
    assert otherwise == ["aten.mul_", "aten.copy_", "aten.clone"]
