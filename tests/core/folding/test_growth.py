"""Loops whose turns differ in sizes that grow steadily are folds, and nothing else is for that reason."""

import json
from pathlib import Path

import pytest
import torch
import transformers
from torch import nn

import torchatlas as ta
from torchatlas.core.folding.fold import fold_calls
from torchatlas.core.folding.growth import Growth
from torchatlas.core.measure.cost import total
from torchvision_cpu import torchvision_models

torchvision_models()
VOCABULARY = 50


class Attention(nn.Module):
    """Attends to all that came before, which it is handed and hands on."""

    def __init__(self):
        super().__init__()
        self.mix, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x, cache):
        query, key, value = self.mix(x).chunk(3, -1)
        if cache is not None:
            key, value = torch.cat([cache[0], key], 1), torch.cat([cache[1], value], 1)
        return self.out(torch.softmax(query @ key.transpose(1, 2), -1) @ value), (key, value)


class Decoder(nn.Module):
    """Feeds its results back, in as many steps as there are lengths: of new tokens in each."""

    def __init__(self, *lengths):
        super().__init__()
        self.attention, self.lengths = Attention(), lengths

    def forward(self, x):
        out, cache = self.attention(x, None)
        for length in self.lengths:
            out, cache = self.attention(out[:, -1:].expand(-1, length, -1), cache)
        return out


def folds(graph):
    """(calls in a turn, turns, what grows) of every fold directly inside the root."""
    return [(fold.period, fold.count, fold.growth) for fold in fold_calls(graph).get(0, ())]


def test_the_steps_of_a_decoder_are_one_fold_that_says_from_which_length_to_which_its_cache_grows():
    """From what the first of them is handed to what the last makes; the step that fills the cache stands by itself."""
    graph = ta.capture(Decoder(*[1] * 7), torch.randn(2, 3, 8)).graph
    assert folds(graph) == [(3, 7, Growth("cache", 3, 10))]
    assert fold_calls(graph)[0][0].kind == "loop"
    assert fold_calls(graph)[0][0].carried == 3


def test_a_cache_that_grows_by_several_tokens_is_said_too():
    """Only the ends are named."""
    assert folds(ta.capture(Decoder(2, 2, 2, 2), torch.randn(2, 3, 8)).graph) == [(3, 4, Growth("cache", 3, 11))]


def test_growth_that_changes_its_pace_is_cut_where_it_does():
    """Each run of equal steps is a fold of its own."""
    graph = ta.capture(Decoder(1, 1, 1, 1, 2, 2, 2, 2), torch.randn(2, 3, 8)).graph
    assert folds(graph) == [(3, 4, Growth("cache", 3, 7)), (3, 4, Growth("cache", 7, 15))]


@pytest.mark.parametrize("lengths", [(1, 1), (1, 2, 4, 8), (1, 3, 2, 1, 3)])
def test_what_does_not_grow_steadily_three_times_is_no_fold(lengths):
    """Two turns always differ by some amount."""
    assert folds(ta.capture(Decoder(*lengths), torch.randn(2, 3, 8)).graph) == []


def test_layers_that_widen_are_no_loop():
    """Each has weights of its own; nor is a loop over images of growing size, through layers of its own, one fold."""
    widening = nn.Sequential(*[nn.Linear(8 * width, 8 * width + 8) for width in range(1, 7)])
    assert folds(ta.capture(widening, torch.randn(2, 8)).graph) == []
    shrinking = nn.Sequential(*[nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU()) for _ in range(6)])
    assert folds(ta.capture(shrinking, torch.randn(1, 3, 32, 32)).graph) == []


def test_sizes_that_grow_and_are_not_handed_on_are_called_sizes():
    """The same layer over longer and longer pieces."""

    def pieces(layer, x):
        return sum(layer(x[:, :length]).relu().sum() for length in range(2, 7))

    layer = nn.Linear(8, 8)
    graph = ta.capture(lambda x: pieces(layer, x), torch.randn(2, 9, 8)).graph
    assert folds(graph) == [(5, 4, Growth("size", 3, 6))]  # the first of the five sums starts from 0


