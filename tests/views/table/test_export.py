"""The table for programs: exact numbers, and text that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import asdict

import pytest

from torchatlas.core.errors import MissingError
from torchatlas.core.graph import Provenance
from torchatlas.views.table.columns import EVERYTHING
from torchatlas.views.table.summary import summarize
from views.table import nets
from views.table.test_text import HOSTILE, named


def rows_of_csv(summary):
    """As a reader of CSV sees them."""
    return list(csv.DictReader(io.StringIO(summary.csv(), newline="")))


def test_csv_has_all_rows_and_columns():
    """Exact numbers, shapes as lists, nothing for what is not there."""
    rows = rows_of_csv(summarize(nets.mnist()))
    assert tuple(rows[0]) == EVERYTHING
    conv = rows[1]
    assert (conv["name"], conv["output"], conv["params"], conv["note"]) == ("conv1", "[1, 10, 24, 24]", "260", "")


def test_depth_and_columns_hold_for_programs_too():
    """Where the reader chose them."""
    rows = rows_of_csv(summarize(nets.decoder(), depth=1, columns=["name", "params"]))
    assert list(rows[0]) == ["name", "params"]
    assert len(rows) == 9


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_goes_through_csv(name):
    """Quoted by the csv module; what a spreadsheet would run gets an apostrophe."""
    (_, row) = rows_of_csv(summarize(named(name), columns=["name", "type"]))
    assert row["type"] == (f"'{name}" if name.startswith("=") else name)


def test_json_is_the_whole_summary():
    """Rows, totals, notes and what failed."""
    document = json.loads(summarize(nets.failing()).json())
    assert list(document) == ["model", "provenance", "rows", "units", "totals", "memory", "notes", "failure"]
    assert document["model"] == "Decoder"
    assert document["rows"][0]["params"] == document["totals"]["parameters"]
    assert document["totals"]["mult_adds"] == document["rows"][0]["mult_adds"]
    assert document["memory"]["inference"] > document["totals"]["parameter_bytes"]
    assert document["failure"]["call"] == "F.layer_norm"
    assert document["rows"][-1]["output"] == [2, 16, 100] or document["rows"][-1]["note"]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_goes_through_json(name):
    """Unchanged."""
    document = json.loads(summarize(named(name)).json())
    assert document["rows"][0]["type"] == name
    assert document["provenance"] == asdict(Provenance(producer=name))


def test_a_frame_has_numbers_to_work_with():
    """Sums over rows of one level are the whole."""
    frame = summarize(nets.mnist()).frame()
    assert tuple(frame.columns) == EVERYTHING
    leaves = frame[frame.depth == 1]
    assert leaves.params.sum() == 21_840
    assert frame.params[0] == 21_840
    assert frame.set_index("path").output["conv1"] == (1, 10, 24, 24)


def test_a_frame_without_pandas_says_what_to_install(monkeypatch):
    """The extra has its name."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingError, match=r"pip install torchatlas\[pandas\]"):
        summarize(nets.mnist()).frame()
