"""Totals, notes and the failure under the table."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

import torchatlas as ta
from core.graphs import build
from torchatlas.core.graph import Call, Graph, Node, Note, Slot, Source, Value
from torchatlas.views.table import footer
from torchatlas.views.table.facts import Facts
from torchatlas.views.table.rows import rows_of
from views.table import nets


def numbers(graph):
    """The totals by their labels."""
    return {line.label: (line.number, line.detail) for line in footer.totals(Facts(graph, {}))}


def told(graph):
    """All notes."""
    return footer.notes(Facts(graph, {}), rows_of(graph, mode="ops"))


def test_inputs_are_named_where_they_are_several():
    """As keys, attributes and places name them, as many as fit; a single one needs no name."""

    def function(batch, others):
        return batch["x"] + others[0]

    pair = torch.zeros(2, 3), torch.zeros(3)
    graph = ta.capture(function, ({"x": pair[0]}, [pair[1]])).graph
    assert numbers(graph)["input"] == ("36 B", "batch.x [2, 3], others[0] [3]")
    many = ta.capture(function, ({"x": pair[0]}, [torch.zeros(3) for _ in range(9)])).graph
    assert numbers(many)["input"][1] == "batch.x [2, 3], others[0] [3], others[1] [3] and 7 more"
    assert numbers(ta.capture(torch.relu, pair[0]).graph)["input"] == ("24 B", "")


def test_totals_are_those_of_torch():
    """Counted by other means: torch's own parameters, and the arithmetic of a convolution by hand."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 36, 5))
    net[0].requires_grad_(requires_grad=False)
    found = numbers(ta.capture(net, torch.rand(2, 3, 8, 8)).graph)
    count = sum(parameter.numel() for parameter in net.parameters())
    frozen = sum(parameter.numel() for parameter in net[0].parameters())
    macs = 2 * 36 * 8 * 3 * 9 + 2 * 8 * 36 * 5
    assert found["parameters"] == (f"{count:,}", f"trainable {count - frozen:,}, frozen {frozen}")
    assert found["buffers"] == ("17", "")
    assert found["mult-adds"] == (f"{macs / 1000:.1f}K", f"{macs:,}; {2 * macs / 1000:.1f}K FLOPs")
    assert found["input"] == ("1.54 kB", "")
    held = sum(t.nbytes for t in (*net.parameters(), *net.buffers()))
    assert found["weights"][0] == f"{held / 1000:.2f} kB"
    assert {"activations", "inference", "training"} <= set(found)


def test_a_structure_has_no_work():
    """Only what it holds."""
    assert set(numbers(nets.structure())) == {"parameters", "weights"}


def test_a_function_has_no_parameters():
    """Only what it does."""
    found = numbers(ta.capture(torch.matmul, (torch.rand(2, 3), torch.rand(3, 4))).graph)
    assert "parameters" not in found
    assert found["mult-adds"][0] == "24"


def test_a_lower_bound_is_marked_and_explained():
    """In both units, with the number of calls that hide work."""
    graph = build("""
        input x 2,3
        Net x -> y
          known x !48 -> h 2,4
          hidden h -> y 2,4
    """)
    hidden = replace(graph.calls[2], arithmetic="unknown")
    graph = replace(graph, calls=(*graph.calls[:2], hidden))
    assert numbers(graph)["mult-adds"] == (">=24", "24; >=48 FLOPs")
    assert "Mult-adds are a lower bound: the arithmetic of 1 calls is unknown." in told(graph)


def test_notes_of_the_graph_come_first_with_their_lines():
    """Where it is one place, the reader can go there."""
    calls = (Call(0, "module", "Net", path="", source=Source("net.py", 7)),)
    graph = Graph("Net", calls, notes=(Note("estimated", 0), Note("assumed")))
    assert told(graph) == ("estimated (net.py:7)", "assumed")


def test_what_the_table_does_is_said_where_it_does_it():
    """Folds, reused parameters and data-dependent reads, each only where there are any."""
    assert len(told(nets.decoder())) == 3
    assert told(nets.mnist()) == ()


def test_a_failure_names_the_call_the_line_and_the_tensors():
    """By the names of the arguments, however they were nested."""
    values = tuple(Value(at, "input", (), (at + 1,), "float32", "cpu", 4) for at in range(3))
    nested = Node("dict", ("mask",), (Node("list", (), (Slot(1), None, Slot(2))),))
    arguments = Node("arguments", ("x", "options"), (Slot(0), nested))
    root = Call(0, "module", "Net", path="", error="ValueError: no")
    inner = Call(
        1, "module", "Layer", path="a.b", parent=0, inputs=(0, 1, 2), arguments=arguments, error="ValueError: no"
    )
    graph = Graph("Net", (root, replace(inner, source=Source("net.py", 7))), values, error=1)
    assert footer.failure(graph, rows_of(graph)) == footer.Failure(
        call="a.b (Layer)",
        place="net.py:7",
        message="ValueError: no",
        met=(
            "x: float32[1] on cpu",
            "options.mask[0]: float32[2] on cpu",
            "options.mask[2]: float32[3] on cpu",
        ),
    )


@pytest.mark.parametrize("graph", [nets.decoder, nets.structure])
def test_a_run_that_succeeded_has_no_failure(graph):
    """Nor has a model that was not run."""
    assert footer.failure(graph(), rows_of(graph())) is None
