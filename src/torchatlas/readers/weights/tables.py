"""Weights that a file keeps as several plain tensors: each put together again, as the model has it.

bitsandbytes writes ``weight``, its tables (``weight.absmax``, ``weight.quant_map``, nested ones) and a tensor of bytes,
``weight.quant_state.bitsandbytes__nf4``, which is JSON with the shape of the weight; of 8 bits ``weight`` and
``SCB``. torchao writes ``_weight_qdata``, ``_weight_scale`` and the like, and says in the file's metadata of what class
each weight is and which tensors are its own. Nothing is put together that the file does not say so.

Sources: ``bitsandbytes/functional.py`` (``QuantState.as_dict``), ``torchao/prototype/safetensors``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import FileError
from torchatlas.core.graph import InnerTensor, total_bytes
from torchatlas.readers.weights.statistics import content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchatlas.readers.weights.stored import Stored

STATE = ".quant_state.bitsandbytes__"
TABLES = {
    ".absmax": "quant_state.absmax",
    ".quant_map": "quant_state.code",
    ".nested_absmax": "quant_state.state2.absmax",
    ".nested_quant_map": "quant_state.state2.code",
}
"""Ends of names, and what the weight calls these tables."""
OFFSET = InnerTensor("quant_state.offset", (), "float32", 4)
"""One number of nested tables, which the JSON has."""
PARAMS = {"Params4bit": "Linear4bit", "Int8Params": "Linear8bitLt"}
"""Parameters of bitsandbytes, and the layers that have them."""
LARGEST = 1 << 16
"""Bytes of JSON that are read."""
NAMES = "tensor_names"
PAIRS = ("uint8", "float4_e2m1fn_x2")
"""Types with two numbers in each element, where the class is one of four bits."""


def together(tensors: Mapping[str, Stored], metadata: Mapping[str, str]) -> Mapping[str, Stored]:
    """Give the tensors of a file with each such weight in the place of its parts.

    Args:
        tensors: by name.
        metadata: what the file says beside them.
    """
    found = dict(tensors)
    for name in tensors:
        base, state, _ = name.partition(STATE)
        if state and base in found:
            _four_bits(found, base, name)
        elif name.endswith("SCB"):
            _eight_bits(found, name.removesuffix("SCB"))
    for name in names_in(metadata):
        if name not in found:
            _subclass(found, name, _dictionary(_parsed(metadata.get(name, ""))))
    return found


def names_in(metadata: Mapping[str, str]) -> list[str]:
    """Give the weights that torchao's metadata describes."""
    return [name for name in _list(_parsed(metadata.get(NAMES, ""))) if isinstance(name, str)]


def _four_bits(found: dict[str, Stored], base: str, state: str) -> None:
    """A weight of bitsandbytes' four bits, in the place of its tables and of what describes them."""
    weight, how = found[base], _described(found[state])
    shape = _shape(how.get("shape"))
    if shape is None or not 0 < prod(shape) <= 2 * (weight.nbytes or 0) + 1:
        return
    parts = [("data", weight)]
    parts += [(inner, found[base + end]) for end, inner in TABLES.items() if base + end in found]
    more = (OFFSET,) if isinstance(how.get("nested_offset"), (int, float)) else ()
    made = _holding(weight, parts, more)
    found[base] = replace(made, original=shape, type="Params4bit", parameter=True, requires_grad=False)
    for name in (state, *(base + end for end in TABLES)):
        found.pop(name, None)


def _eight_bits(found: dict[str, Stored], owner: str) -> None:
    """A weight of bitsandbytes' eight bits: one scale for each row."""
    weight, scales = found.get(f"{owner}weight"), found[f"{owner}SCB"]
    if weight is None or weight.dtype != "int8" or scales.shape != weight.shape[:1]:
        return
    made = _holding(weight, [("data", weight), ("SCB", scales)])
    found[f"{owner}weight"] = replace(made, type="Int8Params", parameter=True, requires_grad=False)
    for name in ("SCB", "weight_format"):
        found.pop(owner + name, None)


def _subclass(found: dict[str, Stored], name: str, how: dict[str, Any]) -> None:
    """A weight of a class of torchao, in the place of the tensors that it holds."""
    around, _, own = name.rpartition(".")
    prefix = f"{around}._{own}_" if around else f"_{own}_"
    names = list(dict.fromkeys(part for part in _list(how.get("_tensor_data_names")) if isinstance(part, str)))
    parts = [(part, found[prefix + part]) for part in names if prefix + part in found]
    kind = how.get("_type")
    if not parts or len(parts) != len(names) or not isinstance(kind, str):
        return
    numbers = dict(parts).get("qdata", parts[0][1])
    shape = _whole(numbers, _dictionary(how.get("_data")))
    for part in names:
        del found[prefix + part]
    made = _holding(numbers, parts)
    found[name] = replace(made, shape=shape, stride=None, type=kind[:40], parameter=True, requires_grad=False)


def _whole(numbers: Stored, attributes: dict[str, Any]) -> tuple[int, ...]:
    """The shape of a weight: as it is said, else of its numbers, of which there may be two in each element."""
    said = _shape(attributes.get("shape"))
    if said is not None:
        return said
    if numbers.dtype in PAIRS and numbers.shape:
        return (*numbers.shape[:-1], 2 * numbers.shape[-1])
    return numbers.shape


def _holding(first: Stored, parts: list[tuple[str, Stored]], more: tuple[InnerTensor, ...] = ()) -> Stored:
    inner = (*(InnerTensor(name, part.shape, part.dtype, part.nbytes) for name, part in parts), *more)
    dtype = max(inner, key=lambda part: part.nbytes or 0).dtype
    return replace(first, dtype=dtype, nbytes=total_bytes(part.nbytes for part in inner), inner=inner)


def _described(state: Stored) -> dict[str, Any]:
    """The JSON in a tensor of bytes; empty where it cannot be read."""
    if state.dtype != "uint8" or not 0 < (state.nbytes or 0) <= LARGEST:
        return {}
    try:
        data = content(state)
    except FileError:
        return {}
    return _dictionary(_parsed(data)) if data else {}


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dictionary(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _shape(given: Any) -> tuple[int, ...] | None:
    sizes = _list(given)
    return tuple(sizes) if sizes and all(type(size) is int and 0 < size < 1 << 40 for size in sizes) else None
