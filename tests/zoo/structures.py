"""What goes in and what comes out: arguments and results of every structure that users give to ``forward``."""

from __future__ import annotations

import importlib
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.case import Built, Case
from zoo.transformers_models import transformers


class KeywordsOnly(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(8, 8)
        self.key = nn.Linear(8, 8)

    def forward(self, *, query: Tensor, key: Tensor, scale: float = 1.0) -> Tensor:
        return self.query(query) @ self.key(key).T * scale


class TakesDictionary(nn.Module):
    def __init__(self):
        super().__init__()
        self.towers = nn.ModuleDict({"left": nn.Linear(4, 3), "right": nn.Linear(5, 3)})

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        made = {name: tower(batch[name]) for name, tower in self.towers.items()}
        return {**made, "both": made["left"] + made["right"], "unchanged": batch["left"]}


@dataclass
class Batch:
    image: Tensor
    label: Tensor
    weight: float = 1.0
    extra: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    loss: Tensor
    logits: Tensor
    note: str = "done"


class TakesDataclass(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 5)

    def forward(self, batch: Batch) -> Outcome:
        logits = self.head(batch.image.flatten(1)) + batch.extra["bias"]
        return Outcome(F.cross_entropy(logits, batch.label) * batch.weight, logits)


Pair = namedtuple("Pair", ["first", "second"])  # noqa: PYI024  users' code has the untyped kind too


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(6, 6)

    def forward(self, levels: list[Any], *rest: Tensor, **named: Any) -> Any:
        made = [self.mix(level["x"]) for level in levels]
        pair = Pair(made[0], (made[1], [rest[0] * 2, None, "text", 3]))
        return OrderedDict(pair=pair, named={7: named["deep"]["er"][0] + made[0], "none": None})


class Vocabulary:
    """Something of the user's own that is no tensor and holds none."""

    def __init__(self, words: list[str]):
        self.ids = {word: index for index, word in enumerate(words)}


class TakesAnything(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(8, 4)

    def forward(
        self, text: str, vocabulary: Vocabulary, scale: float, mask: Tensor | None = None, *, deep: bool = True
    ):
        ids = torch.tensor([vocabulary.ids[word] for word in text.split()])
        found = self.embed(ids) * scale
        if mask is not None:
            found = found * mask
        return (found.sum(0), text.upper(), vocabulary) if deep else found


class State:
    """An object that carries tensors as attributes, as a batch of some frameworks does."""

    def __init__(self, position: Tensor, velocity: Tensor):
        self.position = position
        self.velocity = velocity


class TakesObject(nn.Module):
    def __init__(self):
        super().__init__()
        self.force = nn.Linear(3, 3)

    def forward(self, state: State) -> State:
        velocity = state.velocity + 0.1 * self.force(state.position)
        return State(state.position + 0.1 * velocity, velocity)


class NoInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.latent = nn.Parameter(torch.randn(2, 4))
        self.decode = nn.Linear(4, 3)

    def forward(self) -> Tensor:
        return self.decode(self.latent)


class ReturnsNothing(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 4)
        self.results: list[float] = []

    def forward(self, x: Tensor) -> None:
        self.head(x).relu().sum()


class SameTwice(nn.Module):
    """The same tensor as two arguments, and as two results."""

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c = a * b
        return c, c, a


class Generates(nn.Module):
    """A forward that yields: its operations run while its caller consumes them."""

    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: Tensor):
        for step in self.steps:
            x = step(x).tanh()
            yield x


class Consumes(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Generates()

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack(list(self.inner(x))).mean(0)


def own_output() -> Built:
    """A module that returns a ``ModelOutput`` of transformers."""
    make = partial(importlib.import_module(f"{transformers().__name__}.modeling_outputs").BaseModelOutput)

    class Wraps(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Any:
            hidden = self.body(x)
            return make(last_hidden_state=hidden.relu(), hidden_states=(x, hidden))

    return Built(Wraps(), (torch.randn(2, 4),))


def focal_loss(logits: Tensor, target: Tensor, *, gamma: float = 2.0) -> Tensor:
    """A loss that is a function, no module."""
    likelihood = F.log_softmax(logits, 1).gather(1, target[:, None])[:, 0]
    return -((1 - likelihood.exp()) ** gamma * likelihood).mean()


class Trainer:
    """A class that is no module, with a module inside and a method to capture."""

    def __init__(self):
        self.network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def step(self, x: Tensor, target: Tensor) -> Tensor:
        return focal_loss(self.network(x), target)


def closure() -> Built:
    """A function that reads tensors from around it."""
    weight, network = torch.randn(4, 4), nn.Linear(4, 4)
    return Built(lambda x: network(x @ weight), (torch.randn(2, 4),))


FAMILY = "structures"
LABELS = (0, 2, 1)

MODELS: dict[str, Case] = {
    "structures/keywords_only": Case(
        lambda: Built(KeywordsOnly(), (), {"query": torch.randn(3, 8), "key": torch.randn(4, 8), "scale": 0.5}), FAMILY
    ),
    "structures/dictionary": Case(
        lambda: Built(TakesDictionary(), ({"left": torch.randn(2, 4), "right": torch.randn(2, 5)},)), FAMILY
    ),
    "structures/dataclass": Case(
        lambda: Built(
            TakesDataclass(), (Batch(torch.randn(3, 3, 2, 2), torch.tensor(LABELS), 2.0, {"bias": torch.randn(5)}),)
        ),
        FAMILY,
    ),
    "structures/nested": Case(
        lambda: Built(
            Nested(),
            ([{"x": torch.randn(2, 6)}, {"x": torch.randn(2, 6)}], torch.randn(3)),
            {"deep": {"er": (torch.randn(6),)}},
        ),
        FAMILY,
    ),
    "structures/model_output": Case(own_output, FAMILY),
    "structures/not_tensors": Case(
        lambda: Built(TakesAnything(), ("to be or not", Vocabulary(["not", "to", "or", "be"]), 0.5)), FAMILY
    ),
    "structures/object": Case(lambda: Built(TakesObject(), (State(torch.randn(2, 3), torch.randn(2, 3)),)), FAMILY),
    "structures/no_input": Case(lambda: Built(NoInput()), FAMILY),
    "structures/no_result": Case(lambda: Built(ReturnsNothing(), (torch.randn(2, 4),)), FAMILY),
    "structures/same_twice": Case(lambda: Built(SameTwice(), (torch.ones(3),) * 2), FAMILY),
    "structures/generator": Case(lambda: Built(Consumes(), (torch.randn(2, 4),)), FAMILY),
    "structures/loss_function": Case(lambda: Built(focal_loss, (torch.randn(3, 5), torch.tensor(LABELS))), FAMILY),
    "structures/partial": Case(
        lambda: Built(partial(focal_loss, gamma=1.5), (torch.randn(3, 5),), {"target": torch.tensor(LABELS)}), FAMILY
    ),
    "structures/bound_method": Case(
        lambda: Built(Trainer().step, (torch.randn(3, 4),), {"target": torch.tensor((0, 2, 1))}), FAMILY
    ),
    "structures/closure": Case(closure, FAMILY),
}
