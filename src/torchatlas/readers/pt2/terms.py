"""Arguments and tensors as the JSON of ``torch.export`` says them.

Source: https://github.com/pytorch/pytorch/blob/main/torch/_export/serde/schema.py
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from torchatlas.core.graph import Node, Slot, Source, Text
from torchatlas.readers.dtypes import nbytes

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Mapping

    from torchatlas.core.graph import Tree

DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
    33: "float8_e8m0fnu",
    34: "uint32",
    35: "uint64",
}
LAYOUTS = {1: "sparse_coo", 2: "sparse_csr", 3: "sparse_csc", 4: "sparse_bsr", 5: "sparse_bsc", 7: "strided"}
FORMATS = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}
SYMBOL = re.compile(r"Symbol\('([^']*)'[^()]*\)")
FRAME = re.compile(r'File "([^"\n]{1,1000})", line (\d{1,9})')
LIBRARY = re.compile(r"(?:site|dist)-packages|^<")
MOST = 256
"""Items of a list that are told; more are data."""
DEEPEST = 50
"""Containers one inside another that are followed, and graphs."""


def tensor(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Shape, dtype, device and bytes of a ``TensorMeta``."""
    shape = tuple(size(one) for one in meta["sizes"])
    dtype = DTYPES.get(meta["dtype"], "")
    device = meta.get("device") or {}
    index = device.get("index")
    place = str(device.get("type", "")) + (f":{index}" if index is not None else "")
    known = {"shape": shape, "dtype": dtype, "device": place, "nbytes": nbytes(shape, dtype)}
    return {**known, "requires_grad": bool(meta.get("requires_grad"))}


def size(told: Mapping[str, Any]) -> int:
    """One size; -1 where it is a symbol."""
    return int(told["as_int"]) if "as_int" in told else -1


def example(meta: Mapping[str, Any]) -> tuple[int, ...]:
    """The sizes in the run that was exported; -1 where the file does not say one that varies."""
    return tuple(
        size(one.get("as_expr", {}).get("hint") or {}) if "as_expr" in one else size(one) for one in meta["sizes"]
    )


def symbols(meta: Mapping[str, Any]) -> dict[str, int]:
    """The symbols among the sizes of a tensor, and what they were in the run that was exported."""
    told = [one["as_expr"] for one in meta["sizes"] if "as_expr" in one]
    return {expression(one): size(one.get("hint") or {}) for one in told}


def expression(told: Mapping[str, Any]) -> str:
    """A symbolic size as people write it: ``s77 + 1``."""
    return SYMBOL.sub(r"\1", str(told.get("expr_str", "?")))[:200]


def argument(told: Mapping[str, Any], slot: Callable[[str], Tree]) -> Tree:
    """An argument as a tree; ``slot`` gives what stands for the tensor of a name."""
    ((kind, held),) = told.items()
    if kind in PLAIN:
        return PLAIN[kind](held)
    if kind == "as_tensor":
        return slot(held["name"])
    if kind == "as_optional_tensor":
        return argument(held, slot)
    if kind in {"as_tensors", "as_optional_tensors"}:
        items = [one if kind == "as_optional_tensors" else {"as_tensor": one} for one in held]
        return Node("list", (), tuple(argument(one, slot) for one in items))
    return Node("list", (), tuple(_leaf(one) for one in held[:MOST])) if isinstance(held, list) else _leaf(held)


def _leaf(held: Any) -> Tree:
    """Numbers and words as they are; a symbol, an operator, a graph by its name."""
    if held is None or isinstance(held, (bool, int, float, str)):
        return held
    if isinstance(held, dict):
        for key in ("as_int", "as_float", "as_bool"):
            if key in held:
                return _leaf(held[key])
        if "as_expr" in held:
            return Text(expression(held["as_expr"]))
        name = held.get("as_name", held.get("name", held.get("as_string")))
        return Text(str(name)[:200]) if name is not None else Text("…")
    return Text(str(held)[:200])


PLAIN: dict[str, Callable[[Any], Tree]] = {
    "as_none": lambda _: None,
    "as_scalar_type": lambda held: Text(f"torch.{DTYPES.get(held, held)}"),
    "as_memory_format": lambda held: Text(f"torch.{FORMATS.get(held, held)}"),
    "as_layout": lambda held: Text(f"torch.{LAYOUTS.get(held, held)}"),
    "as_device": lambda held: Text(
        str(held.get("type")) + (f":{held['index']}" if held.get("index") is not None else "")
    ),
    "as_complex": lambda held: Text(f"{held.get('real')}+{held.get('imag')}j"),
    "as_graph": lambda held: Text(str(held.get("name", "graph"))[:200]),
}


def tensors(told: Mapping[str, Any]) -> list[str]:
    """The names of the tensors in an argument, in order."""
    found: list[str] = []

    def note(name: str) -> Slot:
        found.append(name)
        return Slot(0)

    argument(told, note)
    return found


def graphs(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The graph that an argument is, if it is one."""
    return [told["as_graph"]] if "as_graph" in told else []


def container(told: Mapping[str, Any], slots: deque[int], depth: int) -> Tree:
    """A container as ``torch.utils._pytree`` writes it; None where it is not understood."""
    if depth > DEEPEST or not slots:
        return None
    if told["type"] is None:
        return Slot(slots.popleft())
    inside = tuple(container(child, slots, depth + 1) for child in told["children_spec"])
    context = told.get("context")
    keys = json.loads(context) if isinstance(context, str) else None
    fits = isinstance(keys, list) and len(keys) == len(inside)
    return Node(str(told["type"]).rpartition(".")[2], tuple(map(str, keys)) if fits and keys else (), inside)


def source(trace: str) -> Source | None:
    """The innermost line of the user's own code."""
    frames = [(file, int(line)) for file, line in FRAME.findall(trace[-20_000:]) if int(line) > 0]
    own = [frame for frame in frames if not LIBRARY.search(frame[0])] or frames
    return Source(*own[-1]) if own else None
