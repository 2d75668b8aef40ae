"""Named tensors as the Graph of a model that was not run: modules from the dots in the names."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.graph import Graph, Module, Node, Note, Text, Value
from torchatlas.core.measure.packing import originals
from torchatlas.readers.weights.dtensor import of_one_rank
from torchatlas.readers.weights.infer.guess import UNKNOWN, StoredModule
from torchatlas.readers.weights.infer.modules import infer
from torchatlas.readers.weights.infer.parametrized import weights_of
from torchatlas.readers.weights.loadable import provenance_of
from torchatlas.readers.weights.model import graph_of as graph_of_model
from torchatlas.readers.weights.packed import saved_otherwise
from torchatlas.readers.weights.tables import PARAMS, together
from torchatlas.readers.weights.whole import expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from torchatlas.core.graph import ValueKind
    from torchatlas.readers.weights.checkpoint import Checkpoint
    from torchatlas.readers.weights.infer.guess import Guess
    from torchatlas.readers.weights.stored import Stored

Owned: TypeAlias = "dict[str, dict[str, str]]"

SURE = 0.95
"""From here on a guess is called sure."""
WRAPPERS = {"module.": "nn.DataParallel", "_orig_mod.": "torch.compile"}
MOST_PARTS = 1000
"""Dots in one name; what has more is taken for a name without any."""
BUFFERS = re.compile(
    r"running_(mean|var)|num_batches_tracked|position_ids|token_type_ids|inv_freq|masked_bias|attn_mask"
    r"|relative_position_index|relative_coords_table|(fake_quant|observer)_enabled|eps|.*_(freqs|cached|cache|mask|index)"
    r"|freqs(_cis)?|(pixel_)?(mean|std)|anchors?|pe|zero_point|min_val|max_val|_extra_state"
)
"""Names that buffers have; an integer is one by its dtype."""
TRAINABLE = ("float", "bfloat", "complex")
MASK_DIMENSIONS = 4
EXTRA_STATE = "_extra_state"
"""What a module's ``get_extra_state`` gave, a tensor or not: it says nothing of what the module is."""
NOT_TENSORS = "not tensors"
"""The setting of a module that names what ``load_state_dict`` is given for it besides tensors."""
BESIDE = re.compile(r"(.*\.)?parametrizations\.[^.]+\.\d+\.(_u|_v|base)")
"""What parametrizations keep beside the parameters that they make a tensor of."""


def graph_of(checkpoint: Checkpoint, path: Path, *, apart: bool = False) -> Graph:
    """Give the Graph: one Value for a tensor however many names it has, one Module for every place in the names.

    Args:
        checkpoint: what was read.
        path: of the file; its name becomes the graph's.
        apart: each tensor stands by itself, also where several are one weight of bitsandbytes or torchao.
    """
    if checkpoint.modules:
        return graph_of_model(checkpoint, path)
    if not apart:
        checkpoint = replace(checkpoint, tensors=together(checkpoint.tensors, checkpoint.metadata))
    owned = _owned(checkpoint.tensors)
    tree = _tree(owned, checkpoint.versions)
    parts = _parts(tree, owned, checkpoint)
    guesses = infer(parts, ordered=checkpoint.ordered)
    values, ids = _values(checkpoint.tensors)
    for own in owned.values():
        for name, shape in originals(
            {name: (values[ids[full]].shape, values[ids[full]].dtype) for name, full in own.items()}
        ).items():
            values[ids[own[name]]] = replace(values[ids[own[name]]], original=shape)
    plain = _owned(checkpoint.plain)
    modules = [
        _module(
            part.path,
            {name: ids[full] for name, full in owned.get(part.path, {}).items()},
            guesses[part.path],
            {name: checkpoint.plain[full] for name, full in plain.get(part.path, {}).items()},
            values,
        )
        for part in parts
    ]
    return Graph(
        path.name if path.is_dir() else path.name.split(".")[0] or path.name,
        values=tuple(values),
        modules=tuple(modules),
        notes=tuple(Note(text) for text in _notes(checkpoint, guesses, parts)),
        provenance=provenance_of(checkpoint),
    )


