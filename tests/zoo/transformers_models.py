"""Models of transformers, from configurations so small that nothing is downloaded and a run takes milliseconds."""

from __future__ import annotations

import importlib
import os
from functools import partial
from math import log2
from typing import TYPE_CHECKING, Any

import torch

from torchvision_cpu import torchvision_models
from zoo.case import Built, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 99,
}
SEQUENCE = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "vocab_size": 99,
    "pad_token_id": 0,
}
GROUPED = {**SMALL, "num_key_value_heads": 2}
PICTURE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
CONVOLUTIONS = {"conv_dim": (16, 16), "conv_stride": (5, 2), "conv_kernel": (10, 3), "num_feat_extract_layers": 2}


def transformers() -> ModuleType:
    """The library, told to look for nothing on the network and not to advise on small configurations."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    torchvision_models()
    library = importlib.import_module("transformers")
    library.logging.set_verbosity_error()
    return library


def tokens(**given: Any) -> dict[str, Any]:
    """Eleven token ids, and what else is given."""
    return {"input_ids": torch.randint(1, 90, (2, 11)), **given}


def padded() -> dict[str, Any]:
    """Token ids of which the second row ends early."""
    mask = torch.ones(2, 11, dtype=torch.long)
    mask[1, 7:] = 0
    return tokens(attention_mask=mask)


def pair() -> dict[str, Any]:
    """Token ids for an encoder and for a decoder."""
    return tokens(decoder_input_ids=torch.randint(1, 90, (2, 7)))


def picture() -> dict[str, Any]:
    """One image of 32 squared."""
    return {"pixel_values": torch.randn(1, 3, 32, 32)}


def wave() -> dict[str, Any]:
    """A tenth of a second of sound at 4 kHz."""
    return {"input_values": torch.randn(1, 400)}


def spectrum() -> dict[str, Any]:
    """Twenty frames of a mel spectrogram, and the first tokens of a transcript."""
    return {"input_features": torch.randn(1, 16, 40), "decoder_input_ids": torch.randint(1, 90, (1, 5))}


def picture_and_text() -> dict[str, Any]:
    """An image and three captions."""
    return {**picture(), "input_ids": torch.randint(1, 90, (3, 9))}


def build(name: str, config: str, options: Mapping[str, Any], inputs: Callable[[], dict[str, Any]]) -> Built:
    """The model class ``name`` from a configuration, called with keyword arguments alone, as its users do."""
    library = transformers()
    model = getattr(library, name)(getattr(library, config)(**options))
    return Built(model, (), inputs())


def case(
    name: str,
    config: str,
    options: Mapping[str, Any],
    inputs: Callable[[], dict[str, Any]] = tokens,
    **facts: Any,
) -> Case:
    """A model of transformers as a case."""
    return Case(partial(build, name, config, options, inputs), "transformers", **facts)


def continued(name: str, config: str, options: Mapping[str, Any], **given: Any) -> Built:
    """A language model in the midst of a text: one token, and the cache of the eleven before it."""
    model, _, kwargs = build(name, config, options, tokens)
    model.eval()
    with torch.no_grad():
        past = model(**kwargs, use_cache=True).past_key_values
    return Built(model, (), {"input_ids": torch.randint(1, 90, (2, 1)), "past_key_values": past, **given})


LOOKS = "it looks whether its tensors are fake, and takes another way"
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99}

MODELS: dict[str, Case] = {
    "transformers/bert": case("BertModel", "BertConfig", SMALL, padded, fake=False, because=LOOKS),
    "transformers/roberta": case("RobertaForMaskedLM", "RobertaConfig", SMALL),
    "transformers/electra": case("ElectraForPreTraining", "ElectraConfig", {**SMALL, "embedding_size": 16}),
    "transformers/distilbert": case(
        "DistilBertModel", "DistilBertConfig", {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    ),
    "transformers/deberta_v2": case(
        "DebertaV2Model",
        "DebertaV2Config",
        {**SMALL, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
        fake=False,
        because=LOOKS,
    ),
    "transformers/albert": case("AlbertModel", "AlbertConfig", {**SMALL, "embedding_size": 16}),
    # 22 rows by 32 x 32, in two layers by 32 x 64 and back, 2 rows by 32 x 32; in each layer two FFTs of n = 11 * 32
    # points, 5 n log2 n each
    "transformers/fnet": case(
        "FNetModel",
        "FNetConfig",
        SMALL,
        hand=2 * 24 * 32 * 32 + 2 * (2 * 2 * 22 * 32 * 64) + 2 * int(2 * 5 * 352 * log2(352)),
    ),
    "transformers/gpt2": case(
        "GPT2LMHeadModel", "GPT2Config", GPT2, partial(tokens, use_cache=False), fake=False, because=LOOKS
    ),
    "transformers/gpt2_cache": case("GPT2LMHeadModel", "GPT2Config", GPT2, partial(tokens, use_cache=True)),
    "transformers/gpt2_continued": Case(partial(continued, "GPT2LMHeadModel", "GPT2Config", GPT2), "transformers"),
    "transformers/gpt2_loss": case(
        "GPT2LMHeadModel", "GPT2Config", GPT2, lambda: tokens(labels=torch.randint(1, 90, (2, 11))), mode="train"
    ),
    "transformers/gpt_neox": case("GPTNeoXForCausalLM", "GPTNeoXConfig", SMALL),
    "transformers/opt": case(
        "OPTForCausalLM", "OPTConfig", {**SMALL, "ffn_dim": 64, "word_embed_proj_dim": 32, "pad_token_id": 0}
    ),
    "transformers/bloom": case("BloomForCausalLM", "BloomConfig", SMALL),
    "transformers/falcon": case("FalconForCausalLM", "FalconConfig", SMALL),
    "transformers/llama": case("LlamaForCausalLM", "LlamaConfig", GROUPED),
    "transformers/llama_continued": Case(
        partial(continued, "LlamaForCausalLM", "LlamaConfig", GROUPED), "transformers"
    ),
    "transformers/mistral": case("MistralForCausalLM", "MistralConfig", {**GROUPED, "sliding_window": 4}),
    "transformers/qwen2": case("Qwen2ForCausalLM", "Qwen2Config", GROUPED),
    "transformers/qwen3": case("Qwen3ForCausalLM", "Qwen3Config", {**GROUPED, "head_dim": 8}),
    "transformers/gemma2": case("Gemma2ForCausalLM", "Gemma2Config", {**GROUPED, "head_dim": 8}),
    "transformers/phi3": case("Phi3ForCausalLM", "Phi3Config", {**GROUPED, "pad_token_id": 0}),
    "transformers/mamba": case(
        "MambaForCausalLM",
        "MambaConfig",
        {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 99, "state_size": 4},
    ),
    "transformers/rwkv": case("RwkvForCausalLM", "RwkvConfig", {**SMALL, "context_length": 16}),
    "transformers/t5": case(
        "T5ForConditionalGeneration",
        "T5Config",
        {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "vocab_size": 99},
        pair,
    ),
    "transformers/bart": case("BartForConditionalGeneration", "BartConfig", SEQUENCE, pair, fake=False, because=LOOKS),
    "transformers/marian": case(
        "MarianMTModel", "MarianConfig", {**SEQUENCE, "decoder_start_token_id": 0}, pair, fake=False, because=LOOKS
    ),
    "transformers/vit": case("ViTForImageClassification", "ViTConfig", PICTURE, picture),
    "transformers/dinov2": case("Dinov2Model", "Dinov2Config", PICTURE, picture),
    "transformers/segformer": case(
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 3, 4]},
        picture,
    ),
    "transformers/clip": case(
        "CLIPModel",
        "CLIPConfig",
        {"text_config": {**SMALL, "projection_dim": 16}, "vision_config": {**PICTURE, "projection_dim": 16}},
        picture_and_text,
    ),
    "transformers/whisper": case(
        "WhisperForConditionalGeneration",
        "WhisperConfig",
        {**SEQUENCE, "num_mel_bins": 16, "max_source_positions": 20},
        spectrum,
    ),
    "transformers/wav2vec2": case(
        "Wav2Vec2ForCTC", "Wav2Vec2Config", {**SMALL, **CONVOLUTIONS, "num_conv_pos_embeddings": 16}, wave
    ),
}
