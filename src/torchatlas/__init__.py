"""See your PyTorch model: capture one run completely, show it in every form.

``import torchatlas as ta`` imports neither torch nor numpy; each name loads what it needs when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchatlas.api.atlas import Atlas
    from torchatlas.api.backward import backward
    from torchatlas.api.capture import capture, draw, show, summary
    from torchatlas.api.comparison import Comparison, compare
    from torchatlas.api.files import load, open, skeleton  # noqa: A004 - as PIL.Image.open
    from torchatlas.api.profile import profile
    from torchatlas.core.errors import (
        AtlasError,
        DrawingError,
        FileError,
        InputError,
        MissingError,
        ReplayError,
        TargetError,
    )

from torchatlas.core.version import __version__

# The package `capture` is loaded now, and its name given up to the function: loaded with the first capture, it would
# take the function's place. It holds nothing but its parts, which are loaded when they are needed.
import_module("torchatlas.capture")
del globals()["capture"]

_HOMES = {
    "Atlas": "torchatlas.api.atlas",
    "AtlasError": "torchatlas.core.errors",
    "Comparison": "torchatlas.api.comparison",
    "DrawingError": "torchatlas.core.errors",
    "FileError": "torchatlas.core.errors",
    "InputError": "torchatlas.core.errors",
    "MissingError": "torchatlas.core.errors",
    "ReplayError": "torchatlas.core.errors",
    "TargetError": "torchatlas.core.errors",
    "backward": "torchatlas.api.backward",
    "capture": "torchatlas.api.capture",
    "compare": "torchatlas.api.comparison",
    "draw": "torchatlas.api.capture",
    "load": "torchatlas.api.files",
    "open": "torchatlas.api.files",
    "profile": "torchatlas.api.profile",
    "show": "torchatlas.api.capture",
    "skeleton": "torchatlas.api.files",
    "summary": "torchatlas.api.capture",
}

__all__ = [
    "Atlas",
    "AtlasError",
    "Comparison",
    "DrawingError",
    "FileError",
    "InputError",
    "MissingError",
    "ReplayError",
    "TargetError",
    "__version__",
    "backward",
    "capture",
    "compare",
    "draw",
    "load",
    "open",
    "profile",
    "show",
    "skeleton",
    "summary",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'torchatlas' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    """The public names, without loading them."""
    return list(__all__)