def _owned(tensors: Mapping[str, object]) -> Owned:
    """For the path of each module that has tensors: their own names, with their full ones."""
    found: Owned = {}
    for name in tensors:
        place, _, own = name.rpartition(".")
        # A module without a name cannot be told from the one around it; such names stay whole.
        if name.startswith(".") or name.count(".") > MOST_PARTS:
            place, own = "", name
        found.setdefault(place, {})[own] = name
    return found


def _tree(owned: Mapping[str, object], versions: Mapping[str, int]) -> dict[str, list[str]]:
    """The children of every module, in the order of the file; numbers in their own."""
    children: dict[str, list[str]] = {"": []}
    for path in (*(path for path in versions if path[:1] != "."), *owned):
        missing = []
        while path not in children:
            missing.append(path)
            path = path.rpartition(".")[0]  # noqa: PLW2901 - on to the module around it
        for place in reversed(missing):
            children[place] = []
            children[place.rpartition(".")[0]].append(place)
    for path, inside in children.items():
        names = [place[len(path) + 1 if path else 0 :] for place in inside]
        if names and not versions and all(name.isdecimal() and len(name) < 10 for name in names):  # noqa: PLR2004 - an int
            children[path] = sorted(inside, key=lambda place: int(place.rpartition(".")[2]))
    return children


def _in_order(tree: Mapping[str, list[str]]) -> Iterator[str]:
    """Paths as ``named_modules`` gives them."""
    waiting = [""]
    while waiting:
        path = waiting.pop()
        yield path
        waiting += reversed(tree[path])


def _parts(tree: Mapping[str, list[str]], owned: Owned, checkpoint: Checkpoint) -> list[StoredModule]:
    """The modules as inference sees them, each before those inside it."""
    found = []
    for path in _in_order(tree):
        names = [item for item in owned.get(path, {}).items() if item[0] != EXTRA_STATE]
        own = {name: _unpacked(checkpoint.tensors[full]) for name, full in names}
        shapes, how = weights_of(own, _parametrized(path, tree, owned, checkpoint.tensors))
        children = tuple(place[len(path) + 1 if path else 0 :] for place in tree[path])
        around = path.rpartition(".")[0] if path else None
        dtypes = {name: stored.dtype for name, stored in own.items()}
        how = next((PARAMS[stored.type] for stored in own.values() if stored.type in PARAMS), how)
        found.append(StoredModule(path, shapes, dtypes, children, around, checkpoint.versions.get(path), how))
    return found


def _unpacked(stored: Stored) -> Stored:
    """A tensor of the shape that it stands for."""
    return stored if stored.original is None else replace(stored, shape=stored.original)


def _parametrized(
    path: str, tree: Mapping[str, list[str]], owned: Owned, tensors: Mapping[str, Stored]
) -> dict[str, dict[str, Stored]]:
    """What ``torch.nn.utils.parametrize`` keeps beside a module in place of its tensors, by their names."""
    inside = tree.get(f"{path}.parametrizations" if path else "parametrizations", ())
    kept = {place.rpartition(".")[2]: owned.get(place, {}) for place in inside}
    return {name: {own: tensors[full] for own, full in names.items()} for name, names in kept.items()}


def _values(tensors: Mapping[str, Stored]) -> tuple[list[Value], dict[str, int]]:
    """The tensors, those with several names once; and the id of each name."""
    groups: dict[object, list[str]] = {}
    for name, stored in tensors.items():
        identity = stored.identity
        groups.setdefault(("alone", name) if identity is None else identity, []).append(name)
    storages: dict[object, int] = {}
    values, ids = [], {}
    for number, names in enumerate(groups.values()):
        stored = tensors[names[0]]
        storage = None if stored.memory is None else storages.setdefault(stored.memory, len(storages))
        values.append(_value(number, tuple(names), stored, storage, kind_of(names[0], tensors)))
        ids.update(dict.fromkeys(names, number))
    return values, ids


