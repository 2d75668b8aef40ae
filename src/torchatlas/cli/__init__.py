"""The command line: ``torchatlas summary``, ``draw``, ``show``, ``save``, ``profile``, ``compare`` and ``skeleton``.

Nothing heavy is imported before it is needed, so that the views of an ``.atlas`` file do not wait for torch.
"""

from __future__ import annotations

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
    app(prog_name="torchatlas")
