"""What quantized layers of torch pack, in a pickle: their weights and biases, by the names that captures give them.

A linear layer has ``_packed_params`` (weight, bias); a cell ``_packed_weight_ih`` and ``_packed_weight_hh``; each layer
and direction of an LSTM or GRU one ``param`` with both; an embedding ``_packed_weight``. Convolutions save weight and
bias by themselves. The output's ``scale`` and ``zero_point`` are settings, which only a state dict has as tensors.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torchatlas.core.graph import InnerTensor, total_bytes
from torchatlas.readers.pickled import Foreign
from torchatlas.readers.weights.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SCRIPT = "torch.ScriptObject"
CELL = "CellParamsBase"
PAIR = 2
PREFIXES = ("_packed_params", "_packed_weight")
HALVES = ("_ih", "_hh")
"""What a cell computes from its input, and from its state."""
DEEPEST = 4
"""Lists inside lists of packed parameters that are looked into."""
OUTPUT = ("scale", "zero_point")


def unpacked(attribute: str, thing: object) -> dict[str, Stored]:
    """Give the weights that a module keeps packed under an attribute; none for anything else.

    Args:
        attribute: its name.
        thing: what stands there: an object of torch's own classes, or what a module's state has in its place.
    """
    known = attribute.startswith(PREFIXES)
    suffix = next((attribute.removeprefix(prefix) for prefix in PREFIXES if attribute.startswith(prefix)), "")
    if isinstance(thing, Foreign):
        kind, state = _script(thing)
        parts = _cell(state) if kind.endswith(CELL) else ()
        if parts:
            return {
                name: tensor
                for half, part in zip(HALVES, parts, strict=True)
                for name, tensor in _named(half, _script(part)[1])
            }
        return dict(_named(suffix, state)) if "quantized" in kind else {}
    if known and isinstance(thing, tuple) and len(thing) == PAIR and isinstance(thing[0], Stored):
        return dict(_named(suffix, thing))
    embedding = attribute == "_packed_weight" and isinstance(thing, Stored) and thing.type.startswith("quantized")
    return dict(_named(suffix, thing)) if embedding else {}


def _script(thing: object) -> tuple[str, Any]:
    """The class of an object of torch's C++, and its state."""
    if not isinstance(thing, Foreign) or str(thing.made_by) != SCRIPT:
        return "", None
    state = thing.state
    if not isinstance(state, tuple) or len(state) != PAIR or not isinstance(state[1], str):
        return "", None
    return state[1], state[0]


def _cell(state: Any) -> tuple[Foreign, ...]:
    """The packed parameters in those of a cell; none where they are of another form."""
    last = state[-1] if isinstance(state, tuple) and state else ()
    parts = tuple(part for part in last if isinstance(part, Foreign)) if isinstance(last, (list, tuple)) else ()
    return parts if len(parts) == PAIR else ()


def _named(suffix: str, state: object) -> Iterator[tuple[str, Stored]]:
    """Weight and bias: the first quantized tensor and what follows it; where none is, a weight of half precision."""
    tensors = list(_tensors(state))
    first = next((at for at, tensor in enumerate(tensors) if tensor.type.startswith("quantized")), 0)
    for kind, tensor in zip(("weight", "bias"), tensors[first:], strict=False):
        held = _halved(tensor) if kind == "weight" and not tensor.type else tensor
        yield f"{kind}{suffix}", replace(held, parameter=True, requires_grad=False)


def _tensors(state: object) -> Iterator[Stored]:
    waiting: list[tuple[object, int]] = [(state, 0)]
    met: set[int] = set()  # one list may stand in many places
    while waiting:
        thing, depth = waiting.pop()
        if isinstance(thing, Stored):
            yield thing
        elif isinstance(thing, (list, tuple)) and depth < DEEPEST and id(thing) not in met:
            met.add(id(thing))
            waiting += [(item, depth + 1) for item in reversed(thing)]


def _halved(tensor: Stored) -> Stored:
    """A weight that its layer has in float16, and its file in float32: what packs it knows no other form."""
    return replace(tensor, dtype="float16", nbytes=2 * tensor.numel, saved=tensor.dtype)


def with_tables(tensor: Stored, kind: str, tables: tuple[Stored, ...]) -> Stored:
    """A quantized tensor with the scales and zero points of its channels, which count with it.

    Args:
        tensor: its integers.
        kind: its scheme, and the axis of its channels.
        tables: scales and zero points; none where one of each serves the whole tensor.
    """
    parts = zip(("int_repr", "scales", "zero_points"), (tensor, *tables), strict=False)
    inner = tuple(InnerTensor(name, part.shape, part.dtype, part.nbytes) for name, part in parts)
    return replace(tensor, nbytes=total_bytes(part.nbytes for part in inner), inner=inner, type=kind)


def weights(items: Iterable[tuple[str, object]], tensor: Callable[[object], Stored | None]) -> dict[str, Stored]:
    """Give the tensors of a state dict by name, what is packed in it unpacked.

    Args:
        items: its own.
        tensor: gives the tensor that an item is, None for anything else.
    """
    found: dict[str, Stored] = {}
    layers: list[tuple[str, str]] = []
    for key, item in items:
        owner = key[: key.rfind(".") + 1]
        parts = unpacked(key.removeprefix(owner), item)
        found |= {owner + name: part for name, part in parts.items()}
        if parts:
            layers.append((owner.removesuffix("_packed_params."), owner))
        elif (own := tensor(item)) is not None:
            found[key] = own
            if key == f"{owner}weight" and own.type.startswith("quantized"):
                layers.append((owner, owner))
    for layer, owner in layers:
        _settle(found, layer, owner)
    return found


def is_packed(key: object, thing: object) -> bool:
    """Whether an item of a state dict is what a quantized layer keeps packed."""
    return bool(unpacked(str(key).rpartition(".")[2], thing))


def _settle(found: dict[str, Stored], layer: str, owner: str) -> None:
    """Take the settings of a quantized layer out of its tensors; its weight and bias nothing trains."""
    outputs = [layer + name for name in OUTPUT]
    if all(name in found and found[name].numel == 1 for name in outputs):
        for name in outputs:
            del found[name]
        for name in (f"{owner}weight", f"{owner}bias"):
            if name in found:
                found[name] = replace(found[name], parameter=True, requires_grad=False)


def saved_otherwise(tensors: Iterable[Stored]) -> Iterator[str]:
    """Say which weights the file has in another type than their layers."""
    count = sum(bool(tensor.saved) for tensor in tensors)
    if count:
        yield (
            f"{count:,} packed weights are float16 in their layers and are counted so; the file stores them as"
            " float32, with twice the bytes."
        )
