"""A page holds the run and everything it needs, lets nothing else in, and is the same every time."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from torch import nn

import torchatlas as ta
from torchatlas.core.errors import FileError, InputError
from torchatlas.core.graph import InnerTensor
from torchatlas.core.measure.cost import costs
from torchatlas.core.measure.overlay import add_overlay
from torchatlas.views.page.page import page


@pytest.fixture(scope="module")
def graph():
    """Two layers and an activation."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    return ta.capture(model, torch.zeros(1, 4)).graph


def held(html: str) -> dict:
    """What the page's data element holds, unpacked."""
    found = re.search(r'<script id="atlas" type="application/json">(.*?)</script>', html, re.DOTALL)
    parts = json.loads(found[1])
    return json.loads(gzip.decompress(base64.b64decode(parts["payload"]))) | {"about": parts["about"]}


def measures(inside: dict) -> dict[str, dict]:
    """The measures of a page, by name."""
    return {each["name"]: each for each in inside["measures"]}


def test_the_page_holds_the_graph_and_the_numbers_of_every_call(graph):
    """Every call with its costs, as core.cost gives them, and its arguments."""
    inside = held(page(graph).html)
    assert [call["name"] for call in inside["graph"]["calls"]] == [call.name for call in graph.calls]
    assert inside["graph"]["calls"][1]["arguments"]["keys"] == ["input"]
    known = costs(graph)
    flops = [known.call(call.id).flops for call in graph.calls]
    assert measures(inside)["flops"]["values"] == flops
    assert inside["about"]["totals"]["parameters"] == 4 * 8 + 8 + 8 * 2 + 2


def test_the_page_holds_the_elements_of_every_weight_as_it_is_stored(graph):
    """A packed weight has those of its parts, whatever shape it stands for; what is no weight has none."""
    weight = next(value for value in graph.values if value.kind == "parameter")
    parts = (InnerTensor("qdata", (8, 2), "int8", 16), InnerTensor("scale", (8,), "float32", 32))
    values = tuple(replace(value, inner=parts) if value is weight else value for value in graph.values)
    elements = held(page(replace(graph, values=values)).html)["elements"]
    by_name = dict(zip((value.names[:1] for value in values), elements, strict=True))
    assert by_name[("0.weight",)] == 8 * 2 + 8
    assert (by_name[("0.bias",)], by_name[("2.weight",)], by_name[("2.bias",)]) == (8, 8 * 2, 2)
    assert sum(elements) == 24 + 8 + 16 + 2


