"""What load_state_dict would say of weights, and the renaming that mends them: held against load_state_dict itself."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from torch import nn

import torchatlas as ta
from pairs import Tagger
from torchatlas.core.comparing.fit import loading
from torchatlas.core.comparing.renaming import renamed, rules_for
from torchatlas.core.graph import Graph, Module, Value
from torchvision_cpu import torchvision_models


def weights(state):
    """A graph of what a file of weights holds: names and shapes, and modules of unknown class."""
    values = tuple(
        Value(at, "parameter", (key,), tuple(tensor.shape), str(tensor.dtype)[6:], "cpu", tensor.nbytes)
        for at, (key, tensor) in enumerate(state.items())
    )
    paths = dict.fromkeys([""])
    for key in state:
        parts = key.split(".")[:-1]
        paths |= dict.fromkeys(".".join(parts[: end + 1]) for end in range(len(parts)))
    own = {path: [] for path in paths}
    for value in values:
        holder, _, name = value.names[0].rpartition(".")
        own[holder].append((name, value.id))
    modules = tuple(Module(path, "Module", parameters=tuple(own[path]), confidence=0.5) for path in sorted(paths))
    return Graph("weights", values=values, modules=modules)


def model():
    """Small, with lists, norms and a recurrent layer."""
    torch.manual_seed(0)
    block = [nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.ReLU()) for _ in range(12)]
    return nn.ModuleDict({"layers": nn.ModuleList(block), "tagger": Tagger(), "norm": nn.BatchNorm1d(6)})


CHANGES = {
    "nothing": lambda key: key,
    "prefix": lambda key: f"module.{key}",
    "two prefixes": lambda key: f"model.net.{key}",
    "list": lambda key: key.replace("layers.", "h."),
    "nested": lambda key: re.sub(r"^layers\.(\d+)\.", r"encoder.block_\1.inner.", key),
    "tensorflow": lambda key: re.sub(r"(layers\.\d+\.1)\.weight", r"\1.gamma", key).replace("1.bias", "1.beta"),
    "one of several": lambda key: key.replace("tagger.", "word.tagger."),
    "numbered from one": lambda key: re.sub(r"layers\.(\d+)", lambda m: f"layers.{int(m[1]) + 1}", key),
    "slashes": lambda key: key.replace("layers", "blocks").replace(".", "/"),
    "several": lambda key: f"net.{key}".replace("layers", "blocks").replace("tagger.rnn", "words.lstm"),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("backwards", [False, True], ids=["", "backwards"])
def test_the_code_that_is_suggested_makes_the_weights_load(name, backwards):
    """What is printed is run, and load_state_dict takes the result, tensor for tensor."""
    wanted = model()
    state = {CHANGES[name](key): tensor for key, tensor in wanted.state_dict().items()}
    if backwards:
        state = dict(sorted(state.items(), reverse=True))
    found = ta.compare(wanted, state).loading
    assert found.passes == (name == "nothing")
    if found.rules:
        space = {"state": state, "model": wanted}
        exec(found.text, space)  # noqa: S102 - as a user who pastes it
        state = space["state"]
    assert state.keys() == wanted.state_dict().keys()
    assert all(state[key] is tensor or torch.equal(state[key], tensor) for key, tensor in wanted.state_dict().items())
    assert len(found.fitting) + found.mended == len(state)


def test_it_says_what_load_state_dict_says():
    """Missing and unexpected keys, and other shapes, are those that torch lists."""
    wanted = model()
    state = dict(wanted.state_dict())
    del state["norm.running_mean"], state["layers.3.0.weight"]
    state["layers.3.0.gain"] = torch.zeros(6)
    state["tagger.head.weight"] = torch.zeros(9, 8)
    found = ta.compare(wanted, state).loading
    said = wanted.load_state_dict({k: v for k, v in state.items() if k != "tagger.head.weight"}, strict=False)
    assert set(found.missing) == set(said.missing_keys) - {"tagger.head.weight"}
    assert set(found.unexpected) == set(said.unexpected_keys)
    assert found.unfit == (("tagger.head.weight", (4, 8), (9, 8)),)
    with pytest.raises(RuntimeError, match="size mismatch"):
        wanted.load_state_dict(state, strict=False)


def test_buffers_that_are_never_saved_are_not_missing():
    """An atlas does not know which those are; a model does."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.register_buffer("angles", torch.zeros(3), persistent=False)

    net = Net()
    graph, file = ta.capture(net).graph, weights(net.state_dict())
    assert loading(graph, file).unsaved == ("angles",)
    assert loading(graph, file).missing == ()
    assert loading(graph, file).passes
    assert ta.compare(net, net.state_dict()).loading.unsaved == ()
    assert ta.compare(net, {**net.state_dict(), "angles": torch.zeros(3)}).loading.unexpected == ("angles",)


