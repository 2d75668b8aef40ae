"""Whether something stands ready that shows what a cell returns."""

from __future__ import annotations

import sys


def in_notebook() -> bool:
    """True under an IPython kernel (Jupyter, VS Code, Colab) and in marimo; neither is imported for it."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and hasattr(ipython.get_ipython(), "kernel"):
        return True
    marimo = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())
