"""How an operator is called for short, whatever the spelling of its call.

``F.conv2d``, ``torch.conv2d`` and ``aten.conv2d.default`` are ``conv2d``; ``Tensor.__iadd__`` and ``aten.add_.Tensor``
are ``add_``. The drawing engine has the same rule in `web/src/graph/names.ts`, with `BINARY` in its table.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchatlas.core.graph import CallKind

FUNCTIONS: frozenset[CallKind] = frozenset(("function", "aten"))
"""Kinds of calls that go by the name of an operator; the others have names of their own: of classes, of groups."""

BINARY: dict[str, str] = {
    **{word: word for word in ("add", "sub", "mul", "matmul", "pow", "and", "or", "xor", "lshift", "rshift")},
    "truediv": "div",
    "div": "div",
    "floordiv": "floor_div",
    "mod": "remainder",
}
"""Operators between two things, which Python writes as methods with underscores, in the field's words.

Each has two further methods: ``__radd__``, of what stands on the right, and ``__iadd__``, which works in place.
"""
METHODS: dict[str, str] = {
    **BINARY,
    **{f"r{word}": short for word, short in BINARY.items()},
    **{f"i{word}": f"{short}_" for word, short in BINARY.items()},
    "getitem": "index",
    "setitem": "index_put",
    "invert": "not",
}
"""All such methods that have another name; others keep theirs: ``__len__`` is ``len``."""

PREFIXES = ("torch", "F", "Tensor", "np", "numpy")
"""What stands before a name that is dotted although no overload stands at its end."""

OVERLOAD = "^(?:[a-z]|Tensor|Scalar|Dimname|SymInt)"
"""What stands at the end of an operator of torch; where ONNX has a domain before an operator, it is the operator."""

_OVERLOAD = re.compile(OVERLOAD)
_METHOD = re.compile("__(.+)__")
_NODE = re.compile(r"(?<=.)Backward\d*$")


@cache
def short_name(kind: CallKind, name: str) -> str:
    """``relu`` of ``F.relu``, ``add_`` of ``Tensor.__iadd__``, ``mm`` of ``aten.mm.default``, ``Addmm`` of a node.

    >>> short_name("function", "Tensor.__getitem__"), short_name("aten", "aten.mm.default")
    ('index', 'mm')
    >>> short_name("backward", "AddmmBackward0")
    'Addmm'
    """
    if kind == "backward":
        return _NODE.sub("", name)
    return operator(name, overloaded=kind == "aten") if kind in FUNCTIONS else name


def operator(name: str, *, overloaded: bool = False) -> str:
    """The same of a name that is an operator's; ``overloaded`` says that an overload stands at its end, as in ATen."""
    parts = name.split(".")
    if len(parts) > 2 and (overloaded or parts[0] == "aten"):  # noqa: PLR2004 - namespace, operator, overload
        bare = parts[1]
    else:
        has_overload = len(parts) == 3 and parts[0] not in PREFIXES and _OVERLOAD.match(parts[2])  # noqa: PLR2004 - as above
        bare = parts[1] if has_overload else parts[-1]
    method = _METHOD.fullmatch(bare)
    return bare if method is None else METHODS.get(method[1], method[1])


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """The same without the mark of what works in place: ``add`` of ``Tensor.__iadd__`` and of ``aten.add_.Tensor``."""
    short = operator(name)
    return short.rstrip("_") or short


def in_place(op: str) -> bool:
    """Whether an operator writes its first argument, by how torch names such ones: ``add_``."""
    return op.endswith("_") and not op.endswith("__")


def joined(name: str) -> str:
    """As names are compared, whatever the way of writing words together: ``maxpool2d`` of ``max_pool2d_``."""
    return name.replace("_", "").lower()
