"""See your PyTorch model: capture one run completely, show it in every form.

``import torchatlas as ta`` imports neither torch nor numpy; each name loads what it needs when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers read in the place of _PUBLIC, which a test holds to be the same
    from torchatlas.api.atlas import Atlas as Atlas
    from torchatlas.api.backward import backward as backward
    from torchatlas.api.capture import capture as capture
    from torchatlas.api.capture import draw as draw
    from torchatlas.api.capture import show as show
    from torchatlas.api.capture import summary as summary
    from torchatlas.api.comparison import Comparison as Comparison
    from torchatlas.api.comparison import compare as compare
    from torchatlas.api.files import load as load
    from torchatlas.api.files import open as open  # noqa: A004 - as PIL.Image.open
    from torchatlas.api.files import skeleton as skeleton
    from torchatlas.api.profile import profile as profile
    from torchatlas.core.errors import AtlasError as AtlasError
    from torchatlas.core.errors import DrawingError as DrawingError
    from torchatlas.core.errors import FileError as FileError
    from torchatlas.core.errors import InputError as InputError
    from torchatlas.core.errors import MissingError as MissingError
    from torchatlas.core.errors import ReplayError as ReplayError
    from torchatlas.core.errors import TargetError as TargetError
    from torchatlas.core.graph import Call as Call
    from torchatlas.core.graph import Graph as Graph
    from torchatlas.core.graph import Module as Module
    from torchatlas.core.graph import Note as Note
    from torchatlas.core.graph import Value as Value
    from torchatlas.core.measure.totals import Totals as Totals

from torchatlas.core.version import __version__

# The package `capture` is loaded now, and its name given up to the function: loaded with the first capture, it would
# take the function's place. It holds nothing but its parts, which are loaded when they are needed.
import_module("torchatlas.capture")
del globals()["capture"]

_PUBLIC = {
    "torchatlas.api.atlas": ("Atlas",),
    "torchatlas.api.backward": ("backward",),
    "torchatlas.api.capture": ("capture", "draw", "show", "summary"),
    "torchatlas.api.comparison": ("Comparison", "compare"),
    "torchatlas.api.files": ("load", "open", "skeleton"),
    "torchatlas.api.profile": ("profile",),
    "torchatlas.core.errors": (
        "AtlasError",
        "DrawingError",
        "FileError",
        "InputError",
        "MissingError",
        "ReplayError",
        "TargetError",
    ),
    "torchatlas.core.graph": ("Call", "Graph", "Module", "Note", "Value"),
    "torchatlas.core.measure.totals": ("Totals",),
}
_HOMES = {name: home for home, names in _PUBLIC.items() for name in names}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - names are strings, which the linter does not see


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
