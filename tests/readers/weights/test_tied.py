"""Keys that are not in a file because they are tied to one that is: the file, its settings and a comparison say so."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

import torchatlas as ta


class Words(nn.Module):
    """A model of words, its head tied to the embedding."""

    def __init__(self, *, tie: bool = True) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"embed_tokens": nn.Embedding(10, 4), "norm": nn.LayerNorm(4)})
        self.lm_head = nn.Linear(4, 10, bias=False)
        if tie:
            self.lm_head.weight = self.model["embed_tokens"].weight


def without_head() -> dict[str, torch.Tensor]:
    """What transformers saves of it."""
    return {name: tensor.clone() for name, tensor in Words().state_dict().items() if name != "lm_head.weight"}


def notes(graph: Any) -> str:
    """All notes in one."""
    return "\n".join(note.text for note in graph.notes)


def test_what_save_model_left_out_is_said(tmp_path):
    """Its metadata name the key and the one that it is tied to."""
    save_model(Words(), str(tmp_path / "a.safetensors"))
    said = notes(ta.open(tmp_path / "a.safetensors").graph)
    assert "model.embed_tokens.weight is tied to lm_head.weight" in said or (
        "lm_head.weight is tied to model.embed_tokens.weight" in said
    )


CONFIGS = {
    "said": ({"tie_word_embeddings": True}, True),
    "said of the text": ({"text_config": {"tie_word_embeddings": True}}, True),
    "by default": ({"architectures": ["GPT2LMHeadModel"]}, True),
    "not tied": ({"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": False}, False),
    "no head": ({"architectures": ["BertModel"]}, False),
    "no settings": ([], False),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_settings_beside_weights_say_what_is_tied(name, tmp_path):
    """For the file and for its folder; where the head has a key, or is not tied, nothing is said."""
    config, tied = CONFIGS[name]
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(without_head(), tmp_path / "model.safetensors")
    for path in (tmp_path, tmp_path / "model.safetensors"):
        said = "The output layer is tied to model.embed_tokens.weight" in notes(ta.open(path).graph)
        assert said == tied
    save_file({**without_head(), "lm_head.weight": torch.ones(10, 4)}, tmp_path / "model.safetensors")
    assert "is tied to" not in notes(ta.open(tmp_path).graph)


def test_damaged_settings_say_nothing(tmp_path):
    """The weights are opened all the same."""
    save_file(without_head(), tmp_path / "model.safetensors")
    for data in (b"{", b"\xff\xfe", b"[" * 10**5):
        (tmp_path / "config.json").write_bytes(data)
        assert "is tied to" not in notes(ta.open(tmp_path).graph)


def test_a_comparison_says_which_missing_keys_are_tied(tmp_path):
    """Where the model in hand ties them; torch fills them without strict. Where it does not, they are only missing."""
    path = tmp_path / "model.safetensors"
    save_file(without_head(), path)
    found = ta.compare(Words(), path)
    assert found.loading.missing == ("lm_head.weight",)
    assert found.loading.tied == (("lm_head.weight", "model.embed_tokens.weight"),)
    assert "lm_head.weight is tied to model.embed_tokens.weight, which is there" in found.text()
    model = Words()
    with pytest.raises(RuntimeError, match=r"Missing key.*lm_head\.weight"):
        model.load_state_dict(without_head())
    weights = {name: tensor + 1 for name, tensor in without_head().items()}
    model.load_state_dict(weights, strict=False)
    assert torch.equal(model.lm_head.weight, weights["model.embed_tokens.weight"])
    loose = ta.compare(Words(tie=False), path)
    assert loose.loading.missing == ("lm_head.weight",)
    assert loose.loading.tied == ()
    assert "is tied to" not in loose.text()


def test_a_key_tied_to_one_of_another_name_is_seen_after_renaming(tmp_path):
    """A prefix before all keys does not hide it."""
    path = tmp_path / "model.safetensors"
    save_file({f"module.{name}": tensor for name, tensor in without_head().items()}, path)
    assert ta.compare(Words(), path).loading.tied == (("lm_head.weight", "model.embed_tokens.weight"),)