def _value(number: int, names: tuple[str, ...], stored: Stored, storage: int | None, kind: ValueKind) -> Value:
    guessed = kind == "parameter" and not stored.parameter  # a state dict holds parameters as plain tensors
    return Value(
        number,
        kind,
        names,
        stored.shape,
        stored.dtype,
        stored.device,
        stored.nbytes,
        requires_grad=stored.requires_grad or (guessed and stored.dtype.startswith(TRAINABLE)),
        storage=storage,
        type=stored.type,
        inner=stored.inner,
        original=stored.original,
        placements=stored.placements,
        mesh=stored.mesh,
    )


def kind_of(full: str, tensors: Mapping[str, Stored]) -> ValueKind:
    """Whether a tensor was a parameter or a buffer; sure only where it was saved as a parameter."""
    stored, name = tensors[full], full.rpartition(".")[2]
    if stored.parameter or (
        stored.inner and not stored.placements
    ):  # what is packed is a weight, whatever its numbers are
        return "parameter"
    if not stored.dtype.startswith(TRAINABLE) or BUFFERS.fullmatch(name) or BESIDE.fullmatch(full):
        return "buffer"
    if name.endswith(("_u", "_v")) and f"{full[:-2]}_orig" in tensors:  # the vectors of spectral norm
        return "buffer"
    if (
        name == "scale" and f"{full.removesuffix('scale')}zero_point" in tensors
    ):  # of a quantized layer; else it is learned
        return "buffer"
    square = len(stored.shape) == MASK_DIMENSIONS and stored.shape[:2] == (1, 1) and stored.shape[2] == stored.shape[3]
    return "buffer" if name == "bias" and square else "parameter"


def _module(path: str, own: Mapping[str, int], guess: Guess, plain: Mapping[str, str], values: list[Value]) -> Module:
    """One module, its tensors told apart into parameters and buffers."""
    parameters = tuple((name, value) for name, value in own.items() if values[value].kind == "parameter")
    buffers = tuple((name, value) for name, value in own.items() if values[value].kind != "parameter")
    return Module(
        path,
        guess.name,
        (),
        parameters,
        buffers,
        (*guess.settings, *(((NOT_TENSORS, _words(plain)),) if plain else ())),
        guess.words,
        confidence=guess.confidence,
    )


def _words(plain: Mapping[str, str]) -> Node:
    return Node("dict", tuple(plain), tuple(map(Text, plain.values())))


def _notes(checkpoint: Checkpoint, guesses: Mapping[str, Guess], parts: Iterable[StoredModule]) -> Iterator[str]:
    told = [guesses[part.path] for part in parts if part.shapes and guesses[part.path].name != UNKNOWN]
    unknown = sum(guesses[part.path].name == UNKNOWN for part in parts if part.shapes)
    sure = sum(guess.confidence >= SURE for guess in told)
    yield (
        f"The classes of {len(told):,} modules were inferred from names and shapes, {sure:,} of them with a"
        f" confidence of at least {SURE:.0%}"
        + (f"; {unknown:,} more with tensors of their own could be anything." if unknown else ".")
    )
    yield (
        "Weights do not tell which layers without weights there are (activations, dropout, pooling), nor strides,"
        " padding, numbers of heads or groups, nor the order in which modules run."
    )
    for prefix, by in WRAPPERS.items():
        if checkpoint.tensors and all(name.startswith(prefix) for name in checkpoint.tensors):
            yield f"Every name begins with {prefix!r}, which {by} adds; the model's own names do not have it."
    if checkpoint.inside:
        yield f"The weights are under {expression(checkpoint.inside)} in the file."
    yield from saved_otherwise(checkpoint.tensors.values())
    yield from of_one_rank(checkpoint.tensors.values())
    arrays = sum(stored.type == "ndarray" for stored in checkpoint.tensors.values())
    if arrays:
        yield (
            f"{arrays:,} tensors are NumPy arrays, which load_state_dict does not accept; convert them with"
            " torch.from_numpy."
        )
    yield from checkpoint.notes