def test_tied_weights_are_wanted_under_each_name():
    """A state dict holds them twice."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
            self.other.weight = self.one.weight

    found = loading(ta.capture(Net()).graph, weights({"one.weight": torch.zeros(2, 2)}))
    assert (found.fitting, found.missing) == (("one.weight",), ("other.weight",))


def test_names_of_other_code_are_known():
    """A decoder in the names of its first publication, sorted as some files are."""
    words = {"q_proj": "wq", "k_proj": "wk", "v_proj": "wv", "o_proj": "wo", "gate": "w1", "up": "w3", "down": "w2"}
    norms = {"input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm"}
    wanted, given = {"lm_head.weight": (9, 4), "model.embed_tokens.weight": (9, 4), "model.norm.weight": (4,)}, {}
    for layer in range(3):
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            wanted[f"model.layers.{layer}.self_attn.{name}.weight"] = (4, 4)
        for name, shape in (("gate", (8, 4)), ("up", (8, 4)), ("down", (4, 8))):
            wanted[f"model.layers.{layer}.mlp.{name}_proj.weight"] = shape
        for name in norms:
            wanted[f"model.layers.{layer}.{name}.weight"] = (4,)
    pairs = {
        "model.embed_tokens": "tok_embeddings",
        "lm_head": "output",
        "self_attn": "attention",
        "mlp": "feed_forward",
    }
    expected = {}
    for key, shape in wanted.items():
        name = key
        for old, new in {**pairs, **{f"{k}_proj": v for k, v in words.items() if "_" not in k}, **words}.items():
            name = name.replace(old, new)
        for old, new in norms.items():
            name = name.replace(f".{old}.", f".{new}.")
        name = name.removeprefix("model.")
        given[name], expected[name] = shape, key
    given = dict(sorted(given.items()))
    rules = rules_for(wanted, given)
    for old, new in expected.items():
        assert list(renamed({old: given[old]}, rules)) == [new]


def test_a_guess_is_called_one():
    """Two norms of one shape under names that say nothing: the order is all there is to go by."""
    wanted = {"alpha.weight": (4,), "omega.weight": (4,)}
    given = {"xx.weight": (4,), "yy.weight": (4,)}
    rules = rules_for(wanted, given)
    assert rules
    assert not any(rule.sure for rule in rules)
    assert all(rule.sure for rule in rules_for(wanted, {f"net.{key}": shape for key, shape in wanted.items()}))


def test_numbers_that_agree_by_chance_make_no_rule_for_all_numbers():
    """``z1`` is ``bn1``, and ``z2`` is another thing: what is true of one number is then said of that one alone."""
    names = {"z0": "conv1", "z1": "bn1", "z2": "layer1", "z3": "conv2", "z4": "bn2"}
    shapes = {"z0": (4, 3, 7, 7), "z1": (4,), "z3": (4, 4, 3, 3), "z4": (4,)}
    given = {f"{path}{name}.weight": shapes[name] for path in ("", "z2.0.", "z2.1.") for name in shapes}
    wanted = {".".join(names.get(name, name) for name in key.split(".")): shape for key, shape in given.items()}
    assert renamed(given, rules_for(wanted, given)) == wanted


def test_what_fits_nowhere_is_in_nobodys_way():
    """Adapters saved with their model, all behind one prefix: the model's own keys are mended by two rules."""
    wanted = {f"layers.{at}.{name}.weight": (4, 4) for at in range(3) for name in ("q", "k")} | {"norm.weight": (4,)}
    given = {f"base_model.model.{key}": shape for key, shape in wanted.items() if ".q." not in key}
    for at in range(3):
        place = f"base_model.model.layers.{at}.q"
        given |= {f"{place}.base_layer.weight": (4, 4), f"{place}.A.weight": (2, 4), f"{place}.B.weight": (4, 2)}
    rules = rules_for(wanted, given)
    assert len(rules) == 2
    assert wanted.items() <= renamed(given, rules).items()


