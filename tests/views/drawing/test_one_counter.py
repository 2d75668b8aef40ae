"""Pictures, legends and tables show the numbers that `core.measure.cost` counted, whatever shows them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

import torchatlas as ta
from models import MODELS
from torchatlas.core.folding.fold import fold_calls
from torchatlas.core.measure.cost import costs
from torchatlas.core.measure.numbers import quantity, short

if TYPE_CHECKING:
    from torchatlas.views.contract import Box

SEEDS = 200
TOGETHER = 20
WIDTH = 6


def at_random(seed: int) -> nn.Module:
    """Layers in layers, some of them used twice, some blocks repeated, some never initialised."""
    random = Random(seed)  # noqa: S311 - no secret
    known: list[nn.Module] = [nn.Linear(WIDTH, WIDTH)]

    def layer(depth: int) -> nn.Module:
        kind = random.randrange(6 if depth else 4)
        if kind == 0:
            return random.choice(known)
        if kind in {1, 2}:
            known.append(nn.Linear(WIDTH, WIDTH, bias=random.random() < 0.5))
            return known[-1]
        if kind == 3:
            return random.choice([nn.ReLU(), nn.LayerNorm(WIDTH), nn.Dropout(0.1)])
        if kind == 4:
            return nn.Sequential(*(layer(depth - 1) for _ in range(random.randint(1, 4))))
        width = random.randint(1, 3)
        return nn.Sequential(*(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()) for _ in range(width + 1)))

    return nn.Sequential(*(layer(2) for _ in range(random.randint(1, 5))))


def called(box: Box) -> int | None:
    """The call that a box shows alone or as the first of repeats; None for inputs, outputs and repeats of several."""
    return int(box.key[1:]) if box.key.startswith("#") and box.key[1:].isdigit() else None


def check(atlas: ta.Atlas) -> None:
    """Every box says its cost, every colour the sum over what the box stands for, the legend their ends."""
    graph, known = atlas.graph, costs(atlas.graph)
    alike = [fold for folds in fold_calls(graph).values() for fold in folds if fold.period == 1]
    repeats = {fold.calls[0]: fold.calls for fold in alike}
    loops = {fold.calls[0] for fold in alike if fold.kind == "loop"}
    for name in ("params", "flops"):
        scene = atlas.draw(color_by=name, labels=(name,), constants=True).scene
        shown = {called(box) for box in scene.boxes}
        said = []
        for box in scene.boxes:
            call = called(box)
            if call is None or graph.calls[call].kind in {"saved", "backward"}:
                continue
            numbers = {each: number_of(known, each, name) for each in repeats.get(call, [call])}
            least = "≥ " if name == "flops" and not known.call(call).exact else ""
            text = f"{least}{short(numbers[call])}{' FLOPs' if name == 'flops' else ''}" if numbers[call] else ""
            last = box.says[-1]
            assert last.endswith(text), (box.says, text)
            assert text or not last.endswith("FLOPs"), box.says
            alone = len(repeats.get(call, ())) > 1 and any(each in shown for each in repeats[call] if each != call)
            if not alone and not box.open and graph.calls[call].error is None:
                own = numbers[call] if name == "params" and call in loops else sum(numbers.values())
                assert (box.value or 0) == own, (box.says, box.value, numbers)
                said += [own] if own else []
        if said and scene.legend.scale and all(called(box) is not None for box in scene.boxes if box.value is not None):
            ends = scene.legend.samples[0].text, scene.legend.samples[-1].text
            assert ends[1] == quantity(max(box.value for box in scene.boxes if box.value is not None), "")


def number_of(known, call: int, name: str) -> int:
    """Of a call, as cost has it."""
    cost = known.call(call)
    return cost.flops if name == "flops" else cost.parameters + cost.unregistered


@pytest.mark.parametrize("first", range(0, SEEDS, TOGETHER))
def test_boxes_and_legends_of_random_models_say_what_was_counted(first):
    """Two hundred models, with layers that are shared and blocks that repeat."""
    for seed in range(first, first + TOGETHER):
        check(ta.capture(at_random(seed), torch.zeros(2, WIDTH, device="meta"), fake=True))


@pytest.mark.parametrize("name", MODELS)
def test_boxes_and_legends_of_the_zoo_say_what_was_counted(name, zoo):
    """Every model that every part is tried on."""
    check(zoo(name))


class Shared(nn.Module):
    """One layer in two stacks."""

    def __init__(self):
        super().__init__()
        layer = nn.Linear(8, 8)
        self.one, self.other = nn.Sequential(layer, nn.ReLU()), nn.Sequential(layer)

    def forward(self, x):
        return self.other(self.one(x))


def test_a_layer_under_two_paths_has_its_parameters_in_both_boxes():
    """72 in each, in words and in colour; the table counts them once."""
    atlas = ta.capture(Shared(), torch.zeros(1, 8))
    boxes = [box for box in atlas.draw(color_by="params", depth=2).scene.boxes if box.says[0].startswith("Linear")]
    assert [box.says[-1].split()[-1] for box in boxes] == ["72", "72"]
    assert [box.value for box in boxes] == [72, 72]
    assert atlas.totals.parameters == 72
    assert "(tied)" in str(atlas.summary())


def test_a_layer_whose_size_is_not_known_shows_no_number():
    """As the table, which says a dash."""
    atlas = ta.capture(nn.Sequential(nn.LazyLinear(4), nn.ReLU()))
    scene = atlas.draw().scene
    (lazy,) = (box for box in scene.boxes if box.says[0].startswith("LazyLinear"))
    assert not any(sign.isdigit() for sign in lazy.says[-1].removeprefix("0"))
    row = next(line for line in str(atlas.summary()).splitlines() if "LazyLinear" in line)
    assert row.split()[-1] == "-"
