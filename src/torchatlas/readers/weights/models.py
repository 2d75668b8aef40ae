"""Which of the models that a file holds whole is meant, by the keys and attributes that lead to each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchatlas.readers.pickled import Foreign, Mapping
from torchatlas.readers.weights.parts import FIRST, average, is_training, joined, rank
from torchatlas.readers.weights.rebuilt import word
from torchatlas.readers.weights.whole import class_of, inside, modules_in, named_tensors, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.readers.weights.parts import Keys, TensorContainer

NAMED = 5
"""How many models a note names."""
MOST = 12
"""How many an error names."""


class Model(NamedTuple):
    """One model, and what leads to it."""

    keys: Keys
    module: Foreign


def models_in(root: object, key: str | None) -> list[Model]:
    """The models of a file; of these, those to which a key leads."""
    models = [Model(keys, module) for keys, module in modules_in(root)]
    if key is None:
        return models
    return [model for model in models if any(joined(model.keys[:at]) == key for at in range(1, len(model.keys) + 1))]


def chosen_models(models: list[Model]) -> list[Model]:
    """What is meant: under the usual keys, neither what a training keeps nor a copy; else all of them."""
    mine = [model for model in models if not any(map(is_training, model.keys))] or models
    plain = [model for model in mine if average(model.keys) is None] or mine[:1]
    keys = min((model.keys for model in plain), key=rank)
    named = [at for at, key in enumerate(keys) if key in FIRST]
    base = keys[: named[-1] + 1] if named else ()
    return [model for model in plain if model.keys[: len(base)] == base]


def base_of(shown: list[Model]) -> Keys:
    """The keys that lead to all of them."""
    if len(shown) == 1:
        return shown[0].keys
    least, most = min(model.keys for model in shown), max(model.keys for model in shown)
    differ = (at for at, (one, other) in enumerate(zip(least, most, strict=False)) if one != other)
    return least[: next(differ, min(len(least), len(most)))]


def outweigh(models: list[Model], chosen: list[TensorContainer]) -> bool:
    """Whether the models are more than the dictionaries of tensors beside them, or the same with classes."""
    shown = chosen_models(models)
    tensors = named_tensors(tree((joined(model.keys), model.module) for model in shown))
    held = sum(tensor.nbytes or 0 for tensor in {id(tensor): tensor for tensor in tensors.values()}.values())
    nbytes = sum(part.nbytes for part in chosen)
    return held > nbytes or (held == nbytes and len(chosen) == 1 and len(chosen[0].tensors) == len(tensors))


def beside(models: list[Model], shown: list[Model]) -> Iterator[str]:
    """What is said of the others."""
    others = [joined(model.keys) for model in models if all(model.module is not each.module for each in shown)]
    if others:
        count, are = ("One more model", "is") if len(others) == 1 else (f"{len(others):,} more models", "are")
        names = ", ".join(map(repr, others[:NAMED])) + (", …" if len(others) > NAMED else "")
        opening = f"; key={others[0]!r} opens {'it' if len(others) == 1 else 'the first'}"
        yield f"{count} in the file {are} not shown: {names}{opening}."


def listed(models: list[Model]) -> str:
    """The keys by which models can be asked for, in a sentence."""
    names = [repr(joined(model.keys)) for model in models if model.keys]
    if not names:
        return "It holds one model; open it without a key."
    return f"Models stand under {', '.join(names[:MOST])}{', …' if len(names) > MOST else ''}."


def what_holds(root: object, keys: Keys) -> str:
    """The class of what holds several models."""
    at = root
    for key in keys:
        at = dict(inside(at)).get(key)
    if isinstance(at, Foreign):
        return class_of(at.made_by)
    return "dict" if isinstance(at, Mapping) else word(at).removeprefix("a ")
