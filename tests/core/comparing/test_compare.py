"""What changed between two graphs: relatives of the zoo, and cases by hand."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
import torch
from torch import nn

import torchatlas as ta
from core.graphs import llama_like
from find import graph_of
from pairs import PAIRS, pair
from pairs import structure as structure_of
from torchatlas.core.comparing.compare import compare
from torchatlas.core.comparing.marks import deep_marks, own_marks, pairs
from torchatlas.core.comparing.verdict import verdict
from work import lines_run

OTHER_WAY = {"added": "removed", "removed": "added", "changed": "changed", "same": "same"}
ZOO = ["timm/mixer", "counted/mixtral", "modules/shared", "modules/some_never", "sequences/unrolled"]
ZOO += ["modules/checkpoint_reentrant"]  # calls between modules


def structure(model):
    """The graph of a model that is not run."""
    return ta.capture(model).graph


def marked(changes):
    """Marks by the path in b, or else in a."""
    return {item.a if item.b is None else item.b: item.mark for item in changes.items}


@pytest.mark.parametrize("name", PAIRS)
def test_every_module_of_both_is_said_once(name):
    """Nothing is left out, and nothing is two things."""
    a, b = pair(name)
    items = compare(a, b).items
    assert Counter(item.a for item in items if item.a is not None) == Counter(module.path for module in a.modules)
    assert Counter(item.b for item in items if item.b is not None) == Counter(module.path for module in b.modules)
    for item in items:
        assert (item.mark == "added") == (item.a is None)
        assert (item.mark == "removed") == (item.b is None)
        assert (item.mark == "changed") == bool(item.differences)


@pytest.mark.parametrize("name", PAIRS)
def test_the_other_way_round_it_is_the_mirror_image(name):
    """What b adds to a, a lacks of b; the same pairs are found from both sides."""
    a, b = pair(name)
    there, back = compare(a, b), compare(b, a)
    assert {(item.a, item.b, item.mark) for item in there.items} == {
        (item.b, item.a, OTHER_WAY[item.mark]) for item in back.items
    }
    assert {(one, other) for other, one in there.calls} == set(back.calls)


@pytest.mark.parametrize("name", PAIRS)
def test_a_model_is_the_same_as_itself(name):
    """Every module and every call is matched with itself."""
    for graph in pair(name):
        changes = compare(graph, graph)
        assert changes.same
        assert all(item.a == item.b for item in changes.items)
        assert changes.calls == tuple((call.id, call.id) for call in graph.calls)
        assert verdict(changes).startswith("same ")


@pytest.mark.parametrize("name", [name for name in PAIRS if name != "resnet18-bert"])
def test_no_box_hides_a_difference(name):
    """A box with something in it that differs is never marked the same."""
    a, b = pair(name)
    changes = compare(a, b)
    for graph, own, deep in zip((a, b), own_marks(changes), deep_marks(changes), strict=True):
        assert own.keys() == deep.keys() == set(range(len(graph.calls) or len(graph.modules)))
        for call in graph.calls:
            if call.parent is not None and deep[call.id] != "same":
                assert deep[call.parent] != "same"
    own = own_marks(changes)
    assert all(own[0][one] == own[1][other] for one, other in pairs(changes))


def test_resnet34_is_a_deeper_resnet18():
    """Blocks are added at the ends of the stages, and nothing else changes."""
    changes = compare(*pair("resnet18-resnet34"))
    added = {item.b for item in changes.of("added")}
    tops = {"layer1.2", "layer2.2", "layer2.3", "layer3.2", "layer3.3", "layer3.4", "layer3.5", "layer4.2"}
    assert {".".join(path.split(".")[:2]) for path in added} == tops
    assert not changes.of("removed")
    assert not changes.of("changed")


def test_norms_put_in_between_shift_the_rest_and_change_nothing():
    """VGG-11 with batch norm: eight norms are added, twenty modules have moved."""
    changes = compare(*pair("vgg11-vgg11_bn"))
    assert {changes.b.module_at[item.b].name for item in changes.of("added")} == {"BatchNorm2d"}
    assert len(changes.of("added")) == 8
    assert len(changes.renamed) == 20
    assert not changes.of("changed")


def test_a_wrapper_is_seen_as_one():
    """DataParallel adds itself, and its prefix; the model in it is the same."""
    changes = compare(*pair("resnet18-parallel"))
    assert [item.b for item in changes.of("added")] == [""]
    assert {(item.a, item.b) for item in changes.of("same")} >= {("", "module"), ("fc", "module.fc")}
    assert "module." in verdict(changes)


def test_a_prefix_with_another_name_is_found():
    """``bert.`` and ``roberta.`` hold the same; only what RoBERTa does otherwise is said."""
    changes = compare(*pair("bert-roberta"))
    mates = {item.a: item.b for item in changes.items if item.a is not None}
    assert mates["bert.encoder.layer.1.output.dense"] == "roberta.encoder.layer.1.output.dense"
    assert mates["cls.predictions.decoder"] == "lm_head.decoder"
    assert mates["cls.predictions.transform.LayerNorm"] == "lm_head.layer_norm"
    assert "Roberta instead of Bert" in verdict(changes)


def test_half_precision_changes_dtypes_alone():
    """Every module with weights differs in nothing but its dtype and that of its result."""
    changes = compare(*pair("tagger-half"))
    found = {each.what for item in changes.of("changed") for each in item.differences}
    assert found == {"dtype", "output dtype"}


def test_strangers_are_called_so():
    """A list of everything that two models do not share helps nobody."""
    assert verdict(compare(*pair("resnet18-bert"))).startswith("different models: ")


def test_a_block_put_in_the_middle_of_a_list_is_the_one_that_is_added():
    """The layers after it keep their marks, under the next number."""
    layers = [nn.Linear(4, 4), nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)]
    a, b = structure(nn.Sequential(*layers)), structure(nn.Sequential(*layers[:2], nn.Conv1d(8, 8, 3), *layers[2:]))
    changes = compare(a, b)
    assert marked(changes) == {"": "same", "0": "same", "1": "same", "2": "added", "3": "same", "4": "same"}
    assert [(item.a, item.b) for item in changes.renamed] == [("2", "3"), ("3", "4")]


@pytest.mark.parametrize("wider", ["efficientnet_b1", "efficientnet_b3"])
def test_stages_that_grow_in_depth_and_width_stay_in_their_order(wider):
    """Each block is the one of its number in the stage of its number, and the further ones of a stage are added."""
    a, b = structure_of("efficientnet_b0")(), structure_of(wider)()
    changes = compare(a, b)
    assert not changes.renamed
    assert not changes.of("removed")
    added = {item.b for item in changes.of("added")}
    assert {path for path in added if path.rpartition(".")[0] not in added} == {
        module.path for module in b.modules if module.name == "MBConv" and module.path not in a.module_at
    }


def test_a_wrapper_in_every_layer_is_looked_through():
    """What was directly in a layer is found again inside the module that was put around it."""

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = Plain()

    a = structure(nn.ModuleList(Plain() for _ in range(3)))
    b = structure(nn.ModuleList(Wrapped() for _ in range(3)))
    changes = compare(a, b)
    assert {item.a: item.b for item in changes.of("same")}["2.norm"] == "2.body.norm"
    assert not changes.of("removed") or {item.a for item in changes.of("removed")} <= {"0", "1", "2"}


def test_other_names_in_another_nesting_are_told_by_tensors_in_their_order():
    """Four projections of one shape, in two modules of one model and directly in that of the other, find each other."""
    names = {
        "attention.self.query": "attention.q_lin",
        "attention.self.key": "attention.k_lin",
        "attention.self.value": "attention.v_lin",
        "attention.output.dense": "attention.out_lin",
        "attention.output.LayerNorm": "sa_layer_norm",
        "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2",
        "output.LayerNorm": "output_layer_norm",
    }
    found = {item.a: item.b for item in compare(*pair("bert-distilbert")).items if item.a is not None}
    for layer in range(2):
        for one, other in names.items():
            assert found[f"bert.encoder.layer.{layer}.{one}"] == f"distilbert.transformer.layer.{layer}.{other}"


def net(function):
    """A layer, and a function after it that no module stands for."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return function(self.layer(x))

    return ta.capture(Net(), torch.zeros(2, 4)).graph


