"""``python -m torchatlas`` is ``torchatlas``."""

from __future__ import annotations

from torchatlas.cli import main

if __name__ == "__main__":
    main()
