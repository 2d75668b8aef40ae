"""Attention: torch's own by its tensors, that of others by the names of the projections inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer.guess import Guess, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchatlas.readers.weights.infer.guess import Shape, StoredModule

SPLIT = (
    ("q_proj", "k_proj", "v_proj"),
    ("query", "key", "value"),
    ("q", "k", "v"),
    ("to_q", "to_k", "to_v"),
    ("q_lin", "k_lin", "v_lin"),
    ("wq", "wk", "wv"),
    ("Wq", "Wk", "Wv"),
    ("query_proj", "key_proj", "value_proj"),
    ("linear_q", "linear_k", "linear_v"),
    ("w_q", "w_k", "w_v"),
    ("W_q", "W_k", "W_v"),
    ("W_Q", "W_K", "W_V"),
    ("q_linear", "k_linear", "v_linear"),
    ("queries", "keys", "values"),
    ("fc_q", "fc_k", "fc_v"),
)
"""Names under which query, key and value have a projection each."""
FUSED = ("qkv", "c_attn", "query_key_value", "Wqkv", "qkv_proj", "to_qkv", "attn_qkv", "in_proj_qkv", "kqv", "wqkv")
"""Names under which the three have one projection."""
HALF = (
    ("q", "kv"),
    ("to_q", "to_kv"),
    ("q_proj", "kv_proj"),
    ("q_attn", "c_attn"),
    ("Wq", "Wkv"),
    ("query", "key_value"),
)
"""Names under which the query has one and the other two share one."""
ENCODER = frozenset(("self_attn", "linear1", "linear2", "norm1", "norm2"))
DECODER = ENCODER | {"multihead_attn", "norm3"}
WEIGHTLESS = frozenset(("dropout", "dropout1", "dropout2", "dropout3", "activation"))
OWN = frozenset(
    ("in_proj_weight", "in_proj_bias", "bias_k", "bias_v", "q_proj_weight", "k_proj_weight", "v_proj_weight")
)


def own(part: StoredModule) -> Guess | None:
    """Tell ``nn.MultiheadAttention``."""
    apart = {"q_proj_weight", "k_proj_weight", "v_proj_weight"} <= set(part.shapes)
    if "out_proj" not in part.children or set(part.shapes) - OWN or not (apart or "in_proj_weight" in part.shapes):
        return None
    shape = part.shapes["q_proj_weight" if apart else "in_proj_weight"]
    if len(shape) != 2 or (not apart and shape[0] != 3 * shape[1]):  # noqa: PLR2004 - a matrix
        return None
    size, bias = shape[1], "in_proj_bias" in part.shapes
    kdim, vdim = (part.shapes[f"{which}_proj_weight"][-1] if apart else size for which in "kv")
    settings = (
        ("embed_dim", size),
        ("kdim", kdim),
        ("vdim", vdim),
        ("bias", bias),
        ("add_bias_kv", "bias_k" in part.shapes),
    )
    others = f"kdim={kdim}, vdim={vdim}" if apart else ""
    return Guess("MultiheadAttention", 0.97, settings, listed(str(size), others, "" if bias else "bias=False"))


def around(part: StoredModule, weights: Mapping[str, Shape], guesses: Mapping[str, Guess]) -> Guess | None:
    """Tell what holds attention, or a layer of a transformer of torch, by the names of what is inside.

    Args:
        part: the module.
        weights: of its children that have a weight, as (out, in) matrices.
        guesses: what its children were told to be.
    """
    layer = _layer(part, weights, guesses)
    if layer is not None:
        return layer
    for names in SPLIT:
        if all(name in weights for name in names):
            q, k, v = (weights[name][0] for name in names)
            return _attention(part, weights[names[0]][1], (q, k, v), f"q {q:,}, k {k:,}, v {v:,}")
    for one, two in HALF:
        if one in weights and two in weights and weights[two][0] % 2 == 0:
            q, k = weights[one][0], weights[two][0] // 2
            return _attention(part, weights[one][1], (q, k, k), f"q {q:,}, k and v fused {2 * k:,}")
    for name in FUSED:
        if name in weights:
            return _attention(part, weights[name][1], (weights[name][0],), f"q, k, v fused {weights[name][0]:,}")
    return None


def _attention(part: StoredModule, size: int, parts: tuple[int, ...], words: str) -> Guess:
    settings = (
        ("embed_dim", size),
        *zip(("q_dim", "k_dim", "v_dim") if len(parts) > 1 else ("qkv_dim",), parts, strict=True),
    )
    grouped = "grouped queries" if len(parts) > 1 and parts[1] < parts[0] and parts[1] == parts[2] else ""
    sure = 0.97 if "attn" in part.name or "attention" in part.name else 0.85
    return Guess("Attention", sure, settings, listed(f"{size:,}", words, grouped))


def _layer(part: StoredModule, weights: Mapping[str, Shape], guesses: Mapping[str, Guess]) -> Guess | None:
    inside = set(part.children) - WEIGHTLESS
    name = {ENCODER: "TransformerEncoderLayer", DECODER: "TransformerDecoderLayer"}.get(frozenset(inside))
    attention = guesses.get("self_attn")
    if name is None or part.shapes or attention is None or attention.name != "MultiheadAttention":
        return None
    if "linear1" not in weights:
        return None
    wide, size = weights["linear1"]
    settings = (("d_model", size), ("dim_feedforward", wide))
    return Guess(name, 0.97, settings, f"{size}, dim_feedforward={wide}")