def test_what_a_module_computes_counts_though_its_parts_are_the_same():
    """Another activation in ``forward`` is no other module, and still a change."""
    (item,) = compare(net(torch.relu), net(torch.tanh)).of("changed")
    assert (item.a, item.b) == ("", "")
    assert [(each.what, each.a, each.b) for each in item.differences] == [("calls", "torch.relu", "torch.tanh")]


def test_functions_inside_a_module_that_only_one_has_are_found_outside_of_it():
    """What ran in a part and now runs where that was is no other function; what is new with its module is."""

    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return torch.tanh(self.layer(x))

    class Net(nn.Module):
        def __init__(self, parts):
            super().__init__()
            self.parts = nn.ModuleList([Part() for _ in range(parts)])
            self.last = Part() if parts else nn.Linear(4, 4)

        def forward(self, x):
            for part in self.parts:
                x = part(x)
            return self.last(x) if len(self.parts) else torch.tanh(self.last(x))

    plain, nested = (ta.capture(Net(parts), torch.zeros(2, 4)).graph for parts in (0, 1))
    changes = compare(plain, nested)
    found = {plain.calls[one].name: nested.calls[other] for one, other in changes.calls}
    assert nested.calls[found["torch.tanh"].parent].path == "last"
    marks = own_marks(changes)[1]
    assert [marks[call.id] for call in nested.calls if call.name == "torch.tanh"] == ["added", "same"]


