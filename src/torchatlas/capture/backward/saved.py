"""The tensors that a node of the autograd graph keeps for its backward.

Only what lies there unpacked is read: unpacking runs the user's hooks, or a checkpointed forward once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from torch import Tensor

from torchatlas.capture.objects.tree import describe, places
from torchatlas.capture.torch_private import is_python_node, packed, saved_names

if TYPE_CHECKING:
    from collections.abc import Iterator

State: TypeAlias = Literal["kept", "written", "packed", "freed", "unneeded"]


@dataclass(frozen=True, slots=True)
class Saved:
    """One tensor that a node keeps.

    Attributes:
        name: torch's name for it (``self``, ``weight``, ``indices[0]``).
        tensor: the tensor; None where it cannot be read.
        state: ``written`` in place since, so that the backward would fail; ``packed`` by a hook; ``freed``; or
            ``unneeded``, since nothing that requires a gradient asks for it.
    """

    name: str
    tensor: Tensor | None
    state: State = "kept"


def saved_by(node: Any) -> Iterator[Saved]:
    """Everything that the node keeps, as far as it can be known without running anybody's code."""
    if not is_python_node(node):
        for name in saved_names(node)[1]:
            yield from _read(node, name, f"_saved_{name}")
        return
    yield from _read(node, None, "saved_tensors")
    for name, thing in vars(node).items():
        found: list[Tensor] = []
        tree = describe(thing, found)
        yield from (Saved(place, found[slot]) for slot, place in places(tree, name))


def is_freed(node: Any) -> bool:
    """Whether a backward has run through this node and freed what it kept."""
    if is_python_node(node):
        return _all_packed(node, None) is None
    for name in saved_names(node)[1]:
        there = _all_packed(node, name)
        if there is None:
            return True
        if not _is_packed(there) and all(_data(one) is None for one in there):
            return isinstance(found := _unpacked(node, f"_saved_{name}"), str) and found == "freed"
    return False


def _read(node: Any, name: str | None, attribute: str) -> Iterator[Saved]:
    said = name or "saved_tensors"
    there = _all_packed(node, name)
    if there is None:
        yield Saved(said, None, "freed")
        return
    if _is_packed(there):
        yield from (Saved(place, None, "packed") for _, place in _named(said, there))
        return
    read = _unpacked(node, attribute)
    if isinstance(read, str) and read == "freed":
        yield Saved(said, None, "freed")
    elif read is None:
        yield Saved(said, None, "unneeded")
    elif isinstance(read, str):
        yield from (Saved(place, _data(one), "written") for one, place in _named(said, there))
    else:
        many = read if isinstance(read, (tuple, list)) else (read,)
        yield from (Saved(place, one) for one, place in _named(said, many) if isinstance(one, Tensor))


def _named(name: str, many: Any) -> list[tuple[Any, str]]:
    return [(one, name if len(many) == 1 else f"{name}[{position}]") for position, one in enumerate(many)]


def _all_packed(node: Any, name: str | None) -> tuple[Any, ...] | None:
    try:
        return packed(node, name)
    except RuntimeError:
        return None


def _is_packed(there: tuple[Any, ...]) -> bool:
    return any(getattr(one, "unpack_hook", None) is not None for one in there)


def _data(one: Any) -> Tensor | None:
    data = getattr(one, "data", None)
    return data if isinstance(data, Tensor) else None


def _unpacked(node: Any, attribute: str) -> Any:
    """The tensors, none of which a hook packed; or why there are none."""
    try:
        return getattr(node, attribute)
    except RuntimeError as error:
        return "written" if "modified by an inplace operation" in str(error) else "freed"
