"""Which part of a checkpoint is the module's: one dictionary of tensors, among optimizers, averages and what else.

The rules, in this order:

1. What optimizers, schedulers and the like keep is not the module's: by its form, or by the keys that lead to it.
2. A copy (``ema``, ``teacher``, …) is left out where the weights that it is of are there too.
3. Loose tensors beside dictionaries of layers are not the network, whatever they are called.
4. A dictionary under a usual key (``state_dict``, ``model``, …) is the module, unless another is far larger.
5. What is left are several modules, or a tree of dictionaries: they are shown as one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

from torchatlas.core.errors import FileError, InputError
from torchatlas.readers.pickled import Foreign, Mapping
from torchatlas.readers.weights.checkpoint import Checkpoint
from torchatlas.readers.weights.models import base_of, beside, chosen_models, listed, models_in, outweigh, what_holds
from torchatlas.readers.weights.packed import is_packed
from torchatlas.readers.weights.parts import (
    DEEPEST,
    FIRST,
    METADATA,
    TensorContainer,
    is_training,
    joined,
    parts_of,
    rank,
)
from torchatlas.readers.weights.rebuilt import array, word
from torchatlas.readers.weights.stored import Stored
from torchatlas.readers.weights.whole import expression, named_tensors, tree, uncompiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from torchatlas.readers.source import Source
    from torchatlas.readers.weights.models import Model
    from torchatlas.readers.weights.parts import Keys

HALF = 2
"""So many times fewer tensors may a dictionary have than another and still be the one that is meant."""
NAMED = 5
"""How many classes or keys a note names."""
MOST_KEYS = 12
"""How many dictionaries an error lists."""
EXTRA = "_extra_state"


def choose(path: Path | Source, root: object, kind: str, key: str | None = None) -> Checkpoint:
    """Give what of a pickled object is the module's.

    Args:
        path: of the file, for messages.
        root: the object.
        kind: what kind of file it is.
        key: the keys that lead to what is meant, joined by dots; None for what is most likely.

    Raises:
        FileError: it holds no tensors.
        InputError: no such key leads to tensors.
    """
    parts, foreign = parts_of(root)
    models = models_in(root, key)
    if models and not _leads_to(key, parts):
        return _whole(root, models, parts, kind)
    found = key is None or _leads_to(key, parts) or any(again for _, again in _again(root, key))
    if not found and (others := models_in(root, None)):
        raise InputError(f"key={key!r} leads to no tensors in {path}. {listed(others)}")
    base, chosen = _chosen(parts, 0) if key is None else _asked(path, root, parts, key)
    if models and (not chosen or outweigh(models, chosen)):
        return _whole(root, models, parts, kind)
    if not chosen:
        hint = f" To open what is there, give key={joined(parts[0].keys)!r}." if parts and parts[0].keys else ""
        raise FileError(
            f"{path}: {kind} without the weights of a module; it holds {_what(root)}. Wanted what"
            f" torch.save(model.state_dict(), path) writes, or a checkpoint that has it inside.{hint}"
        )
    depth = len(base)
    tensors = {joined((*part.keys[depth:], name)): stored for part in chosen for name, stored in part.tensors.items()}
    notes = [*_left_out(parts, chosen, base), *beside(models, []), *_foreign_note(foreign)]
    if len(chosen) > 1:
        together = ", ".join(repr(joined(part.keys)) for part in chosen[:NAMED])
        more = ", …" if len(chosen) > NAMED else ""
        said = f"{len(chosen)} dictionaries are shown as one, with their keys before the names"
        notes.append(f"{said}: {together}{more}.")
    whole = chosen[0] if len(chosen) == 1 and chosen[0].keys == base else None
    versions, plain = (_versions(whole), _plain(whole)) if whole else ({}, {})
    flat = whole is not None and _is_flat(whole, plain)
    state = _at(root, base)
    return Checkpoint(tensors, kind, versions, plain, base, flat=flat, notes=tuple(notes), state=state)


def _at(root: object, keys: Keys) -> object:
    """What stands under keys, as `parts_of` spells them."""
    for wanted in keys:
        if isinstance(root, Mapping):
            root = next((item for key, item in root.items() if str(key) == str(wanted)), None)
        elif isinstance(root, (list, tuple)) and isinstance(wanted, int) and wanted < len(root):
            root = root[wanted]
        else:
            return None
    return root


def refuse_key(path: Path | Source, key: str | None) -> None:
    """Say that a file has no dictionaries to choose from.

    Raises:
        InputError: a key was given.
    """
    if key is not None:
        raise InputError(f"key={key!r}: {path} holds one set of weights and no others; open it without a key.")


def _asked(
    path: Path | Source, root: object, parts: list[TensorContainer], key: str
) -> tuple[Keys, list[TensorContainer]]:
    """The keys that were asked for, and what is the module's of what they lead to."""
    bases = {part.keys[:depth] for part in parts for depth in range(1, len(part.keys) + 1)}
    base = next((keys for keys in sorted(bases, key=len) if joined(keys) == key), None)
    if base is None:
        base, parts = next(((keys, again) for keys, again in _again(root, key) if again), (None, parts))
    if base is None:
        raise InputError(f"key={key!r} leads to no tensors in {path}. {_candidates(parts)}")
    inside = [part for part in parts if part.keys[: len(base)] == base]
    found, chosen = _chosen(inside, len(base))
    return (found, chosen) if chosen else (base, inside)


