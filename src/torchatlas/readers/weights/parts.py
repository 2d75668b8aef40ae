"""The dictionaries and lists of a checkpoint that hold tensors, and what the keys that lead to them say of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from torchatlas.readers.pickled import Blob, Foreign, Global, Mapping
from torchatlas.readers.weights import packed
from torchatlas.readers.weights.rebuilt import array, word
from torchatlas.readers.weights.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Keys: TypeAlias = "tuple[str | int, ...]"

DEEPEST = 32
"""Dictionaries inside dictionaries that are looked into."""
METADATA = "_metadata"
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
"""The words of a key: ``optimG``, ``g_optim`` and ``EMA-model`` have two each."""
TRAINING = frozenset(
    (
        "opt",
        "opts",
        "optim",
        "optims",
        "sched",
        "scaler",
        "rng",
        "amp",
        "loss",
        "losses",
        "callback",
        "callbacks",
        "loop",
        "loops",
        "lr",
        "momentum",
    )
)
"""Words of keys that lead to what a training keeps beside the module."""
TRAINING_PARTS = ("optimizer", "optimiser", "scheduler", "exp_avg", "grad_scaler", "momentum_buffer")
"""Parts of keys that do so in whatever way words are joined."""
AVERAGES = frozenset(
    ("ema", "emas", "average", "averaged", "averages", "avg", "shadow", "swa", "target", "teacher", "polyak")
)
"""Words of keys that lead to another copy of the weights."""
VERSIONS = frozenset(
    ("best", "last", "latest", "previous", "prev", "old", "init", "initial", "backup", "snapshot", "final")
)
"""Words of keys that tell states of one network apart, where their names are the same."""
MOMENTS = frozenset(
    ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "momentum_buffer", "square_avg", "grad_avg", "acc_delta")
)
"""What optimizers keep of a parameter, by names that nothing else has."""
BESIDE_MOMENTS = frozenset(("step", "sum", "prev", "eta", "mu", "ax", "mu_product", "step_size", "initial_lr"))
"""What they keep beside those."""
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
LEAVES = re.compile(r"(weight|bias)(_[a-z0-9_]+)?|gamma|beta|kernel|running_(mean|var)|qweight|scales?")
"""Names that tensors of layers have by themselves."""


@dataclass(frozen=True, eq=False)
class TensorContainer:
    """A dictionary, or list, that holds tensors itself.

    Attributes:
        keys: that lead to it.
        tensors: by name.
        source: the dictionary or list; None for a choice of its tensors.
        state: it is the state of an optimizer, by its form.
    """

    keys: Keys
    tensors: dict[str, Stored]
    source: Any
    state: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of its tensors."""
        return sum(stored.nbytes or 0 for stored in self.tensors.values())

    @cached_property
    def is_flat(self) -> bool:
        """Whether names with dots make it what a ``state_dict`` is."""
        return any("." in name.strip(".") for name in self.tensors)

    @cached_property
    def is_layers(self) -> bool:
        """Whether its names are those of a module's tensors: with dots, as torch gave them, or as layers have them."""
        attributes = self.source.attributes if isinstance(self.source, Mapping) else None
        torch_wrote = isinstance(attributes, Mapping) and METADATA in attributes
        return self.is_flat or torch_wrote or any(LEAVES.fullmatch(re.split("[./]", name)[-1]) for name in self.tensors)

    def is_version(self, base: int = 0) -> bool:
        """Whether its keys say which state of a network it is."""
        return any(not VERSIONS.isdisjoint(words(key)) for key in self.keys[base:])

    def is_training(self, base: int = 0) -> bool:
        """Whether its keys from ``base`` on, or its form, say that it is of an optimizer or the like."""
        return self.state or any(is_training(key) for key in self.keys[base:])

    def average(self, base: int = 0) -> Keys | None:
        """The keys up to the one that says that it is a copy of what stands elsewhere; None where none does."""
        return average(self.keys, base)


