"""The backward graph of ResNet-152: ours from tensor to SVG, beside torchviz from tensor to Graphviz text.

torchviz lays nothing out: that is Graphviz' work, which is not counted. Ours also groups and folds by module.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import torchatlas as ta
from harness import Section, race, run
from models import resnet152

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUNDS = int(os.environ.get("ROUNDS", "7"))


def contenders() -> Mapping[str, Callable[[], object]]:
    """Each makes everything anew from the same loss; torchviz comes first, as what the others are compared with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports distutils
        from torchviz import make_dot
    model, x = resnet152()
    atlas = ta.capture(model, x, grad=True)
    loss = model(x).mean()
    names = dict(model.named_parameters())
    return {
        "torchviz, text alone": lambda: make_dot(loss, params=names).source,
        "torchviz, attributes and saved": lambda: make_dot(loss, names, show_attrs=True, show_saved=True).source,
        "torchatlas, graph": lambda: ta.backward(loss, params=model),
        "torchatlas, graph and saved": lambda: ta.backward(loss, params=model, saved=True),
        "torchatlas, graph to SVG": lambda: ta.backward(loss, params=model).draw().svg,
        "torchatlas, tied to the forward, to SVG": lambda: ta.backward(atlas=atlas).draw().svg,
    }


def main() -> list[Section]:
    """One table."""
    timings = race(contenders(), rounds=ROUNDS)
    rows = [(name, f"{t.cpu * 1e3:,.0f}", f"{t.wall * 1e3:,.0f}", f"{t.ratio:.2f}") for name, t in timings.items()]
    head = ("ResNet-152", "CPU ms", "wall ms", "CPU, ratio to torchviz")
    words = f"Medians of {ROUNDS} rounds. torchviz' text still has to be laid out by Graphviz; an SVG is the picture."
    return [Section("The backward graph", head, tuple(rows), words)]


if __name__ == "__main__":
    run(main)