def test_the_policy_names_the_script_and_style_that_are_there_and_nothing_else(graph):
    """A script that was changed or added would not run: hashes are computed anew from the page."""
    html = page(graph).html
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    style = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert len(script) == len(style) == 1
    for kind, text in (("script", script[0]), ("style", style[0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_same_graph_gives_the_same_page(graph):
    """Nothing of the clock or of chance is in it."""
    assert page(graph).html == page(graph).html


def test_a_hostile_name_cannot_leave_its_place():
    """Marks and the page's own placeholders in the name of a model stay text."""
    hostile = type("</title><script>alert(1)</script>%ATLAS%", (nn.Identity,), {})
    html = page(ta.capture(hostile(), torch.zeros(1)).graph).html
    assert "<script>alert" not in html
    assert html.count("<script") == 2
    assert held(html)["graph"]["name"] == "</title><script>alert(1)</script>%ATLAS%"


def test_overlays_reach_every_call_of_a_module(graph):
    """A number by path stands at the module's calls, one by call id at that call."""
    inside = held(page(graph, overlays={"norm": {"0": 1.5, 4: 2.0}}).html)
    first = graph.calls_of["0"][0]
    norm = measures(inside)["norm"]
    assert {call: number for call, number in enumerate(norm["values"]) if number is not None} == {first: 1.5, 4: 2.0}
    assert (norm["overlay"], norm["aggregate"]) == (True, "max")


def test_overlays_of_the_graph_are_on_the_page_with_their_units(graph):
    """Beside those given; the page may open coloured by one, and has the time outside inner modules."""
    kept = add_overlay(graph, "energy", {"0": 2.5}, "mJ")
    inside = held(page(kept, color_by="energy", overlays={"given": {0: 1}}).html)
    laid_over = [(one["name"], one["unit"]) for one in inside["measures"] if one["overlay"]]
    assert laid_over == [("energy", "mJ"), ("given", "")]
    assert inside["view"]["color_by"] == "energy"
    assert not {"time", "self_time"} & set(measures(inside))
    timed = replace(graph, calls=tuple(replace(call, seconds=1.0) for call in graph.calls))
    assert len(measures(held(page(timed).html))["self_time"]["values"]) == len(graph.calls)
    with pytest.raises(InputError, match="Did you mean energy"):
        page(kept, color_by="enrgy")


def test_an_overlay_of_what_is_not_there_says_so(graph):
    """The message names the overlay and the place."""
    with pytest.raises(InputError, match=r"overlay 'norm' has a number for 'nowhere'"):
        page(graph, overlays={"norm": {"nowhere": 1.0}})


def test_in_a_notebook_the_page_is_a_frame_that_may_not_reach_out(graph):
    """It may run its scripts and save pictures, and does not share the notebook's origin."""
    frame = page(graph)._repr_html_()
    assert re.search(r'sandbox="([^"]*)"', frame)[1] == "allow-scripts allow-downloads"
    assert unescape(re.search(r'srcdoc="([^"]*)"', frame)[1]) == page(graph).html


def test_a_page_is_small(graph):
    """Ten of them in a notebook stay light: the page without a network is under 230 kB, compressed under 100 kB."""
    html = page(graph).html
    assert len(html) < 230_000
    assert len(gzip.compress(html.encode())) < 100_000


def test_saving_where_nothing_can_be_written_says_so(graph, tmp_path):
    """The message names the file and what is wanted."""
    with pytest.raises(FileError, match="cannot be written"):
        page(graph).save(tmp_path / "missing" / "net.html")


def test_saving_leaves_the_page_alone_in_the_folder(graph, tmp_path):
    """Nothing half-written stays beside it."""
    assert page(graph).save(tmp_path / "net.html").read_text(encoding="utf-8") == page(graph).html
    assert [each.name for each in tmp_path.iterdir()] == ["net.html"]


def test_opening_asks_the_browser_for_the_saved_file(graph, monkeypatch):
    """The browser is given the address of a file that holds the page."""
    asked = []
    monkeypatch.setattr("webbrowser.open", asked.append)
    path = page(graph).open()
    assert asked == [path.as_uri()]
    assert path.read_text(encoding="utf-8") == page(graph).html


def test_what_is_seen_at_first_can_be_said(graph):
    """The options reach the page as the engine's, keys for call ids."""
    given = {"norm": {"0": 1.5}}
    made = page(graph, 2, ["0"], [3], direction="LR", theme="dark", fold=False, color_by="norm", overlays=given)
    view = held(made.html)["view"]
    assert (view["depth"], view["expand"], view["collapse"]) == (2, ["0"], ["#3"])
    assert (view["direction"], view["theme"], view["fold"], view["color_by"]) == ("LR", "dark", False, "norm")
    assert held(page(graph, color_by="flops").html)["view"]["color_by"] == "flops"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theme": "paper"}, "theme is one of system, light, dark"),
        ({"direction": "down"}, "direction is one of TB, LR"),
        (
            {"color_by": "size"},
            "color_by is one of params, weights, flops, activations, time, self_time, dtype",
        ),
        ({"expand": ["nowhere"]}, "no module of Sequential has that path"),
    ],
)
def test_an_option_that_there_is_not_is_named(graph, options, message):
    """Before anything is made, with what there is."""
    with pytest.raises(InputError, match=message):
        page(graph, **options)


def test_a_model_that_was_not_run_is_shown_by_its_modules():
    """A box for each of them, with the parameters in it."""
    graph = ta.capture(nn.Sequential(nn.Linear(4, 4), nn.ReLU())).graph
    inside = held(page(graph, expand="0").html)
    assert [call["path"] for call in inside["graph"]["calls"]] == ["", "0", "1"]
    assert measures(inside)["params"]["values"] == [20, 20, 0]
    assert inside["about"]["totals"]["parameters"] == 20


def test_an_atlas_shows_and_saves_itself_as_a_page(graph, monkeypatch, tmp_path):
    """From a script the browser opens; in a notebook the frame is what the cell returns; .html is a page."""
    atlas = ta.Atlas(graph)
    asked = []
    monkeypatch.setattr("webbrowser.open", asked.append)
    monkeypatch.setattr("torchatlas.views.page.notebook.in_notebook", lambda: True)
    assert "<iframe" in atlas.show(direction="LR")._repr_html_()
    assert asked == []
    monkeypatch.setattr("torchatlas.views.page.notebook.in_notebook", lambda: False)
    atlas.show()
    assert len(asked) == 1
    atlas.save(tmp_path / "net.html")
    assert held((tmp_path / "net.html").read_text(encoding="utf-8"))["graph"]["name"] == "Sequential"


def test_a_model_is_shown_in_one_call(monkeypatch):
    """Capture and page at once, with ATen operators where they are asked for."""
    monkeypatch.setattr("webbrowser.open", lambda _: None)
    made = ta.show(nn.Linear(4, 2), torch.zeros(1, 4), level="aten")
    assert any(call.kind == "aten" for call in made.graph.calls)


def test_the_template_is_what_web_gives(tmp_path):
    """The page in the package is that of the sources beside it; where Node is at hand, it is built anew."""
    web = Path(__file__).parents[3] / "web"
    vite = web / "node_modules" / "vite" / "bin" / "vite.js"
    node = shutil.which("node")
    if node is None or not vite.exists():
        pytest.skip("no Node, or web/ is not set up: make engine")
    command = [node, str(vite), "build", "--config", "vite.page.config.ts", "--outDir", str(tmp_path)]
    subprocess.run([*command, "--logLevel", "warn"], cwd=web, check=True)
    committed = files("torchatlas.views.page").joinpath("page.html").read_bytes()
    assert (tmp_path / "page.html").read_bytes() == committed, "the page is stale: make engine"
