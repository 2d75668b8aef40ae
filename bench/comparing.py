"""Comparing LLaMA-80 with itself, one layer changed or one added, beside what people do by hand: sets of keys."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import torch

import models  # noqa: F401 - makes torchvision importable, which transformers imports
import torchatlas as ta
from harness import Section, race, run

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

    from torchatlas.core.graph import Graph

ROUNDS = int(os.environ.get("ROUNDS", "3"))
LAYERS = 80


def model(layers: int, *, odd: int | None = None) -> LlamaForCausalLM:
    """A LLaMA of that many layers without memory for its weights, one of them with another width."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        made = LlamaForCausalLM(
            LlamaConfig(
                num_hidden_layers=layers,
                hidden_size=512,
                intermediate_size=1024,
                num_attention_heads=8,
                num_key_value_heads=8,
                vocab_size=1000,
                use_cache=False,
            )
        )
        if odd is not None:
            mlp = made.model.layers[odd].mlp
            mlp.gate_proj, mlp.up_proj = (torch.nn.Linear(512, 2048, bias=False) for _ in range(2))
            mlp.down_proj = torch.nn.Linear(2048, 512, bias=False)
    return made


def captured(made: LlamaForCausalLM) -> Graph:
    """Its graph, on fake tensors."""
    return ta.capture(made, torch.zeros(1, 16, dtype=torch.int64), fake=True).graph


def by_keys(one: torch.nn.Module, other: torch.nn.Module) -> object:
    """Keys that one alone has, and those of another shape."""
    left, right = ({key: tensor.shape for key, tensor in each.state_dict().items()} for each in (one, other))
    return left.keys() ^ right.keys(), [key for key in left.keys() & right.keys() if left[key] != right[key]]


def ours(one: Graph, other: Graph) -> object:
    """Modules, calls, and the verdict."""
    return ta.compare(one, other).verdict


def main() -> list[Section]:
    """Each pair once by graphs and once by keys."""
    plain = model(LAYERS)
    graph = captured(plain)
    rows = []
    for title, made in (
        ("itself", plain),
        ("one layer wider", model(LAYERS, odd=40)),
        ("one layer more", model(LAYERS + 1)),
    ):
        other = captured(made)
        found = ta.compare(graph, other)
        timing = race({"ours": partial(ours, graph, other), "keys": partial(by_keys, plain, made)}, rounds=ROUNDS)
        written = race({"text": lambda found=found: found.text()}, rounds=ROUNDS)
        rows.append(
            (
                title,
                f"{len(graph.calls):,} and {len(other.calls):,}",
                f"{timing['ours'].wall:.2f} s",
                f"{written['text'].wall:.2f} s",
                f"{timing['keys'].wall * 1000:.0f} ms",
                found.verdict,
            )
        )
    head = ("LLaMA-80 and", "calls", "compared", "table", "keys alone", "verdict")
    words = (
        "Goal: under 2 s. Sets of keys and shapes, as people compare state dicts by hand, say nothing of what is"
        " called, of settings, or of what has only moved."
    )
    return [Section("Comparing two models", head, tuple(rows), words)]


if __name__ == "__main__":
    run(main)
