"""Layers of torch, told from the operations that they are made of: class and settings, in torch's words.

A file says what a module computes and not always of which class it was, nor how it was made. Where all its operations
together are one layer of torch, that is what it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchatlas.core.graph import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchatlas.core.graph import Tree
    from torchatlas.readers.graph_builder import GraphBuilder, Step

Settings = tuple[tuple[str, "Tree"], ...]


class Layer(NamedTuple):
    """A class of ``torch.nn`` and its settings."""

    name: str
    settings: Settings = ()


def describe(builder: GraphBuilder, layer_of: Callable[[Sequence[Step]], Layer | None]) -> None:
    """Give modules whose calls hold operations alone their class, where the file does not name it, and settings."""
    pending = [builder.root]
    while pending:
        step = pending.pop()
        pending += step.children
        if step.kind != "module" or step is builder.root or step.path is None:
            continue
        part = builder.part(step.path)
        inner = [child for child in step.children if child.kind == "module"]
        if not inner:
            layer = layer_of(step.children)
            if layer is not None and part.name in {"", layer.name}:
                part.name = layer.name
            if layer is not None and not part.settings and part.name == layer.name:
                part.settings = layer.settings
        elif not part.name and len(inner) == len(step.children) and _numbered(inner):
            part.name = "Sequential"


def _numbered(steps: Sequence[Step]) -> bool:
    return all((step.path or "").rpartition(".")[2].isdigit() for step in steps)


def numbers(items: Sequence[int]) -> Tree:
    """A tuple of numbers."""
    return Node("tuple", (), tuple(map(int, items)))


def convolution(
    weight: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] | str = (),
    dilation: Sequence[int] = (),
    groups: int = 1,
    *,
    transposed: bool = False,
) -> Layer | None:
    """Conv1d, Conv2d, Conv3d: weight (out, in/groups, *kernel); and transposed: weight (in, out/groups, *kernel)."""
    kernel = weight[2:]
    if not 1 <= len(kernel) <= 3 or min(weight) < 0:  # noqa: PLR2004 - dimensions of a picture
        return None
    channels = (weight[0], weight[1] * groups) if transposed else (weight[1] * groups, weight[0])
    ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
    return Layer(
        f"Conv{'Transpose' if transposed else ''}{len(kernel)}d",
        (
            ("in_channels", channels[0]),
            ("out_channels", channels[1]),
            ("kernel_size", numbers(kernel)),
            ("stride", numbers(_wide(stride, ones))),
            ("padding", padding if isinstance(padding, str) else numbers(_wide(padding, zeros))),
            ("dilation", numbers(_wide(dilation, ones))),
            ("groups", groups),
        ),
    )


def _wide(given: Sequence[int], default: Sequence[int]) -> Sequence[int]:
    """One number stands for all dimensions, none for the default."""
    return tuple(given) * len(default) if len(given) == 1 else given or default


def linear(inputs: int, outputs: int) -> Layer:
    """Linear."""
    return Layer("Linear", (("in_features", inputs), ("out_features", outputs)))


def embedding(weight: Sequence[int]) -> Layer | None:
    """Embedding; weight (words, width)."""
    if len(weight) != 2:  # noqa: PLR2004 - as said
        return None
    return Layer("Embedding", (("num_embeddings", weight[0]), ("embedding_dim", weight[1])))


def batch_norm(x: Sequence[int] | None, weight: Sequence[int], eps: float) -> Layer | None:
    """BatchNorm1d, 2d, 3d, by the dimensions of the input."""
    if x is None or not 2 <= len(x) <= 5 or len(weight) != 1:  # noqa: PLR2004 - (batch, channels) and up to three more
        return None
    return Layer(f"BatchNorm{max(len(x) - 2, 1)}d", (("num_features", weight[0]), ("eps", eps)))


def layer_norm(shape: Sequence[int], eps: float) -> Layer:
    """LayerNorm."""
    return Layer("LayerNorm", (("normalized_shape", numbers(shape)), ("eps", eps)))


def pool(kind: str, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> Layer | None:
    """MaxPool1d, AvgPool2d, …; ``kind`` is Max or Avg."""
    if not 1 <= len(kernel) <= 3:  # noqa: PLR2004 - dimensions of a picture
        return None
    sizes = (("kernel_size", numbers(kernel)), ("stride", numbers(stride or kernel)))
    return Layer(f"{kind}Pool{len(kernel)}d", (*sizes, ("padding", numbers(padding or (0,) * len(kernel)))))
