"""Matrices: Linear, Embedding, and the transposed layer that GPT-2 calls Conv1D."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer.guess import Guess, listed

if TYPE_CHECKING:
    from torchatlas.readers.weights.infer.guess import StoredModule

TABLE = re.compile(
    r"embed|(^|_)emb(s|_|\d|$)|wte|wpe|(^|_)shared$|lookup|codebook|vocab|relative_attention_bias|token_type|tok_emb|bias_table|(^|_)table$|(^|_)pos(ition(al)?)?s?(_|$)"
)
PROJECTION = re.compile(
    r"proj|linear|fc\d*|dense|head|classif|decoder|mlp|(^|_)out(_|$)|query|key|value|gate|score|(^|_)[qkv](_|$)|(^|_)w[qkvo123](_|$)"
    r"|qkv|to_|reduction|logit|pre_?diction|up_|down_|kv|lm_|router"
)
TRANSPOSED = re.compile(r"c_attn|c_proj|c_fc|q_attn")
TALL = 4


def infer(part: StoredModule) -> Guess | None:
    """Tell a layer whose weight is a matrix."""
    if len(part.weight) != 2 or set(part.shapes) - {"weight", "bias"}:  # noqa: PLR2004 - a matrix
        return None
    return _without_bias(part) if "bias" not in part.shapes else _with_bias(part)


def _with_bias(part: StoredModule) -> Guess | None:
    first, second = part.weight
    bias = part.shapes["bias"]
    if bias == (second,) and (first != second or TRANSPOSED.fullmatch(part.name)):
        return _transposed(part)
    return _linear(part, 0.99) if bias == (first,) else None


def _without_bias(part: StoredModule) -> Guess:
    first, second = part.weight
    table, projection = TABLE.search(part.name), PROJECTION.search(part.name)
    if bool(table) != bool(projection):
        return _embedding(part, 0.97) if table else _linear(part, 0.97)
    if not projection and first > TALL * second:
        return _embedding(part, 0.6)
    return _linear(part, 0.85)


def _linear(part: StoredModule, sure: float) -> Guess:
    outward, inward = part.weight
    bias = "bias" in part.shapes
    settings = (("in_features", inward), ("out_features", outward), ("bias", bias))
    return Guess("Linear", sure, settings, listed(f"{inward}, {outward}", "" if bias else "bias=False", part.how))


def _embedding(part: StoredModule, sure: float) -> Guess:
    count, size = part.weight
    settings = (("num_embeddings", count), ("embedding_dim", size))
    return Guess("Embedding", sure, settings, listed(f"{count}, {size}", part.how))


def _transposed(part: StoredModule) -> Guess:
    """The weight stands as (in, out), as the ``Conv1D`` of transformers keeps it."""
    inward, outward = part.weight
    return Guess("Conv1D", 0.95, (("nx", inward), ("nf", outward)), f"{inward}, {outward}")
