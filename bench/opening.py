"""Opening a file of weights of 10 GB, made on the spot with a hole where the data would be: time, and peak memory.

Each contender runs in a process of its own, so that its peak is its own; what importing takes is told apart.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import Section, judged, run

ROUNDS = 3
LAYERS, WIDE, HIGH = 80, 4096, 4096
SECONDS, MEBIBYTES = 1.0, 200.0
MEASURE = """
import json, time
from pathlib import Path
def peak():
    # Not ru_maxrss: that of a new process begins with what its parent held.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
{importing}
imported = peak()
begun = time.perf_counter()
{opening}
print(json.dumps([time.perf_counter() - begun, peak(), imported, count]))
"""
OURS = (
    "from torchatlas.readers.weights import read; import torchatlas.core.folding.fold",
    "graph = read(Path({path!r})); count = len(graph.values)",
)
CONTENDERS = {
    ".pth": {
        "torchatlas": OURS,
        "torch.load(mmap=True, weights_only=True)": (
            "import torch",
            "count = len(torch.load({path!r}, mmap=True, weights_only=True))",
        ),
    },
    ".safetensors": {
        "torchatlas": OURS,
        "safetensors.safe_open, all shapes": (
            "import torch; from safetensors import safe_open",
            "file = safe_open({path!r}, 'pt'); count = len([file.get_slice(key).get_shape() for key in file.keys()])",
        ),
    },
}


def names() -> list[str]:
    """Of a decoder's matrices."""
    return [f"model.layers.{layer}.mlp.{part}.weight" for layer in range(LAYERS) for part in ("gate_proj", "up_proj")]


def write_pth(path: Path) -> None:
    """What torch.save writes; the data of the tensors is left out, its room is not."""
    import torch

    with torch.serialization.skip_data():
        torch.save({name: torch.empty(HIGH, WIDE) for name in names()}, path)


def write_safetensors(path: Path) -> None:
    """The header, then a hole."""
    size = 4 * HIGH * WIDE
    entries = {
        name: {"dtype": "F32", "shape": [HIGH, WIDE], "data_offsets": [at * size, (at + 1) * size]}
        for at, name in enumerate(names())
    }
    header = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size * len(entries))


def opened(path: Path, importing: str, opening: str) -> tuple[float, float, float]:
    """Seconds, peak MiB, MiB after importing."""
    script = MEASURE.format(importing=importing, opening=opening.format(path=str(path)))
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    seconds, peak, imported, count = json.loads(done.stdout)
    if count != len(names()):
        raise SystemExit(f"{opening}: {count} tensors")
    return seconds, peak, imported


def compare(path: Path) -> Section:
    """One table: a row for each contender."""
    rows = []
    for name, (importing, opening) in CONTENDERS[path.suffix].items():
        taken = [opened(path, importing, opening) for _ in range(ROUNDS)]
        seconds, peak, imported = (statistics.median(column) for column in zip(*taken, strict=True))
        judgement = (*judged(seconds, SECONDS)[1:], *judged(peak, MEBIBYTES)[1:]) if name == "torchatlas" else ("",) * 4
        rows.append(
            (name, f"{seconds:.3f} s", *judgement[:2], f"{peak:.0f} MiB", *judgement[2:], f"{imported:.0f} MiB")
        )
    size, held = path.stat().st_size, path.stat().st_blocks * 512
    words = (
        f"{size / 1e9:.1f} GB in {len(names())} tensors, of which {held / 1e6:.0f} MB stand on the disk. torchatlas"
        " also infers the modules. Peaks are of the whole process; the last column is what importing alone takes."
    )
    head = ("opened by", "wall", "goal (s)", "", "peak", "goal (MiB)", "", "imports")
    return Section(f"Opening 10 GB of weights: {path.suffix}", head, tuple(rows), words)


def main() -> list[Section]:
    """Both formats."""
    with tempfile.TemporaryDirectory() as folder:
        write_pth(Path(folder) / "weights.pth")
        write_safetensors(Path(folder) / "weights.safetensors")
        return [compare(path) for path in sorted(Path(folder).iterdir())]


if __name__ == "__main__":
    run(main)
