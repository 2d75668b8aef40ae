"""Labels for runs of paths."""

from __future__ import annotations

import pytest

from torchatlas.core.folding.label import path_range


@pytest.mark.parametrize(
    ("paths", "label"),
    [
        ((), ""),
        (("",), ""),
        (("cell", "cell", "cell"), "cell"),
        (tuple(f"layers.{number}" for number in range(80)), "layers.0..79"),
        (("layer1.1", "layer1.2"), "layer1.1..2"),
        (("3", "2", "1"), "3..1"),
        (("0", "2"), "0,2"),
        (("0", "2", "4", "6", "8"), "0,2..8"),
        (("h.1", "h.2", "h.4", "h.9"), "h.1,2,…,9"),
        (("0", "1", "2", "3"), "0..3"),
        (("norm.0", "conv.0", "norm.1", "conv.1"), "norm.0..1, conv.0..1"),
        (("a.0.0", "a.0.1", "a.1.0", "a.1.1"), "a.0..1.0..1"),
        (("block1.conv1", "block2.conv2"), "block1..2.conv1..2"),
        (("a", "b", "c", "d", "e"), "a, b, …, e"),
    ],
)
def test_a_run_of_paths_has_one_label(paths: tuple[str, ...], label: str) -> None:
    """Numbers become ranges, other differences a list, and many are cut short."""
    assert path_range(paths) == label
