"""Layers of torch as they are written, and the tensors that they then have.

A layer is written by its name only where what it registers is exactly what the weights have: a wrong guess costs a
line of comment, never a parameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from torchatlas.core.graph import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torchatlas.core.graph import Tree

Shape: TypeAlias = "tuple[int, ...]"
Shapes: TypeAlias = "dict[str, Shape]"

COUNTER = "num_batches_tracked"
UNKNOWN_HEADS = "how many heads is not in the weights"
UNKNOWN_GROUPS = "how many groups is not in the weights"


class Layer(NamedTuple):
    """How a layer is written.

    Attributes:
        code: without what stands before the first parenthesis, and without the parentheses: ``64, 128, 3``.
        shapes: of the tensors that it then has, by name.
        unknown: what of it the weights do not say.
    """

    code: str
    shapes: Shapes
    unknown: str = ""


class Settings:
    """Numbers and flags among a module's settings."""

    def __init__(self, settings: Mapping[str, Tree]) -> None:
        self._settings = settings

    def number(self, name: str, usual: int | None = None) -> int:
        """Give a whole number.

        Raises:
            KeyError: it is not there, and nothing is usual.
        """
        found = self._settings.get(name, usual)
        if isinstance(found, int):
            return int(found)
        raise KeyError(name)

    def sizes(self, name: str, axes: int = 0) -> Shape:
        """Give several whole numbers; one alone stands for all axes.

        Raises:
            KeyError: it is not there.
        """
        found = self._settings.get(name)
        if isinstance(found, Node):
            return tuple(item for item in found.items if isinstance(item, int))
        return (self.number(name),) * max(axes, 1)

    def flag(self, name: str, *, usual: bool = True) -> bool:
        """Whether something is so."""
        found = self._settings.get(name, usual)
        return found if isinstance(found, bool) else usual


def written(kind: str, settings: Mapping[str, Tree], tensors: Mapping[str, Shape]) -> Layer | None:
    """Give how a layer of torch is written, None for what is none of torch or has not all its numbers.

    Args:
        kind: the class.
        settings: what is known of its arguments.
        tensors: shapes of what it is to have; whether there is a bias is read from them.
    """
    write = WRITERS.get(kind)
    if write is None:
        return None
    if kind == "MultiheadAttention":  # a model keeps no attribute that says so
        settings = {"bias": "in_proj_bias" in tensors, "add_bias_kv": "bias_k" in tensors, **settings}
    try:
        return write(Settings(settings), "bias" in tensors)
    except KeyError:
        return None


def _code(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part != "")


def _bias(*, bias: bool) -> str:
    return "" if bias else "bias=False"


def _steps(settings: Settings, axes: int) -> list[str]:
    """Stride, padding and dilation, where they are known and not usual."""
    found = []
    for name, usual in (("stride", 1), ("padding", 0), ("dilation", 1)):
        try:
            sizes = settings.sizes(name, axes)
        except KeyError:
            continue
        if any(size != usual for size in sizes):
            found.append(f"{name}={_same(sizes)}")
    return found