def _again(root: object, key: str) -> Iterator[tuple[Keys, list[TensorContainer]]]:
    """What stands under a second key in the file, where `parts_of` lists it under the first: one object, two keys."""
    waiting: list[tuple[Keys, object, str]] = [((), root, key)]
    for keys, inner, rest in waiting:
        if not rest:
            yield keys, [replace(part, keys=(*keys, *part.keys)) for part in parts_of(inner)[0]]
        elif isinstance(inner, Mapping) and len(keys) < DEEPEST:
            names = [(name if isinstance(name, int) else str(name), item) for name, item in inner.items()]
            waiting += [
                ((*keys, name), item, rest[len(str(name)) + 1 :])
                for name, item in names
                if f"{rest}.".startswith(f"{name}.")
            ]


def _candidates(parts: list[TensorContainer]) -> str:
    """What a key may be, with how many tensors it leads to."""
    counts: dict[str, int] = {}
    for part in parts:
        trained = next((at + 1 for at, key in enumerate(part.keys) if is_training(key)), len(part.keys))
        for keys in dict.fromkeys((part.keys[:1], part.keys[:trained])):
            if keys:
                counts[joined(keys)] = counts.get(joined(keys), 0) + len(part.tensors)
    listed = [f"{name!r} ({count:,} tensors)" for name, count in counts.items()]
    if not listed:
        return "It holds one dictionary of tensors; open it without a key."
    more = f" and {len(listed) - MOST_KEYS:,} more" if len(listed) > MOST_KEYS else ""
    return f"Those that do: {', '.join(listed[:MOST_KEYS])}{more}."


def _is_flat(part: TensorContainer, plain: dict[str, str]) -> bool:
    """Whether ``load_state_dict`` takes a dictionary as it stands."""
    if not isinstance(part.source, Mapping):
        return False
    return all(
        isinstance(key, str) and (key in plain or isinstance(item, Stored) or is_packed(key, item))
        for key, item in part.source.items()
    )


def _what(root: object) -> str:
    if isinstance(root, Mapping):
        keys = [word(key) for key in list(root)[:NAMED]]
        return f"a dictionary with {len(root)} keys ({', '.join(keys)})" if keys else "an empty dictionary"
    return f"an object of the class {root.made_by}" if isinstance(root, Foreign) else word(root)


def _leads_to(key: str | None, parts: list[TensorContainer]) -> bool:
    """Whether a key leads to tensors that stand in no model; without a key, all are asked for."""
    return key is None or any(joined(part.keys[:depth]) == key for part in parts for depth in range(len(part.keys) + 1))


