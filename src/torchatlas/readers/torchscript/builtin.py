"""What TorchScript computes beside tensors: comparisons, counts, conversions; and how its operators are called."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torchatlas.core.graph import Node
from torchatlas.readers.torchscript.values import SCALAR, ScriptValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchatlas.core.graph import Tree


class _Unknown:
    pass


UNKNOWN = _Unknown()
"""It is no such computation."""
LARGEST = 1 << 64
"""Numbers beyond are not followed."""
MOST = 10_000
"""Items of a list that is made by repeating or joining."""

NAMES: dict[str, tuple[str, ...]] = {
    "_convolution": (
        *("input", "weight", "bias", "stride", "padding", "dilation", "transposed", "output_padding", "groups"),
        *("benchmark", "deterministic", "cudnn_enabled", "allow_tf32"),
    ),
    **dict.fromkeys(
        ("conv1d", "conv2d", "conv3d"), ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    ),
    **dict.fromkeys(
        ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"),
    ),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), ("input", "hx", "params")),
    "group_norm": ("input", "num_groups", "weight", "bias", "eps"),
    "instance_norm": ("input", "weight", "bias", "running_mean", "running_var"),
    "prelu": ("self", "weight"),
    "batch_norm": (
        *("input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps", "cudnn_enabled"),
    ),
    "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps", "cudnn_enable"),
    "linear": ("input", "weight", "bias"),
    "addmm": ("self", "mat1", "mat2"),
    "embedding": ("weight", "indices", "padding_idx", "scale_grad_by_freq", "sparse"),
    **dict.fromkeys(
        ("max_pool1d", "max_pool2d", "max_pool3d"), ("self", "kernel_size", "stride", "padding", "dilation")
    ),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), ("self", "kernel_size", "stride", "padding")),
    "dropout": ("input", "p", "train"),
    "scaled_dot_product_attention": ("query", "key", "value", "attn_mask", "dropout_p", "is_causal"),
}
"""The arguments of operators that stand for layers; other names are not needed."""

_MAKERS = """
zeros ones full empty arange rand randn randint randperm eye linspace logspace tensor scalar_tensor tril_indices
triu_indices hann_window hamming_window bartlett_window blackman_window kaiser_window as_tensor
"""
MAKERS = frozenset(_MAKERS.split())
"""What makes tensors of numbers."""
_QUESTIONS = """
size dim len numel stride item get_device dtype device layout requires_grad
ScalarImplicit IntImplicit FloatImplicit Int Float Bool equal storage_offset nelement __contains__ __not__ data_ptr
grad_fn RaiseException Print keys items values append extend insert pop remove clear format str hash id warn
"""
QUESTIONS = frozenset(_QUESTIONS.split())
"""What is asked of a tensor or list, and answered with something else; so is all that begins with ``is_``."""
IN_PLACE = {"append", "extend", "insert", "pop", "clear", "_set_item"}


def is_plain(held: Any) -> bool:
    """Whether it is a constant, by which a condition is decided."""
    return held is None or isinstance(held, (bool, int, float, str))


def is_same(one: Any, other: Any, *, positive: bool) -> Any:
    """``is`` and ``==``; a tensor is never None."""
    if is_plain(one) and is_plain(other):
        return (one == other) == positive
    if (one is None and other is not SCALAR) or (other is None and one is not SCALAR):
        return not positive
    return SCALAR


def plain(tree: Tree) -> Any:
    """A setting as a constant."""
    return [plain(item) for item in tree.items] if isinstance(tree, Node) else tree


def convert(name: str, args: list[Any]) -> Any:
    """``int(x)``, ``bool(x)``, …; a tensor is asked for a number that only a run gives, and decides as ``bool(x)``."""
    if name == "bool" and len(args) == 1 and isinstance(args[0], ScriptValue):
        return args[0]
    kinds: dict[str, Callable[[Any], Any]] = {"int": int, "float": float, "bool": bool, "str": str}
    if name in kinds and len(args) == 1 and isinstance(args[0], (bool, int, float, str)):
        try:
            return kinds[name](args[0])
        except (ValueError, OverflowError):
            return SCALAR
    return SCALAR


def answer(name: str, args: list[Any]) -> Any:
    """What an operator gives for constants and lists; UNKNOWN where it is one of tensors."""
    if name in IN_PLACE:
        return _change(name, args)
    held = CONTAINERS.get(name, _unknown)(args)
    if held is not UNKNOWN:
        return held
    operation = PLAIN.get(name)
    if operation is None or not args or not all(isinstance(one, (bool, int, float, str)) for one in args):
        return UNKNOWN
    try:
        made = operation(*args)
    except (ArithmeticError, TypeError, ValueError):
        return SCALAR
    fits = not isinstance(made, (int, float)) or -LARGEST < made < LARGEST
    return made if fits and not (isinstance(made, str) and len(made) > MOST) else SCALAR


def _unknown(_: list[Any]) -> Any:
    return UNKNOWN


def _length(args: list[Any]) -> Any:
    return len(args[0]) if len(args) == 1 and isinstance(args[0], (list, tuple, dict, str)) else UNKNOWN


def _through(args: list[Any]) -> Any:
    return args[0] if args and not isinstance(args[0], ScriptValue) else UNKNOWN


def _item(args: list[Any]) -> Any:
    """An item of a container; what is not there is not known."""
    if len(args) != 2 or not isinstance(args[0], (list, tuple, dict)):  # noqa: PLR2004 - container and key
        return UNKNOWN
    try:
        return args[0][args[1]] if is_plain(args[1]) else SCALAR
    except (LookupError, TypeError):
        return SCALAR


def _copied(args: list[Any]) -> Any:
    return list(args[0]) if args and isinstance(args[0], (list, tuple)) else UNKNOWN


def _joined(args: list[Any]) -> Any:
    both = len(args) > 1 and isinstance(args[0], list) and isinstance(args[1], list)
    return [*args[0], *args[1]][:MOST] if both else UNKNOWN


def _same(args: list[Any]) -> Any:
    return is_same(args[0], args[1], positive=True) if len(args) == 2 else UNKNOWN  # noqa: PLR2004 - both sides


def _different(args: list[Any]) -> Any:
    return is_same(args[0], args[1], positive=False) if len(args) == 2 else UNKNOWN  # noqa: PLR2004 - both sides


CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "len": _length,
    "NumToTensor": _through,
    "data": _through,
    "__is__": _same,
    "__isnot__": _different,
    "TupleIndex": _item,
    "__getitem__": _item,
    "list": _copied,
    "copy": _copied,
    "add": _joined,
}


def _change(name: str, args: list[Any]) -> Any:
    """Lists are changed in place."""
    if not args or not isinstance(args[0], (list, dict)):
        return SCALAR
    held = args[0]
    if name == "append" and isinstance(held, list) and len(args) > 1:
        held.append(args[1])
    elif name == "extend" and isinstance(held, list) and len(args) > 1 and isinstance(args[1], (list, tuple)):
        held.extend(args[1] if len(held) + len(args[1]) <= MOST else ())
    elif name == "_set_item" and len(args) > 2 and is_plain(args[1]):  # noqa: PLR2004 - container, key, item
        if isinstance(held, dict) or (isinstance(args[1], int) and -len(held) <= args[1] < len(held)):
            held[args[1]] = args[2]
    elif name == "clear":
        held.clear()
    elif name == "pop" and isinstance(held, list) and held:
        return held.pop()
    elif name == "insert" and isinstance(held, list) and len(args) > 2 and isinstance(args[1], int):  # noqa: PLR2004 - as above
        held.insert(args[1], args[2])
    return held


def _power(one: float, other: float) -> Any:
    return one**other if abs(other) < 64 and abs(one) < LARGEST else SCALAR  # noqa: PLR2004 - beyond, numbers take time


PLAIN: dict[str, Callable[..., Any]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "add": lambda a, b, *_: a + b,
    "sub": lambda a, b, *_: a - b,
    "mul": lambda a, b: a * b if not isinstance(a, str) and not isinstance(b, str) else SCALAR,
    "div": lambda a, b: a / b,
    "floordiv": lambda a, b: a // b,
    "remainder": lambda a, b: a % b if not isinstance(a, str) else SCALAR,
    "neg": lambda a: -a,
    "pow": _power,
    "__not__": lambda a: not a,
    "__and__": lambda a, b: a & b,
    "__or__": lambda a, b: a | b,
    "__xor__": lambda a, b: a ^ b,
    "sqrt": math.sqrt,
    "ceil": math.ceil,
    "floor": math.floor,
    "Int": int,
    "Float": float,
    "Bool": bool,
}


def full_name(name: str) -> str:
    """``torch.relu`` is ``aten.relu``; what other libraries define keeps their name."""
    if name.startswith("ops."):
        return name[len("ops.") :]
    return f"aten.{name.rpartition('.')[2]}"


def keys(name: str, count: int) -> list[str]:
    """A name for each argument."""
    known = NAMES.get(name.rstrip("_"), ())
    return [known[at] if at < len(known) else f"args[{at}]" for at in range(count)]