def _same(sizes: Shape) -> int | Shape:
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _convolution(axes: int, *, transposed: bool) -> Callable[[Settings, bool], Layer]:
    def write(settings: Settings, bias: bool) -> Layer:
        inward, outward = settings.number("in_channels"), settings.number("out_channels")
        window, groups = settings.sizes("kernel_size", axes), settings.number("groups", 1)
        first, second = (inward, outward // groups) if transposed else (outward, inward // groups)
        shapes: Shapes = {"weight": (first, second, *window)}
        if bias:
            shapes["bias"] = (outward,)
        grouped = f"groups={groups}" if groups > 1 else ""
        code = _code(inward, outward, _same(window), *_steps(settings, axes), grouped, _bias(bias=bias))
        return Layer(code, shapes)

    return write


def _linear(settings: Settings, bias: bool) -> Layer:
    inward, outward = settings.number("in_features"), settings.number("out_features")
    shapes: Shapes = {"weight": (outward, inward), **({"bias": (outward,)} if bias else {})}
    return Layer(_code(inward, outward, _bias(bias=bias)), shapes)


def _bilinear(settings: Settings, bias: bool) -> Layer:
    one, other = settings.number("in1_features"), settings.number("in2_features")
    outward = settings.number("out_features")
    shapes: Shapes = {"weight": (outward, one, other), **({"bias": (outward,)} if bias else {})}
    return Layer(_code(one, other, outward, _bias(bias=bias)), shapes)


def _embedding(settings: Settings, _: bool) -> Layer:
    count, size = settings.number("num_embeddings"), settings.number("embedding_dim")
    return Layer(_code(count, size), {"weight": (count, size)})


def _statistics(usual: bool) -> Callable[[Settings, bool], Layer]:
    def write(settings: Settings, bias: bool) -> Layer:
        count = settings.number("num_features")
        tracked = settings.flag("track_running_stats", usual=usual)
        shapes: Shapes = {"weight": (count,), "bias": (count,)} if bias else {}
        if tracked:
            shapes |= {"running_mean": (count,), "running_var": (count,), COUNTER: ()}
        words = [f"{name}={now}" for name, now in (("affine", bias), ("track_running_stats", tracked)) if now != usual]
        return Layer(_code(count, *words), shapes)

    return write


def _group_norm(settings: Settings, bias: bool) -> Layer:
    count = settings.number("num_channels")
    groups = settings.number("num_groups", 1)
    shapes: Shapes = {"weight": (count,), "bias": (count,)} if bias else {}
    unknown = "" if groups > 1 else UNKNOWN_GROUPS
    return Layer(_code(groups, count, "" if bias else "affine=False"), shapes, unknown)


def _layer_norm(settings: Settings, bias: bool) -> Layer:
    shape = settings.sizes("normalized_shape")
    shapes: Shapes = {"weight": shape, **({"bias": shape} if bias else {})}
    return Layer(_code(_single(shape), _bias(bias=bias)), shapes)


def _rms_norm(settings: Settings, _: bool) -> Layer:
    shape = settings.sizes("normalized_shape")
    return Layer(_code(_single(shape)), {"weight": shape})


def _single(shape: Shape) -> int | Shape:
    return shape[0] if len(shape) == 1 else shape


def _prelu(settings: Settings, _: bool) -> Layer:
    count = settings.number("num_parameters", 1)
    return Layer("" if count == 1 else str(count), {"weight": (count,)})


def _recurrent(gates: int) -> Callable[[Settings, bool], Layer]:
    def write(settings: Settings, _: bool) -> Layer:
        inward, hidden = settings.number("input_size"), settings.number("hidden_size")
        layers, bias = settings.number("num_layers", 1), settings.flag("bias")
        both, projected = settings.flag("bidirectional", usual=False), settings.number("proj_size", 0)
        shapes: Shapes = {}
        for layer in range(layers):
            wide = inward if layer == 0 else (projected or hidden) * (2 if both else 1)
            for end in ("", "_reverse") if both else ("",):
                suffix = f"_l{layer}{end}"
                shapes[f"weight_ih{suffix}"] = (gates * hidden, wide)
                shapes[f"weight_hh{suffix}"] = (gates * hidden, projected or hidden)
                if bias:
                    shapes[f"bias_ih{suffix}"] = shapes[f"bias_hh{suffix}"] = (gates * hidden,)
                if projected:
                    shapes[f"weight_hr{suffix}"] = (projected, hidden)
        words = ["" if layers == 1 else f"num_layers={layers}", _bias(bias=bias)]
        words += ["bidirectional=True" if both else "", f"proj_size={projected}" if projected else ""]
        return Layer(_code(inward, hidden, *words), shapes)

    return write


def _cell(gates: int) -> Callable[[Settings, bool], Layer]:
    def write(settings: Settings, _: bool) -> Layer:
        inward, hidden, bias = settings.number("input_size"), settings.number("hidden_size"), settings.flag("bias")
        shapes: Shapes = {"weight_ih": (gates * hidden, inward), "weight_hh": (gates * hidden, hidden)}
        if bias:
            shapes["bias_ih"] = shapes["bias_hh"] = (gates * hidden,)
        return Layer(_code(inward, hidden, _bias(bias=bias)), shapes)

    return write


def _attention(settings: Settings, _: bool) -> Layer:
    size, bias = settings.number("embed_dim"), settings.flag("bias")
    kdim, vdim = settings.number("kdim", size), settings.number("vdim", size)
    apart, extra = (kdim, vdim) != (size, size), settings.flag("add_bias_kv", usual=False)
    shapes: Shapes = {"in_proj_weight": (3 * size, size)}
    if apart:
        shapes = {f"{which}_proj_weight": (size, of) for which, of in (("q", size), ("k", kdim), ("v", vdim))}
    shapes["out_proj.weight"] = (size, size)
    if bias:
        shapes |= {"in_proj_bias": (3 * size,), "out_proj.bias": (size,)}
    if extra:
        shapes |= {"bias_k": (1, 1, size), "bias_v": (1, 1, size)}
    heads = settings.number("num_heads", 0)
    words = [_bias(bias=bias), "add_bias_kv=True" if extra else "", f"kdim={kdim}, vdim={vdim}" if apart else ""]
    return Layer(_code(size, heads or 1, *words), shapes, "" if heads else UNKNOWN_HEADS)


def _transformer(attentions: tuple[str, ...]) -> Callable[[Settings, bool], Layer]:
    def write(settings: Settings, _: bool) -> Layer:
        size, wide = settings.number("d_model"), settings.number("dim_feedforward")
        shapes: Shapes = {
            "linear1.weight": (wide, size),
            "linear1.bias": (wide,),
            "linear2.weight": (size, wide),
            "linear2.bias": (size,),
        }
        for name in attentions:
            shapes |= {f"{name}.in_proj_weight": (3 * size, size), f"{name}.in_proj_bias": (3 * size,)}
            shapes |= {f"{name}.out_proj.weight": (size, size), f"{name}.out_proj.bias": (size,)}
        for number in range(1, len(attentions) + 2):
            shapes |= {f"norm{number}.weight": (size,), f"norm{number}.bias": (size,)}
        return Layer(_code(size, 1, wide), shapes, UNKNOWN_HEADS)

    return write


WRITERS: dict[str, Callable[[Settings, bool], Layer]] = {
    **{f"Conv{axes}d": _convolution(axes, transposed=False) for axes in (1, 2, 3)},
    **{f"ConvTranspose{axes}d": _convolution(axes, transposed=True) for axes in (1, 2, 3)},
    **{f"BatchNorm{axes}d": _statistics(usual=True) for axes in (1, 2, 3)},
    **{f"InstanceNorm{axes}d": _statistics(usual=False) for axes in (1, 2, 3)},
    "Linear": _linear,
    "Bilinear": _bilinear,
    "Embedding": _embedding,
    "GroupNorm": _group_norm,
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "PReLU": _prelu,
    **{name: _recurrent(gates) for name, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1))},
    **{name: _cell(gates) for name, gates in (("LSTMCell", 4), ("GRUCell", 3), ("RNNCell", 1))},
    "MultiheadAttention": _attention,
    "TransformerEncoderLayer": _transformer(("self_attn",)),
    "TransformerDecoderLayer": _transformer(("self_attn", "multihead_attn")),
}
"""How each layer is written, by its class in ``torch.nn``."""
