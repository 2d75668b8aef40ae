"""Numbered children: whether they run one after the other (Sequential) or are kept in a list, the names hardly say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchatlas.readers.weights.infer.guess import Guess, is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.readers.weights.infer.guess import StoredModule

LISTS = re.compile(
    r"layers?|h|experts?|heads?|.*_(layers|list|heads|experts|projs?|norms|convs|blocks)|convs\d*|norms|ups|downs|resnets|attentions|hidden_states"
)


def infer(part: StoredModule, kinds: Sequence[int], *, weightless: bool) -> Guess | None:
    """Tell a container by its children.

    Args:
        part: the module.
        kinds: of its children, in order; equal for children that are alike.
        weightless: whether a child without weights is known, or a number missing.
    """
    if not part.children or part.shapes or not all(map(is_number, part.children)):
        return None
    if weightless:
        return Guess("Sequential", 0.95 if part.version is not None else 0.9)
    if len(set(kinds)) == len(kinds) > 1:
        return Guess("Sequential", 0.8)
    return Guess("ModuleList", 0.75) if LISTS.fullmatch(part.name) else Guess("Sequential", 0.7)
