"""Run every bench, each in a process of its own, and write bench/RESULTS.md."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from harness import write

HERE = Path(__file__).parent
BENCHES = (
    *("capture", "llama405b", "summary", "fold", "folding", "codec", "drawing", "layout"),
    *("backward", "opening", "comparing", "profiling"),
)


def main() -> None:
    """What one bench leaves in its process (wrapped functions, memory) cannot change the next."""
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        for name in BENCHES:
            part = Path(folder) / name
            subprocess.run([sys.executable, str(HERE / f"{name}.py"), str(part)], check=True)
            parts.append(part.read_text())
    write(parts)


if __name__ == "__main__":
    main()