def rows_of(atlas, **options):
    """The rows of its table down to depth 1, as exact values."""
    return json.loads(atlas.summary(depth=1, **options).json())["rows"]


@pytest.mark.parametrize("steps", [4, 9])
def test_the_row_of_a_fold_that_grows_holds_the_exact_sum_of_its_steps(steps):
    """Equal to the rows of all steps, and with the rest to the total."""
    atlas = ta.capture(Decoder(*[1] * steps), torch.randn(2, 3, 8))
    folded = [row for row in rows_of(atlas) if row["depth"] == 1]
    single = [row for row in rows_of(atlas, fold=False) if row["depth"] == 1]
    assert (len(folded), len(single)) == (2, steps + 1)
    assert folded[1]["mult_adds"] == sum(row["mult_adds"] for row in single[1:])
    assert folded[0]["mult_adds"] + folded[1]["mult_adds"] == total(atlas.graph).flops // 2
    text = str(atlas.summary(depth=1))
    assert f"attention x{steps}, cache 3..{3 + steps}" in text
    assert "show the first" in text


def test_the_page_and_the_drawing_say_what_grows(tmp_path: Path):
    """As the table does."""
    atlas = ta.capture(Decoder(*[1] * 7), torch.randn(2, 3, 8))
    drawn = atlas.draw().save(tmp_path / "steps.svg").read_text(encoding="utf-8")
    assert "×7, cache 3..10" in drawn
    assert "cache 3..10" in atlas.summary()._repr_html_()


@pytest.mark.parametrize(("name", "last"), [("cache", 13), ("length", 13), ("size", 12)])
def test_a_part_of_what_grows_says_its_own_ends(name, last):
    """What is handed on grows in each turn; of a size, the last turn has the last."""
    whole = Growth(name, 3, last)
    assert whole.of_part(10, 0, 10) == whole
    assert whole.of_part(10, 4, 3) == Growth(name, 7, 10 if last == 13 else 9)


SIZES = {
    "GPT2LMHeadModel": {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 64, "bos_token_id": 0},
    "LlamaForCausalLM": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "bos_token_id": 0,
    },
    "T5ForConditionalGeneration": {
        "d_model": 16,
        "d_kv": 8,
        "d_ff": 32,
        "num_layers": 2,
        "num_heads": 2,
        "decoder_start_token_id": 0,
    },
}


def language_model(name):
    """A small one of transformers, by its class; no token ends what it generates."""
    made = getattr(transformers, name)
    return made(made.config_class(vocab_size=VOCABULARY, eos_token_id=None, **SIZES[name])).eval()


@pytest.mark.parametrize(
    ("name", "kwargs", "grows"),
    [
        ("GPT2LMHeadModel", {"do_sample": False}, "cache 3..14"),
        ("GPT2LMHeadModel", {"do_sample": True}, "cache 3..14"),
        ("GPT2LMHeadModel", {"do_sample": False, "num_beams": 2}, "cache 3..14"),
        ("LlamaForCausalLM", {"do_sample": False}, "cache 3..14"),
        ("LlamaForCausalLM", {"do_sample": False, "cache_implementation": "static"}, "length 3..14"),
        ("T5ForConditionalGeneration", {"do_sample": False}, "cache 1..12"),
    ],
    ids=["greedy", "sampling", "beams", "grouped", "static", "encoder-decoder"],
)
@pytest.mark.filterwarnings("ignore")
def test_the_steps_of_generate_fold(name, kwargs, grows):
    """Eleven after the one that reads the prompt; the rows are called by the model's class, and sum to the total."""
    model, ids = language_model(name), torch.randint(1, VOCABULARY, (2, 3))
    atlas = ta.capture(model.generate, ids, kwargs={"max_new_tokens": 12, "pad_token_id": 0, **kwargs})
    rows = [row for row in rows_of(atlas) if row["depth"] == 1]
    steps = next(row for row in rows if row["repeats"] > 1)
    assert (steps["name"], steps["type"], steps["repeats"]) == (name, name, 11)
    assert [str(growth) for _, count, growth in folds(atlas.graph) if count == 11] == [grows]
    assert sum(row["mult_adds"] or 0 for row in rows) == total(atlas.graph).flops // 2
