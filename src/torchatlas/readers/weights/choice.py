"""Which part of a checkpoint is the module's: one dictionary of tensors, among optimizers, averages and what else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import FileError
from torchatlas.readers.pickled import Blob, Foreign, Global, Mapping
from torchatlas.readers.weights.rebuilt import array, word
from torchatlas.readers.weights.stored import Checkpoint, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEEPEST = 32
"""Dictionaries inside dictionaries that are looked into."""
FIRST = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "weights",
    "params",
    "state",
)
"""Keys under which people keep what a module's ``state_dict`` gave, the surest first."""
TRAINING = ("optim", "sched", "scaler", "rng", "amp", "loss", "callbacks", "exp_avg", "momentum", "lr_", "loops")
"""Parts of keys that lead to what a training keeps beside the module."""
AVERAGES = ("ema", "average", "shadow", "swa", "target", "teacher")
"""Parts of keys that lead to another copy of the weights."""
MOMENTS = frozenset(
    ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "grad_avg", "acc_delta", "sum")
)
"""What optimizers keep of a parameter, by name."""
NAMED = 5
"""How many classes or keys a note names."""
METADATA, EXTRA = "_metadata", "_extra_state"


@dataclass(frozen=True, slots=True)
class Part:
    """A dictionary, or list, that holds tensors itself."""

    keys: tuple[str | int, ...]
    tensors: dict[str, Stored]
    source: Any

    @property
    def nbytes(self) -> int:
        """Bytes of its tensors."""
        return sum(stored.nbytes or 0 for stored in self.tensors.values())

    def is_flat(self) -> bool:
        """Whether names with dots make it what a ``state_dict`` is."""
        return any("." in name for name in self.tensors)

    def is_training(self) -> bool:
        """Whether its keys lead to an optimizer or the like."""
        return MOMENTS.issuperset(self.tensors) or any(
            part in str(key).lower() for key in self.keys for part in TRAINING
        )

    def is_average(self) -> bool:
        """Whether its keys say that it is a copy of what stands elsewhere."""
        return any(part in str(key).lower() for key in self.keys for part in AVERAGES)


def choose(path: Path, root: object, kind: str) -> Checkpoint:
    """Give what of a pickled object is the module's.

    Raises:
        FileError: it is a whole model, which needs its code, or holds no tensors.
    """
    _refuse_whole(path, root, ())
    parts, foreign = _parts(root)
    base, chosen = _chosen(parts)
    if not chosen:
        _refuse_model_inside(path, root, foreign)
        raise FileError(
            f"{path}: {kind} without the weights of a module; it holds {_what(root)}. Wanted what"
            " torch.save(model.state_dict(), path) writes, or a checkpoint that has it inside."
        )
    depth = len(base)
    tensors = {
        ".".join(map(str, (*part.keys[depth:], name))): stored
        for part in chosen
        for name, stored in part.tensors.items()
    }
    notes = [*_left_out(parts, chosen), *_foreign_note(foreign)]
    if len(chosen) > 1:
        together = ", ".join(repr(".".join(map(str, part.keys))) for part in chosen[:NAMED])
        more = ", …" if len(chosen) > NAMED else ""
        notes.append(f"{len(chosen)} dictionaries are shown as one, their keys before the names: {together}{more}.")
    whole = chosen[0] if len(chosen) == 1 and chosen[0].keys == base else None
    versions, plain = (_versions(whole), _plain(whole)) if whole else ({}, {})
    flat = whole is not None and _is_flat(whole, plain)
    return Checkpoint(tensors, kind, versions, plain, base, flat=flat, notes=tuple(notes))


def _is_flat(part: Part, plain: dict[str, str]) -> bool:
    """Whether ``load_state_dict`` takes a dictionary as it stands."""
    if not isinstance(part.source, Mapping):
        return False
    return all(key in plain or (isinstance(key, str) and isinstance(item, Stored)) for key, item in part.source.items())


def _what(root: object) -> str:
    if isinstance(root, Mapping):
        keys = [word(key) for key in list(root)[:NAMED]]
        return f"a dictionary with {len(root)} keys ({', '.join(keys)})" if keys else "an empty dictionary"
    return word(root)


def _refuse_whole(path: Path, root: object, keys: tuple[str | int, ...]) -> None:
    if isinstance(root, Foreign) and array(root) is None:
        where = "".join(f"[{key!r}]" for key in keys)
        raise FileError(
            f"{path}: {f'under {where} stands' if where else 'this is'} a pickled object of the class {root.made_by},"
            " not weights alone. To open it, its code would have to be imported and run, which is not done here (nor by"
            " torch.load(weights_only=True)). Where that code is, write the weights alone:"
            " torch.save(model.state_dict(), path)."
        )


