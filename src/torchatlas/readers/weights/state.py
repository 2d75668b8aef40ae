"""What ``torch.load`` gives of a file, described (`core.comparing.state`); and what is described, as of a file.

Plain data is as it stands there. Of what is neither plain nor a tensor only its name is given; nothing is built.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

from torchatlas.core.comparing.state import LazyTensor, NotBuilt, ScriptObject, TensorSpec, TorchConstant
from torchatlas.core.errors import FileError
from torchatlas.readers.dtypes import size_of
from torchatlas.readers.pickled import Foreign, Global, Mapping
from torchatlas.readers.weights.packed import with_tables
from torchatlas.readers.weights.parts import METADATA
from torchatlas.readers.weights.rebuilt import array, word
from torchatlas.readers.weights.statistics import content
from torchatlas.readers.weights.stored import Stored

if TYPE_CHECKING:
    from torchatlas.readers.weights.checkpoint import Checkpoint

DEEPEST = 64
"""Dictionaries inside dictionaries that are followed."""
EXTRA = "_extra_state"
PROGRAMS = ("uint8", "int8")
"""Types in which extra states keep pickles, which a model's code would run: their numbers are not given."""
UNINITIALIZED = "torch.nn.parameter.Uninitialized"


def state_of(checkpoint: Checkpoint) -> tuple[Any, bool]:
    """Give what ``load_state_dict`` would be given, and whether the tensors stand in it under their names."""
    if checkpoint.state is None:
        return OrderedDict((key, _given(key, item, 0, {})) for key, item in checkpoint.tensors.items()), True
    state = _given("", checkpoint.state, 0, {})
    return state, not isinstance(state, dict) or checkpoint.tensors.keys() <= state.keys()


def _given(key: str, thing: Any, depth: int, known: dict[int, Any]) -> Any:
    if isinstance(thing, Stored):
        return _described(key, thing)
    if isinstance(thing, Global):
        return TorchConstant(thing.name) if thing.module == "torch" else NotBuilt(word(thing))
    if isinstance(thing, Foreign):
        return _foreign(key, thing)
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return thing
    if depth < DEEPEST and isinstance(thing, (Mapping, list, tuple)):
        if id(thing) not in known:  # one container may stand in many places
            known[id(thing)] = _container(key, thing, depth, known)
        return known[id(thing)]
    return NotBuilt(f"{type(thing).__name__.lower()}")


def _container(key: str, thing: Any, depth: int, known: dict[int, Any]) -> Any:
    if not isinstance(thing, Mapping):
        return type(thing)(_given(_under(key, at), item, depth + 1, known) for at, item in enumerate(thing))
    made: Any = OrderedDict(
        (word(name) if isinstance(name, Foreign) else name, _given(_under(key, name), item, depth + 1, known))
        for name, item in thing.items()
    )
    attributes = thing.attributes
    if isinstance(attributes, Mapping) and METADATA in attributes:
        setattr(made, METADATA, _given("", attributes[METADATA], depth + 1, known))
    return made


def _under(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


def _foreign(key: str, thing: Foreign) -> Any:
    stored = array(thing)
    if stored is not None:
        return _described(key, stored)
    name = str(thing.made_by)
    return LazyTensor(name.endswith("Parameter")) if name.startswith(UNINITIALIZED) else NotBuilt(name)


def _described(key: str, stored: Stored) -> TensorSpec:
    program = key.rpartition(".")[2] == EXTRA and stored.dtype in PROGRAMS
    return TensorSpec(
        stored.shape,
        stored.dtype,
        stored.stride,
        stored.device,
        stored.type,
        stored.parameter,
        stored.requires_grad,
        stored.nbytes,
        stored.storage,
        stored.offset,
        None if program else partial(_content, stored),
    )


def _content(stored: Stored) -> bytes | None:
    try:
        return content(stored)
    except (FileError, ValueError):  # it is damaged, or was unpacked and is closed
        return None


def pickled(state: Any, depth: int = 0, known: dict[int, Any] | None = None) -> Any:  # noqa: PLR0911 - as `_given`
    """Give a state as the reader of pickles gives it: the way back; of each container one, by its ``id``."""
    known = {} if known is None else known
    if id(state) in known:
        return known[id(state)]
    if isinstance(state, ScriptObject):
        return Foreign(Global("torch", "ScriptObject"), (), (pickled(state.state, depth + 1), state.kind))
    if isinstance(state, TensorSpec):
        return _stored(state)
    if isinstance(state, NotBuilt):
        module, _, name = state.words.rpartition(".")
        return Foreign(Global(module, name))
    if depth < DEEPEST and isinstance(state, dict):
        made = Mapping()
        made.update((key, pickled(item, depth + 1, known)) for key, item in state.items())
        metadata = getattr(state, METADATA, None)
        if metadata is not None:
            made.attributes = pickled({METADATA: metadata}, depth + 1)
        known[id(state)] = made
        return made
    if depth < DEEPEST and isinstance(state, (list, tuple)):
        known[id(state)] = type(state)(pickled(item, depth + 1, known) for item in state)
        return known[id(state)]
    return state


def _stored(described: TensorSpec) -> Stored:
    made = Stored(
        described.shape,
        described.dtype,
        described.device,
        described.nbytes,
        described.storage,
        described.offset,
        described.stride,
        described.parameter,
        described.requires_grad,
        described.type,
    )
    return with_tables(made, described.type, _tables(described)) if described.type.startswith("quantized") else made


def _tables(described: TensorSpec) -> tuple[Stored, ...]:
    """Scales and zero points of the channels of a quantized tensor, as its scheme has them."""
    _, _, words = described.type.partition(" ")
    scheme, _, axis = words.partition(" ")
    if not axis.isdecimal() or int(axis) >= len(described.shape):
        return ()
    shape = (described.shape[int(axis)],)
    types = ("float32", "float32") if scheme.endswith("qparams") else ("float64", "int64")
    return tuple(Stored(shape, dtype, nbytes=size_of(dtype, shape[0])) for dtype in types)