def test_an_argument_of_a_function_counts():
    """The same function with another constant is said with both."""
    slopes = [partial(nn.functional.leaky_relu, negative_slope=slope) for slope in (0.1, 0.2)]
    (item,) = compare(*map(net, slopes)).of("changed")
    assert [(each.what, each.a, each.b) for each in item.differences] == [("F.leaky_relu negative_slope", "0.1", "0.2")]


def test_of_several_results_the_one_that_differs_is_said():
    """Not the first, which may be the same; how many more there are stands beside it."""

    class Both(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layer = nn.Linear(3, width)

        def forward(self, x):
            return x.sum(1), self.layer(x)

    whole = compare(*(ta.capture(Both(width), torch.ones(2, 3)).graph for width in (4, 5))).items[0]
    assert [(each.a, each.b) for each in whole.differences] == [("[2, 4] +1", "[2, 5] +1")]


def test_numbers_are_in_short_unless_they_are_told_apart_in_full():
    """A third is not given with sixteen digits, nor said to differ from itself."""
    for one, other, said in ((1 / 3, 0.5, ("0.333333", "0.5")), (0.1, 0.1 + 1e-9, ("0.1", "0.100000001"))):
        slopes = [partial(nn.functional.leaky_relu, negative_slope=slope) for slope in (one, other)]
        (item,) = compare(*map(net, slopes)).of("changed")
        assert [(each.a, each.b) for each in item.differences] == [said]


def test_tied_weights_that_are_tied_no_longer():
    """Shapes are the same, but what is trained is not."""

    class Net(nn.Module):
        def __init__(self, *, tied):
            super().__init__()
            self.embed, self.head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
            if tied:
                self.head.weight = self.embed.weight

    changes = compare(structure(Net(tied=True)), structure(Net(tied=False)))
    assert {each.what for item in changes.of("changed") for each in item.differences} == {"tied"}
    assert "parameters" in verdict(changes)


def test_functions_without_modules_are_compared_call_by_call():
    """A call that was added, and one with another argument."""
    a = ta.capture(lambda x: torch.relu(x) + 1, torch.zeros(3)).graph
    b = ta.capture(lambda x: torch.sigmoid(torch.relu(x) + 2), torch.zeros(3)).graph
    changes = compare(a, b)
    assert changes.by_call
    assert [changes.b.calls[item.b].name for item in changes.of("added")] == ["torch.sigmoid"]
    assert [changes.b.calls[item.b].name for item in changes.of("changed")] == ["Tensor.add"]


def test_a_module_that_runs_more_often():
    """The steps of a loop are the calls of one module; how many there are is said of it."""

    class Loop(nn.Module):
        def __init__(self, steps):
            super().__init__()
            self.cell, self.steps = nn.Linear(2, 2), [None] * steps

        def forward(self, x):
            for _ in self.steps:
                x = self.cell(x)
            return x

    a, b = (ta.capture(Loop(steps), torch.zeros(1, 2)).graph for steps in (2, 5))
    changed = {item.b: item.differences for item in compare(a, b).of("changed")}
    assert [(each.what, each.a, each.b) for each in changed["cell"]] == [("runs", "2", "5")]


@pytest.mark.parametrize("name", ZOO)
def test_models_of_the_zoo_are_like_themselves_and_unlike_others(name):
    """Shared modules, experts, branches, recurrent layers."""
    graph = graph_of(name)
    assert compare(graph, graph).same
    other = compare(graph, pair("tagger-half")[0])
    assert not other.same
    assert {(item.a, item.b) for item in other.items} == {
        (item.b, item.a) for item in compare(pair("tagger-half")[0], graph).items
    }


def test_twice_the_calls_are_about_twice_the_work():
    """Matching is near linear: a layer is added to ten or to twenty, and is found."""
    work = []
    for layers in (10, 20):
        a, b = llama_like(layers, 400), llama_like(layers + 1, 400)
        work.append(lines_run(lambda a=a, b=b: compare(a, b)))
        changes = compare(a, b)
    assert work[1] < 3 * work[0]
    assert {".".join(item.b.split(".")[:3]) for item in changes.of("added")} == {"model.layers.20"}
    assert not changes.of("removed")


def conv_block(wide):
    """Layers in a Sequential, as two stages of one model hold them."""
    return nn.Sequential(nn.Conv2d(wide, wide, 3), nn.BatchNorm2d(wide), nn.ReLU())


def test_stages_moved_into_a_list_are_known_again_there():
    """A new Sequential beside them is of their class, and that alone does not make it one of them."""
    stem, head = partial(nn.Conv2d, 3, 8, 3), partial(nn.Linear, 32, 2)
    a, b = nn.Module(), nn.Module()
    a.stem, a.norm, a.stage1, a.stage2, a.fc = stem(), nn.BatchNorm2d(8), conv_block(8), conv_block(32), head()
    b.backbone = nn.Sequential(stem(), nn.BatchNorm2d(8))
    b.blocks, b.head = nn.ModuleList([conv_block(8), conv_block(32)]), head()
    for swap in (False, True):
        changes = compare(*map(structure, (b, a) if swap else (a, b)))
        mates = {(item.b, item.a) if swap else (item.a, item.b) for item in changes.items}
        moved = {"stem": "backbone.0", "norm": "backbone.1", "stage1": "blocks.0", "stage2": "blocks.1", "fc": "head"}
        assert mates >= set(moved.items())
        assert not changes.of("changed")


class Tower(nn.Sequential):
    """A class of its own, so that nothing is taken for it but one like it."""


@pytest.mark.parametrize("layers", [3, 4])
def test_parts_that_changed_places_are_known_again_if_they_are_large(layers):
    """Of five modules with the part itself; fewer are found anywhere, by chance."""
    part = {
        "dense": lambda: nn.Sequential(*[nn.Linear(6, 6) for _ in range(layers)]),
        "image": lambda: Tower(*[nn.Conv2d(3, 3, 3) for _ in range(layers)]),
    }
    a, b = (
        structure(
            nn.ModuleDict({f"{half}_half": nn.ModuleDict({f"{name}_{half}": part[name]()}) for half, name in way})
        )
        for way in ((("left", "dense"), ("right", "image")), (("left", "image"), ("right", "dense")))
    )
    mates = {item.a: item.b for item in compare(a, b).items if item.a is not None}
    other = {"left_half.dense_left": "right_half.dense_right", "right_half.image_right": "left_half.image_left"}
    assert {one: mates[one] for one in other} == (other if layers == 4 else dict.fromkeys(other))


class Adapted(nn.Module):
    """A layer with a low-rank one beside it."""

    def __init__(self, layer):
        super().__init__()
        self.base_layer = layer
        self.lora_A = nn.Linear(layer.in_features, 2, bias=False)
        self.lora_B = nn.Linear(2, layer.out_features, bias=False)


@pytest.mark.parametrize("classes", [4, 3])
def test_a_layer_in_a_new_wrapping_is_the_layer_still(classes):
    """A head in a ``Sequential`` behind a dropout, of the same size or another, is that head under another name."""
    plain = nn.ModuleDict({"body": nn.Linear(4, 4), "head": nn.Linear(4, 4)})
    head = nn.Sequential(nn.Dropout(), nn.Linear(4, classes))
    changes = compare(structure(plain), structure(nn.ModuleDict({"body": nn.Linear(4, 4), "head": head})))
    assert [(item.a, item.b) for item in changes.renamed] == [("head", "head.1")]
    assert marked(changes)["head.1"] == ("same" if classes == 4 else "changed")
    assert {item.b for item in changes.of("added")} == {"head", "head.0"}
    assert not changes.of("removed")


def test_parts_under_the_same_names_in_other_places_are_told_apart():
    """What is said to be added in two places is said of each of them."""

    class Block(nn.Module):
        def __init__(self, adapt):
            super().__init__()
            self.up, self.down = nn.Linear(4, 8), nn.Linear(8, 4)
            if adapt:
                self.up.extra, self.down.extra = nn.Linear(1, 1), nn.Linear(1, 1)

    plain, adapted = (nn.ModuleList([Block(adapt) for _ in range(3)]) for adapt in (False, True))
    said = verdict(compare(structure(plain), structure(adapted)))
    assert said.startswith("added 0..2.up.extra, 0..2.down.extra; ")


def test_a_model_is_the_same_as_its_export(tmp_path):
    """A file says each axis for itself, leaves settings out and has other names for functions: no module differs."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()).eval()
    image = torch.zeros(1, 3, 8, 8)
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(net, (image,)), path)
    known = ta.capture(net, image)
    assert ta.compare(known, path).same
    assert ta.compare(known, path).verdict == "same modules, as far as both sides describe them; functions not compared"
    assert {mark for side in own_marks(ta.compare(known, path).changes) for mark in side.values()} == {"same"}
    net[3].stride = 1
    (item,) = [item for item in ta.compare(ta.capture(net, image), path).changed if item.a == "3"]
    assert [each.what for each in item.differences] == ["stride", "output"]


def test_totals_that_differ_in_few_digits_say_all_of_them():
    """No total goes from 297M to 297M."""
    a, b = (ta.capture(nn.Sequential(nn.Linear(900, 900), nn.Linear(900, n)), torch.zeros(99, 900)) for n in (1, 2))
    assert "160,558,200 -> 160,736,400 FLOPs" in verdict(compare(a.graph, b.graph))


def test_what_is_added_in_many_places_is_said_once():
    """Adapters in every layer are named once, with where they are, and not place by place."""
    plain, adapted = (
        nn.Sequential(*[nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4)) for _ in range(9)]) for _ in range(2)
    )
    for block in adapted:
        block[0], block[2] = Adapted(block[0]), Adapted(block[2])
    said = verdict(compare(structure(plain), structure(adapted)))
    assert said.startswith("added 0..8.{0,2} (54 modules); 18 moved; ")
