"""The lines of the user's code that a record leads to."""

from __future__ import annotations

import linecache
import runpy

import torch

import torchatlas as ta
from find import graph_of


def test_sources_are_the_users_lines():
    """File, line and columns of each call lead to the text that made it."""
    graph = graph_of("tensors/in_place")
    found = {call.name: call.source for call in graph.calls if call.kind == "function"}
    for name, text in (("Tensor.add_", "y += 1"), ("Tensor.copy_", "half.copy_(rest)"), ("F.relu_", "F.relu_(y)")):
        source = found[name]
        line = linecache.getline(source.file, source.line)
        assert source.file.endswith("zoo/tensors.py")
        assert line.encode()[source.column : source.end_column].decode() == text


def test_sources_can_be_left_out():
    """Nothing is recorded of where calls come from."""
    assert all(call.source is None for call in graph_of("tensors/in_place", source=False).calls)


def test_calls_inside_torch_have_the_users_line():
    """An operation that a layer of torch calls is pinned to the line of the user that called the layer."""
    graph = graph_of("structures/keywords_only")
    assert {call.source.file.rpartition("/")[2] for call in graph.calls if call.source} == {"structures.py"}


def test_equal_code_in_two_files_is_told_apart(tmp_path):
    """Code copied into another file is equal to Python, name and line included: each call leads to its own file."""
    models = {}
    for name in ("first", "second"):
        path = tmp_path / f"{name}.py"
        path.write_text("def forward(x):\n    return x.relu()\n")
        models[name] = runpy.run_path(str(path))
    assert models["first"]["forward"].__code__ == models["second"]["forward"].__code__
    for name, space in models.items():
        graph = ta.capture(space["forward"], torch.zeros(2)).graph
        assert {call.source.file.rpartition("/")[2] for call in graph.calls[1:]} == {f"{name}.py"}
