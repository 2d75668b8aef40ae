"""The cycle collector, paused where very many records are made at once."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the collector from searching the records again and again while they are made; they hold no cycles.

    It would take more time than all the rest.
    """
    enabled = gc.isenabled()
    try:
        gc.disable()  # inside: an interrupt may come before the next line
        yield
    finally:
        if enabled:
            gc.enable()