def _whole(root: object, models: list[Model], parts: list[TensorContainer], kind: str) -> Checkpoint:
    """The models of a file that were pickled whole: the one that is meant, or all of them together."""
    shown = chosen_models(models)
    base = base_of(shown)
    modules = tree((joined(model.keys[len(base) :]), uncompiled(model.module)) for model in shown)
    tensors = named_tensors(modules)
    notes = (*_left_out(parts, [TensorContainer(base, tensors, None)], base), *beside(models, shown))
    around = "" if len(shown) == 1 and shown[0].keys == base else what_holds(root, base)
    named = ", ".join(f"{joined(model.keys[len(base) :])!r}: saved{expression(model.keys)}" for model in shown)
    return Checkpoint(
        tensors,
        kind,
        inside=base,
        flat=False,
        notes=notes,
        modules=modules,
        around=around,
        models=f"{{{named}}}",
    )


def _chosen(parts: list[TensorContainer], depth: int) -> tuple[Keys, list[TensorContainer]]:
    """The keys that lead to the module, and the parts inside them; keys before ``depth`` say nothing."""
    modules = [part for part in parts if not part.is_training(depth)] or [part for part in parts if not part.state]
    modules = _without_loose(_without_versions(_without_copies(modules, depth), depth))
    if not modules:
        return (), []
    base = _usual(modules, depth)
    inside = [part for part in modules if part.keys[: len(base)] == base]
    usual = bool(base) and base[-1] in FIRST
    if not usual and any(part.is_flat for part in inside):
        inside = [part for part in inside if part.is_layers]
    if len(inside) == 1:
        (only,) = inside
        return (base if usual and only.average(len(base)) is None else only.keys), inside
    if not base[depth:] and all(part.is_flat for part in inside):
        base = reduce(_shared, (part.keys for part in inside))
    return base, inside


def _without_copies(modules: list[TensorContainer], depth: int) -> list[TensorContainer]:
    """What is left without averages of weights that are there too; of averages alone, the largest of each kind."""
    copies: dict[Keys, list[TensorContainer]] = {}
    plain = []
    for part in modules:
        average = part.average(depth)
        if average is None:
            plain.append(part)
        else:
            copies.setdefault(average, []).append(part)
    most = sum(len(part.tensors) for part in plain if part.is_layers)
    kept = {keys: group for keys, group in copies.items() if _count(group) > most * HALF}
    if plain and not kept:
        return plain
    names: list[set[str]] = []
    left = []
    for keys, group in sorted((kept or copies).items(), key=lambda item: -_count(item[1])):
        own = {joined((*part.keys[len(keys) :], name)) for part in group for name in part.tensors}
        if own not in names:
            names.append(own)
            left += group
    return [part for part in modules if part in plain or part in left]


def _count(parts: Iterable[TensorContainer]) -> int:
    return sum(len(part.tensors) for part in parts)


def _without_versions(modules: list[TensorContainer], depth: int) -> list[TensorContainer]:
    """What is left without other states of the same network, as ``best`` beside ``last``: the first of them stays."""
    names: list[set[str]] = []
    left = []
    for part in sorted(modules, key=lambda part: part.is_version(depth)):
        if not part.is_version(depth) or set(part.tensors) not in names:
            names.append(set(part.tensors))
            left.append(part)
    return [part for part in modules if part in left]


def _without_loose(modules: list[TensorContainer]) -> list[TensorContainer]:
    """What is left without tensors that stand around a network, as ``latent_avg`` beside it, or inside a flat one."""
    flat = [part for part in modules if part.is_flat]
    if not flat:
        return modules
    largest = max(flat, key=lambda part: len(part.tensors))
    around = [part for part in modules if _is_below(largest, part)]
    loose = [part for part in around if not part.is_layers or len(part.tensors) * HALF < len(largest.tensors)]
    root = next((part for part in flat if not part.keys and part not in loose), None)
    return [part for part in modules if part not in loose and (root is None or part is root)]


def _is_below(part: TensorContainer, other: TensorContainer) -> bool:
    return part is not other and part.keys[: len(other.keys)] == other.keys


