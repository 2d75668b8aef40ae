"""The lines of the user's code that a record leads to."""

from __future__ import annotations

import linecache

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
