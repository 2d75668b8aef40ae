"""A LLaMA of 405 billion parameters, built on meta and captured on fake tensors down to ATen, on (1, 128) tokens.

Each contender runs in a process of its own, which measures what its one call takes beyond what building took.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

import models  # noqa: F401 - makes torchvision importable, which transformers imports
from harness import Section, judged, run

BATCH, LENGTH = 1, 128
LAYERS, WIDTH, INNER, HEADS, KV_HEADS, WORDS = 126, 16384, 53248, 128, 8, 128256
GOAL_SECONDS, GOAL_MEGABYTES = 5.0, 150.0


def flops_by_hand() -> int:
    """Every matrix product of one forward; 1 multiply-add = 2.

    Attention is counted in full: torch's kernels skip what the causal mask hides, the field's counts do not.
    """
    tokens, head = BATCH * LENGTH, WIDTH // HEADS
    query, key, value, out = WIDTH * WIDTH, WIDTH * KV_HEADS * head, WIDTH * KV_HEADS * head, WIDTH * WIDTH
    gate, up, down = 3 * (WIDTH * INNER,)
    attention = 2 * LENGTH * WIDTH  # per token: scores, and what they weigh
    layer = query + key + value + out + gate + up + down + attention
    return 2 * tokens * (LAYERS * layer + WIDTH * WORDS)


def parameters_by_hand() -> int:
    """Weights of all layers, two norms in each, embedding and head (not tied), the last norm."""
    head = WIDTH // HEADS
    layer = 2 * WIDTH * WIDTH + 2 * WIDTH * KV_HEADS * head + 3 * WIDTH * INNER + 2 * WIDTH
    return LAYERS * layer + 2 * WORDS * WIDTH + WIDTH


def build(device: str = "meta") -> torch.nn.Module:
    """The model without memory for its weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        num_hidden_layers=LAYERS,
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        vocab_size=WORDS,
        use_cache=False,
    )
    with torch.device(device):
        return LlamaForCausalLM(config).eval()


def by_torchatlas(model: torch.nn.Module) -> dict[str, int]:
    """Capture on fake tensors, ATen operators included, and sum up."""
    import torchatlas as ta
    from torchatlas.core.measure import cost

    graph = ta.capture(model, input_size={"input_ids": (BATCH, LENGTH)}, fake=True, level="aten").graph
    total = cost.total(graph)
    return {"calls": len(graph.calls), "flops": total.flops, "parameters": total.parameters}


def by_torchinfo(_: torch.nn.Module) -> dict[str, int]:
    """The table of torchinfo; on meta tensors this model asks for a value and fails, so on fake ones."""
    import torchinfo
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        ids = torch.zeros(BATCH, LENGTH, dtype=torch.int64)
        table = torchinfo.summary(build("cpu"), input_data=ids, depth=4, verbose=0)
    return {"calls": len(table.summary_list), "flops": 2 * table.total_mult_adds, "parameters": table.total_params}


CONTENDERS = {"torchatlas": by_torchatlas, "torchinfo": by_torchinfo}
IMPORTS = {
    "torchatlas": "torchatlas.api.atlas, torchatlas.capture.run, torch._subclasses.fake_tensor",
    "torchinfo": "torchinfo, torch._subclasses.fake_tensor",
}


def peak() -> float:
    """The most memory this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str) -> None:
    """Print what one contender takes, as JSON; runs in the child process."""
    exec(f"import {IMPORTS[name]}")  # noqa: S102 - the text stands above
    import transformers.models.llama.modeling_llama  # noqa: F401 - imported, not measured

    imported = peak()
    cpu = time.process_time()
    model = build()
    built, cpu_built = peak(), time.process_time()
    try:
        found = CONTENDERS[name](model)
    except Exception as error:  # noqa: BLE001 - a peer that fails is a result
        found = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"}
    costs = {"build": cpu_built - cpu, "seconds": time.process_time() - cpu_built}
    sys.stdout.write(json.dumps({**found, **costs, "built": built - imported, "memory": peak() - imported}))


def measured(name: str) -> dict[str, float]:
    """What ``measure`` prints in a fresh process."""
    command = [sys.executable, __file__, "--measure", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def row(name: str, found: dict[str, float]) -> tuple[str, ...]:
    """One contender; the goals are ours alone."""
    if "failed" in found:
        return (name, str(found["failed"]), *[""] * 8)
    ours = name == "torchatlas"
    seconds = judged(found["seconds"], GOAL_SECONDS) if ours else (f"{found['seconds']:.2f}", "", "")
    memory = judged(found["memory"], GOAL_MEGABYTES) if ours else (f"{found['memory']:.2f}", "", "")
    wrong = found["flops"] / flops_by_hand(), found["parameters"] / parameters_by_hand()
    return (name, f"{found['calls']:,}", *seconds, *memory, *(f"{ratio:.5f}" for ratio in wrong))


def main() -> list[Section]:
    """One table."""
    rows = [row(name, measured(name)) for name in CONTENDERS]
    head = ("", "calls", "CPU s", "goal", "", "MiB above imports", "goal", "", "FLOPs / hand", "parameters / hand")
    words = (
        f"By hand: {flops_by_hand():,} FLOPs and {parameters_by_hand():,} parameters. CPU seconds are those of one "
        "capture; memory is the peak over building and capturing, above what the imports take."
    )
    return [Section("LLaMA 405B on fake tensors, ATen operators included", head, tuple(rows), words)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2])
    else:
        run(main)