def _refuse_model_inside(path: Path, root: object, foreign: list[tuple[tuple[str | int, ...], Foreign]]) -> None:
    """A checkpoint without weights of its own may hold a pickled model: name that."""
    if isinstance(root, Mapping):
        models = [
            (keys, thing) for keys, thing in foreign if isinstance(thing.state, Mapping) and "_modules" in thing.state
        ]
        for keys, thing in models:
            _refuse_whole(path, thing, keys)


def _parts(root: object) -> tuple[list[Part], list[tuple[tuple[str | int, ...], Foreign]]]:
    """Every dictionary or list that holds tensors, outer ones first; and what was not built."""
    parts: list[Part] = []
    foreign: list[tuple[tuple[str | int, ...], Foreign]] = []
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), root)]
    met: set[int] = set()
    for keys, thing in _taken(waiting):
        if isinstance(thing, Stored):
            parts.append(Part((), {"tensor": thing}, root))
        if isinstance(thing, Foreign):
            foreign.append((keys, thing))
        if not isinstance(thing, (Mapping, list, tuple)) or id(thing) in met or len(keys) > DEEPEST:
            continue
        met.add(id(thing))
        items = [(key if isinstance(key, int) else str(key), item) for key, item in _items(thing)]
        tensors = {str(key): made for key, item in items if (made := _tensor(item)) is not None}
        if tensors:
            parts.append(Part(keys, tensors, thing))
        waiting += [((*keys, key), item) for key, item in items if _tensor(item) is None and not _is_atom(item)]
    return parts, foreign


def _taken(waiting: list[Any]) -> Iterator[Any]:
    """Go through a list that grows meanwhile."""
    at = 0
    while at < len(waiting):
        yield waiting[at]
        at += 1


def _items(thing: object) -> Iterator[tuple[object, object]]:
    return iter(thing.items()) if isinstance(thing, Mapping) else enumerate(thing)  # type: ignore[arg-type]  # a sequence


def _is_atom(item: object) -> bool:
    return item is None or isinstance(item, (str, int, float, bytes, Blob, Global))


def _tensor(item: object) -> Stored | None:
    if isinstance(item, Foreign):
        return array(item)
    return item if isinstance(item, Stored) else None


def _chosen(parts: list[Part]) -> tuple[tuple[str | int, ...], list[Part]]:
    """The keys that lead to the module, and the parts inside them: a tree of dictionaries is a module too."""
    modules = [part for part in parts if not part.is_training()]
    plain = [part for part in modules if not part.is_average()] or modules
    if not plain or (not plain[0].keys and plain[0].is_flat()):
        return (), plain[:1]
    keys = min((part.keys for part in plain), key=_rank)
    named = [at for at, key in enumerate(keys) if key in FIRST]
    base = keys[: named[-1] + 1] if named else keys if len(plain) == 1 else ()
    return base, [part for part in plain if part.keys[: len(base)] == base]


def _rank(keys: tuple[str | int, ...]) -> tuple[int, int]:
    """How sure keys say that they lead to a module's weights; the lower the surer."""
    return min((FIRST.index(key) for key in keys if isinstance(key, str) and key in FIRST), default=len(FIRST)), len(
        keys
    )


def _left_out(parts: list[Part], chosen: list[Part]) -> Iterator[str]:
    """What holds tensors and is not shown, summed by its first key."""
    groups: dict[str | int, list[Part]] = {}
    for part in parts:
        if not any(part is each for each in chosen):
            groups.setdefault(part.keys[0] if part.keys else "", []).append(part)
    for key, group in groups.items():
        count, nbytes = sum(len(part.tensors) for part in group), sum(part.nbytes for part in group)
        same = any(set(part.tensors) == set(chosen[0].tensors) for part in group)
        which = "another copy of the same names" if same else "no weights of this module"
        where = "beside them" if key == "" else f"under {key!r}"
        yield f"{count:,} more tensors {where} ({nbytes:,} bytes; {which}) are not shown."


def _foreign_note(foreign: list[tuple[tuple[str | int, ...], Foreign]]) -> Iterator[str]:
    others = [(keys, thing) for keys, thing in foreign if array(thing) is None]
    classes = list(dict.fromkeys(str(thing.made_by) for _, thing in others))
    if classes:
        more = f" and {len(classes) - NAMED} more" if len(classes) > NAMED else ""
        yield (
            f"not built, since only weights are read: {len(others):,} objects of {', '.join(classes[:NAMED])}{more}."
        )


def _versions(part: Part) -> dict[str, int]:
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


def _plain(part: Part) -> dict[str, str]:
    """Entries beside the tensors, which ``load_state_dict`` hands to modules that ask for them."""
    if not isinstance(part.source, Mapping):
        return {}
    others = [(key, item) for key, item in part.source.items() if isinstance(key, str) and key not in part.tensors]
    return {key: word(item) for key, item in others if key.rpartition(".")[2] == EXTRA or part.is_flat()}
