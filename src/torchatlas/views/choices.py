"""What is given for an option that is one of several names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchatlas.core.errors import InputError
from torchatlas.core.options import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_choice(option: str, given: object, known: Sequence[str]) -> None:
    """Hold what was given for an option to what there is.

    Raises:
        InputError: it is none of those; the message lists them.
    """
    if given not in known:
        hint = did_you_mean(str(given), known)
        raise InputError(f"{option}={given!r} is unknown; {option} is one of {', '.join(known)}.{hint}")
