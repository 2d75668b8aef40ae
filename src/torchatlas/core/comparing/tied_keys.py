"""Keys that weights lack, although the tensor is there under another name that the model ties to it.

A language model whose ``lm_head.weight`` is its ``embed.weight`` is saved with one of the two: ``embed.weight`` is
given, ``lm_head.weight`` is missing, and ``tied_keys`` gives ``("lm_head.weight", "embed.weight")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torchatlas.core.graph import Value


def tied_keys(
    missing: Collection[str], wanted: Mapping[str, Value], given: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """Give the missing keys whose tensor the weights hold, each with the key under which they do.

    Args:
        missing: keys of the model that the weights lack.
        wanted: the model's tensors, by every name they have.
        given: the keys of the weights, as the model names them.
    """
    there: dict[int, str] = {}
    for key, value in wanted.items():
        if key in given:
            there.setdefault(value.id, key)
    return tuple((key, there[wanted[key].id]) for key in missing if key not in given and wanted[key].id in there)
