"""Other names for calls, and other paths for modules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.graphs import build, llama_like
from core.pattern.test_match import RESIDUAL
from torchatlas.core.check import problems
from torchatlas.core.editing.rename import rename
from torchatlas.core.errors import InputError
from torchatlas.core.graph import Overlay


def test_calls_that_match_get_the_name():
    """They alone, and nothing else of them."""
    graph = rename(build(RESIDUAL), "BatchNorm", "Scale")
    assert [call.path for call in graph.calls if call.name == "Scale"] == ["n1", "n2"]
    assert replace(graph, calls=()) == replace(build(RESIDUAL), calls=())


def test_paths_are_renamed_everywhere():
    """Of the modules, of all below them, of their calls, tensors and overlays."""
    graph = replace(llama_like(2, 4), overlays=(Overlay("ms", paths=(("model.layers.1", 1.0), ("gone", 2.0))),))
    made = rename(graph, r"re:model\.layers\.(\d)", r"stage\1")
    assert [module.path for module in made.modules] == ["", "stage0", "stage0.block0", "stage1", "stage1.block0"]
    assert sorted(made.calls_of) == ["", "stage0", "stage0.block0", "stage1", "stage1.block0"]
    assert {name for value in made.values if value.kind == "parameter" for name in value.names} == {
        "stage0.block0.weight",
        "stage1.block0.weight",
    }
    assert made.overlays[0].paths == (("stage1", 1.0), ("gone", 2.0))
    assert list(problems(made)) == []
    assert rename(made, r"re:stage(\d)", r"model.layers.\1") == graph


@pytest.mark.parametrize(
    ("pattern", "name", "said"),
    [
        (r"re:model\.layers\.\d", "stage", "'model.layers.0' and 'model.layers.1' would both be named 'stage'"),
        (r"re:model\.layers\.0", "model.layers.1", "would both be named 'model.layers.1'"),
        (r"re:model\.layers\.0", "a..b", "is not a path"),
        (r"re:model\.layers\.(\d)", r"\2", "invalid group reference"),
        ("F.linear", "", "give a new name"),
    ],
)
def test_what_would_be_confused_is_refused(pattern, name, said):
    """Two modules never share a path."""
    with pytest.raises(InputError, match=said):
        rename(llama_like(2, 4), pattern, name)


@pytest.mark.parametrize("pattern", ["Convv", "re:convv"])
def test_nothing_to_rename_is_said(pattern):
    """By a note; nothing else changes."""
    made = rename(llama_like(1, 4), pattern, "x")
    assert replace(made, notes=()) == llama_like(1, 4)
    assert "found nothing" in made.notes[-1].text
