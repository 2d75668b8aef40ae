"""The contract between Python and TypeScript has one source, the dataclasses of core."""

from __future__ import annotations

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
KINDS = {"integer": int, "number": (int, float), "string": str, "boolean": bool, "null": type(None)}


def fits(given, form) -> bool:
    """Whether JSON is of a form, as far as schema/write.py uses JSON Schema."""
    if "$ref" in form:
        return fits(given, SCHEMA["$defs"][form["$ref"].rpartition("/")[2]])
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


def typescript(form) -> str:
    """A form as TypeScript writes it."""
    if "$ref" in form:
        return form["$ref"].rpartition("/")[2]
    if "anyOf" in form:
        return " | ".join(map(typescript, form["anyOf"]))
    if "enum" in form:
        return " | ".join(f'"{word}"' for word in form["enum"])
    if form["type"] != "array":
        return {"integer": "number"}.get(form["type"], form["type"])
    if "prefixItems" in form:
        return f"[{', '.join(map(typescript, form['prefixItems']))}]"
    return f"{typescript(form['items'])}[]"


def test_the_schema_is_that_of_the_records():
    """A field that is added to core is added to the contract."""
    spec = importlib.util.spec_from_file_location("write_schema", ROOT / "schema" / "write.py")
    write = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write)
    assert (ROOT / "schema" / "graph.json").read_text(encoding="utf-8") == write.text(), (
        "schema/graph.json is stale: run `make schema` and commit it"
    )


def test_the_types_of_web_are_those_of_the_schema():
    """Every interface has the fields of its record, of the same types, in the same order."""
    source = (ROOT / "web" / "src" / "contract" / "graph.ts").read_text(encoding="utf-8")
    aliases = dict(re.findall(r"export type (\w+) = (.*?);", source))
    found = {}
    for name, body in re.findall(r"export interface (\w+) \{(.*?)\n\}", source, re.DOTALL):
        fields = re.findall(r"^  (\w+): (.*);$", body, re.MULTILINE)
        found[name] = {field: aliases.get(kind, kind) if kind != "Tree" else kind for field, kind in fields}
    records = {"Graph": SCHEMA, **{name: form for name, form in SCHEMA["$defs"].items() if name != "Tree"}}
    wanted = {
        name: {field: typescript(kind) for field, kind in form["properties"].items()} for name, form in records.items()
    }
    assert found == wanted, "web/src/contract/graph.ts is stale: write there what schema/graph.json says"


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
