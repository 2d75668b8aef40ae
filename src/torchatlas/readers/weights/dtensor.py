"""Tensors that lie on several ranks (``DTensor``), in a pickle of one of them: whole shape, placements, mesh, own part.

The pickle holds the local tensor and a ``DTensorSpec``, which has placements and mesh. Newer meshes say their shape in
``_layout``, older ones in a tensor of ranks.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from torchatlas.core.graph import InnerTensor
from torchatlas.readers.pickled import Foreign, Mapping
from torchatlas.readers.weights.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOCAL = "_local_tensor"
LAYOUTS = 64
"""Dimensions of a mesh; more has none."""


def placed(made: Stored, state: object) -> Stored:
    """Give a DTensor with where it lies, as far as the pickle says it.

    Args:
        made: the whole tensor.
        state: its attributes.
    """
    attributes = state if isinstance(state, Mapping) else Mapping()
    local, spec = attributes.get(LOCAL), _attributes(attributes.get("_spec"))
    placements = spec.get("placements")
    words = tuple(map(_word, placements)) if isinstance(placements, (tuple, list)) else ()
    mesh = _mesh(_attributes(spec.get("mesh")))
    if not isinstance(local, Stored) or not words or None in words or len(words) != len(mesh):
        return made
    inner = tuple(
        InnerTensor(f"local.{part.name}" if local.inner else "local", part.shape, part.dtype, part.nbytes)
        for part in local.inner or (InnerTensor("", local.shape, local.dtype, local.nbytes),)
    )
    return replace(
        made,
        inner=inner,
        placements=tuple(word for word in words if word is not None),
        mesh=mesh,
        storage=local.storage,  # two names of one tensor are told by it
        offset=local.offset,
    )


def _attributes(thing: object) -> Mapping:
    state = thing.state if isinstance(thing, Foreign) else None
    return state if isinstance(state, Mapping) else Mapping()


def _word(placement: object) -> str | None:
    """A placement as torch prints it, without the name of its dimension: ``Shard(0)``, ``Partial(sum)``."""
    if not isinstance(placement, Foreign):
        return None
    name, state = placement.made_by.name[:40], _attributes(placement)
    if name == "Replicate":
        return name
    dimension, operation, factor = (state.get(key) for key in ("dim", "reduce_op", "split_factor"))
    if name == "Shard" and type(dimension) is int:
        return f"{name}({dimension})"
    if name == "_StridedShard" and type(dimension) is int and type(factor) is int:
        return f"{name}({dimension}, sf={factor})"
    return f"{name}({operation})" if name == "Partial" and isinstance(operation, str) else None


def _mesh(mesh: Mapping) -> tuple[int, ...]:
    """The sizes of a mesh; empty where it does not say them."""
    ranks = next((mesh[key] for key in ("mesh", "_mesh") if isinstance(mesh.get(key), Stored)), None)
    if isinstance(ranks, Stored):
        return ranks.shape
    layout = _attributes(mesh.get("_layout"))
    axes = layout.get("axes", layout.get("shape"))
    each = [_size(axis) for axis in axes[:LAYOUTS]] if isinstance(axes, (tuple, list)) else [_size(axes)]
    return tuple(size for size in each if size is not None) if None not in each else ()


def _size(axis: object) -> int | None:
    """The ranks along one dimension, which may be several of the layout's."""
    numbers = axis if isinstance(axis, (tuple, list)) else (axis,)
    if isinstance(axis, Foreign):
        return _size(_attributes(axis).get("shape"))
    whole = numbers and all(type(number) is int and 0 < number < 1 << 31 for number in numbers)
    return prod(number for number in numbers if type(number) is int) if whole else None


def of_one_rank(tensors: Iterable[Stored]) -> Iterator[str]:
    """Say that a file has parts of weights, and what the numbers are of."""
    placed_on = [tensor for tensor in tensors if tensor.placements]
    if placed_on:
        ranks = max(prod(tensor.mesh) for tensor in placed_on)
        yield (
            f"{len(placed_on):,} weights are sharded over {ranks:,} ranks (DTensor), and the file has the part of one."
            " Parameters and bytes are totals over all ranks, each counted once."
        )