def _usual(modules: list[TensorContainer], depth: int) -> Keys:
    """The usual keys to the module; those before ``depth`` where there are none, or others lead to far more."""
    for part in sorted(modules, key=lambda part: rank(part.keys[depth:])):
        named = [at for at, key in enumerate(part.keys) if at >= depth and key in FIRST]
        if named:
            base = part.keys[: named[-1] + 1]
            inside = _count(each for each in modules if each.keys[: len(base)] == base)
            others = [len(each.tensors) for each in modules if each.is_layers]
            if inside * HALF >= max(others, default=0):
                return base
    return modules[0].keys[:depth]


def _shared(one: Keys, other: Keys) -> Keys:
    """The keys that both begin with."""
    differ = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[: next(differ, min(len(one), len(other)))]


def _group(part: TensorContainer, base: Keys) -> Keys:
    """The keys up to the one that leads away from ``base``, or from the whole."""
    return part.keys[: len(_shared(part.keys, base)) + 1]


def _left_out(parts: list[TensorContainer], chosen: list[TensorContainer], base: Keys) -> Iterator[str]:
    """What holds tensors and is not shown, summed by its first key that is another."""
    groups: dict[tuple[Keys, bool], list[TensorContainer]] = {}
    for part in parts:
        if not any(part is each for each in chosen):
            loose = part.keys == base[: len(part.keys)] or any(part.keys == each.keys for each in chosen)
            groups.setdefault((part.keys if loose else _group(part, base), loose), []).append(part)
    for (keys, loose), group in groups.items():
        count, nbytes = _count(group), sum(part.nbytes for part in group)
        names = {name for part in group for name in part.tensors}
        where = f"beside them ({', '.join(sorted(names)[:NAMED])})" if loose else f"under {joined(keys)!r}"
        hint = "" if loose else f"; key={joined(keys)!r} opens them"
        which = _which(group, chosen, keys)
        tensors, are = ("tensor", "is") if count == 1 else ("tensors", "are")
        yield f"{count:,} more {tensors} {where} ({nbytes:,} bytes; {which}) {are} not shown{hint}."


def _which(group: list[TensorContainer], chosen: list[TensorContainer], keys: Keys) -> str:
    """What is not shown, in words."""
    if all(part.state for part in group) or is_training(keys[-1] if keys else ""):
        return "kept by the training"
    if any(set(part.tensors) == set(each.tensors) for part in group for each in chosen):
        return "another copy of the same names"
    return "other names"


def _foreign_note(foreign: list[tuple[Keys, Foreign]]) -> Iterator[str]:
    others = [(keys, thing) for keys, thing in foreign if array(thing) is None]
    classes = list(dict.fromkeys(str(thing.made_by) for _, thing in others))
    if classes:
        more = f" and {len(classes) - NAMED} more" if len(classes) > NAMED else ""
        yield (
            f"Not restored, because only weights are read: {len(others):,} objects of"
            f" {', '.join(classes[:NAMED])}{more}."
        )


def _versions(part: TensorContainer) -> dict[str, int]:
    """The modules that ``state_dict`` met, with the version of each: kept in an attribute of the dictionary."""
    state = part.source.attributes if isinstance(part.source, Mapping) else None
    held = state.get(METADATA) if isinstance(state, Mapping) else None
    if not isinstance(held, Mapping):
        return {}
    return {
        path: version if isinstance(version := local.get("version"), int) else 0
        for path, local in held.items()
        if isinstance(path, str) and isinstance(local, Mapping)
    }


def _plain(part: TensorContainer) -> dict[str, str]:
    """Entries beside the tensors, which ``load_state_dict`` hands to modules that ask for them."""
    if not isinstance(part.source, Mapping):
        return {}
    others = [(key, item) for key, item in part.source.items() if isinstance(key, str) and key not in part.tensors]
    return {
        key: "a number" if isinstance(item, Stored) else word(item)
        for key, item in others
        if key.rpartition(".")[2] == EXTRA or (part.is_flat and not is_packed(key, item))
    }
