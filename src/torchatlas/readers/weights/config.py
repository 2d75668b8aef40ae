"""What the settings beside a model's weights (``config.json`` of transformers) say of keys that are not among them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchatlas.readers.source import Source

CONFIG = "config.json"
LARGEST = 1 << 20
"""Bytes of it that are read."""
TIE = "tie_word_embeddings"
EMBEDDING = re.compile(
    r"(.*\.)?(embed_tokens|wte|word_embeddings?|shared|tok_embeddings|embed_in|embedding|token_embedding)\.weight"
)
"""Names of the embedding of words."""
OUTPUT = re.compile(r"(.*\.)?(lm_head|embed_out|output|decoder|proj_out)\.weight")
"""Names of the layer that gives words."""
WITH_OUTPUT = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForMaskedLM")
"""Ends of the names of classes that have such a layer, tied to the embedding unless the settings say otherwise."""


def tied(config: Source | None, names: Iterable[str]) -> tuple[str, ...]:
    """What to say where the weight of the output layer is that of the embedding, and has no key of its own.

    Args:
        config: the settings, if there are any; what is damaged says nothing.
        names: of the tensors.
    """
    settings = {} if config is None else _settings(config)
    inner = settings.get("text_config")
    flag = settings.get(TIE, inner.get(TIE) if isinstance(inner, dict) else None)
    architectures = settings.get("architectures")
    classes = architectures if isinstance(architectures, list) else []
    has_output = any(str(each).endswith(WITH_OUTPUT) for each in classes)
    if flag is False or not (flag is True or has_output):
        return ()
    listed = list(names)
    embeddings = [name for name in listed if EMBEDDING.fullmatch(name)]
    if len(embeddings) != 1 or any(OUTPUT.fullmatch(name) for name in listed):
        return ()
    why = TIE if flag is True else f"{TIE}, by default of {classes[0]}"
    note = (
        f"The output layer is tied to {embeddings[0]}, says {CONFIG} ({why}), so the file has no key of its own for"
        " it, such as lm_head.weight."
    )
    return (note,)


def _settings(config: Source) -> dict[str, Any]:
    try:
        with config.open() as file:
            parsed = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
