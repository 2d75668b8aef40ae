"""The contract between Python and TypeScript has one source, the dataclasses of core."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
from pathlib import Path

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.views.drawing.payload import payload

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "schema" / "graph.json").read_text(encoding="utf-8"))
FIXTURES = sorted((ROOT / "web" / "test" / "fixtures").glob("*.json.gz"))
KINDS = {"integer": int, "number": (int, float), "string": str, "boolean": bool, "null": type(None)}


def fits(given, form) -> bool:
    """Whether JSON is of a form, as far as schema/write.py uses JSON Schema."""
    if "$ref" in form:
        return fits(given, SCHEMA if form["$ref"] == "#" else SCHEMA["$defs"][form["$ref"].rpartition("/")[2]])
    if "anyOf" in form:
        return any(fits(given, part) for part in form["anyOf"])
    if "enum" in form:
        return given in form["enum"]
    if isinstance(given, dict):
        known = form.get("properties", {})
        return (
            form["type"] == "object" and given.keys() == known.keys() and all(fits(given[k], known[k]) for k in known)
        )
    if isinstance(given, list):
        parts = form.get("prefixItems") or [form.get("items")] * len(given)
        return form["type"] == "array" and len(given) == len(parts) and all(map(fits, given, parts))
    return (
        form["type"] in KINDS
        and isinstance(given, KINDS[form["type"]])
        and (form["type"] == "boolean" or not isinstance(given, bool))
    )


def script(name):
    """A file of schema/ as a module."""
    spec = importlib.util.spec_from_file_location(f"schema_{name}", ROOT / "schema" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_schema_is_that_of_the_records():
    """A field that is added to core is added to the contract."""
    assert (ROOT / "schema" / "graph.json").read_text(encoding="utf-8") == script("write").text(), (
        "schema/graph.json is stale: run `make schema` and commit it"
    )


def test_the_types_of_web_are_those_of_the_schema():
    """Every interface has the fields of its record, of the same types, in the same order."""
    source = (ROOT / "web" / "src" / "contract" / "graph.ts").read_text(encoding="utf-8")
    assert source == script("typescript").text(SCHEMA), (
        "web/src/contract/graph.ts is stale: run `make schema` and commit it"
    )
    interfaces = dict(re.findall(r"export interface (\w+) \{(.*?)\n\}", source, re.DOTALL))
    for name, form in {"Graph": SCHEMA, **SCHEMA["$defs"]}.items():
        if name != "Tree":
            assert re.findall(r"^  (\w+): ", interfaces[name], re.MULTILINE) == form["required"]


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_what_the_engine_is_tested_on_is_of_the_form(fixture):
    """Both sides agree on the same graphs."""
    graph = json.loads(gzip.decompress(fixture.read_bytes()))
    # Of long lists, every so many: the largest holds thousands of calls.
    for name in ("calls", "values", "modules"):
        graph[name] = graph[name][:: len(graph[name]) // 200 + 1]
    assert fits(graph, SCHEMA)


@pytest.mark.parametrize("details", [False, True])
def test_what_is_written_is_of_the_form(details):
    """A run with folds, names, settings, structures and an error."""
    model = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.ReLU()) for _ in range(3)), nn.Linear(5, 2))
    with pytest.raises(RuntimeError) as caught:
        ta.capture(model, torch.zeros(1, 4))
    written = json.loads(payload(caught.value.atlas.graph, details=details))
    assert written["folds"]
    assert written["error"] is not None
    assert fits(written, SCHEMA)


@pytest.mark.parametrize("change", [{"name": 1}, {"error": "1"}, {"calls": [{}]}, {"folds": None}, {"more": 1}])
def test_what_is_of_another_form_does_not_fit(change):
    """The check above can fail."""
    written = json.loads(payload(ta.capture(nn.ReLU(), torch.zeros(1)).graph))
    assert fits(written, SCHEMA)
    assert not fits(written | change, SCHEMA)
