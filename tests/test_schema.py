"""The contract between Python and TypeScript has one source, the dataclasses of core."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.views.drawing.engine import render
from viewing import payload_of

ROOT = Path(__file__).parent.parent
NAMES = ("graph", "payload", "scene")
SCHEMAS = {name: json.loads((ROOT / "schema" / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES}
FIXTURES = sorted((ROOT / "web" / "test" / "fixtures").glob("*.json.gz"))
KINDS = {"integer": int, "number": (int, float), "string": str, "boolean": bool, "null": type(None)}


def fits(given, form, root) -> bool:
    """Whether JSON is of a form, which stands in the document `root`, as far as schema/write.py uses JSON Schema."""
    if "$ref" in form:
        name = form["$ref"].rpartition("/")[2]
        whole = name.removesuffix(".json")
        return fits(given, root["$defs"][name], root) if whole == name else fits_whole(given, whole)
    if "anyOf" in form:
        return any(fits(given, part, root) for part in form["anyOf"])
    if "enum" in form:
        return given in form["enum"]
    if isinstance(given, dict | list):
        return fits_inside(given, form, root)
    return (
        form["type"] in KINDS
        and isinstance(given, KINDS[form["type"]])
        and (form["type"] == "boolean" or not isinstance(given, bool))
    )


def fits_inside(given, form, root) -> bool:
    """Whether an object has the fields of a form and no other, or a list its items."""
    if isinstance(given, dict):
        known = form.get("properties", {})
        named = form["type"] == "object" and given.keys() == known.keys()
        return named and all(fits(given[key], known[key], root) for key in known)
    parts = form.get("prefixItems") or [form.get("items")] * len(given)
    listed = form["type"] == "array" and len(given) == len(parts)
    return listed and all(fits(one, part, root) for one, part in zip(given, parts, strict=True))


def fits_whole(given, name) -> bool:
    """Whether JSON is of the form of a document."""
    return fits(given, SCHEMAS[name], SCHEMAS[name])


def script(name):
    """A file of schema/ as a module."""
    spec = importlib.util.spec_from_file_location(f"schema_{name}", ROOT / "schema" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", [*NAMES, "operators"])
def test_the_schema_is_that_of_the_records(name):
    """A field that is added to a record is added to the contract."""
    assert (ROOT / "schema" / f"{name}.json").read_text(encoding="utf-8") == script("write").text(name), (
        f"schema/{name}.json is stale: run `make schema` and commit it"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_types_of_web_are_those_of_the_schema(name):
    """Every interface has the fields of its record, of the same types, in the same order."""
    schema = SCHEMAS[name]
    source = (ROOT / "web" / "src" / "contract" / f"{name}.ts").read_text(encoding="utf-8")
    assert source == script("typescript").text(name, schema), (
        f"web/src/contract/{name}.ts is stale: run `make schema` and commit it"
    )
    interfaces = dict(re.findall(r"export interface (\w+) \{(.*?)\n\}", source, re.DOTALL))
    for record, form in {schema["title"]: schema, **schema["$defs"]}.items():
        if record != "Tree":
            assert re.findall(r"^  readonly (\w+): ", interfaces[record], re.MULTILINE) == form["required"]


def test_the_operators_of_web_are_those_of_the_core():
    """What the engine knows of operators is written from what the core knows."""
    source = (ROOT / "web" / "src" / "contract" / "operators.ts").read_text(encoding="utf-8")
    assert source == script("typescript").operators(script("write").operators()), (
        "web/src/contract/operators.ts is stale: run `make schema` and commit it"
    )


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_what_the_engine_is_tested_on_is_of_the_form(fixture):
    """Both sides agree on the same graphs."""
    given = json.loads(gzip.decompress(fixture.read_bytes()))
    # Of long lists, every so many: the largest holds thousands of calls.
    for name in ("calls", "values", "modules"):
        given["graph"][name] = given["graph"][name][:: len(given["graph"][name]) // 200 + 1]
    assert fits_whole(given, "payload")


def test_what_the_engine_is_tested_on_can_be_made_anew(tmp_path):
    """The script beside the fixtures goes with the code: the smallest has the same calls and numbers again."""
    fixtures = FIXTURES[0].parent
    for script in ("make.py", "models.py"):
        shutil.copy(fixtures / script, tmp_path)
    subprocess.run([sys.executable, tmp_path / "make.py", "branches"], check=True, capture_output=True)
    made, known = (
        json.loads(gzip.decompress((folder / "branches.json.gz").read_bytes())) for folder in (tmp_path, fixtures)
    )
    assert [call["name"] for call in made["graph"]["calls"]] == [call["name"] for call in known["graph"]["calls"]]
    assert (made["measures"], made["view"]) == (known["measures"], known["view"])


@pytest.fixture(scope="module")
def failed():
    """A run with folds, names, settings, structures and an error."""
    model = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.ReLU()) for _ in range(3)), nn.Linear(5, 2))
    with pytest.raises(RuntimeError) as caught:
        ta.capture(model, torch.zeros(1, 4))
    return caught.value.atlas


@pytest.mark.parametrize("details", [False, True])
def test_what_is_written_is_of_the_form(failed, details):
    """Field by field, nothing more and nothing less."""
    written = json.loads(payload_of(failed.graph, details=details))
    assert written["graph"]["folds"]
    assert written["graph"]["error"] is not None
    assert fits_whole(written, "payload")


@pytest.mark.parametrize("options", [{}, {"color_by": "params"}, {"color_by": "dtype", "theme": "dark"}])
def test_what_the_engine_gives_is_of_the_form(failed, options):
    """The scene of a picture, with a legend and without."""
    drawing = failed.draw(**options)
    assert fits_whole(json.loads(drawing._drawn.scene), "scene")
    assert (drawing.scene.legend is not None) == bool(options)


def test_the_scene_of_two_graphs_is_of_the_form(failed):
    """Beside each other, with signs."""
    other = ta.capture(nn.Sequential(nn.Linear(4, 4)), torch.zeros(1, 4))
    drawing = ta.compare(failed, other).draw()
    assert fits_whole(json.loads(drawing._drawn.scene), "scene")
    assert any(box.mark for box in drawing.scene.boxes)


@pytest.mark.parametrize("change", [{"name": 1}, {"error": "1"}, {"calls": [{}]}, {"folds": None}, {"more": 1}])
def test_what_is_of_another_form_does_not_fit(change):
    """The check above can fail."""
    written = json.loads(payload_of(ta.capture(nn.ReLU(), torch.zeros(1)).graph))
    assert fits_whole(written, "payload")
    assert not fits_whole(written | {"graph": written["graph"] | change}, "payload")
    assert not fits_whole(json.loads(render(json.dumps(written)).scene) | {"width": None}, "scene")