def test_a_lone_counter_is_not_taken_for_a_part_without_tensors():
    """A number in the weights that the model lacks is added, and no pooling becomes it."""
    net = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 1), "pool": nn.MaxPool2d(2)})
    changes = ta.compare(net, weights({**net.state_dict(), "ema.decay": torch.tensor(0.9)})).changes
    assert [item.b for item in changes.of("added")] == ["ema"]


def test_weights_without_counters_of_batches_load():
    """Torch puts them in where weights have no version, and so it does not miss them."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    state = {key: tensor for key, tensor in net.state_dict().items() if "num_batches_tracked" not in key}
    net.load_state_dict(state)  # raises where a key is missed
    found = ta.compare(net, state).loading
    assert found.passes
    assert found.unsaved == ("1.num_batches_tracked",)
    assert loading(ta.capture(net).graph, weights(state)).unsaved == ("1.num_batches_tracked",)
    state.pop("1.running_mean")
    assert ta.compare(net, state).loading.missing == ("1.running_mean",)


def test_the_order_of_the_alphabet_is_not_taken_for_that_of_a_model():
    """Four projections of one shape in another nesting: in a sorted file nothing says which is which."""
    wanted = {f"attention.{name}_lin.weight": (4, 4) for name in ("q", "k", "v", "out")}
    given = {f"self.{name}.weight": (4, 4) for name in ("query", "key", "value")} | {"output.dense.weight": (4, 4)}
    net = {"net.conv.weight": (4, 4, 3), "net.conv.bias": (4,)}
    wanted, given = ({**net, **{f"net.{key}": shape for key, shape in each.items()}} for each in (wanted, given))
    expected = dict(zip(given, wanted, strict=True))
    assert [*renamed(given, rules_for(wanted, given))] == [*wanted]
    rules = rules_for(wanted, dict(sorted(given.items())))
    assert all(next(iter(renamed({old: ()}, rules))) in {old, new} for old, new in expected.items())


def test_weights_of_another_model_are_not_forced():
    """Nothing fits, so nothing is suggested that mends nothing."""
    found = loading(ta.capture(Tagger()).graph, weights({"a.b": torch.zeros(3, 3, 3), "a.c": torch.zeros(7)}))
    assert found.rules == ()
    assert found.text == ""
    assert found.mended == 0


def test_a_vision_transformer_of_another_library():
    """Every tensor of timm's model finds its place in torchvision's, where even the nesting differs."""
    models = torchvision_models()
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        state = timm.create_model("vit_base_patch16_224").state_dict()
        wanted = models.vit_b_16(weights=None)
    rules = rules_for(
        *({key: tuple(tensor.shape) for key, tensor in each.items()} for each in (wanted.state_dict(), state))
    )
    names = {old: next(iter(renamed({old: ()}, rules))) for old in state}
    assert set(names.values()) == set(wanted.state_dict())
    assert names["blocks.7.norm2.weight"] == "encoder.layers.encoder_layer_7.ln_2.weight"
    assert names["blocks.3.mlp.fc2.bias"] == "encoder.layers.encoder_layer_3.mlp.3.bias"


def test_the_inferred_is_not_held_against_the_known():
    """Classes that a reader of weights guessed wrong are no difference; shapes are."""
    wanted = model()
    graph = ta.capture(wanted).graph
    file = weights(wanted.state_dict())
    guessed = replace(file, modules=tuple(replace(module, name="Conv9d") for module in file.modules))
    assert ta.compare(graph, guessed).same
    state = {**wanted.state_dict(), "norm.weight": torch.zeros(7)}
    (item,) = ta.compare(graph, weights(state)).changed
    assert [(each.what, each.a, each.b) for each in item.differences] == [("weight", "[6]", "[7]")]
