"""Settings of a pickled module: the plain public attributes that it was saved with, as a capture takes them.

Classes of torch print the same of them here as they do themselves; of any other, its settings are listed.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from torchatlas.core.graph import Node, Text
from torchatlas.readers.pickled import Foreign, Global, Mapping, Set
from torchatlas.readers.weights.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchatlas.core.graph import Tree
    from torchatlas.readers.weights.whole import PickledModule

Settings: TypeAlias = "tuple[tuple[str, Tree], ...]"

PLAIN = frozenset((int, float, bool, str, type(None)))
FEW = 8
"""Things in a list that still is a setting (kernel_size, normalized_shape)."""
MOST = 64
DEEPEST = 3
CHARACTERS = 200
LISTED = 8
"""Settings of a class of the user's that are listed."""
TORCH = "torch.nn.modules."
"""Where torch's own classes stand."""


def settings_of(module: PickledModule) -> Settings:
    """The settings of a module, in the order in which it got them."""
    found = [] if module.state is None else [(str(name), thing) for name, thing in module.state.items()]
    return tuple(
        (name, _tree(thing, 0))
        for name, thing in found
        if name[:1] != "_" and name != "training" and _is_setting(thing)
    )


def _is_setting(thing: object) -> bool:
    if type(thing) in PLAIN:
        return True
    if isinstance(thing, Mapping):
        return not thing
    return isinstance(thing, (list, tuple)) and len(thing) <= FEW and not _has_tensors(thing, 0)


def _has_tensors(thing: object, depth: int) -> bool:
    if isinstance(thing, (list, tuple, Mapping)) and depth < DEEPEST:
        items = thing.values() if isinstance(thing, Mapping) else thing
        return any(_has_tensors(item, depth + 1) for item in islice(items, MOST))
    return isinstance(thing, Stored)


def _tree(thing: object, depth: int) -> Tree:
    if isinstance(thing, (list, tuple, Mapping)):
        name = next(name for kind, name in CONTAINERS if isinstance(thing, kind))
        if len(thing) > MOST or depth >= DEEPEST:
            return Text(f"{name} of {len(thing)}")
        items = thing.values() if isinstance(thing, Mapping) else thing
        keys = tuple(map(str, thing)) if isinstance(thing, Mapping) else ()
        return Node(name, keys, tuple(_tree(item, depth + 1) for item in items))
    if isinstance(thing, (Global, Foreign)):
        named = thing if isinstance(thing, Global) else thing.made_by
        return Text(named.name.rpartition(".")[2][:CHARACTERS])
    if isinstance(thing, str):
        text = thing if len(thing) <= CHARACTERS else thing[:CHARACTERS] + "…"
        return text if type(thing) is str else Text(str(text))
    return thing if thing is None or isinstance(thing, (bool, int, float)) else Text(type(thing).__name__)


CONTAINERS = ((Set, "set"), (list, "list"), (tuple, "tuple"), (Mapping, "dict"))


def details(module: PickledModule, settings: Settings) -> str:
    """What a module would print of itself: as torch's own class does, or its settings."""
    held = dict(settings)
    if str(module.defined).startswith(TORCH) and module.name in PRINTED:
        return ", ".join(_printed(PRINTED[module.name], held, module))
    if str(module.defined).startswith(TORCH) and not module.name.startswith("Lazy"):
        return ""
    plain = [f"{name}={_text(value)}" for name, value in settings if not isinstance(value, Node) or value.items]
    return ", ".join(plain[:LISTED]) + (", …" if len(plain) > LISTED else "")


def _printed(form: str, held: dict[str, Tree], module: PickledModule) -> Iterator[str]:
    """The parts of a form: ``a`` is the value alone, ``a=`` with its name, ``a?0`` with its name unless it is 0."""
    for part in form.split():
        name, _, usual = part.partition("?")
        name, named = name.rstrip("="), "=" in name or bool(usual)
        if name in held:
            text = _text(held[name])
        elif name == "bias":
            text = str("bias" in module.parameters)
        else:
            continue
        if not usual or not _is_usual(text, usual):
            yield f"{name}={text}" if named else text


def _is_usual(text: str, usual: str) -> bool:
    return text == usual or (text.startswith("(") and set(text.strip("(,)").split(", ")) == {usual})


def _text(value: Tree) -> str:
    if isinstance(value, Node):
        inside = ", ".join(map(_text, value.items))
        if value.type == "tuple":
            return f"({inside},)" if len(value.items) == 1 else f"({inside})"
        return f"[{inside}]"
    return value.text if isinstance(value, Text) else str(value)


CONVOLUTION = (
    "in_channels out_channels kernel_size= stride= padding?0 dilation?1 output_padding?0 groups?1 bias?True"
    " padding_mode?zeros"
)
BATCH_NORM = "num_features eps= momentum= affine= track_running_stats="
RECURRENT = (
    "input_size hidden_size num_layers?1 bias?True batch_first?False dropout?0.0 bidirectional?False proj_size?0"
)
EMBEDDING = "num_embeddings embedding_dim padding_idx?None max_norm?None norm_type?2.0 scale_grad_by_freq?False"
MAX_POOL = "kernel_size= stride= padding= dilation= ceil_mode="
AVERAGE_POOL = "kernel_size= stride= padding="

PRINTED: dict[str, str] = {
    **{f"{kind}{axes}d": CONVOLUTION for kind in ("Conv", "ConvTranspose") for axes in (1, 2, 3)},
    **{f"{kind}{axes}d": BATCH_NORM for kind in ("BatchNorm", "InstanceNorm") for axes in (1, 2, 3)},
    **{f"MaxPool{axes}d": MAX_POOL for axes in (1, 2, 3)},
    **{f"AvgPool{axes}d": AVERAGE_POOL for axes in (1, 2, 3)},
    **{f"Adaptive{kind}Pool{axes}d": "output_size=" for kind in ("Avg", "Max") for axes in (1, 2, 3)},
    **dict.fromkeys(("RNN", "LSTM", "GRU"), RECURRENT),
    **dict.fromkeys(
        ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"), "p= inplace="
    ),
    **dict.fromkeys(("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid"), "inplace?False"),
    **dict.fromkeys(("ELU", "CELU"), "alpha= inplace?False"),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Softmin"), "dim="),
    "SyncBatchNorm": BATCH_NORM,
    **dict.fromkeys(("Linear", "NonDynamicallyQuantizableLinear"), "in_features= out_features= bias="),
    "Bilinear": "in1_features= in2_features= out_features= bias=",
    "Embedding": f"{EMBEDDING} sparse?False",
    "EmbeddingBag": f"{EMBEDDING} mode=",
    "LayerNorm": "normalized_shape eps= elementwise_affine=",
    "RMSNorm": "normalized_shape eps= elementwise_affine=",
    "GroupNorm": "num_groups num_channels eps= affine=",
    "LeakyReLU": "negative_slope= inplace?False",
    "Hardtanh": "min_val= max_val= inplace?False",
    "PReLU": "num_parameters=",
    "GELU": "approximate=",
    "Softplus": "beta= threshold=",
    "Flatten": "start_dim= end_dim=",
    "Upsample": "scale_factor= size?None mode=",
    "PixelShuffle": "upscale_factor=",
    "ChannelShuffle": "groups=",
    "LocalResponseNorm": "size alpha= beta= k=",
}
"""What ``extra_repr`` of torch's own classes prints."""