def average(keys: Keys, base: int = 0) -> Keys | None:
    """The keys up to the one that says that it is a copy of what stands elsewhere; None where none does."""
    for at, key in enumerate(keys[base:], base):
        if not AVERAGES.isdisjoint(words(key)):
            return keys[: at + 1]
    return None


def words(key: str | int) -> list[str]:
    """The words that a key is made of, in small letters."""
    return [each.lower() for each in WORDS.findall(str(key))]


def is_training(key: str | int) -> bool:
    """Whether a key leads to what a training keeps beside the module."""
    return not TRAINING.isdisjoint(words(key)) or any(part in str(key).lower() for part in TRAINING_PARTS)


def rank(keys: Keys) -> tuple[int, int]:
    """How sure keys say that they lead to a module's weights; the lower the surer."""
    return min((FIRST.index(key) for key in keys if isinstance(key, str) and key in FIRST), default=len(FIRST)), len(
        keys
    )


def joined(keys: Iterable[str | int]) -> str:
    """Keys as one text, as `torchatlas.open` takes them."""
    return ".".join(map(str, keys))


def parts_of(root: object) -> tuple[list[TensorContainer], list[tuple[Keys, Foreign]]]:
    """Every dictionary or list that holds tensors, outer ones first; and what was not built."""
    parts: list[TensorContainer] = []
    foreign: list[tuple[Keys, Foreign]] = []
    waiting: list[tuple[Keys, object, bool]] = [((), root, False)]
    met: set[int] = set()
    for keys, thing, state in _taken(waiting):
        if isinstance(thing, Stored):
            parts.append(TensorContainer((), {"tensor": thing}, root))
        if isinstance(thing, Foreign):
            foreign.append((keys, thing))
        if not isinstance(thing, (Mapping, list, tuple)) or id(thing) in met or len(keys) > DEEPEST:
            continue
        met.add(id(thing))
        of_optimizer = state or (isinstance(thing, Mapping) and {"state", "param_groups"} <= set(thing))
        items = [(key if isinstance(key, int) else str(key), item) for key, item in _items(thing)]
        tensors = packed.weights(((str(key), item) for key, item in items), tensor)
        parts += _split(keys, tensors, thing, state=of_optimizer)
        waiting += [
            ((*keys, key), item, of_optimizer)
            for key, item in items
            if tensor(item) is None and not _is_atom(item) and not packed.is_packed(key, item)
        ]
    return parts, foreign


def _split(keys: Keys, tensors: dict[str, Stored], source: object, *, state: bool) -> Iterator[TensorContainer]:
    """One part, or two where an optimizer's state of each tensor stands among the tensors."""
    owners = {name.rpartition(".")[0] for name in tensors if name.rpartition(".")[2] in MOMENTS}
    kept = MOMENTS | BESIDE_MOMENTS
    moments = {
        name: made
        for name, made in tensors.items()
        if name.rpartition(".")[2] in kept and name.rpartition(".")[0] in owners
    }
    if owners == {""} and (not keys or len(moments) < len(tensors)):  # names of tensors like any others
        moments = {}
    if moments and len(moments) < len(tensors):
        rest = {name: made for name, made in tensors.items() if name not in moments}
        yield TensorContainer(keys, rest, None, state)
        yield TensorContainer(keys, moments, None, state=True)
    elif tensors:
        yield TensorContainer(keys, tensors, source, state or bool(moments))


def _taken(waiting: list[Any]) -> Iterator[Any]:
    """Go through a list that grows meanwhile."""
    at = 0
    while at < len(waiting):
        yield waiting[at]
        at += 1


def _items(thing: object) -> Iterator[tuple[object, object]]:
    if not isinstance(thing, Mapping):
        return enumerate(thing)  # type: ignore[arg-type]  # a sequence
    return ((word(key) if isinstance(key, Foreign) else key, item) for key, item in thing.items())


def _is_atom(item: object) -> bool:
    return item is None or isinstance(item, (str, int, float, bytes, Blob, Global))


def tensor(item: object) -> Stored | None:
    """The tensor that an item of a dictionary is, if it is one."""
    if isinstance(item, Foreign):
        return array(item)
    return item if isinstance(item, Stored) else None
