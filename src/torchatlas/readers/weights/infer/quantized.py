"""Layers whose weights are packed, and adapters beside a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer.guess import UNKNOWN, Guess, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchatlas.readers.weights.infer.guess import StoredModule

GPTQ = frozenset(("qweight", "qzeros", "scales"))
PACKED = "_packed_params"
NO_BIAS = "bias=False"
LAYERS = ("Linear4bit", "Linear8bitLt")
LORA = frozenset(("lora_A", "lora_B"))


def packed(part: StoredModule) -> Guess:
    """Tell a layer whose weight has tensors of its own: the tables that unpack it."""
    four = part.dtypes.get("weight") == "uint8" and "weight" in part.children
    return Guess("Linear4bit", 0.9, (), "packed") if four else Guess(UNKNOWN, 1)


def of_rows(part: StoredModule) -> Guess | None:
    """Tell a layer whose file says how its weight is packed, and of what shape it is."""
    if part.name == PACKED and "weight" in part.shapes:
        return _packed_params(part)
    if part.how not in LAYERS or len(part.weight) != 2:  # noqa: PLR2004 - rows and columns
        return None
    outputs, inputs = part.weight
    bias = "bias" in part.shapes
    settings = (("in_features", inputs), ("out_features", outputs), ("bias", bias))
    return Guess(part.how, 0.9, settings, listed(f"{inputs}, {outputs}", "" if bias else NO_BIAS))


def _packed_params(part: StoredModule) -> Guess | None:
    """Tell what a quantized layer of torch has its weight in."""
    if len(part.weight) != 2 or not set(part.shapes) <= {"weight", "bias"}:  # noqa: PLR2004 - rows and columns
        return None
    rows, columns = part.weight
    if part.dtypes["weight"].startswith("quint") and "bias" not in part.shapes:  # linear layers have qint8 or float16
        return Guess("EmbeddingPackedParams", 0.9, (), f"{rows}, {columns}")
    return Guess("LinearPackedParams", 0.97, (), listed(f"{columns}, {rows}", "" if "bias" in part.shapes else NO_BIAS))


def around(told: Mapping[str, Guess]) -> Guess | None:
    """Tell a quantized layer of torch by what it has its weight in."""
    inside = told.get(PACKED)
    if inside is None or not inside.name.endswith("PackedParams"):
        return None
    return Guess(inside.name.removesuffix("PackedParams"), 0.9, (), listed(inside.words, "quantized"))


def infer(part: StoredModule) -> Guess | None:
    """Tell a packed layer by its tensors."""
    if set(part.shapes) >= GPTQ and set(part.shapes) <= GPTQ | {"g_idx", "bias"}:
        scales = part.shapes["scales"]
        return Guess("QuantLinear", 0.9, (("out_features", scales[-1] if scales else 0),), f"out {scales[-1:]}"[:40])
    if set(part.shapes) == {"scale", "zero_point"} and "_packed_params" in part.children:
        return Guess("Linear", 0.9, (), "quantized")
    if set(part.shapes) == {"scale", "zero_point"}:
        return Guess("Quantize", 0.6, (), "one scale and zero point for all")
    if set(part.children) >= LORA or set(part.shapes) >= LORA:
        return Guess(
            "LoRA", 0.9, (), listed("a layer of low rank", "beside its base" if "base_layer" in part.children else "")
        )
    if part.has("gamma") and not part.children and len(part.shapes["gamma"]) == 1:
        return Guess("LayerScale", 0.9, (), str(part.shapes["gamma"][0]))
    return None
