"""What every column says about a row, to people and to programs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import torchatlas as ta
from core.graphs import build
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Graph
from torchatlas.views.table.columns import COLUMNS, EVERYTHING, choose, default_columns
from torchatlas.views.table.facts import Facts
from torchatlas.views.table.rows import rows_of
from views.table import nets


def told(graph, label, mode="modules", **overlays):
    """For the first row of that name: by column, the value and the text."""
    facts = Facts(graph, overlays)
    row = next(row for row in rows_of(graph, mode=mode) if row.label == label)
    columns = choose([*COLUMNS, *overlays], facts)
    return {column.name: (column.value(facts, row), column.text(facts, row)) for column in columns}


DETAILS = "10, 20, kernel_size=(5, 5), stride=(1, 1)"


def test_a_convolution_says_everything():
    """Shapes, kernel, weights, work and place, in exact values and in words."""
    conv = told(nets.mnist(), "conv2")
    source = conv.pop("source")
    assert conv == {
        "name": ("conv2", "conv2"),
        "path": ("conv2", "conv2"),
        "type": ("Conv2d", "Conv2d"),
        "input": ((1, 10, 12, 12), "[1, 10, 12, 12]"),
        "output": ((1, 20, 8, 8), "[1, 20, 8, 8]"),
        "kernel": ((5, 5), "[5, 5]"),
        "params": (5020, "5,020"),
        "counted": (5020, "5,020"),
        "share": (100 * 5020 / 21840, "23.0 %"),
        "flops": (2 * 64 * 5000, "640K"),
        "mult_adds": (64 * 5000, "320K"),
        "activation": (4 * 1280, "5.12 kB"),
        "weights": (4 * 5020, "20.1 kB"),
        "counted_weights": (4 * 5020, "20.1 kB"),
        "time": (None, "-"),
        "self_time": (None, "-"),
        "time_share": (None, "-"),
        "dtype": ("float32", "float32"),
        "stored": (None, "-"),
        "device": ("cpu", "cpu"),
        "trainable": ("yes", "yes"),
        "calls": (1, "1"),
        "depth": (1, "1"),
        "repeats": (1, "1"),
        "note": (None, "-"),
        "details": (DETAILS, DETAILS),
        "sure": (None, "-"),
    }
    assert source[0].startswith("/")
    assert source[0].endswith(source[1])
    assert source[1].startswith("nets.py:")


def test_a_folded_row_sums_its_repeats():
    """Six layers: six times the parameters, work and memory of one, and the shapes of one."""
    six, one = (told(nets.decoder(), label) for label in ("layers.0..5", "attention"))
    block = 2 * 64 + (32 * 96 + 96) + (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32)
    assert six["params"] == (6 * block, f"{6 * block:,}")
    assert six["output"] == ((2, 16, 32), "[2, 16, 32]")
    assert (six["repeats"][0], six["calls"][0], one["calls"][0]) == (6, 6, 1)


def test_parameters_that_stand_elsewhere_are_not_repeated():
    """The text says where they are; the value remains."""
    head = told(nets.decoder(), "head")
    assert head["params"] == (3200, "(tied)")
    assert head["share"][1] == "-"
    assert head["note"] == ("tied", "tied")


def test_what_never_ran_has_no_work():
    """Dashes, not zeros that look measured."""
    spare = told(nets.decoder(), "spare")
    assert {name: spare[name] for name in ("input", "output", "flops", "activation", "calls", "note")} == {
        "input": (None, "-"),
        "output": (None, "never ran"),
        "flops": (None, "-"),
        "activation": (None, "-"),
        "calls": (0, "0"),
        "note": ("never ran", "never ran"),
    }
    assert told(nets.decoder(), "lent")["note"] == ("weights used", "weights used")


def test_the_input_of_a_function_is_not_its_weights():
    """Unless it was given nothing else."""
    assert told(nets.mnist(), "F.conv2d", mode="ops")["input"] == ((1, 1, 28, 28), "[1, 1, 28, 28]")


def test_several_tensors_are_counted():
    """The first shape in words, all of them for programs."""
    lstm = told(ta.capture(nn.LSTM(3, 4), torch.rand(5, 2, 3)).graph, "LSTM")
    assert lstm["output"] == (((5, 2, 4), (1, 2, 4), (1, 2, 4)), "[5, 2, 4] +2")


def test_partly_frozen_modules_say_so():
    """Yes, no, partly; nothing where there is nothing to train."""
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU())
    net[0].requires_grad_(requires_grad=False)
    graph = ta.capture(net, torch.rand(1, 2)).graph
    found = [told(graph, label)["trainable"][1] for label in ("Sequential", "0", "1", "2")]
    assert found == ["partly", "no", "yes", "-"]


def test_work_that_was_not_seen_makes_a_lower_bound():
    """And unknown where nothing was seen at all."""
    graph = build("""
        input x 2,3
        Net x -> y
          known x !48 -> h 2,4
          hidden h -> y 2,4
    """)
    calls = [*graph.calls[:2], *(type(call)(**{**_fields(call), "arithmetic": "unknown"}) for call in graph.calls[2:])]
    bound = Graph(graph.name, tuple(calls), graph.values, graph.modules)
    assert told(bound, "Net", mode="ops")["mult_adds"] == (24, ">=24")
    assert told(bound, "hidden", mode="ops")["flops"] == (0, "unknown")
    assert told(bound, "known", mode="ops")["flops"] == (48, "48")


def _fields(call):
    return {name: getattr(call, name) for name in type(call).__dataclass_fields__}


def test_overlays_are_columns():
    """A number by path or by call; the range of the repeats that a row stands for."""
    graph = nets.decoder()
    norms = {f"layers.{number}": float(number) for number in range(6)}
    first = graph.calls_of["embed"][0]
    assert told(graph, "layers.0..5", norm=norms)["norm"] == ((0.0, 5.0), "0..5")
    assert told(graph, "embed", seconds={first: 0.25})["seconds"] == (0.25, "0.25")
    assert told(graph, "norm", seconds={first: 0.25})["seconds"] == (None, "-")


def test_an_unknown_column_names_the_nearest_and_all():
    """What was given, what was meant, what there is."""
    facts = Facts(nets.mnist(), {"heat": {}})
    with pytest.raises(InputError, match="no column 'parms'; did you mean 'params'") as caught:
        choose(["name", "parms"], facts)
    assert all(name in str(caught.value) for name in (*COLUMNS, "heat"))


def test_one_string_is_not_a_list_of_columns():
    """It would be read letter by letter."""
    with pytest.raises(InputError, match=r"\['params'\]"):
        choose("params", Facts(nets.mnist(), {}))


def test_no_columns_at_all_are_refused():
    """An empty list is a mistake, not a wish."""
    with pytest.raises(InputError, match="columns is empty"):
        choose([], Facts(nets.mnist(), {}))


def test_default_columns_fit_what_is_there():
    """A structure has no shapes, a function no parameters."""
    function = ta.capture(torch.sin, torch.rand(2)).graph
    assert {"input", "output", "mult_adds"}.isdisjoint(default_columns(Facts(nets.structure())))
    assert {"params", "share"}.isdisjoint(default_columns(Facts(function)))
    assert set(default_columns(Facts(nets.mnist()))) <= set(EVERYTHING) == set(COLUMNS)


def test_few_overlays_of_an_atlas_are_shown_unasked_and_many_are_not():
    """With its unit in the title, or in each cell; those given for this table always."""
    atlas = ta.capture(nn.Sequential(nn.Linear(2, 2)), torch.rand(1, 2)).overlay("energy", {"0": 2.5}, "mJ")
    atlas = atlas.overlay("latency", {"0": 0.0125}, "s")
    text = str(atlas.summary(width=150))
    assert "energy (mJ)  latency" in text.splitlines()[0]
    assert "2.5  12.5 ms" in text.splitlines()[3]
    for number in range(5):
        atlas = atlas.overlay(f"more {number}", {"0": number})
    head = str(atlas.summary(width=150, overlays={"given": {"0": 1}})).splitlines()[0]
    assert "more" not in head
    assert "given" in head
    assert "more 3" in str(atlas.summary(columns=["name", "more 3"])).splitlines()[0]
    assert {"more 4", "energy"} <= set(atlas.summary().frame().columns)


def test_times_have_columns_of_their_own():
    """Repeats together, and as a share of the run; a module's own time is outside its parts."""
    graph = nets.profiled()
    layers = told(graph, "layers.0..5")
    assert layers["time"] == (pytest.approx(0.06), "60.0 ms")
    assert layers["time_share"] == (pytest.approx(60), "60.0 %")
    assert layers["self_time"][1] == "0 s"
    assert told(graph, "embed")["time"] == (None, "-")


def test_a_hostile_name_of_an_overlay_stays_in_its_line():
    """It may come from a file."""
    atlas = ta.capture(nn.ReLU(), torch.rand(1)).overlay("a\nb\x1b[31m", {"": 1})
    assert "\x1b" not in str(atlas.summary())
    assert len(str(atlas.summary()).splitlines()) == len(
        str(ta.capture(nn.ReLU(), torch.rand(1)).summary()).splitlines()
    )
