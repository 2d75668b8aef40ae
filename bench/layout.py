"""Layout of networks with everything open, in Node, beside dagre and ELK on one of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from harness import Section, run

WEB = Path(__file__).parent.parent / "web"
COLUMNS = ("name", "calls", "boxes", "cold", "warm", "limit", "open one box", "dagre", "elk")
HEAD = ("network", "calls", "boxes", "cold, ms", "warm, ms", "goal", "open one box, ms", "dagre, ms", "ELK, ms")


def main() -> list[Section]:
    """One table, or a line on why there is none."""
    title = "Layout, everything open, in Node"
    node = shutil.which("node")
    if node is None or not (WEB / "node_modules").is_dir():
        return [Section(title, HEAD, (), "Not measured: it needs Node 20 and `make web`.")]
    command = [node, "bench/layout.mjs", "--json", "--peers=resnet152"]
    told = subprocess.run(command, cwd=WEB, check=True, capture_output=True, text=True).stdout
    rows = tuple(tuple(row[column] for column in COLUMNS) for row in json.loads(told.splitlines()[-1]))
    words = "Wall time; cold is the first layout, warm the best of nine more, each without a memory of earlier ones."
    return [Section(title, HEAD, rows, words)]


if __name__ == "__main__":
    run(main)
