"""The command line: ``torchatlas summary``, ``draw``, ``show``, ``save``, ``profile``, ``compare`` and ``skeleton``.

Nothing heavy is imported before it is needed, so that the views of an ``.atlas`` file do not wait for torch.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Each command registers itself, in the order in which the help lists them.
from torchatlas.cli import summary  # isort: skip
from torchatlas.cli import draw  # isort: skip
from torchatlas.cli import show  # isort: skip
from torchatlas.cli import compare  # isort: skip
from torchatlas.cli import save  # isort: skip
from torchatlas.cli import profile  # isort: skip
from torchatlas.cli import skeleton  # isort: skip
from torchatlas.cli.app import app

__all__ = ["app", "compare", "draw", "main", "profile", "save", "show", "skeleton", "summary"]


def main() -> None:
    """Run the command line."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # whoever started it has closed them
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open until the end
    app(prog_name="torchatlas")
