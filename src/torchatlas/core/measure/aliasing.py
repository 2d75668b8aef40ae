"""Aliases: which values are one tensor, and which share memory.

A value is a tensor at one version: passed through, written in place or looked at through a view, it is another value,
while its memory stays the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchatlas.core.graph import Value


def origins_of(values: Sequence[Value]) -> list[int]:
    """For each value the first version of the tensor that it is: passed through and written in place stay the same."""
    origins: list[int] = []
    for value in values:
        earlier = value.alias_of if value.alias_of is not None else value.previous
        origins.append(value.id if earlier is None else origins[earlier])
    return origins


def allocated(values: Sequence[Value]) -> Iterator[Value]:
    """The values for which the run allocated new memory, each storage once; weights that it made are left out.

    Tensors on meta count as memory if the model runs on them; beside real inputs they take none.
    """
    seen = set(storages_of_weights(values))
    devices = {value.device for value in values if value.kind == "input"}
    real = bool(devices) and "meta" not in devices
    for value in values:
        known = value.storage is not None and value.storage in seen
        if value.storage is not None:
            seen.add(value.storage)
        alias = value.view_of is not None or value.alias_of is not None or value.previous is not None
        if real and value.device == "meta":
            continue
        if value.producer is not None and not (known or alias or value.is_weight or value.kind == "input"):
            yield value


def storages_of_weights(values: Sequence[Value]) -> frozenset[int]:
    """The memory that parameters and buffers have, whatever else is over it."""
    return frozenset(value.storage for value in values if value.is_weight and value.storage is not None)
