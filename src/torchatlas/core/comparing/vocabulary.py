"""Synonyms: names that mean the same part in different code bases, where shapes alone cannot tell two norms apart.

>>> canonical("wq"), canonical("query"), synonyms("fc", "classifier")
('q_proj', 'q_proj', True)
>>> distinctive_parts(["q_proj", "k_proj", "v_proj"])
['q', 'k', 'v']
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MEANINGS = (
    ("embed_tokens", "tok_embeddings", "word_embeddings", "wte", "embed_in", "token_embedding"),
    ("position_embeddings", "wpe", "pos_embed", "pos_embedding", "embed_positions", "position_embedding"),
    ("lm_head", "output", "embed_out"),
    ("head", "heads", "fc", "classifier", "classification_head"),
    ("layers", "layer", "blocks", "block", "h", "resblocks"),
    ("q_proj", "query", "wq", "to_q", "q"),
    ("k_proj", "key", "wk", "to_k", "k"),
    ("v_proj", "value", "wv", "to_v", "v"),
    ("o_proj", "out_proj", "wo", "to_out"),
    ("qkv", "c_attn", "query_key_value", "in_proj", "Wqkv"),
    ("gate_proj", "w1"),
    ("down_proj", "w2"),
    ("up_proj", "w3"),
    ("input_layernorm", "attention_norm", "ln_1", "norm1", "ln1", "attn_norm", "layernorm_before"),
    ("post_attention_layernorm", "ffn_norm", "ln_2", "norm2", "ln2", "layernorm_after"),
    ("final_layer_norm", "ln_f", "final_layernorm", "ln_post"),
    ("class_token", "cls_token", "class_embedding"),
    ("downsample", "shortcut"),
)
"""One row for each part; the first word stands for all. They are the names in checkpoints of common models."""

WORDS = {word: row for row, words in enumerate(MEANINGS) for word in words}

TENSORS = {
    "gamma": "weight",
    "beta": "bias",
    "g": "weight",
    "b": "bias",
    "w": "weight",
    "kernel": "weight",
    "scale": "weight",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "moving_var": "running_var",
    "embeddings": "weight",
}
"""What other frameworks call the tensors of a layer, and what torch calls them."""


def torch_name(name: str) -> str:
    """The name that torch gives to the tensor of this name."""
    return TENSORS.get(name, name)


def canonical(name: str) -> str:
    """One name for all that mean the same; ``LayerNorm`` and ``layer_norm`` are one."""
    return MEANINGS[WORDS[name]][0] if name in WORDS else torch_name(name).replace("_", "").lower()


def synonyms(one: str, other: str) -> bool:
    """Whether two names are known to mean the same."""
    return canonical(one) == canonical(other)


def nearness(one: str, other: str) -> float:
    """How much two names look alike, from 0 to 1; 2 if they mean the same."""
    if synonyms(one, other):
        return 2.0
    first, second = sorted((one, other))  # the ratio of difflib depends on the order
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


def distinctive_parts(names: Sequence[str]) -> list[str]:
    """Names without the beginning and the end that all of them share."""
    if len(names) < 2:  # noqa: PLR2004 - one name has nothing in common with others
        return list(names)
    start = _shared(names)
    end = _shared([name[start:][::-1] for name in names])
    return [name[start : len(name) - end] for name in names]


def _shared(names: Sequence[str]) -> int:
    """Letters with which all of them begin."""
    count = 0
    for letters in zip(*names, strict=False):  # as far as the shortest goes
        if len(set(letters)) > 1:
            break
        count += 1
    return count
